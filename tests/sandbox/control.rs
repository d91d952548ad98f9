//! The control API for tests. Its requests are not recorded and have no faults.

use std::io;

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::demo_users::{self, DEMO_UID};
use crate::faults::{Fault, Rule};
use crate::grants::{Account, App, Consent, DEMO_APP, FULL_SCOPE, Family, token};
use crate::oauth;
use crate::params::Params;
use crate::state::{SharedState, Spelling};

/// The members that can be left out of a token answer.
const MEMBERS: [&str; 5] = ["access_token", "refresh_token", "expires_in", "token_type", "x_mailru_vid"];

/// The refusal of a control request: status and reason.
type Refusal = (u16, String);
type Answered = Result<Value, Refusal>;

fn bad<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err((400, reason.into()))
}

pub async fn handle(sandbox: &SharedState, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let query = parts.uri.query().unwrap_or_default();
    let (status, value) = match answer(sandbox, parts.method.as_str(), parts.uri.path(), query, &body) {
        Ok(value) => (200, value),
        Err((status, reason)) => (status, json!({ "error": reason })),
    };
    Ok(Answer::new(status, "application/json", format!("{value}\n"), "").into_response())
}

fn answer(sandbox: &SharedState, method: &str, path: &str, query: &str, body: &[u8]) -> Answered {
    let resource = path.strip_prefix("/sandbox").unwrap_or_default().trim_start_matches('/');
    match (method, resource) {
        ("GET", "requests") => Ok(sandbox.journal().requests(since(query)?)),
        ("DELETE", "requests") => {
            sandbox.journal().forget_requests();
            done()
        }
        ("GET", "applied") => Ok(sandbox.journal().applied()),
        ("GET", "stats") => Ok(sandbox.stats()),
        ("POST", "reset") => {
            sandbox.reset();
            done()
        }
        ("POST", "release") => Ok(json!({ "released": sandbox.held.release() })),
        ("GET", "settings") => Ok(json!(sandbox.state().settings)),
        ("POST", "settings") => settings(sandbox, parse(body)?),
        ("POST", "users") => user(sandbox, parse(body)?),
        ("POST", "apps") => app(sandbox, parse(body)?),
        ("GET", "tokens") => Ok(json!({ "newest": sandbox.state().grants.newest })),
        ("POST", "tokens") => tokens(sandbox, parse(body)?),
        ("POST", "codes") => code(sandbox, parse(body)?),
        ("POST", "expire") => expire(sandbox, parse(body)?),
        ("GET", "faults") => Ok(json!(sandbox.state().faults.rules)),
        ("POST", "faults") => fault(sandbox, parse(body)?),
        ("DELETE", "faults") => {
            sandbox.state().faults.rules.clear();
            done()
        }
        (
            _,
            "requests" | "applied" | "stats" | "reset" | "settings" | "users" | "apps" | "tokens" | "codes" | "expire"
            | "faults",
        ) => Err((405, format!("{method} is not for /sandbox/{resource}"))),
        _ => Err((404, "no such control: see --help".into())),
    }
}

fn done() -> Answered {
    Ok(json!({ "ok": true }))
}

/// An empty body is an empty object.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| (400, error.to_string()))
}

fn since(query: &str) -> Result<u64, Refusal> {
    let mut params = Params::default();
    params.add_form(query.as_bytes()).map_err(|reason| (400, reason))?;
    match (params.get("since"), params.pairs.len()) {
        (None, 0) => Ok(0),
        (Some(number), 1) => number.parse().map_err(|_| (400, "since is not a number".into())),
        _ => bad("the only parameter is since"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSettings {
    record: Option<bool>,
    expires_in: Option<u64>,
    expires_in_as: Option<Spelling>,
    omit: Option<Vec<String>>,
    rotate: Option<bool>,
    detect_reuse: Option<bool>,
    end_former: Option<bool>,
    check_ids: Option<bool>,
    /// `null` differs from absent: it removes the fixed scope.
    #[serde(default, deserialize_with = "given")]
    scope: Option<Option<String>>,
}

fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

fn settings(sandbox: &SharedState, new: NewSettings) -> Answered {
    if let Some(unknown) = new.omit.iter().flatten().find(|name| !MEMBERS.contains(&name.as_str())) {
        return bad(format!("omit: {unknown} is not a member of a token answer"));
    }
    let settings = &mut sandbox.state().settings;
    settings.record = new.record.unwrap_or(settings.record);
    settings.expires_in = new.expires_in.unwrap_or(settings.expires_in);
    settings.expires_in_as = new.expires_in_as.unwrap_or(settings.expires_in_as);
    settings.rotate = new.rotate.unwrap_or(settings.rotate);
    settings.detect_reuse = new.detect_reuse.unwrap_or(settings.detect_reuse);
    settings.end_former = new.end_former.unwrap_or(settings.end_former);
    settings.check_ids = new.check_ids.unwrap_or(settings.check_ids);
    if let Some(omit) = new.omit {
        settings.omit = omit;
    }
    if let Some(scope) = new.scope {
        settings.scope = scope;
    }
    Ok(json!(settings))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    email: String,
    password: String,
    uid: String,
}

fn user(sandbox: &SharedState, new: NewUser) -> Answered {
    if new.uid.parse::<u64>().is_err() {
        return bad("uid is not an unsigned 64-bit number");
    }
    let mut state = sandbox.state();
    if state.users.iter().all(|user| user.uid != new.uid) {
        state.users.push(demo_users::newcomer(&new.uid, &new.email));
    }
    state.grants.accounts.insert(new.email, Account { password: new.password, uid: new.uid });
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewApp {
    app_id: String,
    private_key: String,
    secret_key: String,
}

fn app(sandbox: &SharedState, new: NewApp) -> Answered {
    let app = App { private_key: new.private_key, secret_key: new.secret_key };
    sandbox.state().grants.apps.insert(new.app_id, app);
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTokens {
    uid: Option<String>,
    app_id: Option<String>,
    scope: Option<String>,
    expires_in: Option<u64>,
}

fn consent(uid: Option<String>, app_id: Option<String>, scope: Option<String>) -> Consent {
    Consent {
        uid: uid.unwrap_or_else(|| DEMO_UID.into()),
        app_id: app_id.unwrap_or_else(|| DEMO_APP.into()),
        scope: scope.unwrap_or_else(|| FULL_SCOPE.into()),
    }
}

fn tokens(sandbox: &SharedState, new: NewTokens) -> Answered {
    let mut state = sandbox.state();
    let expires_in = new.expires_in.unwrap_or(state.settings.expires_in);
    let issued = state.grants.issue(consent(new.uid, new.app_id, new.scope), expires_in, Family::New);
    // Complete, regardless of the members that the settings leave out of the authorization server's answers.
    Ok(Value::Object(oauth::members(&issued, &Default::default())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCode {
    redirect_uri: Option<String>,
    uid: Option<String>,
    app_id: Option<String>,
    scope: Option<String>,
    code: Option<String>,
}

fn code(sandbox: &SharedState, new: NewCode) -> Answered {
    let code = new.code.unwrap_or_else(token);
    let consent = consent(new.uid, new.app_id, new.scope);
    Ok(json!({ "code": sandbox.state().grants.issue_code(consent, new.redirect_uri, Some(code)) }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expire {
    access_token: Option<String>,
    refresh_token: Option<String>,
}

fn expire(sandbox: &SharedState, which: Expire) -> Answered {
    let mut state = sandbox.state();
    let mut expired = 0;
    if let Some(refresh_token) = &which.refresh_token {
        expired += usize::from(state.grants.refresh_tokens.remove(refresh_token).is_some());
    }
    if which.access_token.is_some() || which.refresh_token.is_none() {
        expired += state.grants.expire(which.access_token.as_deref());
    }
    Ok(json!({ "expired": expired }))
}

fn fault(sandbox: &SharedState, rule: Rule) -> Answered {
    use base64::Engine;
    let encoded = match &rule.fault {
        Fault::Raw { base64 } => Some(base64),
        Fault::Answer { body_base64, .. } => body_base64.as_ref(),
        _ => None,
    };
    if let Some(text) = encoded
        && let Err(error) = base64::engine::general_purpose::STANDARD.decode(text)
    {
        return bad(format!("bad base64: {error}"));
    }
    let id = sandbox.state().faults.add(rule).map_err(|reason| (400, reason))?;
    Ok(json!({ "id": id }))
}
