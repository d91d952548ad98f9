//! Reads error JSON for hosts that have no JSON parser.
//!
//! The JSON is a failure of this library, or the platform's own bytes.
#![forbid(unsafe_code)]

use std::borrow::Cow;

use crate::catalogue;
use crate::error::{Failure, Outcome};
use crate::json::LossyText;
use crate::outline::outline;

/// The member of this name within a JSON object.
fn member<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    outline(json, name).ok()?.found
}

fn number_of(error: &str) -> Option<i64> {
    member(error, "error_code")?.parse().ok()
}

fn text_of<'a>(error: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let LossyText(text) = serde_json::from_str(member(error, name)?).ok()?;
    Some(text)
}

/// The error's number: the platform's, or minus this library's code; 0 if there is none.
pub fn number(error_json: &str) -> i64 {
    member(error_json, "error").and_then(number_of).unwrap_or(0)
}

/// Whether the same call may succeed later. This library's failures say so themselves; for platform errors the
/// catalogue says so.
pub fn is_transient(error_json: &str) -> bool {
    let Some(error) = member(error_json, "error") else { return false };
    match number_of(error) {
        // The platform's numbers are not negative.
        Some(code) if code >= 0 => catalogue::is_transient(code),
        _ => member(error, "transient") == Some("true"),
    }
}

/// The error's text alone.
pub fn message(error_json: &str) -> Outcome<String> {
    let Some(error) = member(error_json, "error") else {
        let problem = "contains no error; give the JSON returned with a code other than MAILRU_OK";
        return Err(Failure::argument("error_json", problem));
    };
    let text = match error.as_bytes().first() {
        Some(b'{') => text_of(error, "error_msg").or_else(|| catalogue::meaning(number_of(error)?).map(Cow::Borrowed)),
        // The form of authorization servers (RFC 6749, 5.2).
        Some(b'"') => text_of(error_json, "error").map(|error| match text_of(error_json, "error_description") {
            Some(more) => Cow::Owned(format!("{error}: {more}")),
            None => error,
        }),
        _ => None,
    };
    let text = text.unwrap_or_else(|| Cow::Owned(format!("error {error}")));
    // A C string ends at NUL.
    Ok(text.replace('\0', "\u{fffd}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn errors_of_both_kinds() {
        let own = Failure::new(Code::Timeout, "no answer").into_json();
        let refused = Failure::argument("uid", "is empty").into_json();
        for (json, code, transient, text) in [
            (own.as_str(), -21, true, "no answer"),
            (&refused, -1, false, "uid: is empty"),
            (r#"{"error":{"error_code":3,"error_msg":"Service \u0041"}}"#, 3, true, "Service A"),
            (r#"{"error":{"error_msg":"Incorrect signature","error_code":104}}"#, 104, false, "Incorrect signature"),
            (r#"{"error":{"error_code":104}}"#, 104, false, "the signature is incorrect"),
            (r#"{"error":{"error_code":9000000000,"transient":true}}"#, 9_000_000_000, false, ""),
            (r#"{"error":{"error_code":201},"\ud800":1}"#, 201, true, "the rate limit is exceeded"),
            (r#"{"error":{"error_code":1,"error_msg":"a\u0000b\ud800"}}"#, 1, true, "a\u{fffd}b"),
            (r#"{"error":"invalid_grant","error_description":"gone"}"#, 0, false, "invalid_grant: gone"),
            (r#"{"error":"x"}"#, 0, false, "x"),
            (r#"{"error":[1]}"#, 0, false, "error [1]"),
            (r#"{"error":{"error_code":"104","error_msg":"y"}}"#, 0, false, "y"),
        ] {
            assert_eq!((number(json), is_transient(json)), (code, transient), "{json}");
            let told = message(json).expect("a text");
            assert!(told.starts_with(text), "{json}: {told}");
        }
        for json in ["", "null", "[]", "{}", r#"{"uid":"1"}"#, "{\"error\":", "\u{1}"] {
            assert_eq!((number(json), is_transient(json)), (0, false), "{json}");
            assert_eq!(message(json).expect_err(json).code(), Code::InvalidArgument);
        }
    }
}
