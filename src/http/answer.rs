//! An answer: read whole, checked without building a tree, and judged.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::time::Duration;

use simdutf8::basic::from_utf8;

use super::reading::Received;
use crate::error::{Code, Failure, Outcome};
use crate::json::Json;
use crate::outline::{Flaw, Outline, outline};

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
    Malformed(Cow<'static, str>),
}

/// An answer that was read whole.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body without outer white space; empty if it is not UTF-8.
    pub body: Json,
    /// The body likewise, if it is not UTF-8; else empty.
    pub not_utf8: Vec<u8>,
    /// What the body is.
    pub verdict: Verdict,
    /// How many bytes the body had.
    pub size: usize,
    /// How long to wait before the next request, if the server says.
    pub retry_after: Option<Duration>,
}

impl From<Received> for Answer {
    fn from(received: Received) -> Answer {
        let Received { status, content, retry_after, .. } = received;
        let mut answer = Answer::judge(status, content.bytes);
        if let Some(reason) = content.undecoded {
            answer.verdict = Verdict::Malformed(reason.into());
        }
        answer.retry_after = retry_after;
        answer
    }
}

impl Answer {
    /// Judges a body.
    pub fn judge(status: u16, mut bytes: Vec<u8>) -> Answer {
        let size = bytes.len();
        trim(&mut bytes);
        let (verdict, body, not_utf8) = match from_utf8(&bytes) {
            Ok(text) => (verdict(text), Json::checked(bytes), Vec::new()),
            Err(_) => (Verdict::Malformed("is not UTF-8".into()), Json::default(), bytes),
        };
        Answer { status, body, not_utf8, verdict, size, retry_after: None }
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
        let (status, retry_after) = (self.status, self.retry_after);
        let failure = match self.verdict {
            Verdict::PlatformError(_) => return Err(Failure::Platform(self.body.into_string())),
            Verdict::OtherError => {
                let failure = Failure::new(Code::ApiError, "the platform answered with an error of an unknown shape");
                failure.platform(self.body.into_string()).transient(is_transient(status))
            }
            _ if !success_status => {
                let hint = if matches!(status, 301 | 302 | 303 | 307 | 308) {
                    "; redirects are not followed, since the address holds the session key"
                } else {
                    ""
                };
                let message = format!("the server answered with HTTP status {status}{hint}");
                Failure::new(Code::HttpError, message).transient(is_transient(status))
            }
            Verdict::Malformed(reason) => Failure::new(Code::MalformedResponse, format!("the answer {reason}")),
            Verdict::EmptyJson | Verdict::NoBody => Failure::new(Code::EmptyResponse, "the answer has no content"),
            Verdict::Json => return Ok(self.body),
        };
        Err(failure.status(status).retry_after(retry_after))
    }
}

/// Whether the same request may be answered otherwise later: the server, or one before it, was busy, broken or away.
/// 520 to 530 are those of Cloudflare.
pub fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502..=504 | 507 | 509 | 520..=530)
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

/// Judges a body in one pass.
fn verdict(body: &str) -> Verdict {
    match body {
        "" => return Verdict::NoBody,
        "null" => return Verdict::EmptyJson,
        _ => {}
    }
    match outline(body, "error") {
        Ok(Outline { members: Some(0), .. }) => Verdict::EmptyJson,
        Ok(Outline { found: Some(error), .. }) => error_verdict(error),
        Ok(_) => Verdict::Json,
        Err(Flaw::TooDeep) => Verdict::Malformed("is nested too deep".into()),
        Err(Flaw::NotJson) => Verdict::Malformed("is not JSON".into()),
    }
}

/// `null`, `false` and `0` are no error.
fn error_verdict(error: &str) -> Verdict {
    if matches!(error, "null" | "false" | "0") {
        return Verdict::Json;
    }
    let code = outline(error, "error_code").ok().and_then(|outline| outline.found);
    let code = code.and_then(|code| code.parse().ok());
    code.map_or(Verdict::OtherError, Verdict::PlatformError)
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
        ] {
            assert_eq!(judged(body), verdict, "{body}");
        }
        assert_eq!(Answer::judge(200, b"[\"\xff\"]".to_vec()).verdict, Malformed("is not UTF-8".into()));
    }

    #[test]
    fn depth_is_bounded_everywhere() {
        use crate::json::MAX_DEPTH;

        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let too_deep = Verdict::Malformed("is nested too deep".into());
        assert_eq!(judged(&nested(100)), Verdict::Json);
        for levels in [MAX_DEPTH + 1, 100_000] {
            assert_eq!(judged(&nested(levels)), too_deep);
            assert_eq!(judged(&format!(r#"{{"error":{}}}"#, nested(levels))), too_deep);
            assert_eq!(judged(&format!(r#"{{"\ud800":1,"a":{}}}"#, nested(levels))), too_deep);
            assert_eq!(judged(&format!(r#"{{"error":{{"error_code":1,"x":{}}}}}"#, nested(levels))), too_deep);
        }
        assert_eq!(judged(&format!("[{:?}]", nested(1000))), Verdict::Json, "brackets in a string");
    }
}
