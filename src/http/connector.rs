//! Connections: made within a time limit, ended by other threads, probed with one system call.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
};

use super::exchange::Exchange;
use super::resolver::resolve;
use crate::control::{Control, Interrupt};
use crate::error::{Code, Failure, Outcome};
use crate::fork::lock;

/// How far a socket's own time limit may lie beyond the call's: setting it costs a system call.
const SLACK: Duration = Duration::from_millis(20);

/// A failure of ours on its way through ureq.
#[derive(Debug)]
pub struct Ended(pub Failure);

impl fmt::Display for Ended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.message())
    }
}

impl std::error::Error for Ended {}

fn ended(failure: Failure) -> Error {
    Error::Other(Box::new(Ended(failure)))
}

fn current() -> Result<std::rc::Rc<Exchange>, Error> {
    Exchange::current()
        .ok_or_else(|| ended(Failure::new(Code::InternalError, "a connection is used outside of a call")))
}

/// Opens TCP connections for the call under way on this thread.
#[derive(Debug)]
pub struct Dial {
    /// The time limit of making one connection, proxy and TLS included.
    pub connect_timeout: Duration,
}

impl<In: Transport> Connector<In> for Dial {
    type Out = Either<In, Wire>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let exchange = current()?;
        if let Some(tunnel) = chained {
            exchange.handshake();
            return Ok(Some(Either::A(tunnel)));
        }
        exchange.connecting(self.connect_timeout);
        let line = dial(details, &exchange).map_err(ended)?;
        exchange.handshake();
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(Wire { line, buffers, user: None, read_limit: Duration::ZERO, write_limit: Duration::ZERO })))
    }
}

/// The end of the chain: notes that the connection stands.
#[derive(Debug)]
pub struct Connected;

impl<In: Transport> Connector<In> for Connected {
    type Out = In;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<In>, Error> {
        current()?.connected(details.uri);
        Ok(chained)
    }
}

/// Tries the host's addresses one after the other, each with its share of the time.
fn dial(details: &ConnectionDetails, exchange: &Exchange) -> Outcome<Arc<Line>> {
    let host = details.uri.host().unwrap_or_default();
    let port = details.uri.port_u16().unwrap_or(if details.needs_tls() { 443 } else { 80 });
    let addresses = resolve(host, port, exchange)?;
    let mut failure = None;
    for (tried, address) in addresses.iter().enumerate() {
        let left = exchange.time_left()?;
        // Half of the time for each address but the last, so that a dead one does not use up all.
        let share = if tried + 1 < addresses.len() { left / 2 } else { left };
        match Line::connect(*address, exchange, Instant::now() + share) {
            Ok(line) => return Ok(line),
            Err(error) => failure = Some(error),
        }
        exchange.time_left()?;
    }
    let error = failure.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into());
    Err(Failure::new(Code::NetworkError, format!("could not connect: {}", describe(&error))))
}

/// An error of the operating system in its own words; those of libraries may quote an address.
pub fn describe(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(_) => error.to_string(),
        None => error.kind().to_string(),
    }
}

/// A connected socket, and the call that uses it now.
pub struct Line {
    socket: Socket,
    user: Mutex<Option<Arc<Control>>>,
}

impl Interrupt for Line {
    /// Ends the connection if this call uses it: it may have gone on to another call already.
    fn interrupt(&self, call: &Control) {
        let user = lock(&self.user);
        if user.as_ref().is_some_and(|user| std::ptr::eq(Arc::as_ptr(user), call)) {
            // An error means that the connection has ended by itself.
            let _ = self.socket.shutdown(Shutdown::Both);
        }
    }
}

impl Line {
    fn connect(address: SocketAddr, exchange: &Exchange, until: Instant) -> io::Result<Arc<Line>> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        // The attempt is begun before others can see the socket: ending one that has not begun would
        // have no effect. Then it is waited for.
        socket.set_nonblocking(true)?;
        let begun = socket.connect(&address.into());
        socket.set_nonblocking(false)?;
        let line = Arc::new(Line { socket, user: Mutex::new(None) });
        match begun {
            Ok(()) => Ok(line),
            Err(error) if in_progress(&error) => {
                line.used_by(exchange.call());
                line.await_connection(address, exchange, until)?;
                Ok(line)
            }
            Err(error) => Err(error),
        }
    }

    fn await_connection(&self, address: SocketAddr, exchange: &Exchange, until: Instant) -> io::Result<()> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if exchange.call().is_cancelled() || left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.socket.set_write_timeout(Some(left))?;
            // On Linux a second connect waits for the first; elsewhere it says at once how that stands.
            match self.socket.connect(&address.into()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if in_progress(&error) => {
                    let _ = exchange.call().pause(Duration::from_millis(2).min(left));
                }
                Err(error) if error.raw_os_error() == Some(libc::EISCONN) => return Ok(()),
                outcome => return outcome,
            }
        }
    }

    fn used_by(self: &Arc<Self>, call: &Arc<Control>) {
        *lock(&self.user) = Some(Arc::clone(call));
        let line: Weak<Line> = Arc::downgrade(self);
        call.blocked_in(line);
    }
}

fn in_progress(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EALREADY | libc::EAGAIN))
}

/// The transport on a [`Line`]: in a request of ordinary size one write and one read.
pub struct Wire {
    line: Arc<Line>,
    buffers: LazyBuffers,
    user: Option<Arc<Control>>,
    read_limit: Duration,
    write_limit: Duration,
}

impl fmt::Debug for Wire {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Wire")
    }
}

impl Wire {
    /// Makes this thread's call the one that uses the line.
    fn claim(&mut self, exchange: &Exchange) {
        if !self.user.as_ref().is_some_and(|user| Arc::ptr_eq(user, exchange.call())) {
            self.line.used_by(exchange.call());
            self.user = Some(Arc::clone(exchange.call()));
        }
    }
}

/// The limit to set on the socket, or `None` if the present one serves.
fn new_limit(present: Duration, left: Duration) -> Option<Duration> {
    let serves = present <= left + SLACK && present >= left / 2;
    (!serves).then(|| left.max(Duration::from_millis(1)))
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        let exchange = current()?;
        self.claim(&exchange);
        let mut written = 0;
        while written < amount {
            let left = exchange.time_left().map_err(ended)?;
            if let Some(limit) = new_limit(self.write_limit, left) {
                self.line.socket.set_write_timeout(Some(limit))?;
                self.write_limit = limit;
            }
            exchange.sending();
            match (&self.line.socket).write(&self.buffers.output()[written..amount]) {
                Ok(0) => return Err(Error::Io(io::ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if is_timeout(&error) || error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    exchange.call().check().map_err(ended)?;
                    return Err(Error::Io(error));
                }
            }
        }
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let exchange = current()?;
        self.claim(&exchange);
        loop {
            let left = exchange.time_left().map_err(ended)?;
            if let Some(limit) = new_limit(self.read_limit, left) {
                self.line.socket.set_read_timeout(Some(limit))?;
                self.read_limit = limit;
            }
            match (&self.line.socket).read(self.buffers.input_append_buf()) {
                Ok(0) => {
                    // A cancellation ends the connection, which must not look like the answer's end.
                    exchange.call().check().map_err(ended)?;
                    return Ok(false);
                }
                Ok(count) => {
                    exchange.received();
                    self.buffers.input_appended(count);
                    return Ok(true);
                }
                Err(error) if is_timeout(&error) || error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    exchange.call().check().map_err(ended)?;
                    return Err(Error::Io(error));
                }
            }
        }
    }

    /// Whether a kept connection can be used: nothing to read, and not closed by the server.
    fn is_open(&mut self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let peeked = self.line.socket.recv_with_flags(&mut byte, libc::MSG_PEEK | libc::MSG_DONTWAIT);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}
