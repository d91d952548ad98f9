//! The transport under ureq: in a request of ordinary size one write and one read, each within the
//! time of the call that makes it.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, Read};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ureq::Error;
use ureq::config::Config;
use ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport};

use super::exchange::{Exchange, Phase};
use super::line::{Line, describe};
use crate::control::Control;
use crate::error::{Code, Failure};

/// How far a socket's own time limit may lie beyond the call's: setting it costs a system call.
const SLACK: Duration = Duration::from_millis(20);

/// A failure of ours on its way through ureq.
#[derive(Debug)]
pub struct Ended {
    /// What it is.
    pub failure: Failure,
    /// Whether the connection failed or was lost, so that another may do better.
    pub lost: bool,
}

impl fmt::Display for Ended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.failure.message())
    }
}

impl std::error::Error for Ended {}

/// A failure that another connection would not heal.
pub fn ended(failure: Failure) -> Error {
    Error::Other(Box::new(Ended { failure, lost: false }))
}

/// A connection that failed or was lost.
pub fn lost(failure: Failure) -> Error {
    Error::Other(Box::new(Ended { failure, lost: true }))
}

/// What the attempt was at, for an error's text.
pub fn step(exchange: &Exchange) -> &'static str {
    match exchange.phase() {
        Phase::Connecting => "while connecting",
        Phase::Proxy => "at the proxy",
        Phase::Handshake => "during the TLS handshake",
        Phase::Request if !exchange.answered() => "before an answer came",
        Phase::Request => "within the answer",
    }
}

/// The attempt under way on this thread.
pub fn current() -> Result<Rc<Exchange>, Error> {
    Exchange::current()
        .ok_or_else(|| ended(Failure::new(Code::InternalError, "a connection is used outside of a call")))
}

/// A write on a connection that has ended is an error to us, not a SIGPIPE, which would end the host. Where there is
/// no such flag, socket2 makes sockets that raise none.
#[cfg(all(unix, not(target_vendor = "apple")))]
const NO_SIGNAL: libc::c_int = libc::MSG_NOSIGNAL;
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
const NO_SIGNAL: i32 = 0;

/// The transport on a [`Line`].
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
    /// A transport on a line that was made for the call under way.
    pub fn new(line: Arc<Line>, config: &Config, exchange: &Exchange) -> Wire {
        Wire {
            line,
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
            user: Some(Arc::clone(exchange.call())),
            read_limit: Duration::ZERO,
            write_limit: Duration::ZERO,
        }
    }

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

/// Why a read or write failed: the call's own end comes first, for it shows as an error of the
/// socket. ureq takes some errors for the end of an answer, hence one of ours.
fn broken(error: &io::Error, exchange: &Exchange) -> Error {
    if let Err(failure) = exchange.time_left() {
        return ended(failure);
    }
    lost(Failure::new(Code::NetworkError, format!("{} {}", describe(error), step(exchange))))
}

fn passes(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
        && error.raw_os_error() != Some(libc::ETIMEDOUT)
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
            match self.line.socket.send_with_flags(&self.buffers.output()[written..amount], NO_SIGNAL) {
                Ok(0) => return Err(broken(&io::ErrorKind::WriteZero.into(), &exchange)),
                Ok(count) => written += count,
                Err(error) if passes(&error) => {}
                Err(error) => return Err(broken(&error, &exchange)),
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
                    exchange.time_left().map_err(ended)?;
                    return Ok(false);
                }
                Ok(count) => {
                    self.buffers.input_appended(count);
                    return Ok(true);
                }
                Err(error) if passes(&error) => {}
                Err(error) => return Err(broken(&error, &exchange)),
            }
        }
    }

    /// Whether the connection can be kept for another call, or taken by one.
    ///
    /// ureq asks at both moments. The first finds the line with its user, who lets go of it here;
    /// what happens to it until the second moment shows only then, so that is when to look.
    fn is_open(&mut self) -> bool {
        if self.user.take().is_some() {
            self.line.released();
            return true;
        }
        self.line.is_quiet()
    }
}
