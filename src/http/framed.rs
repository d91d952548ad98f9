//! Removes the framing of a body: a length, chunks, or everything until the connection ends.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, BufRead, Read};

use super::head::Framing;

/// The longest line between chunks: a chunk's size with its extensions, or a trailer.
const LONGEST_LINE: u64 = 16 * 1024;
/// The maximum length of extensions and trailers, in addition to the length of the content.
const OVERHEAD: u64 = 128 * 1024;

/// A reader of the content within a framing; it ends with the body.
pub struct Framed<R> {
    source: R,
    state: State,
    line: Vec<u8>,
    content: u64,
    overhead: u64,
    most: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Ended,
    Length(u64),
    UntilClose,
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailers,
}

impl<R: BufRead> Framed<R> {
    /// A reader of the content in these bytes; content well beyond the limit is an error.
    pub fn new(source: R, framing: Framing, limit: u64) -> Framed<R> {
        let state = match framing {
            Framing::NoBody | Framing::Length(0) => State::Ended,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::ChunkSize,
            Framing::UntilClose => State::UntilClose,
        };
        // Compression does not make a text much longer, so a longer content cannot be within the limit.
        let most = limit.saturating_add(limit / 8).saturating_add(1 << 16);
        Framed { source, state, line: Vec::new(), content: 0, overhead: 0, most }
    }

    /// Advances to the next content and returns how much there may be; 0 at the end.
    fn advance(&mut self) -> io::Result<u64> {
        loop {
            self.state = match self.state {
                State::Ended => return Ok(0),
                State::Length(left) | State::Chunk(left) => return Ok(left),
                State::UntilClose => return Ok(u64::MAX),
                State::ChunkSize => {
                    self.read_line()?;
                    match chunk_size(&self.line).ok_or_else(|| flaw_error(FramingFlaw::Chunks))? {
                        0 => State::Trailers,
                        size => State::Chunk(size),
                    }
                }
                State::ChunkEnd => {
                    self.read_line()?;
                    if !self.line.is_empty() {
                        return Err(flaw_error(FramingFlaw::Chunks));
                    }
                    State::ChunkSize
                }
                State::Trailers => {
                    // The content is complete: a server that ends here has only omitted the last empty line.
                    if self.source.fill_buf()?.is_empty() {
                        State::Ended
                    } else {
                        self.read_line()?;
                        if self.line.is_empty() { State::Ended } else { State::Trailers }
                    }
                }
            }
        }
    }

    /// Reads a line that ends with LF or CR LF.
    fn read_line(&mut self) -> io::Result<()> {
        self.line.clear();
        let length = self.source.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.line)? as u64;
        // The size lines themselves are not counted, because a server may send each byte in its own chunk.
        self.overhead += if self.state == State::Trailers { length } else { length.saturating_sub(20) };
        if self.line.pop_if(|byte| *byte == b'\n').is_none() {
            let is_cut = length < LONGEST_LINE;
            return Err(if is_cut { cut_off() } else { flaw_error(FramingFlaw::Chunks) });
        }
        let _ = self.line.pop_if(|byte| *byte == b'\r');
        if self.overhead > OVERHEAD + self.content {
            return Err(flaw_error(FramingFlaw::Chunks));
        }
        Ok(())
    }
}

/// The size at the beginning of a chunk's line; extensions may follow after a semicolon.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?.trim_ascii();
    let digits = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_hexdigit))?;
    u64::from_str_radix(digits, 16).ok()
}

impl<R: BufRead> BufRead for Framed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let left = self.advance()?;
        if self.content > self.most {
            return Err(flaw_error(FramingFlaw::TooLarge));
        }
        if left == 0 {
            return Ok(&[]);
        }
        let bytes = self.source.fill_buf().map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => cut_off(),
            _ => error,
        })?;
        if bytes.is_empty() && self.state != State::UntilClose {
            return Err(cut_off());
        }
        Ok(&bytes[..bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX))])
    }

    fn consume(&mut self, amount: usize) {
        self.source.consume(amount);
        self.content += amount as u64;
        let amount = amount as u64;
        self.state = match self.state {
            State::Length(left) if left == amount => State::Ended,
            State::Length(left) => State::Length(left - amount),
            State::Chunk(left) if left == amount => State::ChunkEnd,
            State::Chunk(left) => State::Chunk(left - amount),
            state => state,
        };
    }
}

impl<R: BufRead> Read for Framed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.fill_buf()?;
        let length = piece.len().min(buffer.len());
        buffer[..length].copy_from_slice(&piece[..length]);
        self.consume(length);
        Ok(length)
    }
}

/// A flaw of the body, passed through a decoder as an I/O error.
#[derive(Debug, Clone, Copy)]
pub enum FramingFlaw {
    /// The chunks are not valid HTTP.
    Chunks,
    /// The connection ended within the body.
    CutOff,
    /// The content is much longer than the limit.
    TooLarge,
}

impl FramingFlaw {
    /// The flaw within an I/O error.
    pub fn within(error: &io::Error) -> Option<FramingFlaw> {
        error.get_ref().and_then(|inner| inner.downcast_ref()).copied()
    }
}

/// The connection ended within the body.
fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, FramingFlaw::CutOff)
}

fn flaw_error(flaw: FramingFlaw) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, flaw)
}

impl fmt::Display for FramingFlaw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a flaw of the body")
    }
}

impl std::error::Error for FramingFlaw {}
