//! TCP connections that other threads can end, while they are made and while they are used.
#![forbid(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::attempt::Attempt;
use super::resolver::resolve;
use crate::call::{Call, Interrupt};
use crate::error::{Code, Failure, Outcome};
use crate::fork::lock;

/// How long a connection attempt is waited for before its call's cancellation is looked at again: a
/// cancellation that came just before the wait has gone unnoticed by the socket.
const GLANCE: Duration = Duration::from_millis(20);

/// A connected socket, and the call that uses it now.
pub struct CancellableSocket {
    pub socket: Socket,
    user: Mutex<Option<Arc<Call>>>,
}

impl Interrupt for CancellableSocket {
    /// Ends the connection if this call uses it: it may have gone on to another call already.
    fn interrupt(&self, call: &Call) {
        let user = lock(&self.user);
        if user.as_ref().is_some_and(|user| std::ptr::eq(Arc::as_ptr(user), call)) {
            // An error means that the connection has ended by itself.
            let _ = self.socket.shutdown(Shutdown::Both);
        }
    }
}

impl CancellableSocket {
    /// Tries the host's addresses one after the other, each with its share of the time.
    pub fn dial(host: &str, port: u16, attempt: &Attempt) -> Outcome<Arc<CancellableSocket>> {
        let addresses = resolve(host, port, attempt)?;
        let mut failure = None;
        for (tried, address) in addresses.iter().enumerate() {
            let left = attempt.time_left()?;
            // Half of the time for each address but the last, so that a dead one does not use up all.
            let share = if tried + 1 < addresses.len() { left / 2 } else { left };
            match CancellableSocket::connect(*address, attempt, Instant::now() + share) {
                Ok(socket) => return Ok(socket),
                Err(error) => failure = Some(error),
            }
            attempt.time_left()?;
        }
        let error = failure.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into());
        Err(Failure::new(Code::NetworkError, format!("could not connect: {}", describe(&error))))
    }

    fn connect(address: SocketAddr, attempt: &Attempt, until: Instant) -> io::Result<Arc<CancellableSocket>> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        // The attempt is begun before others can see the socket: ending one that has not begun would
        // have no effect. Then it is waited for.
        socket.set_nonblocking(true)?;
        let begun = socket.connect(&address.into());
        socket.set_nonblocking(false)?;
        let socket = Arc::new(CancellableSocket { socket, user: Mutex::new(None) });
        socket.used_by(attempt.call());
        match begun {
            Ok(()) => Ok(socket),
            Err(error) if in_progress(&error) => {
                socket.await_connection(address, attempt, until)?;
                Ok(socket)
            }
            Err(error) => Err(error),
        }
    }

    fn await_connection(&self, address: SocketAddr, attempt: &Attempt, until: Instant) -> io::Result<()> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if attempt.call().is_cancelled() || left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if let Some(outcome) = self.glance(address, left.min(GLANCE)) {
                return outcome;
            }
        }
    }

    /// Waits for the attempt's end for a while; `None` if it has not ended. On Linux a second connect
    /// waits for the first as long as a write may take.
    #[cfg(target_os = "linux")]
    fn glance(&self, address: SocketAddr, length: Duration) -> Option<io::Result<()>> {
        let connected = self.socket.set_write_timeout(Some(length)).and_then(|()| self.socket.connect(&address.into()));
        match connected {
            Err(error) if in_progress(&error) || error.kind() == io::ErrorKind::Interrupted => None,
            Err(error) if error.raw_os_error() == Some(libc::EISCONN) => Some(Ok(())),
            outcome => Some(outcome),
        }
    }

    /// Waits for the attempt's end for a while; `None` if it has not ended. What a second connect
    /// does differs between systems; whether there is an error, or another side, does not.
    #[cfg(not(target_os = "linux"))]
    fn glance(&self, _: SocketAddr, length: Duration) -> Option<io::Result<()>> {
        std::thread::sleep(length.min(Duration::from_millis(2)));
        match self.socket.take_error() {
            Ok(None) => self.socket.peer_addr().is_ok().then_some(Ok(())),
            Ok(Some(error)) | Err(error) => Some(Err(error)),
        }
    }

    /// Lets this call, and no other, end the socket from now on.
    pub fn used_by(self: &Arc<Self>, call: &Arc<Call>) {
        *lock(&self.user) = Some(Arc::clone(call));
        let socket: Weak<CancellableSocket> = Arc::downgrade(self);
        call.blocked_in(socket);
    }

    /// Lets no call end the socket until another uses it. One that is just ending it finishes first.
    pub fn released(&self) {
        let former = lock(&self.user).take();
        drop(former);
    }

    /// Whether there is nothing to read and the other side has not closed, in one system call.
    #[cfg(unix)]
    pub fn is_quiet(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let peeked = self.socket.recv_with_flags(&mut byte, libc::MSG_PEEK | libc::MSG_DONTWAIT);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Whether there is nothing to read and the other side has not closed.
    #[cfg(not(unix))]
    pub fn is_quiet(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let peeked = self.socket.set_nonblocking(true).and_then(|()| self.socket.peek(&mut byte));
        let restored = self.socket.set_nonblocking(false);
        restored.is_ok() && peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

fn in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EALREADY | libc::EAGAIN))
}

/// An error of the operating system in its own words; those of libraries may quote an address.
pub fn describe(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(_) => error.to_string(),
        None => error.kind().to_string(),
    }
}
