//! The authorization server: `/oauth/authorize` and `/oauth/token`.

use serde_json::{Map, Value, json};

use crate::answer::{Answer, SCRIPT};
use crate::demo_users::DEMO_UID;
use crate::grants::{Consent, Family, Issued, scope_or_default};
use crate::params::Params;
use crate::request::ReceivedRequest;
use crate::state::{Settings, SharedState, Spelling, State};

/// The refusal of a token request: error and description.
type Refusal = (&'static str, String);

fn refuse<T>(error: &'static str, description: impl Into<String>) -> Result<T, Refusal> {
    Err((error, description.into()))
}

/// Answers a token request.
pub fn token(sandbox: &SharedState, request: &ReceivedRequest) -> Answer {
    let mut state = sandbox.state();
    let mut client_secret = None;
    let mut answer = match grant(&mut state, request, &mut client_secret) {
        Ok(issued) => {
            state.counts.tokens_issued += 1;
            let members = members(&issued, &state.settings);
            Answer::new(200, SCRIPT, Value::Object(members).to_string(), "ok")
        }
        Err((error, description)) => Answer::oauth_error(400, error, &description),
    };
    answer.client_secret = client_secret;
    answer
}

fn grant(state: &mut State, request: &ReceivedRequest, secret: &mut Option<&'static str>) -> Result<Issued, Refusal> {
    if request.http_method != "POST" {
        return refuse("invalid_request", "a token request is a POST");
    }
    if request.has_query {
        return refuse("invalid_request", "a token request has no query: it would end up in logs");
    }
    if !request.is_form() {
        return refuse("invalid_request", "the content type is not application/x-www-form-urlencoded");
    }
    let params = request.params.as_ref().map_err(|reason| ("invalid_request", reason.clone()))?;
    let own: &[&str] = match needed(params, "grant_type")? {
        "authorization_code" => &["code", "redirect_uri"],
        "password" => &["username", "password", "scope"],
        "refresh_token" => &["refresh_token"],
        other => {
            return refuse("unsupported_grant_type", format!("unknown grant_type {other}"));
        }
    };
    let common = ["grant_type", "client_id", "client_secret"];
    let known = |name: &str| common.contains(&name) || own.contains(&name);
    if let Some((name, _)) = params.pairs.iter().find(|(name, _)| !known(name)) {
        return refuse("invalid_request", format!("unknown field {name}"));
    }
    let app_id = needed(params, "client_id")?;
    let client_secret = needed(params, "client_secret")?;
    let Some(app) = state.grants.apps.get(app_id) else {
        return refuse("invalid_client", "unknown client_id");
    };
    *secret = match client_secret {
        given if given == app.secret_key => Some("secret_key"),
        given if given == app.private_key => Some("private_key"),
        _ => return refuse("invalid_client", "wrong client_secret"),
    };
    match params.get("grant_type") {
        Some("authorization_code") => by_code(state, params, app_id),
        Some("password") => by_password(state, params, app_id),
        _ => by_refresh_token(state, params, app_id),
    }
}

fn needed<'a>(params: &'a Params, name: &str) -> Result<&'a str, Refusal> {
    match params.get(name) {
        Some(value) if !value.is_empty() => Ok(value),
        _ => refuse("invalid_request", format!("{name} is missing")),
    }
}

fn by_code(state: &mut State, params: &Params, app_id: &str) -> Result<Issued, Refusal> {
    let redirect_uri = needed(params, "redirect_uri")?;
    let Some(voucher) = state.grants.codes.get_mut(needed(params, "code")?) else {
        return refuse("invalid_grant", "unknown code");
    };
    if voucher.spent {
        state.counts.spent_codes_seen += 1;
        return refuse("invalid_grant", "the code was used before");
    }
    if voucher.consent.app_id != app_id {
        return refuse("invalid_grant", "the code is another application's");
    }
    // A code may be used in one attempt only, whatever its outcome.
    voucher.spent = true;
    // social-auth-core puts the state into the query of the one and not of the other, and has served sites for years.
    let page = |address: &str| address.split('?').next().unwrap_or_default().to_owned();
    if voucher.redirect_uri.as_deref().is_some_and(|recorded| page(recorded) != page(redirect_uri)) {
        return refuse("invalid_grant", "redirect_uri is not the one of the authorization");
    }
    let consent = voucher.consent.clone();
    Ok(state.grants.issue(consent, state.settings.expires_in, Family::New))
}

fn by_password(state: &mut State, params: &Params, app_id: &str) -> Result<Issued, Refusal> {
    let (email, password) = (needed(params, "username")?, needed(params, "password")?);
    let account = state.grants.accounts.get(email).filter(|account| account.password == password);
    let Some(account) = account else {
        return refuse("invalid_grant", "wrong username or password");
    };
    let scope = scope_or_default(params.get("scope"), &state.settings);
    let consent = Consent { uid: account.uid.clone(), app_id: app_id.to_owned(), scope };
    Ok(state.grants.issue(consent, state.settings.expires_in, Family::New))
}

fn by_refresh_token(state: &mut State, params: &Params, app_id: &str) -> Result<Issued, Refusal> {
    let refresh_token = needed(params, "refresh_token")?;
    let Some(voucher) = state.grants.refresh_tokens.get_mut(refresh_token) else {
        return refuse("invalid_grant", "unknown refresh_token");
    };
    if voucher.spent {
        state.counts.spent_refresh_tokens_seen += 1;
        if state.settings.detect_reuse {
            // The token may have been stolen, so neither user may continue.
            state.counts.families_ended += 1;
            let family = voucher.family;
            state.grants.end_family(family);
        }
        return refuse("invalid_grant", "the refresh_token was used before");
    }
    if voucher.consent.app_id != app_id {
        return refuse("invalid_grant", "the refresh_token is another application's");
    }
    voucher.spent = state.settings.rotate;
    let (consent, family) = (voucher.consent.clone(), voucher.family);
    if state.settings.end_former {
        state.grants.end_access_tokens(family);
    }
    let family = if state.settings.rotate { Family::Rotating(family) } else { Family::Keeping(family, refresh_token) };
    Ok(state.grants.issue(consent, state.settings.expires_in, family))
}

/// The members of a token answer.
pub fn members(issued: &Issued, settings: &Settings) -> Map<String, Value> {
    let expires_in = match settings.expires_in_as {
        Spelling::Number => json!(issued.expires_in),
        Spelling::String => json!(issued.expires_in.to_string()),
    };
    let all = [
        ("access_token", json!(issued.access_token)),
        ("refresh_token", json!(issued.refresh_token)),
        ("expires_in", expires_in),
        ("token_type", json!("bearer")),
        ("x_mailru_vid", json!(issued.uid)),
    ];
    let kept = all.into_iter().filter(|(name, _)| settings.omit.iter().all(|omitted| omitted != name));
    kept.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Redirects the browser, as if the demo user had agreed (or, with `deny=1`, refused).
pub fn authorize(sandbox: &SharedState, request: &ReceivedRequest) -> Answer {
    match redirect(sandbox, request) {
        Ok(location) => {
            let mut answer = Answer::text(302, "moved").header("Location", location);
            answer.outcome = "ok".into();
            answer
        }
        Err(reason) => Answer::text(400, &reason),
    }
}

fn redirect(sandbox: &SharedState, request: &ReceivedRequest) -> Result<String, String> {
    let params = request.params.as_ref().map_err(Clone::clone)?;
    let given = |name: &str| params.get(name).filter(|value| !value.is_empty());
    let mut state = sandbox.state();
    let app_id = given("client_id").ok_or("client_id is missing")?;
    if !state.grants.apps.contains_key(app_id) {
        return Err("unknown client_id".into());
    }
    let redirect_uri = given("redirect_uri").ok_or("redirect_uri is missing")?;
    let parsed: Result<hyper::Uri, _> = redirect_uri.parse();
    if !parsed.is_ok_and(|uri| uri.scheme().is_some()) || redirect_uri.contains('#') {
        return Err("redirect_uri is not an absolute address without a fragment".into());
    }
    let mut back: Vec<(String, String)> = Vec::new();
    let mut mark = '?';
    if given("deny") == Some("1") {
        back.push(("error".into(), "access_denied".into()));
    } else {
        let scope = scope_or_default(given("scope"), &state.settings);
        let consent = Consent { uid: DEMO_UID.into(), app_id: app_id.into(), scope };
        match given("response_type") {
            Some("code") => {
                let code = state.grants.issue_code(consent, Some(redirect_uri.into()), None);
                back.push(("code".into(), code));
            }
            Some("token") => {
                let expires_in = state.settings.expires_in;
                let issued = state.grants.issue(consent, expires_in, Family::New);
                state.counts.tokens_issued += 1;
                mark = '#';
                for (name, value) in members(&issued, &state.settings) {
                    back.push((name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
                }
            }
            _ => return Err("response_type is neither code nor token".into()),
        }
    }
    if let Some(given) = params.get("state") {
        back.push(("state".into(), given.to_owned()));
    }
    if mark == '?' && redirect_uri.contains('?') {
        mark = '&';
    }
    let back: Vec<_> = back.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    Ok(format!("{redirect_uri}{mark}{}", back.join("&")))
}

fn encode(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let encoded = |byte: u8| {
        if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(encoded).collect()
}
