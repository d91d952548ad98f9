//! The head of an answer: the status, the body's framing (RFC 9112, section 6.3) and encoding, and the server's
//! keep-alive and Retry-After headers.
//!
//! Parsed by httparse, because ureq's own parser refuses folded lines, more than 128 headers and interim answers with
//! headers, and treats any `Transfer-Encoding` that contains `chunked` as chunked.
#![forbid(unsafe_code)]

use std::time::{Duration, SystemTime};

use httparse::{EMPTY_HEADER, Error, Header, ParserConfig, Response, Status};

/// The largest head.
pub const MAX_HEAD: usize = 32 * 1024 - 1;
/// The number of headers parsed on the stack; an answer with more is parsed again on the heap.
const USUAL_HEADERS: usize = 32;
/// The maximum number of compression layers: some servers compress twice by mistake.
const MOST_LAYERS: usize = 3;

/// The parsed head of an answer.
#[derive(Debug, PartialEq)]
pub struct Head {
    /// The status.
    pub status: u16,
    /// The framing of the body.
    pub framing: Framing,
    /// The number of gzip layers, or the name of an unsupported encoding.
    pub encoding: Result<usize, String>,
    /// Whether the connection may serve another request after this one.
    pub keeps: bool,
    /// For how long the server keeps the connection, if it says so.
    pub keep_alive: Option<Duration>,
    /// How long to wait before the next request, if the server says so.
    pub retry_after: Option<Duration>,
}

/// Where the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    NoBody,
    /// After this number of bytes.
    Length(u64),
    /// After the last chunk.
    Chunked,
    /// At the end of the connection.
    UntilClose,
}

/// The flaw of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadFlaw {
    /// It is not HTTP.
    NotHttp,
    /// It is larger than [`MAX_HEAD`].
    TooLarge,
    /// Its `Content-Length` is not a number, or there are several that differ.
    Length,
}

impl Head {
    /// Whether another answer follows this one: any status below 200 except 101, after which the connection uses
    /// another protocol.
    pub fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }

    /// Parses a head and returns it with its length in bytes; `None` if it is not complete yet.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, HeadFlaw> {
        let parsed = match Head::parse_into(&mut [EMPTY_HEADER; USUAL_HEADERS], bytes) {
            Err(Unparsed::TooManyHeaders) => {
                let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
                Head::parse_into(&mut vec![EMPTY_HEADER; lines], bytes)
            }
            parsed => parsed,
        };
        match parsed {
            Ok(Some((_, length))) if length > MAX_HEAD => Err(HeadFlaw::TooLarge),
            Ok(None) if bytes.len() >= MAX_HEAD => Err(HeadFlaw::TooLarge),
            Ok(head) => Ok(head),
            Err(Unparsed::Flaw(flaw)) => Err(flaw),
            Err(Unparsed::TooManyHeaders) => Err(HeadFlaw::TooLarge),
        }
    }

    fn parse_into<'b>(headers: &mut [Header<'b>], bytes: &'b [u8]) -> Result<Option<(Head, usize)>, Unparsed> {
        let mut config = ParserConfig::default();
        config.allow_obsolete_multiline_headers_in_responses(true);
        config.allow_spaces_after_header_name_in_responses(true);
        config.allow_multiple_spaces_in_response_status_delimiters(true);
        let mut response = Response::new(headers);
        let Status::Complete(length) = config.parse_response(&mut response, bytes)? else { return Ok(None) };
        let status = response.code.filter(|status| *status >= 100).ok_or(HeadFlaw::NotHttp)?;
        let is_http_11 = response.version == Some(1);
        let said = Headers(response.headers);
        let (framing, keeps, transfer) = said.framing(status, is_http_11)?;
        let head = Head {
            status,
            framing,
            encoding: said.encoding(transfer),
            keeps: keeps && said.keeps(is_http_11),
            keep_alive: said.keep_alive_parameter("timeout").map(Duration::from_secs),
            retry_after: said.retry_after(),
        };
        Ok(Some((head, length)))
    }
}

/// Why a head was not parsed.
enum Unparsed {
    TooManyHeaders,
    Flaw(HeadFlaw),
}

impl From<Error> for Unparsed {
    fn from(error: Error) -> Unparsed {
        match error {
            Error::TooManyHeaders => Unparsed::TooManyHeaders,
            _ => Unparsed::Flaw(HeadFlaw::NotHttp),
        }
    }
}

impl From<HeadFlaw> for Unparsed {
    fn from(flaw: HeadFlaw) -> Unparsed {
        Unparsed::Flaw(flaw)
    }
}

/// The headers of an answer.
struct Headers<'a>(&'a [Header<'a>]);

impl Headers<'_> {
    fn values<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        let named = self.0.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value.trim_ascii())
    }

    /// The elements of the lists in all headers with this name. The end of a folded line counts as white space.
    fn elements<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        let elements = self.values(name).flat_map(|value| value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii));
        // Parameters, such as a weight, are ignored.
        let bare = |element: &'a [u8]| element.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        elements.filter(|element| !element.is_empty()).map(bare)
    }

    /// The framing, whether the connection can be kept after it, and the transfer codings besides chunked.
    fn framing(&self, status: u16, is_http_11: bool) -> Result<(Framing, bool, Vec<String>), HeadFlaw> {
        let length = self.length()?;
        if status < 200 || matches!(status, 204 | 304) {
            return Ok((Framing::NoBody, status != 101, Vec::new()));
        }
        let codings = self.elements("transfer-encoding").map(lower_case);
        let mut codings: Vec<_> = codings.filter(|coding| coding != "identity").collect();
        if codings.is_empty() {
            let framing = length.map_or(Framing::UntilClose, Framing::Length);
            return Ok((framing, framing != Framing::UntilClose, codings));
        }
        // With both headers, or with Transfer-Encoding in HTTP/1.0, another program may see a different end, so the
        // connection is not kept.
        let is_sound = length.is_none() && is_http_11;
        if codings.last().is_some_and(|last| last == "chunked") {
            codings.pop();
            return Ok((Framing::Chunked, is_sound, codings));
        }
        Ok((Framing::UntilClose, false, codings))
    }

    /// RFC 9110, section 8.6: one number, which may be repeated.
    fn length(&self) -> Result<Option<u64>, HeadFlaw> {
        let mut length = None;
        for value in self.values("content-length") {
            for element in value.split(|byte| *byte == b',') {
                let digits = element.trim_ascii();
                let number = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit));
                let number = number.and_then(|number| number.parse().ok()).ok_or(HeadFlaw::Length)?;
                if length.is_some_and(|previous| previous != number) {
                    return Err(HeadFlaw::Length);
                }
                length = Some(number);
            }
        }
        Ok(length)
    }

    /// The layers of gzip, those of the transfer included.
    fn encoding(&self, transfer: Vec<String>) -> Result<usize, String> {
        let mut layers = 0;
        for coding in self.elements("content-encoding").map(lower_case).chain(transfer) {
            match coding.as_str() {
                "identity" => {}
                "gzip" | "x-gzip" if layers < MOST_LAYERS => layers += 1,
                _ => return Err(coding),
            }
        }
        Ok(layers)
    }

    fn keeps(&self, is_http_11: bool) -> bool {
        let (mut close, mut keep) = (false, is_http_11);
        for option in self.elements("connection") {
            close |= option.eq_ignore_ascii_case(b"close");
            keep |= option.eq_ignore_ascii_case(b"keep-alive");
        }
        keep && !close && self.keep_alive_parameter("max") != Some(0)
    }

    fn keep_alive_parameter(&self, wanted: &str) -> Option<u64> {
        self.elements("keep-alive").find_map(|element| {
            let (name, value) = std::str::from_utf8(element).ok()?.split_once('=')?;
            value.trim_ascii().parse().ok().filter(|_| name.trim_ascii().eq_ignore_ascii_case(wanted))
        })
    }

    /// Seconds or a date (RFC 9110, section 10.2.3). A date is compared with the answer's own Date, so that this
    /// machine's clock does not matter.
    fn retry_after(&self) -> Option<Duration> {
        let text = |value| std::str::from_utf8(value).ok();
        let date = |text: &str| httpdate::parse_http_date(text).ok();
        let value = self.values("retry-after").find_map(text)?;
        if let Ok(seconds) = value.parse() {
            return Duration::try_from_secs_f64(seconds).ok();
        }
        let now = self.values("date").find_map(text).and_then(date).unwrap_or_else(SystemTime::now);
        Some(date(value)?.duration_since(now).unwrap_or_default())
    }
}

fn lower_case(element: &[u8]) -> String {
    String::from_utf8_lossy(element).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &str) -> Head {
        let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
        let (head, length) = Head::parse(text.as_bytes()).expect("a good head").expect("a whole head");
        assert_eq!(length, text.len());
        head
    }

    #[test]
    fn framing_is_as_rfc_9112_says() {
        use Framing::*;
        for (lines, framing, keeps) in [
            ("", UntilClose, false),
            ("Content-Length: 5\r\n", Length(5), true),
            ("content-length : 5\r\n", Length(5), true),
            ("Content-Length: 5, 05\r\nContent-Length: 5\r\n", Length(5), true),
            ("Content-Length:\r\n 5\r\n", Length(5), true),
            ("Content-Length: 5\r\nConnection: Keep-Alive, CLOSE\r\n", Length(5), false),
            ("Content-Length: 5\r\nKeep-Alive: timeout=5, max=0\r\n", Length(5), false),
            ("Transfer-Encoding: chunked\r\n", Chunked, true),
            ("Transfer-Encoding: identity,\r\n\t Chunked\r\n", Chunked, true),
            ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", Chunked, true),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", Chunked, false),
            ("Transfer-Encoding: chunked, gzip\r\n", UntilClose, false),
            ("Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", UntilClose, false),
            ("Transfer-Encoding: gzip\r\n", UntilClose, false),
            ("Transfer-Encoding: identity\r\nContent-Length: 5\r\n", Length(5), true),
        ] {
            let head = head(lines);
            assert_eq!((head.framing, head.keeps), (framing, keeps), "{lines:?}");
        }
        for (first, keeps) in [("HTTP/1.0 200 OK\r\n", false), ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", true)]
        {
            let text = format!("{first}Content-Length: 5\r\n\r\n");
            assert_eq!(Head::parse(text.as_bytes()).expect("good").expect("whole").0.keeps, keeps, "{first}");
        }
        for status in [100, 103, 101, 204, 304] {
            let text = format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\nX: y\r\n\r\n");
            let (head, _) = Head::parse(text.as_bytes()).expect("good").expect("whole");
            assert_eq!((head.framing, head.is_interim()), (NoBody, matches!(status, 100 | 103)), "{status}");
        }
    }

    #[test]
    fn encodings_are_named_in_any_case() {
        for (lines, encoding) in [
            ("", Ok(0)),
            ("Content-Encoding:\r\n", Ok(0)),
            ("Content-Encoding: GZIP\r\n", Ok(1)),
            ("Content-Encoding: x-Gzip\r\n", Ok(1)),
            ("Content-Encoding: identity, gzip;q=1\r\nTransfer-Encoding: gzip, chunked\r\n", Ok(2)),
            ("Content-Encoding: br\r\n", Err("br")),
            ("Content-Encoding: gzip, Zstd\r\n", Err("zstd")),
            ("Content-Encoding: gzip, gzip, gzip, gzip\r\n", Err("gzip")),
            ("Transfer-Encoding: chunked, gzip\r\n", Err("chunked")),
        ] {
            assert_eq!(head(lines).encoding, encoding.map_err(str::to_owned), "{lines:?}");
        }
    }

    #[test]
    fn retry_after_is_read() {
        for (lines, milliseconds) in [
            ("", None),
            ("Retry-After: 0\r\n", Some(0)),
            ("Retry-After: 120\r\n", Some(120_000)),
            ("Retry-After: 0.5\r\n", Some(500)),
            ("Retry-After: -1\r\n", None),
            ("Retry-After: soon\r\n", None),
            ("Retry-After: 99999999999999999999999\r\n", None),
            ("Retry-After: NaN\r\n", None),
            ("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:50:07 GMT\r\n", Some(30_000)),
            ("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sunday, 06-Nov-94 08:49:38 GMT\r\n", Some(1000)),
            ("Retry-After: Sun Nov  6 08:49:37 1994\r\n", Some(0)),
        ] {
            let waits = head(lines).retry_after.map(|wait| wait.as_millis());
            assert_eq!(waits, milliseconds, "{lines:?}");
        }
        let keep_alive = head("Connection: keep-alive\r\nKeep-Alive: Timeout=5, max=100\r\n").keep_alive;
        assert_eq!(keep_alive, Some(Duration::from_secs(5)));
    }

    #[test]
    fn many_headers_are_read_and_large_heads_refused() {
        let many = head(&"X: y\r\n".repeat(1000));
        assert_eq!(many.status, 200);
        let long = |length: usize| format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(length - 24));
        assert!(Head::parse(long(MAX_HEAD).as_bytes()).is_ok_and(|head| head.is_some()));
        assert_eq!(Head::parse(long(MAX_HEAD + 1).as_bytes()), Err(HeadFlaw::TooLarge));
        assert_eq!(Head::parse(&long(MAX_HEAD * 2).as_bytes()[..MAX_HEAD]), Err(HeadFlaw::TooLarge));
        assert_eq!(Head::parse(b"HTTP/1.1 200 OK\r\nContent-Le"), Ok(None));
        for (text, flaw) in [
            ("[]\r\n\r\n", HeadFlaw::NotHttp),
            ("HTTP/2 200 OK\r\n\r\n", HeadFlaw::NotHttp),
            ("HTTP/1.1 099 OK\r\n\r\n", HeadFlaw::NotHttp),
            ("HTTP/1.1 200 OK\r\nwhat\r\n\r\n", HeadFlaw::NotHttp),
            ("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", HeadFlaw::NotHttp),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", HeadFlaw::Length),
            ("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", HeadFlaw::Length),
            ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", HeadFlaw::Length),
            ("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n", HeadFlaw::Length),
        ] {
            assert_eq!(Head::parse(text.as_bytes()), Err(flaw), "{text:?}");
        }
    }
}
