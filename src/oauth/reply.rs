//! The authorization server's answer: tokens, a final refusal, or a transient failure.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::time::Duration;

use serde_json::value::RawValue;
use zeroize::Zeroize;

use super::mask::masked;
use super::now::Now;
use super::tokens::{Incomplete, Tokens, text_of};
use crate::error::{Code, Failure};
use crate::json::all_members;
use crate::secret::Secret;

/// The values of `error` for a transient failure (RFC 6749 section 4.1.2.1, RFC 8628 section 3.5).
const TRANSIENT_ERRORS: [&str; 3] = ["temporarily_unavailable", "server_error", "slow_down"];
/// A larger refusal is reported without its text.
const LONGEST_SHOWN: usize = 64 * 1024;

/// The failure of a token request.
#[derive(Debug)]
pub struct TokenError {
    /// The failure for the host.
    pub failure: Failure,
    /// Whether the credentials may have reached the authorization server.
    pub sent: bool,
    /// Whether an answer was received.
    pub answered: bool,
    /// Whether the refusal is final: a retry with the same credentials cannot help.
    pub is_final: bool,
    /// The server's Retry-After.
    pub retry_after: Option<Duration>,
    /// Tokens from an incomplete answer; the previous tokens may be used up for them.
    pub partial: Option<Box<Tokens>>,
}

impl TokenError {
    /// A failure before anything was sent.
    pub fn unsent(failure: Failure) -> TokenError {
        TokenError { failure, sent: false, answered: false, is_final: false, retry_after: None, partial: None }
    }
}

/// The context for reading an answer.
pub struct Expected<'a> {
    /// The previous tokens; fields that a renewal's answer lacks are kept from them.
    pub previous: &'a Tokens,
    /// The refresh token that was sent, if any. It is kept if the answer has no new one.
    pub sent_refresh_token: Option<&'a Secret>,
    /// Whether the session can sign only for a user, whose id the answer must then hold.
    pub needs_uid: bool,
    /// Secrets that a refusal must not show.
    pub secrets: &'a [&'a Secret],
}

/// Reads an answer: its status and its body, from which a byte order mark is dropped.
pub fn read(status: u16, body: &str, expected: &Expected<'_>, now: Now) -> Result<Tokens, TokenError> {
    let body = body.trim_start_matches('\u{feff}').trim();
    let failed = |failure: Failure, is_final: bool, partial: Option<Box<Tokens>>| TokenError {
        failure: failure.status(status).transient(!is_final),
        sent: true,
        answered: true,
        is_final,
        retry_after: None,
        partial,
    };
    let is_success = (200..300).contains(&status);
    let Some(fields) = Fields::of(body) else {
        let failure = match (is_success, body) {
            (false, _) => http_error(status),
            (true, "") => Failure::new(Code::EmptyResponse, "the authorization server's answer is empty"),
            _ => Failure::new(Code::MalformedResponse, "the authorization server's answer is not a JSON object"),
        };
        return Err(failed(failure, false, None));
    };
    // Keep the fields that a renewal's answer lacks, and the refresh token that was sent.
    let previous = match expected.sent_refresh_token {
        Some(sent) if expected.previous.refresh_token.is_empty() => {
            Cow::Owned(expected.previous.with_refresh_token(sent.clone()))
        }
        _ => Cow::Borrowed(expected.previous),
    };
    let tokens = Tokens::from_fields(|name| fields.find(name), &previous, expected.needs_uid, now);
    let refused = || refusal(body, &fields, expected);
    if let Some(error) = &fields.error {
        let passes = matches!(status, 408 | 425 | 429) || TRANSIENT_ERRORS.contains(&error.as_ref());
        let is_final = (400..500).contains(&status) && !passes;
        // Tokens next to an error are not used, but kept, because the previous ones may be used up for them.
        let partial =
            tokens.map_or_else(|incomplete| incomplete.partial, |tokens| Some(Box::new(tokens))).filter(|_| is_success);
        return Err(failed(refused(), is_final, partial));
    }
    tokens.map_err(|Incomplete { failure, partial }| match status {
        500.. => failed(http_error(status), false, partial),
        _ if is_success || partial.is_some() => failed(failure, false, partial),
        _ => failed(refused(), false, None),
    })
}

fn http_error(status: u16) -> Failure {
    Failure::new(Code::HttpError, format!("the authorization server answered with HTTP status {status}"))
}

/// A refusal. It is displayed, and may quote credentials that were sent.
fn refusal(body: &str, fields: &Fields<'_>, expected: &Expected<'_>) -> Failure {
    let message = "the authorization server refused";
    if body.len() > LONGEST_SHOWN {
        return Failure::new(Code::OauthError, message);
    }
    let brought = ["access_token", "refresh_token", "code", "password", "client_secret"];
    let brought: Vec<_> = brought.iter().filter_map(|name| fields.find(name)).map(Secret::new).collect();
    let shown = masked(body, expected.secrets.iter().copied().chain(&brought));
    let named = Fields::of(&shown);
    let reasons = ["error", "error_description"].iter().filter_map(|name| named.as_ref()?.find(name));
    let message = reasons.filter(|text| !text.is_empty()).fold(message.to_owned(), |told, text| told + ": " + text);
    Failure::new(Code::OauthError, message).oauth(&shown)
}

/// The members of an answer, as texts.
pub struct Fields<'a> {
    members: Vec<Field<'a>>,
    /// The member `error`, unless its value means none; empty if it is not a text.
    error: Option<Cow<'a, str>>,
}

struct Field<'a> {
    name: Cow<'a, str>,
    /// The text of a string or a number; the JSON of any other value.
    text: Cow<'a, str>,
    is_text: bool,
}

impl<'a> Fields<'a> {
    /// Reads an object; `null` means absent.
    pub fn of(json: &'a str) -> Option<Fields<'a>> {
        let members = all_members(json)?;
        let mut errors = members.iter().filter(|(name, raw)| name == "error" && is_error(raw));
        let error = errors.next().map(|(_, raw)| text_of(raw).unwrap_or_default());
        let given = members.into_iter().filter(|(_, raw)| raw.get() != "null");
        let field = |(name, raw): (Cow<'a, str>, &'a RawValue)| match text_of(raw) {
            Some(text) => Field { name, text, is_text: true },
            None => Field { name, text: Cow::Borrowed(raw.get()), is_text: false },
        };
        Some(Fields { members: given.map(field).collect(), error })
    }

    /// A field's text. A value that is neither string nor number counts as absent, except for the user's id, where it
    /// is an error.
    pub fn find(&self, name: &str) -> Option<&str> {
        let mut named = self.members.iter().filter(|field| field.name == name);
        named.find(|field| field.is_text || name == "x_mailru_vid").map(|field| field.text.as_ref())
    }
}

impl Drop for Fields<'_> {
    /// Wipes the decoded copies of strings with escapes.
    fn drop(&mut self) {
        for field in &mut self.members {
            if let Cow::Owned(text) = &mut field.text {
                text.zeroize();
            }
        }
    }
}

/// `null`, `false`, `0` and empty values mean no error.
fn is_error(raw: &RawValue) -> bool {
    let json: String = raw.get().split_ascii_whitespace().collect();
    !matches!(json.as_str(), "null" | "false" | "\"\"" | "[]" | "{}") && json.parse::<f64>() != Ok(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now { steady: Duration::ZERO, wall: Duration::from_secs(1_700_000_000) };

    fn reading(status: u16, body: &str, previous: &Tokens) -> Result<Tokens, TokenError> {
        let (password, key) = (Secret::new("hunter2"), Secret::new("hunter2-and-more"));
        let secrets = [&password, &key];
        let expected = Expected { previous, sent_refresh_token: None, needs_uid: true, secrets: &secrets };
        read(status, body, &expected, NOW)
    }

    /// The meaning of an answer: `tokens`, `final` or `transient`, and whether tokens of it are kept.
    fn meaning(status: u16, body: &str) -> (&'static str, Option<Code>, bool) {
        match reading(status, body, &Tokens::default()) {
            Ok(_) => ("tokens", None, false),
            Err(error) => {
                assert!(error.sent && error.answered);
                let told = error.failure.clone().into_json();
                assert!(told.contains(&format!("\"transient\":{}", !error.is_final)), "{told}");
                assert!(told.contains(&format!("\"http_status\":{status}")), "{told}");
                let kind = if error.is_final { "final" } else { "passes" };
                (kind, Some(error.failure.code()), error.partial.is_some())
            }
        }
    }

    const WHOLE: &str = r#""access_token":"a","refresh_token":"r","x_mailru_vid":"7""#;

    #[test]
    fn only_a_refusal_by_name_is_final() {
        for status in [301, 302, 307, 400, 401, 403, 404, 408, 422, 425, 429, 500, 502, 503, 504] {
            let by_name =
                if (400..500).contains(&status) && ![408, 425, 429].contains(&status) { "final" } else { "passes" };
            for error in ["\"invalid_grant\"", "\"rate_limited\"", "{\"error_code\":5}", "true", "1", "[1]"] {
                let body = format!(r#"{{"error":{error},"error_description":"x"}}"#);
                assert_eq!(meaning(status, &body), (by_name, Some(Code::OauthError), false), "{status} {body}");
            }
            for error in TRANSIENT_ERRORS {
                let body = format!(r#"{{"error":"{error}"}}"#);
                assert_eq!(meaning(status, &body), ("passes", Some(Code::OauthError), false), "{status} {body}");
            }
            for body in [r#"{"message":"slow down"}"#, r#"{"blocked":"by firewall"}"#, "{}", r#"{"error":""}"#] {
                let code = if status >= 500 { Code::HttpError } else { Code::OauthError };
                assert_eq!(meaning(status, body), ("passes", Some(code), false), "{status} {body}");
            }
            for body in ["", "<html>", "[]", "null", "\"x\"", "{\"error\":"] {
                assert_eq!(meaning(status, body), ("passes", Some(Code::HttpError), false), "{status} {body}");
            }
        }
    }

    #[test]
    fn tokens_are_read_whatever_else_the_answer_contains() {
        for status in [200, 201, 302, 400, 403, 500, 503] {
            for error in ["", ",\"error\":null", ",\"error\":\"\"", ",\"error\":[ ]", ",\"error\":{}", ",\"error\":0.0"]
            {
                assert_eq!(meaning(status, &format!("\u{feff} {{{WHOLE}{error}}}\n")), ("tokens", None, false));
            }
        }
        for (body, code, kept) in [
            ("", Code::EmptyResponse, false),
            ("[]", Code::MalformedResponse, false),
            ("{\"access_token\":\"a\"", Code::MalformedResponse, false),
            ("{}", Code::OauthError, false),
            (r#"{"access_token":"a"}"#, Code::OauthError, true),
            (r#"{"refresh_token":"r"}"#, Code::OauthError, true),
            (r#"{"error":"odd"}"#, Code::OauthError, false),
            (r#"{"error":"odd","access_token":"a","refresh_token":"r"}"#, Code::OauthError, true),
        ] {
            assert_eq!(meaning(200, body), ("passes", Some(code), kept), "{body}");
        }
        assert_eq!(meaning(500, r#"{"access_token":"a"}"#), ("passes", Some(Code::HttpError), true));
        assert_eq!(meaning(400, r#"{"error":"odd","access_token":"a"}"#), ("final", Some(Code::OauthError), false));
    }

    #[test]
    fn a_refusal_is_shown_without_secrets() {
        let body =
            r#"{"error":"bad hunter2-and-more","error_description":"ой, hunter2","access_token":"tttt","n":1.10}"#;
        let failure = reading(400, body, &Tokens::default()).expect_err("refused").failure;
        assert_eq!(failure.message(), "the authorization server refused: bad …: ой, …");
        let shown = r#""oauth":{"error":"bad …","error_description":"ой, …","access_token":"…","n":1.10}"#;
        let told = failure.into_json();
        assert!(told.contains(shown), "{told}");
        let long = format!(r#"{{"error":"x","more":"{}"}}"#, "hunter2 ".repeat(10_000));
        let failure = reading(400, &long, &Tokens::default()).expect_err("refused").failure.into_json();
        assert!(!failure.contains("oauth\""), "{failure}");
    }

    #[test]
    fn the_refresh_token_sent_is_kept_if_the_answer_has_none() {
        let (previous, sent) = (Tokens::default(), Secret::new("sent"));
        let expected =
            Expected { previous: &previous, sent_refresh_token: Some(&sent), needs_uid: false, secrets: &[] };
        let tokens = read(200, r#"{"access_token":"a"}"#, &expected, NOW).expect("whole");
        assert_eq!(tokens.refresh_token.expose(), "sent");
    }
}
