//! Any bytes as the authorization server's answer: tokens, or a failure as a second reader judges, which shows nothing
//! that was sent.

use std::sync::OnceLock;

use mailru::ffi::*;

use super::host::*;
use super::json::{self, Node, Value};
use super::server::{self, Reply, Server, with_length};

const REFRESH_TOKEN: &str = "hunter2-Kq7-refresh";
const CLIENT_SECRET: &str = "hunter2-Kq7-client";
const STATUSES: [u16; 12] = [200, 200, 201, 302, 400, 400, 401, 403, 429, 500, 502, 503];

/// The first byte chooses the status.
pub fn run(bytes: &[u8]) {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let server = SERVER.get_or_init(|| Server::start(server::http));
    let Some((status, body)) = bytes.split_first() else { return };
    if json::is_deep(body) {
        return;
    }
    let status = STATUSES[usize::from(*status) % STATUSES.len()];
    server.set(vec![Reply { bytes: with_length(status, "", body), ends: true }]);
    let options = format!(
        "{{\"token_url\":\"http://{}/token\",\"client_secret\":\"{CLIENT_SECRET}\",\"retries\":0,\"timeout_ms\":5000}}",
        server.address
    );
    let [options, refresh_token] = [&*options, REFRESH_TOKEN].map(|text| c(text).expect("no NUL"));
    // SAFETY: the strings outlive the call.
    let session = made(|error| unsafe {
        let [app_id, key] = [APP_ID, PRIVATE_KEY].map(|text| text.as_ptr());
        mailru_refresh_client_session_new(app_id, key, refresh_token.as_ptr(), options.as_ptr(), error)
    });
    let session = session.expect("valid");
    let given = authorize(session.0);
    assert!(matches!(given.code, 0 | 11..=13 | 15), "{given:?}");
    let shown = tokens(session.0).json;
    let shown = json::read(&shown).expect("JSON");
    if given.code != 0 {
        for secret in [REFRESH_TOKEN, CLIENT_SECRET] {
            assert!(!given.json.contains(secret), "{given:?} {:?}", String::from_utf8_lossy(body));
        }
    }
    let Ok(text) = std::str::from_utf8(body) else { return };
    let text = text.trim_start_matches('\u{feff}').trim();
    let Some(expected) = judged(status, text) else { return };
    assert_eq!(given.code, expected.code, "{status} {text} {}", given.json);
    let member = |name: &str| shown.last(name).filter(|node| !node.is_null()).and_then(Node::text);
    if given.code == 0 {
        assert_eq!(member("access_token"), expected.access_token, "{text}");
        assert_eq!(member("uid"), expected.uid, "{text}");
        assert_eq!(member("refresh_token"), Some(expected.refresh_token.unwrap_or(REFRESH_TOKEN.into())), "{text}");
    }
}

struct Expected {
    code: i32,
    access_token: Option<String>,
    refresh_token: Option<String>,
    uid: Option<String>,
}

/// The outcome of an answer; `None` where its names or texts leave room for doubt.
fn judged(status: u16, text: &str) -> Option<Expected> {
    let outcome = |code: i32| Some(Expected { code, access_token: None, refresh_token: None, uid: None });
    let success = (200..300).contains(&status);
    let node = json::read(text).filter(|node| node.members().is_some());
    let Some(node) = node else {
        return outcome(match (success, text.is_empty()) {
            (false, _) => 15,
            (true, true) => 12,
            (true, false) => 13,
        });
    };
    let members = node.members()?;
    json::names(members)?;
    let of = |name: &str| match node.last(name).map(|node| (&node.value, node.raw)) {
        Some((Value::Text(text), _)) => Some(text.strict()).map(|text| text.filter(|text| !text.is_empty())),
        Some((Value::Number, raw)) => Some(Some(raw.to_owned())),
        _ => Some(None),
    };
    let is_doubtful = |member: &(json::Text, Node<'_>)| match &member.1.value {
        Value::Text(text) => text.strict().is_none(),
        _ => false,
    };
    if members.iter().any(is_doubtful) {
        return None;
    }
    let is_error = node.last("error").is_some_and(|error| match &error.value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Text(text) => text.strict().is_some_and(|text| !text.chars().all(|c| c.is_ascii_whitespace())),
        Value::Number => error.raw.parse() != Ok(0.0),
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(members) => !members.is_empty(),
    });
    if is_error {
        return outcome(11);
    }
    let [access_token, refresh_token, uid] = [of("access_token")?, of("refresh_token")?, of("x_mailru_vid")?];
    let is_odd = node
        .last("x_mailru_vid")
        .is_some_and(|node| matches!(node.value, Value::Bool(_) | Value::Array(_) | Value::Object(_)));
    let is_id = |id: &String| id.bytes().all(|byte| byte.is_ascii_digit());
    if access_token.is_none() || is_odd || !uid.as_ref().is_some_and(is_id) {
        return outcome(if status >= 500 { 15 } else { 11 });
    }
    Some(Expected { code: 0, access_token, refresh_token, uid })
}
