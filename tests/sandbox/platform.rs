//! The REST endpoint: checks the caller, the signature and the privilege, then answers.

use std::sync::Arc;

use crate::answer::{Answer, PlatformError};
use crate::catalogue::{self, Method};
use crate::demo;
use crate::grants::{App, Consent, Session};
use crate::params::Params;
use crate::request::ReceivedRequest;
use crate::signature::{Circuit, sign};
use crate::state::SharedState;

/// The only known method without a user; it needs the server-server circuit.
const WITHOUT_USER: &str = "notifications.send";
/// The maximum number of ids for users.getInfo.
const MOST_UIDS: usize = 200;

/// A call that passed every check.
pub struct Call<'a> {
    pub method: &'a str,
    pub params: &'a Params,
    /// The acting user, if there is one.
    pub uid: Option<String>,
    /// The consent of the session's user; `None` without a session.
    pub consent: Option<Consent>,
    write: bool,
}

/// Answers a request to `/platform/api`; `number` is its number in the journal.
pub fn answer(sandbox: &SharedState, number: u64, request: &Arc<ReceivedRequest>) -> Answer {
    let call = match check(sandbox, request) {
        Ok(call) => call,
        Err(error) => return error.answer(None),
    };
    let mut write = 0;
    if call.write {
        let mut state = sandbox.state();
        state.counts.writes += 1;
        write = state.counts.writes;
        drop(state);
        sandbox.journal().apply(number, call.uid.as_deref(), call.method, request);
    }
    let mut answer = Answer::ok(&demo::answer(sandbox, &call, write));
    answer.applied = call.write;
    answer
}

fn check<'a>(sandbox: &SharedState, request: &'a ReceivedRequest) -> Result<Call<'a>, PlatformError> {
    let params = request.params.as_ref().map_err(|reason| PlatformError::because(100, reason))?;
    let method = match params.get("method") {
        Some(method) if !method.is_empty() => method,
        _ => return Err(PlatformError::because(100, "method")),
    };
    let app_id = params.get("app_id").unwrap_or_default();
    let (app, session) = {
        let state = sandbox.state();
        let app = state.grants.apps.get(app_id).cloned().ok_or(PlatformError::new(103))?;
        (app, params.get("session_key").map(|key| state.grants.sessions.get(key).cloned()))
    };
    let uid = check_signature(params, app_id, &app, session.as_ref())?;
    let session = session.flatten();
    if session.as_ref().is_some_and(Session::has_expired) {
        return Err(PlatformError::new(102));
    }
    if !matches!(params.get("format"), None | Some("json")) {
        return Err(PlatformError::because(100, "format: the sandbox speaks json only"));
    }
    let call = Call { method, params, uid, consent: session.map(|session| session.consent), write: false };
    if let Some(echo) = method.strip_prefix("sandbox.") {
        return match echo {
            "empty" => Ok(call),
            _ if echo.starts_with("echo") => Ok(Call { write: echo.starts_with("echoWrite"), ..call }),
            _ => Err(PlatformError::new(2)),
        };
    }
    let known = catalogue::find(method).ok_or(PlatformError::new(2))?;
    check_params(method, known, params)?;
    if sandbox.state().settings.check_ids {
        check_ids(sandbox, params)?;
    }
    check_privilege(known, call.consent.as_ref())?;
    Ok(Call { write: known.write, ..call })
}

/// Checks `sig`; returns the acting user. `session` is `Some(None)` for an unknown session key.
fn check_signature(
    params: &Params,
    app_id: &str,
    app: &App,
    session: Option<&Option<Session>>,
) -> Result<Option<String>, PlatformError> {
    let session_user = match session {
        Some(Some(session)) if session.consent.app_id == app_id => Some(session.consent.uid.clone()),
        _ => None,
    };
    let uid = match session {
        Some(_) => session_user,
        None => params.get("uid").map(str::to_owned),
    };
    let circuit = match params.get("secure") {
        Some("1") => Circuit::Server { secret_key: &app.secret_key },
        None | Some("0") => match &uid {
            Some(uid) => Circuit::Client { uid, private_key: &app.private_key },
            // Without a user the signature cannot be checked.
            None => return Err(PlatformError::new(102)),
        },
        Some(_) => return Err(PlatformError::because(100, "secure")),
    };
    if params.get("sig") != Some(sign(&params.pairs, &circuit).as_str()) {
        return Err(PlatformError::new(104));
    }
    let well_formed = |uid: &String| uid.parse::<u64>().is_ok();
    match uid {
        Some(uid) if well_formed(&uid) => Ok(Some(uid)),
        None if session.is_none() && params.get("method") == Some(WITHOUT_USER) => Ok(None),
        _ => Err(PlatformError::new(102)),
    }
}

fn check_params(method: &str, known: &Method, params: &Params) -> Result<(), PlatformError> {
    for param in &known.params {
        let wrong = || Err(PlatformError::because(100, &param.name));
        let value = params.get(&param.name);
        let ok = match (value, param.kind.as_str()) {
            (_, "file") => value.is_none() && (!param.required || params.has_file(&param.name)),
            (None, _) => !param.required,
            (Some(""), _) => !param.required,
            (Some(value), "int") => value.parse::<i64>().is_ok(),
            (Some(value), "uint64") => value.parse::<u64>().is_ok(),
            _ => true,
        };
        if !ok {
            return wrong();
        }
    }
    let ids = params.get("uids").filter(|_| method == "users.getInfo").map(|uids| uids.split(',').count());
    if ids.is_some_and(|ids| ids > MOST_UIDS) {
        return Err(PlatformError::because(100, format!("uids: more than {MOST_UIDS}")));
    }
    if method == "photos.upload" && params.get("img_url").is_none() && !params.has_file("img_file") {
        return Err(PlatformError::because(100, "img_url or img_file"));
    }
    Ok(())
}

/// The ids in the parameters must be known: the platform's 102 means "the session key or uid".
fn check_ids(sandbox: &SharedState, params: &Params) -> Result<(), PlatformError> {
    let ids = ["uid", "uid2", "uids"].iter().filter_map(|name| params.get(name)).flat_map(|ids| ids.split(','));
    match ids.filter(|uid| !uid.is_empty()).all(|uid| sandbox.user(uid).is_some()) {
        true => Ok(()),
        false => Err(PlatformError::new(102)),
    }
}

/// A session has the privileges of its scope; an application that acts by `uid` has all.
fn check_privilege(known: &Method, consent: Option<&Consent>) -> Result<(), PlatformError> {
    match (&known.privilege, consent) {
        (Some(privilege), Some(consent)) if !consent.covers(privilege) => Err(PlatformError::new(200)),
        _ => Ok(()),
    }
}
