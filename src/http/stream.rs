//! A connection to a server, plain or with TLS.
#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use super::attempt::{Attempt, Phase};
use super::socket::{Sent, SocketStream};
use super::tls::TlsStream;

/// A connection.
pub enum Stream {
    /// In plain text.
    Plain(SocketStream),
    /// With TLS.
    Secure(Box<TlsStream>),
}

/// The result of writing a request.
#[derive(Debug)]
pub enum Written {
    /// All of it was written.
    Whole,
    /// The server accepts no more of it, with the error if there was one. Its answer may already be there.
    Refused(Option<io::Error>),
}

impl Stream {
    /// Writes all of these bytes.
    pub fn write(&mut self, bytes: &[u8], attempt: &Attempt) -> io::Result<Written> {
        let written = match self {
            Stream::Plain(socket) => write_plain(socket, bytes, attempt),
            Stream::Secure(tls) => tls.write(bytes, attempt),
        };
        match written {
            Ok(true) => Ok(Written::Whole),
            Ok(false) => Ok(Written::Refused(None)),
            // A server may answer and close the connection, for example because a file is too large. The answer is
            // used.
            Err(error) if attempt.phase() == Phase::Request && attempt.call().check().is_ok() => {
                Ok(Written::Refused(Some(error)))
            }
            Err(error) => Err(error),
        }
    }

    /// Reads available bytes, or waits for some; 0 at the end of the connection.
    pub fn read(&mut self, buffer: &mut [u8], attempt: &Attempt) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.read(buffer, attempt),
            Stream::Secure(tls) => tls.read(buffer, attempt),
        }
    }

    /// Suspends this task until there may be something to read.
    pub fn await_input(&mut self, attempt: &Attempt) -> io::Result<()> {
        match self {
            Stream::Plain(socket) => socket.await_input(attempt),
            Stream::Secure(tls) => tls.await_input(attempt),
        }
    }

    /// Whether it uses TLS.
    pub fn is_secure(&self) -> bool {
        matches!(self, Stream::Secure(_))
    }

    /// Ends the call's use of the connection.
    pub fn release(&mut self) {
        self.socket().release();
    }

    /// Watches an unused connection for `watch`; whether it is still open.
    pub fn is_quiet(&mut self, watch: Duration) -> bool {
        self.socket().is_quiet(watch)
    }

    fn socket(&mut self) -> &mut SocketStream {
        match self {
            Stream::Plain(socket) => socket,
            Stream::Secure(tls) => &mut tls.socket,
        }
    }
}

fn write_plain(socket: &mut SocketStream, mut bytes: &[u8], attempt: &Attempt) -> io::Result<bool> {
    while !bytes.is_empty() {
        match socket.write(bytes, attempt, true)? {
            Sent::Bytes(count) => bytes = &bytes[count..],
            Sent::ReadFirst => return Ok(false),
        }
    }
    Ok(true)
}
