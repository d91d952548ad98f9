//! The transport under ureq: in a request of ordinary size one write and one read, each within the
//! time of the call that makes it.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use ureq::Error;
use ureq::config::Config;
use ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport};

use super::attempt::{Attempt, Phase};
use super::socket::{CancellableSocket, describe};
use super::transport_error::{fatal, lost};
use crate::call::Call;
use crate::error::{Code, Failure};

/// How far a socket's own time limit may lie beyond the call's: setting it costs a system call.
const SLACK: Duration = Duration::from_millis(20);

/// A write on a connection that has ended is an error to us, not a SIGPIPE, which would end the host. Where there is
/// no such flag, socket2 makes sockets that raise none.
#[cfg(all(unix, not(target_vendor = "apple")))]
const NO_SIGNAL: libc::c_int = libc::MSG_NOSIGNAL;
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
const NO_SIGNAL: i32 = 0;

/// The transport on a [`CancellableSocket`].
pub struct SocketTransport {
    socket: Arc<CancellableSocket>,
    buffers: LazyBuffers,
    user: Option<Arc<Call>>,
    read_limit: Duration,
    write_limit: Duration,
    /// Why the server takes no more of the request.
    refused: Option<io::Error>,
}

impl fmt::Debug for SocketTransport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SocketTransport")
    }
}

impl SocketTransport {
    /// A transport on a socket that was made for the call under way.
    pub fn new(socket: Arc<CancellableSocket>, config: &Config, attempt: &Attempt) -> SocketTransport {
        SocketTransport {
            socket,
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
            user: Some(Arc::clone(attempt.call())),
            read_limit: Duration::ZERO,
            write_limit: Duration::ZERO,
            refused: None,
        }
    }

    /// Makes this thread's call the one that uses the socket.
    fn claim(&mut self, attempt: &Attempt) {
        if !self.user.as_ref().is_some_and(|user| Arc::ptr_eq(user, attempt.call())) {
            self.socket.used_by(attempt.call());
            self.user = Some(Arc::clone(attempt.call()));
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
fn failed(error: &io::Error, attempt: &Attempt) -> Error {
    if let Err(failure) = attempt.time_left() {
        return fatal(failure);
    }
    lost(Failure::new(Code::NetworkError, format!("{} {}", describe(error), attempt.step())))
}

fn passes(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
        && error.raw_os_error() != Some(libc::ETIMEDOUT)
}

impl Transport for SocketTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        let attempt = Attempt::current()?;
        self.claim(&attempt);
        let mut written = 0;
        while written < amount && self.refused.is_none() {
            let left = attempt.time_left().map_err(fatal)?;
            if let Some(limit) = new_limit(self.write_limit, left) {
                self.socket.socket.set_write_timeout(Some(limit))?;
                self.write_limit = limit;
            }
            attempt.sending().map_err(fatal)?;
            match self.socket.socket.send_with_flags(&self.buffers.output()[written..amount], NO_SIGNAL) {
                Ok(0) => return Err(failed(&io::ErrorKind::WriteZero.into(), &attempt)),
                Ok(count) => written += count,
                Err(error) if passes(&error) => {}
                // A server may answer before it has the whole request, and end the connection: that a file is
                // too large, say. The answer counts; without one, `await_input` tells of this error.
                Err(error) if attempt.phase() == Phase::Request && attempt.call().check().is_ok() => {
                    self.refused = Some(error);
                }
                Err(error) => return Err(failed(&error, &attempt)),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let attempt = Attempt::current()?;
        self.claim(&attempt);
        loop {
            let left = attempt.time_left().map_err(fatal)?;
            if let Some(limit) = new_limit(self.read_limit, left) {
                self.socket.socket.set_read_timeout(Some(limit))?;
                self.read_limit = limit;
            }
            match (&self.socket.socket).read(self.buffers.input_append_buf()) {
                Ok(0) => {
                    // A cancellation ends the connection, which must not look like the answer's end.
                    attempt.time_left().map_err(fatal)?;
                    return self.refused.as_ref().map_or(Ok(false), |error| Err(failed(error, &attempt)));
                }
                Ok(count) => {
                    self.buffers.input_appended(count);
                    return Ok(true);
                }
                Err(error) if passes(&error) => {}
                Err(error) => return Err(failed(&error, &attempt)),
            }
        }
    }

    /// Whether the connection can be kept for another call, or taken by one.
    ///
    /// ureq asks at both moments. The first finds the socket with its user, who lets go of it here;
    /// what happens to it until the second moment shows only then, so that is when to look.
    fn is_open(&mut self) -> bool {
        if self.user.take().is_some() {
            self.socket.released();
            return self.refused.is_none();
        }
        self.socket.is_quiet()
    }
}
