//! The authorization server's answer: tokens, a refusal for good, or a failure that may pass.
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

/// The values of `error` with which the server asks for patience (RFC 6749 section 5.2, RFC 8628 section 3.5).
const PASSING_ERRORS: [&str; 3] = ["temporarily_unavailable", "server_error", "slow_down"];
/// A larger refusal is told without its text.
const LONGEST_SHOWN: usize = 64 * 1024;

/// Why no tokens came.
#[derive(Debug)]
pub struct TokenError {
    /// What the host is told.
    pub failure: Failure,
    /// Whether the authorization server may have seen what was traded.
    pub sent: bool,
    /// Whether an answer came.
    pub answered: bool,
    /// Whether the server said that asking again with the same cannot help.
    pub is_final: bool,
    /// When the server wants to be asked again.
    pub retry_after: Option<Duration>,
    /// What came although something is missing: the former tokens may be spent for it.
    pub rest: Option<Box<Tokens>>,
}

impl TokenError {
    /// A failure before anything was sent.
    pub fn unsent(failure: Failure) -> TokenError {
        TokenError { failure, sent: false, answered: false, is_final: false, retry_after: None, rest: None }
    }
}

/// What the reading of an answer needs to know.
pub struct Expected<'a> {
    /// What a renewal does not name is kept from these.
    pub former: &'a Tokens,
    /// The refresh token that was sent, if one was: it is kept, too.
    pub sent_refresh_token: Option<&'a Secret>,
    /// Whether the session can sign only for a user, whose id the answer must then hold.
    pub needs_uid: bool,
    /// What a refusal must not show.
    pub secrets: &'a [&'a Secret],
}

/// Reads an answer: its status and its body, from which a byte order mark is dropped.
pub fn read(status: u16, body: &str, expected: &Expected<'_>, now: Now) -> Result<Tokens, TokenError> {
    let body = body.trim_start_matches('\u{feff}').trim();
    let failed = |failure: Failure, is_final: bool, rest: Option<Box<Tokens>>| TokenError {
        failure: failure.status(status).transient(!is_final),
        sent: true,
        answered: true,
        is_final,
        retry_after: None,
        rest,
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
    // What a renewal's answer lacks is kept, and so is what was sent for it.
    let former = match expected.sent_refresh_token {
        Some(sent) if expected.former.refresh_token.is_empty() => {
            Cow::Owned(expected.former.with_refresh_token(sent.clone()))
        }
        _ => Cow::Borrowed(expected.former),
    };
    let tokens = Tokens::from_fields(|name| fields.find(name), &former, expected.needs_uid, now);
    let refused = || refusal(body, &fields, expected);
    if let Some(error) = &fields.error {
        let passes = matches!(status, 408 | 425 | 429) || PASSING_ERRORS.contains(&error.as_ref());
        let is_final = (400..500).contains(&status) && !passes;
        // Tokens beside an error are not used, but the former may have been spent for them.
        let rest =
            tokens.map_or_else(|incomplete| incomplete.rest, |tokens| Some(Box::new(tokens))).filter(|_| is_success);
        return Err(failed(refused(), is_final, rest));
    }
    tokens.map_err(|Incomplete { failure, rest }| match status {
        500.. => failed(http_error(status), false, rest),
        _ if is_success || rest.is_some() => failed(failure, false, rest),
        _ => failed(refused(), false, None),
    })
}

fn http_error(status: u16) -> Failure {
    Failure::new(Code::HttpError, format!("the authorization server answered with HTTP status {status}"))
}

/// A refusal, which is shown to people and may quote what was sent.
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
    /// The member `error`, unless it says that there is none; empty if it is no text.
    error: Option<Cow<'a, str>>,
}

struct Field<'a> {
    name: Cow<'a, str>,
    /// A string or a number; of anything else its JSON.
    text: Cow<'a, str>,
    is_text: bool,
}

impl<'a> Fields<'a> {
    /// Reads an object; `null` is as good as absent.
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

    /// A field's text. What is no string and no number counts for a user's id alone, as a wrong one.
    pub fn find(&self, name: &str) -> Option<&str> {
        let mut named = self.members.iter().filter(|field| field.name == name);
        named.find(|field| field.is_text || name == "x_mailru_vid").map(|field| field.text.as_ref())
    }
}

impl Drop for Fields<'_> {
    /// Wipes the copies of what was written with escapes.
    fn drop(&mut self) {
        for field in &mut self.members {
            if let Cow::Owned(text) = &mut field.text {
                text.zeroize();
            }
        }
    }
}

/// `null`, `false`, `0` and what is empty are no error.
fn is_error(raw: &RawValue) -> bool {
    let json: String = raw.get().split_ascii_whitespace().collect();
    !matches!(json.as_str(), "null" | "false" | "\"\"" | "[]" | "{}") && json.parse::<f64>() != Ok(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now { steady: Duration::ZERO, wall: Duration::from_secs(1_700_000_000) };

    fn reading(status: u16, body: &str, former: &Tokens) -> Result<Tokens, TokenError> {
        let (password, key) = (Secret::new("hunter2"), Secret::new("hunter2-and-more"));
        let secrets = [&password, &key];
        let expected = Expected { former, sent_refresh_token: None, needs_uid: true, secrets: &secrets };
        read(status, body, &expected, NOW)
    }

    /// What an answer means: `tokens`, `final`, `passes`, and whether something of it is kept.
    fn meaning(status: u16, body: &str) -> (&'static str, Option<Code>, bool) {
        match reading(status, body, &Tokens::default()) {
            Ok(_) => ("tokens", None, false),
            Err(error) => {
                assert!(error.sent && error.answered);
                let told = error.failure.clone().into_json();
                assert!(told.contains(&format!("\"transient\":{}", !error.is_final)), "{told}");
                assert!(told.contains(&format!("\"http_status\":{status}")), "{told}");
                let kind = if error.is_final { "final" } else { "passes" };
                (kind, Some(error.failure.code()), error.rest.is_some())
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
            for error in PASSING_ERRORS {
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
    fn tokens_are_tokens_whatever_stands_beside_them() {
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
    fn what_was_sent_is_kept_where_the_answer_names_no_other() {
        let (former, sent) = (Tokens::default(), Secret::new("sent"));
        let expected = Expected { former: &former, sent_refresh_token: Some(&sent), needs_uid: false, secrets: &[] };
        let tokens = read(200, r#"{"access_token":"a"}"#, &expected, NOW).expect("whole");
        assert_eq!(tokens.refresh_token.expose(), "sent");
    }
}
