//! Reads one answer from a connection (RFC 9112), skipping interim answers.
#![forbid(unsafe_code)]

use std::io::{self, BufRead};
use std::time::Duration;

use super::body::{self, BodyFlaw, DecodedBody};
use super::head::{Head, HeadFlaw};

/// The maximum number of interim answers before the answer.
const MOST_INTERIM: usize = 100;

/// A complete answer.
#[derive(Debug)]
pub struct Received {
    /// The status.
    pub status: u16,
    /// The body, decompressed.
    pub body: DecodedBody,
    /// How long to wait before the next request, if the server says so.
    pub retry_after: Option<Duration>,
    /// Whether the connection may serve another request.
    pub keeps: bool,
    /// For how long the server keeps it, if it says so.
    pub keep_alive: Option<Duration>,
}

/// Why no answer was read.
#[derive(Debug)]
pub enum ReadFlaw {
    /// The connection failed, or ended within the answer.
    Io(io::Error),
    /// The body is larger than the limit.
    TooLarge,
    /// There is not enough memory for the body.
    OutOfMemory,
    /// It ends too early; says which part does.
    CutOff(&'static str),
    /// It is not HTTP, with the reason.
    Malformed(&'static str),
}

/// The bytes of a connection, buffered until they are consumed.
pub trait Source: BufRead {
    /// The buffered bytes.
    fn kept(&self) -> &[u8];

    /// Waits for more bytes; `false` at the end of the connection.
    fn more(&mut self) -> io::Result<bool>;

    /// Notes that the bytes so far belong to an interim answer.
    fn was_interim(&mut self);
}

/// Reads an answer. `check` is called from time to time, and fails if the call must end.
pub fn read(source: &mut impl Source, limit: u64, check: &dyn Fn() -> io::Result<()>) -> Result<Received, ReadFlaw> {
    for _ in 0..MOST_INTERIM {
        let head = read_head(source)?;
        if head.is_interim() {
            source.was_interim();
            continue;
        }
        let body = body::read(&mut *source, &head, limit, check)?;
        // More bytes would be an unrequested answer, and after a flaw in the body its end is uncertain: do not keep the
        // connection.
        let keeps = head.keeps && source.kept().is_empty() && body.undecoded.is_none();
        let Head { status, retry_after, keep_alive, .. } = head;
        return Ok(Received { status, body, retry_after, keeps, keep_alive });
    }
    Err(ReadFlaw::Malformed("is preceded by too many interim answers"))
}

fn read_head(source: &mut impl Source) -> Result<Head, ReadFlaw> {
    loop {
        if let Some((head, length)) = Head::parse(source.kept())? {
            source.consume(length);
            return Ok(head);
        }
        if !source.more()? {
            return Err(ReadFlaw::Io(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

impl From<HeadFlaw> for ReadFlaw {
    fn from(flaw: HeadFlaw) -> ReadFlaw {
        ReadFlaw::Malformed(match flaw {
            HeadFlaw::NotHttp => "is not valid HTTP",
            HeadFlaw::TooLarge => "has too large a head",
            HeadFlaw::Length => "has an invalid length, or two that differ",
        })
    }
}

impl From<BodyFlaw> for ReadFlaw {
    fn from(flaw: BodyFlaw) -> ReadFlaw {
        match flaw {
            BodyFlaw::Io(error) => ReadFlaw::Io(error),
            BodyFlaw::TooLarge => ReadFlaw::TooLarge,
            BodyFlaw::OutOfMemory => ReadFlaw::OutOfMemory,
            BodyFlaw::CutCompression => ReadFlaw::CutOff("its compression ends too early"),
            BodyFlaw::Chunks => ReadFlaw::Malformed("is not valid HTTP: its chunks are malformed"),
        }
    }
}

impl From<io::Error> for ReadFlaw {
    fn from(error: io::Error) -> ReadFlaw {
        ReadFlaw::Io(error)
    }
}
