//! The browser's part of a grant: the address to open, and the redirect that comes back.
#![forbid(unsafe_code)]

use serde_json::json;
use subtle::ConstantTimeEq;

use super::tokens::Tokens;
use crate::address::{decode, encode_into};
use crate::error::{Code, Failure, Outcome};

const AUTHORIZE: &str = "https://connect.mail.ru/oauth/authorize";

/// The address at which the user lets the application in. What is `None` is left out, and an empty scope.
pub fn authorize_url(
    app_id: &str,
    redirect_uri: &str,
    response_type: Option<&str>,
    scope: Option<&str>,
    state: Option<&str>,
) -> Outcome<String> {
    for (name, value) in [("app_id", app_id), ("redirect_uri", redirect_uri)] {
        if value.is_empty() {
            return Err(Failure::argument(name, "is empty"));
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
    let mut url = format!("{AUTHORIZE}?");
    encode_into(&mut url, fields.into_iter().filter_map(|(name, value)| Some((name, value?))));
    Ok(json!({ "url": url }).to_string())
}

/// What a redirect brought: `{"code"}`, or the tokens.
pub fn parse_redirect(url: &str, expected_state: Option<&str>) -> Outcome<String> {
    let (front, fragment) = url.split_once('#').unwrap_or((url, ""));
    let query = front.split_once('?').map_or("", |(_, query)| query);
    if query.is_empty() && fragment.is_empty() {
        return Err(Failure::argument(
            "url",
            "has neither query nor fragment; give the whole address to which the browser was sent",
        ));
    }
    let fields: Vec<_> = [query, fragment].into_iter().flat_map(decode).collect();
    let find = |name: &str| fields.iter().find(|field| field.0 == name).map(|field| field.1.as_ref());
    if let Some(expected) = expected_state {
        let matches = find("state").is_some_and(|state| state.as_bytes().ct_eq(expected.as_bytes()).into());
        if !matches {
            let message =
                "state is absent or not the expected one: this redirect does not belong to the login that was begun";
            return Err(Failure::new(Code::OauthError, message).field("state"));
        }
    }
    if let Some(error) = find("error") {
        let mut message = format!("the authorization server refused: {error}");
        if let Some(description) = find("error_description") {
            message.push_str(": ");
            message.push_str(description);
        }
        // Errors are shown to people: what could be used in the user's name stays out of them.
        let telling = |name: &str| !matches!(name, "code" | "access_token" | "refresh_token" | "session_key");
        let shown = fields.iter().filter(|field| telling(&field.0));
        let received: serde_json::Map<_, _> =
            shown.map(|(name, value)| (name.to_string(), value.as_ref().into())).collect();
        return Err(Failure::new(Code::OauthError, message).oauth(&serde_json::Value::Object(received).to_string()));
    }
    match find("code") {
        Some(code) if !code.is_empty() => Ok(json!({ "code": code }).to_string()),
        _ if find("access_token").is_some() => Ok(Tokens::read(&fields, &Tokens::default(), false)?.to_json(None)),
        _ => Err(Failure::new(Code::OauthError, "the redirect has neither a code nor tokens").field("code")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_open() {
        let url = authorize_url("423004", "http://localhost:1/cb?a=b", None, Some("photos stream"), Some("x&y"))
            .expect("valid");
        let expected = "https://connect.mail.ru/oauth/authorize?client_id=423004&response_type=code\
                        &redirect_uri=http%3A%2F%2Flocalhost%3A1%2Fcb%3Fa%3Db&scope=photos%20stream&state=x%26y";
        assert_eq!(url, json!({ "url": expected }).to_string());
        assert!(authorize_url("1", "u", Some("id_token"), None, None).is_err());
        assert!(!authorize_url("1", "u", Some("token"), None, None).expect("valid").contains("scope"));
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
        ] {
            assert_eq!(parse_redirect(url, state).expect_err(url).code(), Code::OauthError, "{url}");
        }
        let refusal = parse_redirect("http://x/?error=access_denied&error_description=no+way", None)
            .expect_err("refused")
            .into_json();
        assert!(refusal.contains(r#""oauth":{"error":"access_denied","error_description":"no way"}"#), "{refusal}");
        assert_eq!(parse_redirect("", None).expect_err("nothing").code(), Code::InvalidArgument);
    }
}
