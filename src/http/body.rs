//! The body of an answer: removes its framing, decompresses it, limits its size.
#![forbid(unsafe_code)]

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use zeroize::Zeroizing;

use super::framed::{Framed, FramingFlaw};
use super::head::{Framing, Head};

/// The initial buffer for a body of unknown length. Tokens fit into it and are not copied by a reallocation.
const INITIAL_CAPACITY: usize = 2 * 1024;
/// How much is decompressed between two checks of the time limit.
const PIECE: usize = 32 * 1024;

/// The first byte of each member of a gzip stream (RFC 1952).
const FIRST_OF_GZIP: u8 = 0x1f;

/// Why a body cannot be read.
#[derive(Debug)]
pub enum BodyFlaw {
    /// The connection failed.
    Io(io::Error),
    /// The body is larger than the limit.
    TooLarge,
    /// There is not enough memory for the body.
    OutOfMemory,
    /// The chunks are not valid HTTP.
    Chunks,
    /// The compressed data ends too early.
    CutCompression,
}

/// A complete body.
#[derive(Debug, Default)]
pub struct DecodedBody {
    /// The decompressed bytes.
    pub bytes: Vec<u8>,
    /// Why the body could not be decompressed.
    pub undecoded: Option<String>,
}

/// Reads the body that belongs to a head. `check` is called from time to time, and fails if the call must end.
// Not inlined: its variables would enlarge the caller's frame, which a suspended call keeps on its stack.
#[inline(never)]
pub fn read(
    source: impl BufRead,
    head: &Head,
    limit: u64,
    check: &dyn Fn() -> io::Result<()>,
) -> Result<DecodedBody, BodyFlaw> {
    let mut framed = Framed::new(source, head.framing, limit);
    match &head.encoding {
        Ok(0) => {
            // Content-Length is not trusted: preallocate at most a harmless size.
            let expected = if let Framing::Length(length) = head.framing {
                length.min(1 << 20) as usize
            } else {
                INITIAL_CAPACITY
            };
            let bytes = read_plain(framed, limit, expected)?;
            Ok(DecodedBody { bytes, undecoded: None })
        }
        Ok(layers) => read_compressed(&mut framed, *layers, limit, check),
        Err(unknown) => {
            let is_empty = read_plain(framed, limit, 0)?.is_empty();
            let undecoded = (!is_empty).then(|| format!("is encoded as {unknown:?}, which the request did not accept"));
            Ok(DecodedBody { bytes: Vec::new(), undecoded })
        }
    }
}

fn read_plain(mut framed: impl BufRead, limit: u64, expected: usize) -> Result<Vec<u8>, BodyFlaw> {
    let mut bytes = Vec::new();
    // One byte more, for the NUL of the C string.
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
    check: &dyn Fn() -> io::Result<()>,
) -> Result<DecodedBody, BodyFlaw> {
    let not_compressed = || DecodedBody { bytes: Vec::new(), undecoded: Some("is not validly compressed".into()) };
    match framed.fill_buf()?.first() {
        None => return Ok(DecodedBody::default()),
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
        check()?;
        match decoder.read(&mut piece) {
            Ok(0) => return Ok(DecodedBody { bytes, undecoded: None }),
            Ok(length) => append(&mut bytes, &piece[..length], limit)?,
            // flate2's error kinds for bytes that are not gzip, and for too few of them.
            Err(error) if is_of_decoder(&error) => return Ok(not_compressed()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && FramingFlaw::within(&error).is_none() => {
                return Err(BodyFlaw::CutCompression);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the data, not the connection, caused the error.
fn is_of_decoder(error: &io::Error) -> bool {
    let kind = matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData);
    kind && error.raw_os_error().is_none() && FramingFlaw::within(error).is_none()
}

fn append(bytes: &mut Vec<u8>, piece: &[u8], limit: u64) -> Result<(), BodyFlaw> {
    if (bytes.len() + piece.len()) as u64 > limit {
        return Err(BodyFlaw::TooLarge);
    }
    bytes.try_reserve(piece.len() + 1).map_err(|_| BodyFlaw::OutOfMemory)?;
    bytes.extend_from_slice(piece);
    Ok(())
}

/// The members of a gzip stream, one after the other. Data after the last member is ignored, as in browsers and curl:
/// some servers pad with zeros.
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

impl From<io::Error> for BodyFlaw {
    fn from(error: io::Error) -> BodyFlaw {
        match FramingFlaw::within(&error) {
            Some(FramingFlaw::Chunks) => BodyFlaw::Chunks,
            Some(FramingFlaw::TooLarge) => BodyFlaw::TooLarge,
            Some(FramingFlaw::CutOff) | None => BodyFlaw::Io(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// A reader that returns a few bytes at a time.
    struct SlowReader<'a>(&'a [u8], usize);

    impl Read for SlowReader<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(self.1);
            self.0.read(&mut buffer[..most])
        }
    }

    fn head(framing: Framing, layers: usize) -> Head {
        Head { status: 200, framing, encoding: Ok(layers), keeps: true, keep_alive: None, retry_after: None }
    }

    /// The result of reading a body in pieces of any size, and the bytes left after it.
    fn outcome(bytes: &[u8], head: &Head, limit: u64) -> (String, String) {
        let mut all = [1, 2, 7, bytes.len().max(1)].map(|piece| {
            let mut source = io::BufReader::with_capacity(piece, SlowReader(bytes, piece));
            let said = match read(&mut source, head, limit, &|| Ok(())) {
                Ok(DecodedBody { undecoded: Some(reason), .. }) => reason,
                Ok(DecodedBody { bytes, .. }) => String::from_utf8(bytes).expect("text"),
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
    fn framing_is_removed() {
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
    fn bodies_are_decompressed() {
        let once = zipped(b"[1]");
        let of = |bytes: &[u8], layers| outcome(bytes, &head(Framing::Length(bytes.len() as u64), layers), 100).0;
        assert_eq!(of(&once, 1), "[1]");
        assert_eq!(of(&zipped(&once), 2), "[1]");
        assert_eq!(of(b"", 1), "");
        assert_eq!(of(&[once.clone(), zipped(b"[2]")].concat(), 1), "[1][2]");
        assert_eq!(of(&[&once, [0; 20].as_slice()].concat(), 1), "[1]");
        assert_eq!(of(b"[1]", 1), "is not validly compressed");
        let mut damaged = once.clone();
        damaged[12] ^= 0xff;
        assert_eq!(of(&damaged, 1), "is not validly compressed");
        for length in 1..once.len() {
            assert_eq!(of(&once[..length], 1), "CutCompression", "{length} bytes");
        }
        let cut = outcome(&once[..15], &head(Framing::Length(once.len() as u64), 1), 100);
        assert_eq!(cut.0, "UnexpectedEof");
    }

    #[test]
    fn the_limit_applies_after_decompression() {
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
        assert_eq!(outcome(b"???", &head, 100).0, "is encoded as \"br\", which the request did not accept");
        assert_eq!(outcome(b"", &head, 100).0, "");
    }
}
