//! The transport to which ureq writes a request. It reads the answer itself and shows ureq only a substitute without a
//! body.
//!
//! After the substitute ureq releases the connection at once. It is then closed or kept here, because ureq's own pool
//! scans all its connections each time.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::http::Uri;
use ureq::http::uri::Scheme;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

use super::attempt::Attempt;
use super::attempt_error::{io_failure, read_failure};
use super::buffers::{Input, Output, Unused};
use super::kept::KeptConnections;
use super::reading::{self, Source};
use super::stream::{Stream, Written};
use crate::engine;
use crate::error::{Code, Failure, Outcome};

/// A body up to this size certainly reaches the server together with the head.
const SMALL_BODY: usize = 16 * 1024;
/// A cancelled wait of this length counts as a timeout.
const LONG: Duration = Duration::from_secs(1);

/// The substitutes for an answer after which the connection can be kept, and for any other.
const KEPT: &[u8] = b"HTTP/1.1 204 \r\n\r\n";
const CLOSED: &[u8] = b"HTTP/1.1 204 \r\nconnection: close\r\n\r\n";

/// The key of kept connections: connections with the same key can replace each other.
#[derive(PartialEq)]
pub struct Server {
    /// Whether connections to it use TLS.
    pub is_secure: bool,
    /// Its host name or address, in lower case.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl Server {
    /// The server of an address. It copies the host name, because the address contains the access token and is wiped
    /// after the call.
    pub fn of(uri: &Uri) -> Option<Server> {
        Some(Server { is_secure: is_secure(uri), host: uri.host()?.to_ascii_lowercase(), port: port(uri) })
    }

    /// Whether it is the server of this address.
    pub fn is_of(&self, uri: &Uri) -> bool {
        let is_host = uri.host().is_some_and(|host| self.host.eq_ignore_ascii_case(host));
        is_host && self.is_secure == is_secure(uri) && self.port == port(uri)
    }
}

fn is_secure(uri: &Uri) -> bool {
    uri.scheme() == Some(&Scheme::HTTPS)
}

fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or_else(|| usual_port(uri))
}

/// The port of an address that names none.
pub fn usual_port(uri: &Uri) -> u16 {
    if is_secure(uri) { 443 } else { 80 }
}

/// A connection and its buffers.
pub struct Connection {
    stream: Stream,
    input: Input,
    output: Output,
    has_answered: bool,
    /// Whether it is used by a token request.
    is_secret: bool,
}

impl Connection {
    /// A new connection.
    pub fn new(stream: Stream) -> Connection {
        Connection { stream, input: Input::default(), output: Output::default(), has_answered: false, is_secret: false }
    }

    /// Watches an unused connection for `watch`; whether it is still open.
    pub fn is_quiet(&mut self, watch: Duration) -> bool {
        self.stream.is_quiet(watch)
    }
}

/// The kept connections.
pub type Kept = KeptConnections<Arc<Server>, Connection>;

/// A connection in use by a request.
pub struct HttpTransport {
    /// `None` only while it is dropped.
    connection: Option<Connection>,
    server: Arc<Server>,
    kept: Arc<Kept>,
    unused: Arc<Unused>,
    /// Since when the connection was unused, if it was kept.
    unused_since: Option<Instant>,
    substitute: &'static [u8],
    keep_alive: Option<Duration>,
    is_released: bool,
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HttpTransport")
    }
}

impl HttpTransport {
    /// A connection, new or kept, for the current request.
    #[inline(never)]
    pub fn new(
        mut connection: Connection,
        server: Arc<Server>,
        kept: Arc<Kept>,
        unused: Arc<Unused>,
        unused_since: Option<Instant>,
        attempt: &Attempt,
        head_room: usize,
    ) -> Outcome<HttpTransport> {
        let head = attempt.address_length() + head_room;
        unused.prepare(&mut connection.output, &mut connection.input, head, attempt.plan().body_length)?;
        connection.is_secret = attempt.plan().is_secret;
        let connection = Some(connection);
        Ok(HttpTransport {
            connection,
            server,
            kept,
            unused,
            unused_since,
            substitute: &[],
            keep_alive: None,
            is_released: false,
        })
    }

    fn connection(&mut self) -> Result<&mut Connection, Error> {
        let gone = || {
            super::transport_error::fatal(Failure::new(
                Code::InternalError,
                "a connection was used after it was closed",
            ))
        };
        self.connection.as_mut().ok_or_else(gone)
    }

    /// Reads the answer and stores it in the attempt.
    fn read_answer(&mut self, attempt: &Attempt) -> Result<bool, Error> {
        let unused = Arc::clone(&self.unused);
        let Connection { stream, input, output, .. } = self.connection()?;
        if engine::is_task() {
            unused.release_output(output);
        }
        let mut incoming = AttemptInput { stream, input, unused: &unused, attempt };
        let check = || attempt.time_left().map(drop).map_err(super::transport_error::ended);
        match reading::read(&mut incoming, attempt.plan().max_response_bytes, &check) {
            Ok(received) => {
                // The server may not have read a refused body, which would then precede the next request.
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

    /// Updates the server's other kept connections after a kept connection brought no answer.
    fn note_failure(&self, attempt: &Attempt) {
        let Some(since) = self.unused_since.filter(|_| !attempt.answered()) else { return };
        match attempt.call().check() {
            Ok(()) => self.kept.closed(&self.server, since),
            // Some hosts cancel a call instead of setting a time limit.
            Err(failure) if failure.code() == Code::Timeout || attempt.age() > LONG => {
                self.kept.timed_out(&self.server)
            }
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
        match stream.write(output.sent(amount), &attempt) {
            Ok(Written::Whole) => Ok(()),
            Ok(Written::Refused(error)) => {
                let read = self.read_answer(&attempt);
                match (read, error) {
                    // ureq would continue to send. An error ends that, and the answer is used.
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
        self.substitute = if self.read_answer(&attempt)? { KEPT } else { CLOSED };
        Ok(true)
    }

    /// ureq calls this for a connection that it could keep, before it drops it.
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
        self.unused.release(&mut connection.output, &mut connection.input);
        let has_answered_before = std::mem::replace(&mut connection.has_answered, true);
        self.kept.put(&self.server, connection, self.keep_alive, has_answered_before);
    }
}

impl Connection {
    /// Wipes the output, which contains the access token, and the input if it was a token request.
    fn wipe(&mut self) {
        self.output.wipe();
        if std::mem::take(&mut self.is_secret) {
            self.input.wipe();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// ureq writes into the connection's buffer, and reads the substitute answer.
impl Buffers for HttpTransport {
    fn output(&mut self) -> &mut [u8] {
        self.connection.as_mut().map_or(&mut [], |connection| connection.output.bytes())
    }

    // Only a chunked body would need the first. Ours have lengths, and a call should not wait with a buffer that it does not
    // need.
    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        (&mut [], self.output())
    }

    fn input(&self) -> &[u8] {
        self.substitute
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        &mut []
    }

    fn input_appended(&mut self, _: usize) {}

    fn input_consume(&mut self, amount: usize) {
        self.substitute = &self.substitute[amount..];
    }

    fn can_use_input(&self) -> bool {
        !self.substitute.is_empty()
    }
}

/// The input of the current attempt.
struct AttemptInput<'a> {
    stream: &'a mut Stream,
    input: &'a mut Input,
    unused: &'a Unused,
    attempt: &'a Attempt,
}

impl Source for AttemptInput<'_> {
    fn kept(&self) -> &[u8] {
        self.input.kept()
    }

    fn more(&mut self) -> io::Result<bool> {
        if self.input.is_absent() && engine::is_task() {
            self.stream.await_input(self.attempt)?;
        }
        let count = self.stream.read(self.input.room(self.unused)?, self.attempt)?;
        self.input.received(count);
        if count > 0 {
            self.attempt.received_bytes(true);
        }
        Ok(count > 0)
    }

    fn was_interim(&mut self) {
        self.attempt.received_bytes(!self.input.kept().is_empty());
    }
}

impl BufRead for AttemptInput<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.input.kept().is_empty() {
            self.more()?;
        }
        Ok(self.input.kept())
    }

    fn consume(&mut self, amount: usize) {
        self.input.consume(amount);
    }
}

impl Read for AttemptInput<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}
