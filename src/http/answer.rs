//! An answer: read whole, checked in one pass without building a tree, and judged.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::Read;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use simdutf8::basic::from_utf8;
use ureq::Body;
use ureq::http::Response;

use crate::error::{Code, Failure, Outcome};
use crate::json::{Json, MAX_DEPTH, Text, all_members};

/// What an answer is, whatever is made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// JSON with content and without an error.
    Json,
    /// The platform's error object, with its code.
    PlatformError(i64),
    /// JSON whose `error` is of another shape than the platform's.
    OtherError,
    /// JSON without content: `{}` or `null`.
    EmptyJson,
    /// No body.
    NoBody,
    /// Not JSON, with the reason.
    Malformed(&'static str),
}

/// An answer that was read whole.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body without outer white space; empty if it is not UTF-8.
    pub body: Json,
    /// The body as it came, if it is not UTF-8; else empty.
    pub not_utf8: Vec<u8>,
    /// What the body is.
    pub verdict: Verdict,
    /// How many bytes the body had.
    pub size: usize,
}

impl Answer {
    /// Reads an answer of at most `limit` bytes after decompression.
    pub fn read(response: Response<Body>, limit: u64) -> Result<Answer, ureq::Error> {
        let (head, body) = response.into_parts();
        // The announced length is a hint from a stranger: believed up to a size that does no harm.
        let expected = body.content_length().unwrap_or(0).min(limit).min(1 << 20);
        let mut bytes = Vec::with_capacity(expected as usize + 1);
        body.into_with_config().limit(limit).reader().read_to_end(&mut bytes)?;
        Ok(Answer::judge(head.status.as_u16(), bytes))
    }

    /// Judges a body.
    pub fn judge(status: u16, mut bytes: Vec<u8>) -> Answer {
        let size = bytes.len();
        trim(&mut bytes);
        let (verdict, body, not_utf8) = match from_utf8(&bytes) {
            Ok(text) => (verdict(text), Json::checked(bytes), Vec::new()),
            Err(_) => (Verdict::Malformed("is not UTF-8"), Json::default(), bytes),
        };
        Answer { status, body, not_utf8, verdict, size }
    }

    /// The body as it came, but for outer white space.
    pub fn into_bytes(self) -> Vec<u8> {
        if self.not_utf8.is_empty() { self.body.into_bytes() } else { self.not_utf8 }
    }

    /// Whether the status says success.
    pub fn is_success_status(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The platform's error code, if the answer is its error object.
    pub fn platform_code(&self) -> Option<i64> {
        match self.verdict {
            Verdict::PlatformError(code) => Some(code),
            _ => None,
        }
    }

    /// What the host gets; with `pass_error` any JSON is success.
    pub fn into_outcome(self, pass_error: bool) -> Outcome<Json> {
        let is_json = !matches!(self.verdict, Verdict::NoBody | Verdict::Malformed(_));
        if pass_error && is_json {
            return Ok(self.body);
        }
        let success_status = self.is_success_status();
        let status = self.status;
        match self.verdict {
            Verdict::PlatformError(_) => Err(Failure::Platform(self.body.as_str().to_owned())),
            Verdict::OtherError => {
                let failure = Failure::new(Code::ApiError, "the platform answered with an error of an unknown shape");
                Err(failure.status(status).platform(self.body.as_str()))
            }
            _ if !success_status => {
                let hint = if matches!(status, 301 | 302 | 303 | 307 | 308) {
                    "; redirects are not followed, since the address holds the session key"
                } else {
                    ""
                };
                let failure =
                    Failure::new(Code::HttpError, format!("the server answered with HTTP status {status}{hint}"));
                Err(failure.status(status).transient(matches!(status, 429 | 500 | 502 | 503 | 504)))
            }
            Verdict::Malformed(reason) => {
                Err(Failure::new(Code::MalformedResponse, format!("the answer {reason}")).status(status))
            }
            Verdict::EmptyJson | Verdict::NoBody => {
                Err(Failure::new(Code::EmptyResponse, "the answer has no content").status(status))
            }
            Verdict::Json => Ok(self.body),
        }
    }
}

/// Takes the white space that JSON allows off both ends.
fn trim(bytes: &mut Vec<u8>) {
    let is_white = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let trailing = bytes.iter().rev().take_while(|byte| is_white(byte)).count();
    bytes.truncate(bytes.len() - trailing);
    let leading = bytes.iter().take_while(|byte| is_white(byte)).count();
    if leading > 0 {
        bytes.drain(..leading);
    }
}

fn verdict(body: &str) -> Verdict {
    match body {
        "" => return Verdict::NoBody,
        "null" => return Verdict::EmptyJson,
        _ => {}
    }
    match serde_json::from_str::<Top>(body) {
        Ok(Top { too_deep: true, .. }) => Verdict::Malformed("is nested too deep"),
        Ok(Top { members: Some(0), .. }) => Verdict::EmptyJson,
        Ok(Top { error: Some(error), .. }) => error_verdict(error),
        Ok(_) => Verdict::Json,
        // A number beyond a double's range is JSON all the same.
        Err(_) if serde_json::from_str::<IgnoredAny>(body).is_ok() => Verdict::Json,
        Err(_) => Verdict::Malformed("is not JSON"),
    }
}

/// Whether a value is nested deeper than so many levels. Few brackets cannot be, and are counted fast.
fn is_deeper(json: &RawValue, levels: usize) -> bool {
    let json = json.get();
    matches!(json.as_bytes()[0], b'[' | b'{') && opened(json) > levels && depth(json) > levels
}

/// How many brackets a text opens, those in strings too; in bytes, so that the compiler counts many at once.
fn opened(json: &str) -> usize {
    let in_some = |bytes: &[u8]| bytes.iter().map(|&byte| u8::from(byte | 0x20 == b'{')).sum::<u8>();
    json.as_bytes().chunks(255).map(|bytes| usize::from(in_some(bytes))).sum()
}

/// `null`, `false` and `0` are no error.
fn error_verdict(error: &RawValue) -> Verdict {
    if matches!(error.get(), "null" | "false" | "0") {
        return Verdict::Json;
    }
    let code = all_members(error.get()).and_then(|members| {
        let (_, code) = members.into_iter().rfind(|member| member.0 == "error_code")?;
        serde_json::from_str::<i64>(code.get()).ok()
    });
    code.map_or(Verdict::OtherError, Verdict::PlatformError)
}

/// How deep a text that is known to be JSON is nested.
fn depth(json: &str) -> usize {
    let (mut level, mut deepest) = (0_usize, 0);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                level += 1;
                deepest = deepest.max(level);
            }
            b']' | b'}' => level -= 1,
            b'"' => {
                while let Some(byte) = bytes.next().filter(|&byte| byte != b'"') {
                    if byte == b'\\' {
                        bytes.next();
                    }
                }
            }
            _ => {}
        }
    }
    deepest
}

/// The outermost value: how many members an object has, and its `error` as written.
#[derive(Default)]
struct Top<'a> {
    members: Option<usize>,
    error: Option<&'a RawValue>,
    too_deep: bool,
}

impl<'de> Deserialize<'de> for Top<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Enter;
        impl<'de> Visitor<'de> for Enter {
            type Value = Top<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("JSON")
            }
            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Top::default())
            }
            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Top::default())
            }
            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Top::default())
            }
            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Top::default())
            }
            fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
                Ok(Top::default())
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Top::default())
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut elements: S) -> Result<Self::Value, S::Error> {
                let mut too_deep = false;
                while let Some(element) = elements.next_element::<&RawValue>()? {
                    too_deep |= is_deeper(element, MAX_DEPTH - 1);
                }
                Ok(Top { too_deep, ..Top::default() })
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Top<'de>, M::Error> {
                let mut top = Top { members: Some(0), ..Top::default() };
                while let Some(Text(name)) = map.next_key()? {
                    top.members = top.members.map(|members| members + 1);
                    let value = map.next_value::<&RawValue>()?;
                    top.too_deep |= is_deeper(value, MAX_DEPTH - 1);
                    if name == "error" {
                        top.error = Some(value);
                    }
                }
                Ok(top)
            }
        }
        deserializer.deserialize_any(Enter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(body: &str) -> Verdict {
        Answer::judge(200, body.as_bytes().to_vec()).verdict
    }

    #[test]
    fn verdicts() {
        use Verdict::*;
        for (body, verdict) in [
            ("", NoBody),
            (" \r\n", NoBody),
            ("null", EmptyJson),
            (" {} ", EmptyJson),
            ("[]", Json),
            ("0", Json),
            ("\"\"", Json),
            ("false", Json),
            (r#"{"error":null}"#, Json),
            (r#"{"error":false,"a":1}"#, Json),
            (r#"{"error":0}"#, Json),
            (r#"{"error":""}"#, OtherError),
            (r#"{"error":"x"}"#, OtherError),
            (r#"{"error":{}}"#, OtherError),
            (r#"{"error":{"error_code":"1"}}"#, OtherError),
            (r#"{"error":{"error_code":1.0}}"#, OtherError),
            (r#"{"error":{"error_msg":"x","error_code":104,"extended":null}}"#, PlatformError(104)),
            (r#"{"error":{"error_code":1,"error_code":104,"x":1,"x":2}}"#, PlatformError(104)),
            (r#"{"a":1e999,"error":null,"\u0065rror":{"error_code":-7}}"#, PlatformError(-7)),
            ("[1e999]", Json),
            (r#"[{"error":{"error_code":1}}]"#, Json),
            ("{\"a\":1", Malformed("is not JSON")),
            ("[1] [2]", Malformed("is not JSON")),
            ("[01]", Malformed("is not JSON")),
            ("\u{feff}[]", Malformed("is not JSON")),
        ] {
            assert_eq!(judged(body), verdict, "{body}");
        }
        assert_eq!(Answer::judge(200, b"[\"\xff\"]".to_vec()).verdict, Malformed("is not UTF-8"));
    }

    #[test]
    fn depth_is_bounded_everywhere() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let too_deep = Verdict::Malformed("is nested too deep");
        assert_eq!(judged(&nested(100)), Verdict::Json);
        for levels in [MAX_DEPTH + 1, 100_000] {
            assert_eq!(judged(&nested(levels)), too_deep);
            assert_eq!(judged(&format!(r#"{{"error":{}}}"#, nested(levels))), too_deep);
            assert_eq!(judged(&format!(r#"{{"error":{{"error_code":1,"x":{}}}}}"#, nested(levels))), too_deep);
        }
        assert_eq!(judged(&format!("[{:?}]", nested(1000))), Verdict::Json, "brackets in a string");
    }
}
