//! A complete answer: its body is checked without building a tree, and classified.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::time::Duration;

use simdutf8::basic::from_utf8;

use super::reading::Received;
use crate::error::{Code, Failure, Outcome};
use crate::json::Json;
use crate::outline::{Flaw, Outline, outline};

/// The kind of an answer's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyKind {
    /// JSON with content and without an error.
    Json,
    /// The platform's error object, with its code.
    PlatformError(i64),
    /// JSON whose `error` does not have the platform's shape.
    OtherError,
    /// JSON without content: `{}` or `null`.
    EmptyJson,
    /// No body.
    NoBody,
    /// Not JSON, with the reason.
    Malformed(Cow<'static, str>),
}

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body without outer white space; empty if it is not UTF-8.
    pub body: Json,
    /// The body without outer white space if it is not UTF-8; else empty.
    pub not_utf8: Vec<u8>,
    /// The kind of the body.
    pub kind: BodyKind,
    /// The length of the body in bytes.
    pub size: usize,
    /// How long to wait before the next request, if the server says so.
    pub retry_after: Option<Duration>,
}

impl From<Received> for Answer {
    fn from(received: Received) -> Answer {
        let Received { status, body, retry_after, .. } = received;
        let mut answer = Answer::classify(status, body.bytes);
        if let Some(reason) = body.undecoded {
            answer.kind = BodyKind::Malformed(reason.into());
        }
        answer.retry_after = retry_after;
        answer
    }
}

impl Answer {
    /// Classifies a body.
    #[inline(never)]
    pub fn classify(status: u16, mut bytes: Vec<u8>) -> Answer {
        let size = bytes.len();
        trim(&mut bytes);
        let (kind, body, not_utf8) = match from_utf8(&bytes) {
            Ok(text) => (kind(text), Json::checked(bytes), Vec::new()),
            Err(_) => (BodyKind::Malformed("is not UTF-8".into()), Json::default(), bytes),
        };
        Answer { status, body, not_utf8, kind, size, retry_after: None }
    }

    /// The body as received, without outer white space.
    pub fn into_bytes(self) -> Vec<u8> {
        if self.not_utf8.is_empty() { self.body.into_bytes() } else { self.not_utf8 }
    }

    /// Whether the status is a 2xx.
    pub fn is_success_status(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The platform's error code, if the answer is its error object.
    pub fn platform_code(&self) -> Option<i64> {
        match self.kind {
            BodyKind::PlatformError(code) => Some(code),
            _ => None,
        }
    }

    /// The outcome for the host; with `pass_error` any JSON is success.
    #[inline(never)]
    pub fn into_outcome(self, pass_error: bool) -> Outcome<Json> {
        let is_json = !matches!(self.kind, BodyKind::NoBody | BodyKind::Malformed(_));
        if pass_error && is_json {
            return Ok(self.body);
        }
        let success_status = self.is_success_status();
        let (status, retry_after) = (self.status, self.retry_after);
        let failure = match self.kind {
            BodyKind::PlatformError(_) => return Err(Failure::Platform(self.body.into_string())),
            BodyKind::OtherError => {
                let failure = Failure::new(Code::ApiError, "the platform answered with an error of an unknown shape");
                failure.platform(self.body.into_string()).transient(is_transient(status))
            }
            _ if !success_status => {
                let hint = if matches!(status, 301 | 302 | 303 | 307 | 308) {
                    "; redirects are not followed, because the address contains the access token"
                } else {
                    ""
                };
                let message = format!("the server answered with HTTP status {status}{hint}");
                Failure::new(Code::HttpError, message).transient(is_transient(status))
            }
            BodyKind::Malformed(reason) => Failure::new(Code::MalformedResponse, format!("the answer {reason}")),
            BodyKind::EmptyJson | BodyKind::NoBody => Failure::new(Code::EmptyResponse, "the answer has no content"),
            BodyKind::Json => return Ok(self.body),
        };
        Err(failure.status(status).retry_after(retry_after))
    }
}

/// Whether the same request may succeed later: the server, or a gateway before it, was busy, broken or unreachable. 520
/// to 530 are Cloudflare's.
pub fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502..=504 | 507 | 509 | 520..=530)
}

/// Removes the white space that JSON allows at both ends.
fn trim(bytes: &mut Vec<u8>) {
    let is_white = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let trailing = bytes.iter().rev().take_while(|byte| is_white(byte)).count();
    bytes.truncate(bytes.len() - trailing);
    let leading = bytes.iter().take_while(|byte| is_white(byte)).count();
    if leading > 0 {
        bytes.drain(..leading);
    }
}

/// Classifies a body in one pass.
fn kind(body: &str) -> BodyKind {
    match body {
        "" => return BodyKind::NoBody,
        "null" => return BodyKind::EmptyJson,
        _ => {}
    }
    match outline(body, "error") {
        Ok(Outline { members: Some(0), .. }) => BodyKind::EmptyJson,
        Ok(Outline { found: Some(error), .. }) => error_kind(error),
        Ok(_) => BodyKind::Json,
        Err(Flaw::TooDeep) => BodyKind::Malformed("is nested too deep".into()),
        Err(Flaw::NotJson) => BodyKind::Malformed("is not JSON".into()),
    }
}

/// `null`, `false` and `0` mean no error.
fn error_kind(error: &str) -> BodyKind {
    if matches!(error, "null" | "false" | "0") {
        return BodyKind::Json;
    }
    let code = outline(error, "error_code").ok().and_then(|outline| outline.found);
    let code = code.and_then(|code| code.parse().ok());
    code.map_or(BodyKind::OtherError, BodyKind::PlatformError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(body: &str) -> BodyKind {
        Answer::classify(200, body.as_bytes().to_vec()).kind
    }

    #[test]
    fn body_kinds() {
        use BodyKind::*;
        for (body, kind) in [
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
            ("1e999", Json),
            (r#"{"error":{"error_code":102,"error_msg":"x"},"\ud800":1}"#, PlatformError(102)),
            (r#"{"\ud800":1,"error":{"error_code":102}}"#, PlatformError(102)),
            (r#"{"error":{"error_code":5,"\ud800":1}}"#, PlatformError(5)),
            (r#"{"error":{"\udfff\ud800":"\ud800","error_code":5}}"#, PlatformError(5)),
            (r#"{"error":"\ud800"}"#, OtherError),
            (r#"{"error":{"error_code":-0}}"#, PlatformError(0)),
            (r#"{"error":{"error_code":9223372036854775808}}"#, OtherError),
            (r#"{"a":"\ud800","\udc00":[]}"#, Json),
            (r#"[{"error":{"error_code":1}}]"#, Json),
            ("{\"a\":1", Malformed("is not JSON".into())),
            ("[1] [2]", Malformed("is not JSON".into())),
            ("[01]", Malformed("is not JSON".into())),
            ("\u{feff}[]", Malformed("is not JSON".into())),
            ("{\"a\0b\":1}", Malformed("is not JSON".into())),
            ("{\"\\u0061\n\":1}", Malformed("is not JSON".into())),
            ("{\"a\":{\"b\u{1}\":1}}", Malformed("is not JSON".into())),
            ("{\"error\":{\"error_code\":1,\"\0\":2}}", Malformed("is not JSON".into())),
        ] {
            assert_eq!(classified(body), kind, "{body}");
        }
        assert_eq!(Answer::classify(200, b"[\"\xff\"]".to_vec()).kind, Malformed("is not UTF-8".into()));
    }

    #[test]
    fn depth_is_bounded_everywhere() {
        use crate::json::MAX_DEPTH;

        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let too_deep = BodyKind::Malformed("is nested too deep".into());
        assert_eq!(classified(&nested(100)), BodyKind::Json);
        for levels in [MAX_DEPTH + 1, 100_000] {
            assert_eq!(classified(&nested(levels)), too_deep);
            assert_eq!(classified(&format!(r#"{{"error":{}}}"#, nested(levels))), too_deep);
            assert_eq!(classified(&format!(r#"{{"\ud800":1,"a":{}}}"#, nested(levels))), too_deep);
            assert_eq!(classified(&format!(r#"{{"error":{{"error_code":1,"x":{}}}}}"#, nested(levels))), too_deep);
        }
        assert_eq!(classified(&format!("[{:?}]", nested(1000))), BodyKind::Json, "brackets in a string");
        assert_eq!(classified(&format!(r#"["\"{}",{{}}]"#, "[".repeat(200))), BodyKind::Json, "after a quote in it");
        assert_eq!(classified(&format!("[{}]", vec!["[]"; 200].join(","))), BodyKind::Json, "side by side");
        assert_eq!(classified(&format!("[{{}},{}]", nested(MAX_DEPTH - 1))), BodyKind::Json);
        assert_eq!(classified(&format!("[{{}},{}]", nested(MAX_DEPTH))), too_deep);
    }
}
