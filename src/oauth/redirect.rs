//! The browser's part of a grant: the address to open, and the resulting redirect.
#![forbid(unsafe_code)]

use std::borrow::Cow;

use serde_json::json;
use subtle::ConstantTimeEq;

use super::tokens::Tokens;
use crate::address::{Address, decoded, encoded_length};
use crate::error::{Code, Failure, Outcome};
use crate::large::no_checkpoint;

const AUTHORIZE: &str = "https://connect.mail.ru/oauth/authorize";

/// The names with a meaning in a redirect; any other is the application's own.
const NAMES: [&str; 12] = [
    "access_token",
    "code",
    "error",
    "error_description",
    "error_uri",
    "expires_in",
    "refresh_token",
    "scope",
    "state",
    "status",
    "token_type",
    "x_mailru_vid",
];

/// The names that show which part of the address the authorization server wrote, by priority.
const SIGNS: [&[&str]; 3] = [&["state"], &["code", "access_token", "error"], &["status"]];

/// The address at which a user grants the application access: a query at `address`, or at the platform's own. `None` and
/// an empty scope are left out.
pub fn authorize_url(
    address: Option<&str>,
    app_id: &str,
    redirect_uri: &str,
    response_type: Option<&str>,
    scope: Option<&str>,
    state: Option<&str>,
) -> Outcome<String> {
    let address = Address::parse("address", address.unwrap_or(AUTHORIZE))?;
    if address.refuse_plain_http("address").is_err() {
        return Err(Failure::argument("address", "is plain http to another machine; use https"));
    }
    for (name, value) in [("app_id", app_id), ("redirect_uri", redirect_uri)] {
        if value.is_empty() {
            return Err(Failure::argument(name, "is empty; it is required"));
        }
    }
    let response_type = response_type.unwrap_or("code");
    if !matches!(response_type, "code" | "token") {
        return Err(Failure::argument(
            "response_type",
            "must be \"code\" (sites) or \"token\" (desktop programs), or NULL for \"code\"",
        ));
    }
    let fields = [
        ("client_id", Some(app_id)),
        ("response_type", Some(response_type)),
        ("redirect_uri", Some(redirect_uri)),
        ("scope", scope.filter(|scope| !scope.is_empty())),
        ("state", state),
    ];
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let url = address.with_query(fields.clone(), encoded_length(fields, &no_checkpoint)?);
    Ok(json!({ "url": url }).to_string())
}

/// Reads a redirect: `{"code"}`, or the tokens.
///
/// Its query and its fragment are never combined, because an attacker can add parameters to the part that the server
/// did not write.
pub fn parse_redirect(url: &str, expected_state: Option<&str>) -> Outcome<String> {
    if expected_state.is_some_and(str::is_empty) {
        return Err(Failure::argument(
            "expected_state",
            "is empty, which is also the state of a forged login; give the state that was sent, or NULL",
        ));
    }
    let (front, fragment) = url.split_once('#').unwrap_or((url, ""));
    let query = front.split_once('?').map_or("", |(_, query)| query);
    if query.is_empty() && fragment.is_empty() {
        return Err(Failure::argument(
            "url",
            "has neither query nor fragment; give the whole address to which the browser was sent",
        ));
    }
    let fields = Fields::of_one_part(query, fragment)?;
    if let Some(expected) = expected_state {
        let matches = fields.find("state").is_some_and(|state| state.as_bytes().ct_eq(expected.as_bytes()).into());
        if !matches {
            let message =
                "state is missing or not the expected one: this redirect does not belong to the login that was started";
            return Err(refusal(message, "state"));
        }
    }
    if let Some(refused) = fields.refused() {
        return Err(refused);
    }
    match fields.find("code") {
        Some(code) if !code.is_empty() => Ok(json!({ "code": code }).to_string()),
        _ if fields.find("access_token").is_some() => {
            let is_id = |uid: &str| uid.bytes().all(|byte| byte.is_ascii_digit());
            if !fields.find("x_mailru_vid").is_none_or(is_id) {
                return Err(refusal("x_mailru_vid is not a user's id, which is digits only", "x_mailru_vid"));
            }
            Ok(Tokens::read(&fields.0, &Tokens::default(), false)?.to_json(None))
        }
        _ => Err(refusal("the redirect has neither a code nor tokens", "code")),
    }
}

/// The parameters in the part that the authorization server wrote.
struct Fields<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Fields<'a> {
    fn of_one_part(query: &'a str, fragment: &'a str) -> Outcome<Fields<'a>> {
        for signs in SIGNS {
            let has_sign = |part: &str| split(part).any(|(name, _)| signs.iter().any(|sign| name == *sign));
            match (has_sign(query), has_sign(fragment)) {
                (true, true) => {
                    let message = format!(
                        "both query and fragment contain {}, so it is unclear which part the server wrote",
                        signs.join(" or ")
                    );
                    return Err(refusal(message, signs[0]));
                }
                (true, false) => return Fields::read(query),
                (false, true) => return Fields::read(fragment),
                (false, false) => {}
            }
        }
        Ok(Fields(Vec::new()))
    }

    /// Reads the authorization server's names strictly and ignores other names.
    fn read(part: &'a str) -> Outcome<Fields<'a>> {
        let mut fields = Fields(Vec::new());
        for (name, value) in split(part) {
            let Some(known) = NAMES.into_iter().find(|known| *known == name) else { continue };
            let Some(value) = decoded(value) else {
                return Err(refusal(format!("{known} is not percent-encoded UTF-8"), known));
            };
            if fields.find(known).is_some() {
                return Err(refusal(format!("duplicate {known} in the redirect"), known));
            }
            fields.0.push((name, value));
        }
        Ok(fields)
    }

    fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|field| field.0 == name).map(|field| field.1.as_ref())
    }

    /// The failure, if the user or the server refused.
    fn refused(&self) -> Option<Failure> {
        let status = self.find("status").filter(|status| matches!(*status, "cancel" | "error"));
        let mut message = format!("the authorization server refused: {}", self.find("error").or(status)?);
        if let Some(description) = self.find("error_description") {
            message.push_str(": ");
            message.push_str(description);
        }
        // Errors are displayed, so they must not contain credentials of the user.
        let shown = self.0.iter().filter(|(name, _)| name == "status" || name.starts_with("error"));
        let received: serde_json::Map<_, _> =
            shown.map(|(name, value)| (name.to_string(), value.as_ref().into())).collect();
        let refused = Failure::new(Code::OauthError, message);
        Some(refused.oauth(&serde_json::Value::Object(received).to_string()))
    }
}

/// The pairs of a query or fragment: decoded names, and values still encoded.
fn split(part: &str) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    part.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decoded(name)?, value))
    })
}

fn refusal(message: impl Into<String>, field: &'static str) -> Failure {
    Failure::new(Code::OauthError, message).field(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_open() {
        let url = authorize_url(None, "423004", "http://localhost:1/cb?a=b", None, Some("photos stream"), Some("x&y"))
            .expect("valid");
        let expected = "https://connect.mail.ru/oauth/authorize?client_id=423004&response_type=code\
                        &redirect_uri=http%3A%2F%2Flocalhost%3A1%2Fcb%3Fa%3Db&scope=photos%20stream&state=x%26y";
        assert_eq!(url, json!({ "url": expected }).to_string());
        assert!(authorize_url(None, "1", "u", Some("id_token"), None, None).is_err());
        assert!(!authorize_url(None, "1", "u", Some("token"), None, None).expect("valid").contains("scope"));
    }

    #[test]
    fn redirects() {
        assert_eq!(parse_redirect("http://x/cb?code=a%2Bb&state=s", Some("s")).expect("a code"), r#"{"code":"a+b"}"#);
        let tokens = parse_redirect(
            "mm1://authorize#refresh_token=r&expires_in=86400&access_token=a&token_type=bearer&x_mailru_vid=7",
            None,
        )
        .expect("tokens");
        let tokens: serde_json::Value = serde_json::from_str(&tokens).expect("JSON");
        assert_eq!(
            (&tokens["access_token"], &tokens["uid"], &tokens["expires_in"]),
            (&json!("a"), &json!("7"), &json!(86400))
        );
        for (url, state) in [
            ("http://x/?code=a", Some("s")),
            ("http://x/?code=a&state=t", Some("s")),
            ("http://x/?error=access_denied&state=s", Some("s")),
            ("http://x/#error=access_denied", None),
            ("http://x/?nothing=1", None),
            ("http://x/?code=", None),
            ("http://x/?code=&access_token=", None),
            ("http://x/?code=EVIL&state=s#code=a&state=s", Some("s")),
            ("http://x/?code=a#access_token=b", None),
            ("http://x/?code=a&code=b", None),
            ("http://x/?state=s&code=a&%73tate=t", Some("s")),
            ("http://x/?code=%ff", None),
            ("http://x/?code=%4", None),
            ("mm1://authorize?status=cancel", None),
            ("mm1://authorize?status=error&access_token=a", None),
            ("mm1://authorize?access_token=a&x_mailru_vid=7x", None),
        ] {
            assert_eq!(parse_redirect(url, state).expect_err(url).code(), Code::OauthError, "{url}");
        }
        for (url, state) in [
            ("http://x/?code=a&state=s#access_token=b", Some("s")),
            ("http://x/?code=EVIL&own=%ff&own=2#state=s&code=a", Some("s")),
            ("http://x/?status=cancel#code=a", None),
            ("http://x/?status=success&code=a", None),
        ] {
            assert_eq!(parse_redirect(url, state).expect(url), r#"{"code":"a"}"#, "{url}");
        }
        assert_eq!(
            parse_redirect("http://x/?code=a&state=", Some("")).expect_err("empty").code(),
            Code::InvalidArgument
        );
        let refusal = parse_redirect(
            "http://x/?error=access_denied&error_description=no+way&id_token=x&client_secret=y&state=z",
            None,
        )
        .expect_err("refused")
        .into_json();
        assert!(refusal.contains(r#""oauth":{"error":"access_denied","error_description":"no way"}"#), "{refusal}");
        let neither = parse_redirect("http://x/?state=s", Some("s")).expect_err("neither").into_json();
        assert!(neither.contains(r#""field":"code""#), "{neither}");
        assert_eq!(parse_redirect("", None).expect_err("nothing").code(), Code::InvalidArgument);
    }
}
