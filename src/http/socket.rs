//! Sockets that other threads can shut down, and the waits of the call that uses one.
#![forbid(unsafe_code)]

use std::io::{self, Read};
use std::mem::{self, MaybeUninit};
use std::net::Shutdown;
#[cfg(unix)]
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use socket2::Socket;

use super::attempt::Attempt;
use super::transport_error::ended;
use crate::call::{Call, Interrupt};
use crate::engine::{self, Registered};
use crate::fork::lock;
use crate::panics::planted;

/// Tolerated drift between `SO_RCVTIMEO` and the call's deadline; saves a system call for each read.
const SLACK: Duration = Duration::from_millis(20);

/// A write on a closed connection must return an error, not raise SIGPIPE, which would end the host. On systems without
/// this flag, socket2 makes sockets that raise none.
#[cfg(all(unix, not(target_vendor = "apple")))]
const NO_SIGNAL: libc::c_int = libc::MSG_NOSIGNAL;
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
const NO_SIGNAL: i32 = 0;

/// A socket, and the call that uses it now.
pub struct CancellableSocket {
    pub socket: Socket,
    registered: Registered,
    user: Mutex<Option<Arc<Call>>>,
}

impl Interrupt for CancellableSocket {
    /// Shuts the connection down if this call still uses it; another call may use it already.
    fn interrupt(&self, call: &Call) {
        let user = lock(&self.user);
        if user.as_ref().is_some_and(|user| std::ptr::eq(Arc::as_ptr(user), call)) {
            // An error means that the connection is already closed.
            let _ = self.socket.shutdown(Shutdown::Both);
        }
    }
}

impl CancellableSocket {
    /// Wraps a socket that no call uses.
    pub fn new(socket: Socket, registered: Registered) -> CancellableSocket {
        CancellableSocket { socket, registered, user: Mutex::new(None) }
    }

    /// From now on this call, and no other, can shut the socket down.
    fn used_by(self: &Arc<Self>, call: &Arc<Call>) {
        *lock(&self.user) = Some(Arc::clone(call));
        let socket: Weak<CancellableSocket> = Arc::downgrade(self);
        call.blocked_in(socket);
    }

    /// From now on no call can shut the socket down, until another uses it. Waits for one that is doing so.
    fn released(&self) {
        let previous = lock(&self.user).take();
        drop(previous);
    }

    /// Whether there is nothing to read and the other side has not closed, in one system call.
    #[cfg(unix)]
    fn is_quiet(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let peeked = self.socket.recv_with_flags(&mut byte, libc::MSG_PEEK | libc::MSG_DONTWAIT);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Whether there is nothing to read and the other side has not closed.
    #[cfg(not(unix))]
    fn is_quiet(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let peeked = self.socket.set_nonblocking(true).and_then(|()| self.socket.peek(&mut byte));
        let restored = self.socket.set_nonblocking(false);
        restored.is_ok() && peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Suspends the task until the socket is ready, the call is woken, or `limit` has passed.
    fn suspend(&self, limit: Duration) -> io::Result<()> {
        engine::wait(std::iter::once((&self.socket, &self.registered)), Some(Instant::now() + limit))?;
        planted("wait");
        Ok(())
    }

    #[cfg(unix)]
    fn receive_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        nix::sys::socket::recv(self.socket.as_raw_fd(), buffer, nix::sys::socket::MsgFlags::MSG_DONTWAIT)
            .map_err(io::Error::from)
    }

    #[cfg(not(unix))]
    fn receive_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.socket).read(buffer)
    }

    #[cfg(unix)]
    fn send_now(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.send_with_flags(bytes, NO_SIGNAL | libc::MSG_DONTWAIT)
    }

    #[cfg(not(unix))]
    fn send_now(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_nonblocking(true)?;
        let sent = self.socket.send_with_flags(bytes, NO_SIGNAL);
        self.socket.set_nonblocking(false)?;
        sent
    }
}

/// The result of a write.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// This number of bytes was written.
    Bytes(usize),
    /// Nothing was written; data from the server waits to be read.
    ReadFirst,
}

/// A connected socket, used by one call after another.
pub struct SocketStream {
    socket: Arc<CancellableSocket>,
    user: Option<Arc<Call>>,
    read_limit: Duration,
    /// Whether the task has not been suspended since the connection was found to be quiet.
    is_fresh: bool,
    /// Whether a request was just sent on a fresh connection.
    expects_nothing: bool,
}

impl SocketStream {
    /// A stream on a socket that was made for the current call.
    pub fn new(socket: Arc<CancellableSocket>) -> SocketStream {
        SocketStream { socket, user: None, read_limit: Duration::ZERO, is_fresh: false, expects_nothing: false }
    }

    /// Makes this attempt's call the user of the socket.
    fn claim(&mut self, attempt: &Attempt) {
        if !self.user.as_ref().is_some_and(|user| Arc::ptr_eq(user, attempt.call())) {
            self.socket.used_by(attempt.call());
            self.user = Some(Arc::clone(attempt.call()));
        }
    }

    /// Ends the call's use of the socket.
    pub fn release(&mut self) {
        if self.user.take().is_some() {
            self.socket.released();
        }
    }

    /// Watches an unused connection for `watch`; whether it is still open.
    pub fn is_quiet(&mut self, watch: Duration) -> bool {
        let watched = if watch.is_zero() {
            Ok(())
        } else if engine::is_task() {
            self.socket.suspend(watch)
        } else {
            wait::until_readable(&self.socket.socket, watch)
        };
        self.is_fresh = watched.is_ok() && self.socket.is_quiet();
        self.is_fresh
    }

    /// Reads available bytes, or waits for some; 0 at the end of the connection.
    pub fn read(&mut self, buffer: &mut [u8], attempt: &Attempt) -> io::Result<usize> {
        self.claim(attempt);
        let read = if engine::is_task() { self.read_in_task(buffer, attempt) } else { self.read_here(buffer, attempt) };
        read.inspect(|count| attempt.count_bytes_in(*count))
    }

    fn read_here(&mut self, buffer: &mut [u8], attempt: &Attempt) -> io::Result<usize> {
        loop {
            let left = attempt.time_left().map_err(ended)?;
            if self.read_limit > left + SLACK || self.read_limit < left / 2 {
                self.read_limit = left.max(Duration::from_millis(1));
                self.socket.socket.set_read_timeout(Some(self.read_limit))?;
            }
            match (&self.socket.socket).read(buffer) {
                // A cancellation shuts the connection down, which must not be reported as a close by the server.
                Ok(0) => return attempt.time_left().map(|_| 0).map_err(ended),
                Ok(count) => return Ok(count),
                Err(error) if passes(&error) => {}
                Err(error) => return Err(own_end_first(error, attempt)),
            }
        }
    }

    /// Suspends this task until there may be something to read, so that a waiting call needs no buffer.
    pub fn await_input(&mut self, attempt: &Attempt) -> io::Result<()> {
        self.claim(attempt);
        if mem::take(&mut self.expects_nothing) || self.socket.is_quiet() {
            self.socket.suspend(attempt.time_left().map_err(ended)?)?;
        }
        Ok(())
    }

    /// As [`Self::read_here`], but suspends the task while there is nothing to read.
    fn read_in_task(&mut self, buffer: &mut [u8], attempt: &Attempt) -> io::Result<usize> {
        if engine::pause_if_long() {
            self.expects_nothing = false;
        }
        loop {
            let left = attempt.time_left().map_err(ended)?;
            // Right after a request there can be no answer yet, so the first read would be a useless system call.
            if !mem::take(&mut self.expects_nothing) {
                match self.socket.receive_now(buffer) {
                    Ok(0) => return attempt.time_left().map(|_| 0).map_err(ended),
                    Ok(count) => return Ok(count),
                    Err(error) if passes(&error) => {}
                    Err(error) => return Err(own_end_first(error, attempt)),
                }
            }
            self.socket.suspend(left)?;
        }
    }

    /// Writes some bytes. While the server accepts none, `may_read` says whether data to read ends the wait: an answer
    /// may come before the whole request was sent.
    pub fn write(&mut self, bytes: &[u8], attempt: &Attempt, may_read: bool) -> io::Result<Sent> {
        self.claim(attempt);
        loop {
            let left = attempt.time_left().map_err(ended)?;
            attempt.about_to_send().map_err(ended)?;
            let sent = self.socket.send_now(bytes);
            attempt.sent_bytes(*sent.as_ref().unwrap_or(&0));
            match sent {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.expects_nothing = self.is_fresh && count == bytes.len();
                    return Ok(Sent::Bytes(count));
                }
                Err(error) if passes(&error) && engine::is_task() => {
                    self.is_fresh = false;
                    self.socket.suspend(left)?;
                    if may_read && !self.socket.is_quiet() {
                        return Ok(Sent::ReadFirst);
                    }
                }
                Err(error) if passes(&error) => {
                    if wait::until_ready(&self.socket.socket, may_read, left)? {
                        return Ok(Sent::ReadFirst);
                    }
                }
                Err(error) => return Err(own_end_first(error, attempt)),
            }
        }
    }
}

/// If the call was ended, returns that instead of the socket error that it caused.
fn own_end_first(error: io::Error, attempt: &Attempt) -> io::Error {
    attempt.time_left().map_or_else(ended, |_| error)
}

fn passes(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
        && error.raw_os_error() != Some(libc::ETIMEDOUT)
}

/// Waiting for sockets.
#[cfg(unix)]
pub mod wait {
    use std::io;
    use std::os::fd::AsFd;
    use std::time::Duration;

    use nix::errno::Errno;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use socket2::Socket;

    /// Waits until a socket accepts bytes or, with `may_read`, has data to read. Returns whether it has data and
    /// accepts no bytes.
    pub fn until_ready(socket: &Socket, may_read: bool, limit: Duration) -> io::Result<bool> {
        let read = if may_read { PollFlags::POLLIN } else { PollFlags::empty() };
        let mut sockets = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT | read)];
        within(&mut sockets, limit)?;
        let found = sockets[0].revents().unwrap_or(PollFlags::empty());
        Ok(found.intersects(read) && !found.intersects(PollFlags::POLLOUT | PollFlags::POLLERR))
    }

    /// Waits until one of these sockets has connected or failed to.
    pub fn until_connected<'s>(sockets: impl Iterator<Item = &'s Socket>, limit: Duration) -> io::Result<()> {
        let mut sockets: Vec<_> = sockets.map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLOUT)).collect();
        within(&mut sockets, limit)
    }

    /// Waits until a socket has data to read, or is closed.
    pub fn until_readable(socket: &Socket, limit: Duration) -> io::Result<()> {
        within(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN)], limit)
    }

    fn within(sockets: &mut [PollFd], limit: Duration) -> io::Result<()> {
        // Rounded up: a wait of 0 ms would return at once and be repeated.
        let limit = PollTimeout::try_from(limit.saturating_add(Duration::from_micros(999))).unwrap_or(PollTimeout::MAX);
        match poll(sockets, limit) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Waiting for sockets on Windows.
#[cfg(windows)]
pub mod wait {
    use std::io;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;
    use socket2::Socket;

    /// Waits until a socket accepts bytes or, with `may_read`, has data to read. Returns whether it has data and
    /// accepts no bytes.
    pub fn until_ready(socket: &Socket, may_read: bool, limit: Duration) -> io::Result<bool> {
        let read = if may_read { PollFlags::IN } else { PollFlags::empty() };
        let mut sockets = [PollFd::new(socket, PollFlags::OUT | read)];
        within(&mut sockets, limit)?;
        let found = sockets[0].revents();
        Ok(found.intersects(read) && !found.intersects(PollFlags::OUT | PollFlags::ERR))
    }

    /// Waits until one of these sockets has connected or failed to.
    pub fn until_connected<'s>(sockets: impl Iterator<Item = &'s Socket>, limit: Duration) -> io::Result<()> {
        let mut sockets: Vec<_> = sockets.map(|socket| PollFd::new(socket, PollFlags::OUT)).collect();
        within(&mut sockets, limit)
    }

    /// Waits until a socket has data to read, or is closed.
    pub fn until_readable(socket: &Socket, limit: Duration) -> io::Result<()> {
        within(&mut [PollFd::new(socket, PollFlags::IN)], limit)
    }

    fn within(sockets: &mut [PollFd], limit: Duration) -> io::Result<()> {
        // A limit beyond the range of seconds means no limit. Windows counts in milliseconds; rustix rounds up.
        let limit = Timespec::try_from(limit).ok();
        match poll(sockets, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
