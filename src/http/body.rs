//! The body of an answer: taken out of its framing, decompressed, within a limit.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use zeroize::Zeroizing;

use super::head::{Framing, Head};

/// The longest line between chunks: a chunk's size with its extensions, or a trailer.
const LONGEST_LINE: u64 = 16 * 1024;
/// How much is read of extensions and trailers, besides as much as there is content.
const OVERHEAD: u64 = 128 * 1024;
/// Room for a body of unknown length: tokens fit, and are not moved.
const FIRST: usize = 2 * 1024;
/// How much is decompressed between two looks at the time.
const PIECE: usize = 32 * 1024;

/// The first byte of each member of a gzip stream (RFC 1952).
const FIRST_OF_GZIP: u8 = 0x1f;

/// Why a body cannot be read.
#[derive(Debug)]
pub enum BodyFlaw {
    /// The connection failed.
    Io(io::Error),
    /// It is larger than the limit.
    TooLarge,
    /// There is no memory for it.
    OutOfMemory,
    /// Its chunks are not those of HTTP.
    Chunks,
}

/// A body that was read whole.
#[derive(Debug, Default)]
pub struct Content {
    /// Its bytes, decompressed.
    pub bytes: Vec<u8>,
    /// Why they could not be decompressed.
    pub undecoded: Option<String>,
}

/// Reads the body that belongs to a head. `look` is asked from time to time whether to go on.
pub fn read(
    source: impl BufRead,
    head: &Head,
    limit: u64,
    look: &dyn Fn() -> io::Result<()>,
) -> Result<Content, BodyFlaw> {
    let mut framed = Framed::new(source, head.framing, limit);
    match &head.encoding {
        Ok(0) => {
            // The length is the server's word: believed up to a size that does no harm.
            let expected =
                if let Framing::Length(length) = head.framing { length.min(1 << 20) as usize } else { FIRST };
            let bytes = read_plain(framed, limit, expected)?;
            Ok(Content { bytes, undecoded: None })
        }
        Ok(layers) => read_compressed(&mut framed, *layers, limit, look),
        Err(unknown) => {
            let is_empty = read_plain(framed, limit, 0)?.is_empty();
            let undecoded = (!is_empty).then(|| format!("is encoded as {unknown:?}, which was not asked for"));
            Ok(Content { bytes: Vec::new(), undecoded })
        }
    }
}

fn read_plain(mut framed: impl BufRead, limit: u64, expected: usize) -> Result<Vec<u8>, BodyFlaw> {
    let mut bytes = Vec::new();
    // One byte more, for C's end of a string.
    bytes.try_reserve(expected + 1).map_err(|_| BodyFlaw::OutOfMemory)?;
    loop {
        let piece = framed.fill_buf()?;
        let length = piece.len();
        if length == 0 {
            return Ok(bytes);
        }
        append(&mut bytes, piece, limit)?;
        framed.consume(length);
    }
}

fn read_compressed(
    framed: &mut Framed<impl BufRead>,
    layers: usize,
    limit: u64,
    look: &dyn Fn() -> io::Result<()>,
) -> Result<Content, BodyFlaw> {
    let not_compressed = || Content { bytes: Vec::new(), undecoded: Some("is not validly compressed".into()) };
    match framed.fill_buf()?.first() {
        None => return Ok(Content::default()),
        Some(&FIRST_OF_GZIP) => {}
        Some(_) => return Ok(not_compressed()),
    }
    let mut bytes = Vec::new();
    let mut decoder: Box<dyn Read + '_> = Box::new(Members::new(framed));
    for _ in 1..layers {
        decoder = Box::new(Members::new(io::BufReader::new(decoder)));
    }
    let mut piece = Zeroizing::new(vec![0; PIECE]);
    loop {
        look()?;
        match decoder.read(&mut piece) {
            Ok(0) => return Ok(Content { bytes, undecoded: None }),
            Ok(length) => append(&mut bytes, &piece[..length], limit)?,
            // flate2's own words for bytes that are not gzip's. An end too early is that of the connection.
            Err(error) if is_of_decoder(&error) => return Ok(not_compressed()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the bytes, and not the connection, are at fault. Errors of ours bring something with them.
fn is_of_decoder(error: &io::Error) -> bool {
    let kind = matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData);
    kind && error.raw_os_error().is_none() && !error.get_ref().is_some_and(|inner| inner.is::<Marked>())
}

fn append(bytes: &mut Vec<u8>, piece: &[u8], limit: u64) -> Result<(), BodyFlaw> {
    if (bytes.len() + piece.len()) as u64 > limit {
        return Err(BodyFlaw::TooLarge);
    }
    bytes.try_reserve(piece.len() + 1).map_err(|_| BodyFlaw::OutOfMemory)?;
    bytes.extend_from_slice(piece);
    Ok(())
}

/// The members of a gzip stream, one after the other. What follows the last and is no member is left out, as
/// browsers and curl do: some servers fill up with zeros.
struct Members<R> {
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    fn new(source: R) -> Members<R> {
        Members { member: Some(GzDecoder::new(source)) }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let length = member.read(buffer)?;
            if length > 0 {
                return Ok(length);
            }
            let Some(mut source) = self.member.take().map(GzDecoder::into_inner) else { break };
            match source.fill_buf()?.first() {
                None => {}
                Some(&FIRST_OF_GZIP) => self.member = Some(GzDecoder::new(source)),
                Some(_) => drop(io::copy(&mut source, &mut io::sink())?),
            }
        }
        Ok(0)
    }
}

/// The content within a framing; its end is that of the body.
struct Framed<R> {
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
    fn new(source: R, framing: Framing, limit: u64) -> Framed<R> {
        let state = match framing {
            Framing::NoBody | Framing::Length(0) => State::Ended,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::ChunkSize,
            Framing::UntilClose => State::UntilClose,
        };
        // Compression does not make a text much longer, so a longer one brings nothing.
        let most = limit.saturating_add(limit / 8).saturating_add(1 << 16);
        Framed { source, state, line: Vec::new(), content: 0, overhead: 0, most }
    }

    /// Goes on to where content is, and tells how much there may be; 0 at the end.
    fn advance(&mut self) -> io::Result<u64> {
        loop {
            self.state = match self.state {
                State::Ended => return Ok(0),
                State::Length(left) | State::Chunk(left) => return Ok(left),
                State::UntilClose => return Ok(u64::MAX),
                State::ChunkSize => {
                    self.read_line()?;
                    match chunk_size(&self.line).ok_or_else(|| marked(Marked::Chunks))? {
                        0 => State::Trailers,
                        size => State::Chunk(size),
                    }
                }
                State::ChunkEnd => {
                    self.read_line()?;
                    if !self.line.is_empty() {
                        return Err(marked(Marked::Chunks));
                    }
                    State::ChunkSize
                }
                State::Trailers => {
                    // The content is whole: a server that ends here has only left out an empty line.
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

    /// Reads a line, which ends with LF and perhaps CR before it.
    fn read_line(&mut self) -> io::Result<()> {
        self.line.clear();
        let length = self.source.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.line)? as u64;
        // What a chunk needs is not counted: a server may send each byte in one of its own.
        self.overhead += if self.state == State::Trailers { length } else { length.saturating_sub(20) };
        if self.line.pop_if(|byte| *byte == b'\n').is_none() {
            let is_cut = length < LONGEST_LINE;
            return Err(if is_cut { io::ErrorKind::UnexpectedEof.into() } else { marked(Marked::Chunks) });
        }
        let _ = self.line.pop_if(|byte| *byte == b'\r');
        if self.overhead > OVERHEAD + self.content {
            return Err(marked(Marked::Chunks));
        }
        Ok(())
    }
}

/// The size at the beginning of a chunk's line; extensions follow after a semicolon.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?.trim_ascii();
    let digits = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_hexdigit))?;
    u64::from_str_radix(digits, 16).ok()
}

impl<R: BufRead> BufRead for Framed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let left = self.advance()?;
        if self.content > self.most {
            return Err(marked(Marked::TooLarge));
        }
        if left == 0 {
            return Ok(&[]);
        }
        let bytes = self.source.fill_buf()?;
        if bytes.is_empty() && self.state != State::UntilClose {
            return Err(io::ErrorKind::UnexpectedEof.into());
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

/// A flaw on its way through a decoder, which knows only errors of I/O.
#[derive(Debug, Clone, Copy)]
enum Marked {
    Chunks,
    TooLarge,
}

fn marked(flaw: Marked) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, flaw)
}

impl fmt::Display for Marked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a flaw of the body")
    }
}

impl std::error::Error for Marked {}

impl From<io::Error> for BodyFlaw {
    fn from(error: io::Error) -> BodyFlaw {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(Marked::Chunks) => BodyFlaw::Chunks,
            Some(Marked::TooLarge) => BodyFlaw::TooLarge,
            None => BodyFlaw::Io(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// Bytes that come a few at a time.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(self.1);
            self.0.read(&mut buffer[..most])
        }
    }

    fn head(framing: Framing, layers: usize) -> Head {
        Head { status: 200, framing, encoding: Ok(layers), keeps: true, keep_alive: None, retry_after: None }
    }

    /// What comes of a body, however it is cut into pieces, and what is left behind it.
    fn outcome(bytes: &[u8], head: &Head, limit: u64) -> (String, String) {
        let mut all = [1, 2, 7, bytes.len().max(1)].map(|piece| {
            let mut source = io::BufReader::with_capacity(piece, Drip(bytes, piece));
            let said = match read(&mut source, head, limit, &|| Ok(())) {
                Ok(Content { undecoded: Some(reason), .. }) => reason,
                Ok(Content { bytes, .. }) => String::from_utf8(bytes).expect("text"),
                Err(BodyFlaw::Io(error)) => format!("{:?}", error.kind()),
                Err(flaw) => format!("{flaw:?}"),
            };
            let mut rest = String::new();
            source.read_to_string(&mut rest).map_or_else(|_| (said.clone(), "bytes".into()), |_| (said.clone(), rest))
        });
        assert!(all.iter().all(|one| one.0 == all[0].0), "{all:?}");
        std::mem::take(&mut all[0])
    }

    fn zipped(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn content_is_taken_out_of_its_framing() {
        use Framing::*;
        for (bytes, framing, said, rest) in [
            ("[1]next", Length(3), "[1]", "next"),
            ("next", Length(0), "", "next"),
            ("next", NoBody, "", "next"),
            ("[1]", Length(4), "UnexpectedEof", ""),
            ("[1]", UntilClose, "[1]", ""),
            ("", UntilClose, "", ""),
            ("2\r\n[1\r\n1\r\n]\r\n0\r\n\r\nnext", Chunked, "[1]", "next"),
            ("2\n[1\n1\n]\n0\n\nnext", Chunked, "[1]", "next"),
            ("003 ; a=b;c=\"d\"\r\n[1]\r\n000\r\nX: y\r\n\r\nnext", Chunked, "[1]", "next"),
            ("3\r\n[1]\r\n0\r\n", Chunked, "[1]", ""),
            ("3\r\n[1]\r\n0", Chunked, "UnexpectedEof", ""),
            ("3\r\n[1]\r\n0\r\nX: y", Chunked, "UnexpectedEof", ""),
            ("3\r\n[1]\r\n", Chunked, "UnexpectedEof", ""),
            ("3\r\n[1", Chunked, "UnexpectedEof", ""),
            ("3", Chunked, "UnexpectedEof", ""),
            ("", Chunked, "UnexpectedEof", ""),
            ("3\r\n[1]]\r\n0\r\n\r\n", Chunked, "Chunks", "0\r\n\r\n"),
            ("+3\r\n[1]\r\n0\r\n\r\n", Chunked, "Chunks", "[1]\r\n0\r\n\r\n"),
            ("\r\n", Chunked, "Chunks", ""),
            ("ffffffffffffffff\r\n[1]", Chunked, "UnexpectedEof", ""),
            ("1ffffffffffffffff\r\n[1]", Chunked, "Chunks", "[1]"),
        ] {
            let found = outcome(bytes.as_bytes(), &head(framing, 0), 100);
            assert_eq!(found, (said.to_owned(), rest.to_owned()), "{bytes:?}");
        }
        let long = format!("3;{}\r\n[1]\r\n0\r\n\r\n", "x".repeat(20_000));
        assert_eq!(outcome(long.as_bytes(), &head(Chunked, 0), 100).0, "Chunks");
        let trailers = format!("0\r\n{}\r\n", "X: y\r\n".repeat(100_000));
        assert_eq!(outcome(trailers.as_bytes(), &head(Chunked, 0), 100).0, "Chunks");
    }

    #[test]
    fn content_is_decompressed() {
        let once = zipped(b"[1]");
        let of = |bytes: &[u8], layers| outcome(bytes, &head(Framing::Length(bytes.len() as u64), layers), 100).0;
        assert_eq!(of(&once, 1), "[1]");
        assert_eq!(of(&zipped(&once), 2), "[1]");
        assert_eq!(of(b"", 1), "");
        assert_eq!(of(&[once.clone(), zipped(b"[2]")].concat(), 1), "[1][2]");
        assert_eq!(of(&[&once, [0; 20].as_slice()].concat(), 1), "[1]");
        assert_eq!(of(b"[1]", 1), "is not validly compressed");
        let mut spoilt = once.clone();
        spoilt[12] ^= 0xff;
        assert_eq!(of(&spoilt, 1), "is not validly compressed");
        for length in 1..once.len() {
            assert_eq!(of(&once[..length], 1), "UnexpectedEof", "{length} bytes");
        }
        let cut = outcome(&once[..15], &head(Framing::Length(once.len() as u64), 1), 100);
        assert_eq!(cut.0, "UnexpectedEof");
    }

    #[test]
    fn content_is_limited_after_decompression() {
        let text = [b'x'; 100];
        for (limit, is_ok) in [(100, true), (99, false)] {
            let plain = outcome(&text, &head(Framing::UntilClose, 0), limit).0;
            assert_eq!(plain != "TooLarge", is_ok);
            assert_eq!(outcome(&text, &head(Framing::Length(100), 0), limit).0 != "TooLarge", is_ok);
            assert_eq!(outcome(&zipped(&text), &head(Framing::UntilClose, 1), limit).0 != "TooLarge", is_ok);
        }
        assert_eq!(outcome(&[], &head(Framing::Length(u64::MAX), 0), 100).0, "UnexpectedEof");
        let nothing = zipped(b"").repeat(10_000);
        assert_eq!(outcome(&nothing, &head(Framing::UntilClose, 1), 100).0, "TooLarge");
    }

    #[test]
    fn an_unknown_encoding_is_named() {
        let mut head = head(Framing::UntilClose, 0);
        head.encoding = Err("br".into());
        assert_eq!(outcome(b"???", &head, 100).0, "is encoded as \"br\", which was not asked for");
        assert_eq!(outcome(b"", &head, 100).0, "");
    }
}
