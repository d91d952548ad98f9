//! The body of an answer: taken out of its framing, decompressed, within a limit.
#![forbid(unsafe_code)]

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use zeroize::Zeroizing;

use super::framed::{Framed, Marked};
use super::head::{Framing, Head};

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
    /// What it was compressed to ends too early.
    CutCompression,
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
            // flate2's own words for bytes that are not gzip's, and for too few of them.
            Err(error) if is_of_decoder(&error) => return Ok(not_compressed()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && Marked::within(&error).is_none() => {
                return Err(BodyFlaw::CutCompression);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the bytes, and not the connection, are at fault.
fn is_of_decoder(error: &io::Error) -> bool {
    let kind = matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData);
    kind && error.raw_os_error().is_none() && Marked::within(error).is_none()
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

impl From<io::Error> for BodyFlaw {
    fn from(error: io::Error) -> BodyFlaw {
        match Marked::within(&error) {
            Some(Marked::Chunks) => BodyFlaw::Chunks,
            Some(Marked::TooLarge) => BodyFlaw::TooLarge,
            Some(Marked::CutOff) | None => BodyFlaw::Io(error),
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
            assert_eq!(of(&once[..length], 1), "CutCompression", "{length} bytes");
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
