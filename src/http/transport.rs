//! The transport that ureq writes a request to. It reads the answer itself and tells ureq only that there was one.
//!
//! ureq takes what it is told for an answer without a body, and so gives the connection up at once: it is either
//! dropped, which closes it, or kept for later calls here, since ureq's own pool walks all its connections each time.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::http::Uri;
use ureq::http::uri::Scheme;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};
use zeroize::{Zeroize, Zeroizing};

use super::attempt::Attempt;
use super::attempt_error::{io_failure, read_failure};
use super::kept::KeptConnections;
use super::reading::{self, Source};
use super::stream::{Stream, Written};
use crate::engine;
use crate::error::{Code, Failure};

/// What one read takes in; a whole head must fit, and one byte more, to notice that it does not.
const INPUT: usize = 32 * 1024;
/// Room for a request's head besides its address, and for a piece of its body.
const OUTPUT: usize = 8 * 1024;
/// A piece of a large body.
const LARGE_OUTPUT: usize = 64 * 1024;

/// What a server is sure to have read together with a request's head.
const SMALL_BODY: usize = 16 * 1024;
/// A cancelled wait of this length counts as one that timed out.
const LONG: Duration = Duration::from_secs(1);

/// What ureq is told of an answer after which the connection can be kept, and of any other.
const KEPT: &[u8] = b"HTTP/1.1 204 \r\n\r\n";
const CLOSED: &[u8] = b"HTTP/1.1 204 \r\nconnection: close\r\n\r\n";

/// A server, as far as connections to it can stand for each other.
#[derive(Clone, PartialEq)]
pub struct Server {
    /// Whether connections to it are secure.
    pub is_secure: bool,
    /// Its name or address, in lower case.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl Server {
    /// The server of an address, of which it keeps no part: the address holds the session key, and is wiped after the
    /// call.
    pub fn of(uri: &Uri) -> Option<Server> {
        let is_secure = uri.scheme() == Some(&Scheme::HTTPS);
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        Some(Server { is_secure, host: uri.host()?.to_ascii_lowercase(), port })
    }
}

/// A connection between two calls.
pub struct Connection {
    stream: Stream,
    input: Input,
    output: Output,
    has_answered: bool,
    /// Whether it is used by a token request.
    is_secret: bool,
}

impl Connection {
    /// A connection that was just made.
    pub fn new(stream: Stream) -> Connection {
        Connection { stream, input: Input::default(), output: Output::default(), has_answered: false, is_secret: false }
    }

    /// Whether an unused connection still stands after so long.
    pub fn is_quiet(&mut self, watch: Duration) -> bool {
        self.stream.is_quiet(watch)
    }
}

/// Where connections are kept.
pub type Kept = KeptConnections<Server, Connection>;

/// A connection in use by a request.
pub struct HttpTransport {
    /// Absent only while it is dropped.
    connection: Option<Connection>,
    server: Server,
    kept: Arc<Kept>,
    /// Since when the connection was unused, if it was kept.
    unused_since: Option<Instant>,
    told: &'static [u8],
    keep_alive: Option<Duration>,
    is_released: bool,
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HttpTransport")
    }
}

impl HttpTransport {
    /// A connection, new or kept, for the request under way.
    pub fn new(
        mut connection: Connection,
        server: Server,
        kept: Arc<Kept>,
        unused_since: Option<Instant>,
        attempt: &Attempt,
        head_room: usize,
    ) -> HttpTransport {
        let output = if attempt.plan().body_length > LARGE_OUTPUT { LARGE_OUTPUT } else { OUTPUT };
        let needed = output.max(attempt.address_length() + head_room);
        if connection.output.bytes.len() < needed {
            connection.output = Output { bytes: Zeroizing::new(vec![0; needed]), used: 0 };
        }
        connection.is_secret = attempt.plan().is_secret;
        let connection = Some(connection);
        HttpTransport { connection, server, kept, unused_since, told: &[], keep_alive: None, is_released: false }
    }

    fn connection(&mut self) -> Result<&mut Connection, Error> {
        let gone = || super::transport_error::fatal(Failure::new(Code::InternalError, "a connection is gone"));
        self.connection.as_mut().ok_or_else(gone)
    }

    /// Reads the answer and leaves it with the attempt.
    fn read_answer(&mut self, attempt: &Attempt) -> Result<bool, Error> {
        let connection = self.connection()?;
        if engine::is_task() {
            connection.output = Output::default();
        }
        let mut incoming = Incoming { stream: &mut connection.stream, input: &mut connection.input, attempt };
        let look = || attempt.time_left().map(drop).map_err(super::transport_error::ended);
        match reading::read(&mut incoming, attempt.plan().max_response_bytes, &look) {
            Ok(received) => {
                // A refused body may not have been read: it would stand before the next request.
                let is_refused = attempt.plan().body_length > SMALL_BODY && !(200..300).contains(&received.status);
                let keeps = received.keeps && !is_refused;
                self.keep_alive = received.keep_alive;
                attempt.received(received);
                Ok(keeps)
            }
            Err(flaw) => {
                self.note_failure(attempt);
                Err(read_failure(flaw, attempt).into_ureq())
            }
        }
    }

    /// What a kept connection that brought no answer says of the server's others.
    fn note_failure(&self, attempt: &Attempt) {
        let Some(since) = self.unused_since.filter(|_| !attempt.answered()) else { return };
        match attempt.call().check() {
            Ok(()) => self.kept.closed(&self.server, since),
            // A host may cancel where another sets a time limit.
            Err(failure) if failure.code() == Code::Timeout || attempt.age() > LONG => self.kept.silent(&self.server),
            Err(_) => {}
        }
    }
}

impl Transport for HttpTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        let attempt = Attempt::current()?;
        let Connection { stream, output, .. } = self.connection()?;
        output.used = output.used.max(amount);
        match stream.write(&output.bytes[..amount], &attempt) {
            Ok(Written::Whole) => Ok(()),
            Ok(Written::Refused(error)) => {
                let read = self.read_answer(&attempt);
                match (read, error) {
                    // ureq would go on to send: an error ends that, and the answer counts.
                    (Ok(_), _) => Err(Error::ConnectionFailed),
                    (Err(_), Some(error)) if attempt.call().check().is_ok() && !attempt.answered() => {
                        Err(io_failure(error, &attempt).into_ureq())
                    }
                    (Err(error), _) => Err(error),
                }
            }
            Err(error) => Err(io_failure(error, &attempt).into_ureq()),
        }
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let attempt = Attempt::current()?;
        self.told = if self.read_answer(&attempt)? { KEPT } else { CLOSED };
        Ok(true)
    }

    /// ureq asks this of a connection that it would keep, before it drops it.
    fn is_open(&mut self) -> bool {
        self.is_released = true;
        true
    }

    fn is_tls(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.stream.is_secure())
    }
}

impl Drop for HttpTransport {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take().filter(|_| self.is_released) else { return };
        connection.stream.release();
        connection.wipe();
        connection.shrink();
        let has_answered_before = std::mem::replace(&mut connection.has_answered, true);
        self.kept.put(&self.server, connection, self.keep_alive, has_answered_before);
    }
}

impl Connection {
    /// Gives back what only a large request needed; in an engine, which has many connections, all that is not needed
    /// while the connection is not in use.
    fn shrink(&mut self) {
        if self.output.bytes.len() > OUTPUT || engine::is_task() {
            self.output = Output::default();
        }
        if engine::is_task() && self.input.kept().is_empty() {
            self.input = Input::default();
        }
    }
}

impl Connection {
    /// Wipes what went out, which holds the session key, and what came in, if it was a token request.
    fn wipe(&mut self) {
        self.output.wipe();
        if std::mem::take(&mut self.is_secret) {
            self.input.bytes.zeroize();
            self.input = Input::default();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// ureq writes into the connection's buffer, and reads what it is told.
impl Buffers for HttpTransport {
    fn output(&mut self) -> &mut [u8] {
        self.connection.as_mut().map_or(&mut [], |connection| &mut connection.output.bytes)
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        let Some(connection) = &mut self.connection else { return (&mut [], &mut []) };
        (connection.input.room(), &mut connection.output.bytes)
    }

    fn input(&self) -> &[u8] {
        self.told
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        &mut []
    }

    fn input_appended(&mut self, _: usize) {}

    fn input_consume(&mut self, amount: usize) {
        self.told = &self.told[amount..];
    }

    fn can_use_input(&self) -> bool {
        !self.told.is_empty()
    }
}

/// A request's head, and its body piece by piece. All of it is wiped when dropped.
#[derive(Default)]
struct Output {
    bytes: Zeroizing<Vec<u8>>,
    /// How many of them were sent since they were wiped.
    used: usize,
}

impl Output {
    /// Wipes what was sent, and no more: most heads are short.
    fn wipe(&mut self) {
        self.bytes[..self.used].zeroize();
        self.used = 0;
    }
}

/// Bytes that came and were not read yet.
#[derive(Default)]
struct Input {
    bytes: Vec<u8>,
    begin: usize,
    end: usize,
}

impl Input {
    fn kept(&self) -> &[u8] {
        &self.bytes[self.begin..self.end]
    }

    /// Room for more bytes.
    fn room(&mut self) -> &mut [u8] {
        if self.bytes.is_empty() {
            self.bytes = vec![0; INPUT];
        }
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        } else if self.end == self.bytes.len() {
            self.bytes.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
        }
        &mut self.bytes[self.end..]
    }
}

/// What comes in for the attempt under way.
struct Incoming<'a> {
    stream: &'a mut Stream,
    input: &'a mut Input,
    attempt: &'a Attempt,
}

impl Source for Incoming<'_> {
    fn kept(&self) -> &[u8] {
        self.input.kept()
    }

    fn more(&mut self) -> io::Result<bool> {
        if self.input.bytes.is_empty() && engine::is_task() {
            self.stream.await_input(self.attempt)?;
        }
        let count = self.stream.read(self.input.room(), self.attempt)?;
        self.input.end += count;
        if count > 0 {
            self.attempt.received_bytes(true);
        }
        Ok(count > 0)
    }

    fn was_interim(&mut self) {
        self.attempt.received_bytes(!self.input.kept().is_empty());
    }
}

impl BufRead for Incoming<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.input.kept().is_empty() {
            self.more()?;
        }
        Ok(self.input.kept())
    }

    fn consume(&mut self, amount: usize) {
        self.input.begin += amount;
    }
}

impl Read for Incoming<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}
