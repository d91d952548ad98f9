//! Bodies that are too large for a careless client, generated piece by piece so that this program needs little memory.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use hyper::body::{Body, Frame, SizeHint};

const PIECE: usize = 64 << 10;

/// A body of a known length: a start, one piece repeated many times, an end.
pub struct Repeated {
    pieces: std::vec::IntoIter<(Bytes, u64)>,
    left: u64,
}

impl Repeated {
    fn new(pieces: Vec<(Bytes, u64)>) -> Self {
        let left = pieces.iter().map(|(piece, times)| piece.len() as u64 * times).sum();
        Repeated { pieces: pieces.into_iter(), left }
    }

    /// `start`, `bytes` times `filler`, `end`.
    pub fn filled(start: &'static str, filler: u8, bytes: u64, end: &'static str) -> Self {
        let piece = Bytes::from(vec![filler; PIECE]);
        let rest = piece.slice(..(bytes % PIECE as u64) as usize);
        let (start, end) = (Bytes::from_static(start.as_bytes()), Bytes::from_static(end.as_bytes()));
        Repeated::new(vec![(start, 1), (piece, bytes / PIECE as u64), (rest, 1), (end, 1)])
    }

    pub fn nested(depth: u64) -> Self {
        let many = |byte: u8| Bytes::from(vec![byte; depth.min(64 << 20) as usize]);
        Repeated::new(vec![(many(b'['), 1), (many(b']'), 1)])
    }
}

impl Body for Repeated {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        while let Some((piece, times)) = this.pieces.as_mut_slice().first_mut() {
            if *times == 0 || piece.is_empty() {
                this.pieces.next();
                continue;
            }
            *times -= 1;
            this.left -= piece.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(piece.clone()))));
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// A gzip stream of a JSON string of `bytes` spaces. It repeats one compressed block of spaces without back references,
/// because compressing gigabytes would take too long.
pub fn gzip_spaces(bytes: u64) -> Repeated {
    const BLOCK: usize = 1 << 20;
    let spaces = vec![b' '; BLOCK];
    let rest = &spaces[..(bytes % BLOCK as u64) as usize];
    let blocks = bytes / BLOCK as u64;

    let mut crc = Crc::new();
    crc.update(b"\"");
    let mut block = Crc::new();
    block.update(&spaces);
    for _ in 0..blocks {
        crc.combine(&block);
    }
    crc.update(rest);
    crc.update(b"\"");

    let header = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let mut trailer = crc.sum().to_le_bytes().to_vec();
    trailer.extend((bytes.wrapping_add(2) as u32).to_le_bytes());
    Repeated::new(vec![
        (header.into(), 1),
        (deflate(b"\"", FlushCompress::Full).into(), 1),
        (deflate(&spaces, FlushCompress::Full).into(), blocks),
        (deflate(rest, FlushCompress::Full).into(), 1),
        (deflate(b"\"", FlushCompress::Finish).into(), 1),
        (trailer.into(), 1),
    ])
}

fn deflate(data: &[u8], flush: FlushCompress) -> Vec<u8> {
    let mut compress = Compress::new(Compression::best(), false);
    let mut out = Vec::with_capacity(data.len() / 500 + 1024);
    loop {
        let read = compress.total_in() as usize;
        match compress.compress_vec(&data[read..], &mut out, flush) {
            Ok(Status::Ok | Status::BufError) if out.len() == out.capacity() => out.reserve(4096),
            Ok(Status::Ok) if (compress.total_in() as usize) < data.len() => {}
            _ => return out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::io::Read;

    async fn bytes(body: Repeated) -> Vec<u8> {
        let announced = body.left;
        let bytes = body.collect().await.expect("infallible").to_bytes();
        assert_eq!(bytes.len() as u64, announced);
        bytes.to_vec()
    }

    #[tokio::test]
    async fn a_gzip_bomb_is_valid_gzip() {
        for size in [0, 1, 100, 1 << 20, (2 << 20) + 77] {
            let mut text = String::new();
            let packed = bytes(gzip_spaces(size)).await;
            flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).expect("well-formed");
            assert_eq!(text, format!("\"{}\"", " ".repeat(size as usize)));
        }
    }

    #[tokio::test]
    async fn a_filled_body_has_its_length() {
        assert_eq!(bytes(Repeated::filled("\"", b'x', 3, "\"")).await, b"\"xxx\"");
        assert_eq!(bytes(Repeated::filled("\"", b'x', 200_000, "\"")).await.len(), 200_002);
        assert_eq!(bytes(Repeated::nested(2)).await, b"[[]]");
    }
}
