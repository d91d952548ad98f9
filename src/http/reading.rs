//! Reading one answer from a connection: interim answers left out, head and body as RFC 9112 frames them.
#![forbid(unsafe_code)]

use std::io::{self, BufRead};
use std::time::Duration;

use super::body::{self, BodyFlaw, Content};
use super::head::{Head, HeadFlaw};

/// How many interim answers may come before the answer.
const MOST_INTERIM: usize = 100;

/// An answer that was read whole.
#[derive(Debug)]
pub struct Received {
    /// The status.
    pub status: u16,
    /// The body, decompressed.
    pub content: Content,
    /// How long to wait before the next request, if the server says.
    pub retry_after: Option<Duration>,
    /// Whether the connection may serve another request.
    pub keeps: bool,
    /// For how long the server keeps it, if it says.
    pub keep_alive: Option<Duration>,
}

/// Why no answer was read.
#[derive(Debug)]
pub enum ReadFlaw {
    /// The connection failed, or ended within the answer.
    Io(io::Error),
    /// The body is larger than the limit.
    TooLarge,
    /// There is no memory for the body.
    OutOfMemory,
    /// It ends too early, with what does.
    CutOff(&'static str),
    /// It is not HTTP, with the reason.
    Malformed(&'static str),
}

/// Bytes of a connection, which are kept until they are consumed.
pub trait Source: BufRead {
    /// The bytes that are kept.
    fn kept(&self) -> &[u8];

    /// Waits for more of them; `false` at the end of the connection.
    fn more(&mut self) -> io::Result<bool>;

    /// Says that the bytes so far belong to an interim answer.
    fn was_interim(&mut self);
}

/// Reads an answer. `look` is asked from time to time whether to go on.
pub fn read(source: &mut impl Source, limit: u64, look: &dyn Fn() -> io::Result<()>) -> Result<Received, ReadFlaw> {
    for _ in 0..MOST_INTERIM {
        let head = read_head(source)?;
        if head.is_interim() {
            source.was_interim();
            continue;
        }
        let content = body::read(&mut *source, &head, limit, look)?;
        // What follows was not asked for; and after a flaw within the body its end is uncertain.
        let keeps = head.keeps && source.kept().is_empty() && content.undecoded.is_none();
        let Head { status, retry_after, keep_alive, .. } = head;
        return Ok(Received { status, content, retry_after, keeps, keep_alive });
    }
    Err(ReadFlaw::Malformed("is preceded by interim answers without end"))
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
