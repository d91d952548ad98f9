//! Tests of the sandbox over its own sockets, with a minimal HTTP client.

mod answer;
mod catalogue;
mod control;
mod demo;
mod demo_users;
mod faults;
mod grants;
mod inject;
mod journal;
mod oauth;
mod oversized;
mod params;
mod platform;
mod request;
mod server;
mod service;
mod signature;
mod state;
mod stream;

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::demo_users::DEMO_UID;
use crate::grants::{DEMO_APP, DEMO_PRIVATE_KEY, DEMO_SECRET_KEY, DEMO_SESSION_KEY};
use crate::server::Side;
use crate::signature::{Circuit, sign};
use crate::state::SharedState;

struct Sandbox {
    port: u16,
    control: u16,
}

impl Sandbox {
    async fn start() -> Self {
        let sandbox = Arc::new(SharedState::new());
        let (listener, port) = server::listen(0).await.expect("a free port");
        tokio::spawn(server::serve(sandbox.clone(), listener, None, Side::Platform));
        let (listener, control) = server::listen(0).await.expect("a free port");
        tokio::spawn(server::serve(sandbox, listener, None, Side::Control));
        Sandbox { port, control }
    }

    /// Sends these bytes and returns everything received; empty if the connection is reset.
    async fn exchange(port: u16, request: &str) -> String {
        let mut tcp = TcpStream::connect(("127.0.0.1", port)).await.expect("a listener");
        let mut answer = Vec::new();
        let _ = tcp.write_all(request.as_bytes()).await;
        let _ = tcp.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn control(&self, method: &str, resource: &str, body: Value) -> Value {
        let body = body.to_string();
        let request = format!(
            "{method} /sandbox/{resource} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        parts(&Self::exchange(self.control, &request).await).1
    }

    async fn fault(&self, rule: Value) {
        let added = self.control("POST", "faults", rule).await;
        assert!(added["id"].is_u64(), "{added}");
    }

    async fn call(&self, method: &str, params: &[(&str, &str)], circuit: &Circuit<'_>) -> String {
        let common = [("app_id", DEMO_APP), ("method", method)];
        let mut pairs: Vec<_> =
            common.iter().chain(params).map(|(name, value)| (name.to_string(), value.to_string())).collect();
        pairs.push(("sig".into(), sign(&pairs, circuit)));
        let query: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let query = query.join("&");
        let request = format!("GET /platform/api?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Self::exchange(self.port, &request).await
    }

    async fn write(&self) -> String {
        self.call("sandbox.echoWrite", &[("session_key", DEMO_SESSION_KEY)], &CLIENT).await
    }

    async fn applied(&self) -> u64 {
        let stats = self.control("GET", "stats", json!({})).await;
        stats["applied_total"].as_u64().unwrap_or_default()
    }
}

const CLIENT: Circuit = Circuit::Client { uid: DEMO_UID, private_key: DEMO_PRIVATE_KEY };
const SERVER: Circuit = Circuit::Server { secret_key: DEMO_SECRET_KEY };

/// Status and JSON body of an answer.
fn parts(answer: &str) -> (u16, Value) {
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or_default())
}

fn code(answer: &str) -> i64 {
    parts(answer).1["error"]["error_code"].as_i64().unwrap_or(0)
}

#[tokio::test]
async fn every_method_answers_in_the_server_circuit() {
    let sandbox = Sandbox::start().await;
    for method in catalogue::names() {
        let known = catalogue::find(method).expect("its own name");
        let mut params = vec![("secure", "1"), ("uid", DEMO_UID)];
        for param in known.params.iter().filter(|param| param.required && param.name != "uid") {
            params.push((&param.name, "1"));
        }
        if method == "photos.upload" {
            params.push(("img_url", "http://example.com/1.png"));
        }
        let (status, body) = parts(&sandbox.call(method, &params, &SERVER).await);
        assert_eq!((status, body.is_null()), (200, false), "{method}: {body}");
    }
}

#[tokio::test]
async fn refusals_have_their_codes() {
    let sandbox = Sandbox::start().await;
    let session = ("session_key", DEMO_SESSION_KEY);
    let wrong_user = Circuit::Client { uid: "1", private_key: DEMO_PRIVATE_KEY };
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a Circuit<'a>, i64);
    let cases: [Case; 10] = [
        ("friends.get", &[session], &CLIENT, 0),
        ("friends.get", &[session], &wrong_user, 104),
        ("friends.get", &[session], &SERVER, 104),
        ("friends.get", &[session, ("secure", "1")], &SERVER, 0),
        ("friends.get", &[("session_key", "0")], &CLIENT, 102),
        ("friends.get", &[("session_key", "0"), ("secure", "1")], &SERVER, 102),
        ("friends.get", &[("secure", "1")], &SERVER, 102),
        ("no.such", &[session], &CLIENT, 2),
        ("stream.like", &[session], &CLIENT, 100),
        ("friends.get", &[session, ("ext", "1"), ("ext", "1")], &CLIENT, 100),
    ];
    for (method, params, circuit, expected) in cases {
        assert_eq!(code(&sandbox.call(method, params, circuit).await), expected, "{method} {params:?}");
    }
    let token = sandbox.control("POST", "tokens", json!({ "scope": "photos" })).await;
    let key = token["access_token"].as_str().expect("a token");
    assert_eq!(code(&sandbox.call("messages.getUnreadCount", &[("session_key", key)], &CLIENT).await), 200);
    assert_eq!(code(&sandbox.call("photos.createAlbum", &[("session_key", key)], &CLIENT).await), 0);
    sandbox.control("POST", "expire", json!({ "access_token": key })).await;
    assert_eq!(code(&sandbox.call("friends.get", &[("session_key", key)], &CLIENT).await), 102);
}

#[tokio::test]
async fn a_fault_before_the_effect_prevents_it() {
    let sandbox = Sandbox::start().await;
    for (kind, phase, effects) in [("close", "before", 0), ("reset", "after", 1), ("reset", "body", 1)] {
        sandbox.control("POST", "reset", json!({})).await;
        sandbox.fault(json!({ "fault": { "kind": kind, "phase": phase } })).await;
        let answer = sandbox.write().await;
        assert!(parts(&answer).1.is_null(), "{answer}");
        assert_eq!(sandbox.applied().await, effects, "{kind} {phase}");
    }
}

#[tokio::test]
async fn rules_are_counted_and_apply_in_order() {
    let sandbox = Sandbox::start().await;
    let error = |code: i64| json!({ "kind": "platform_error", "code": code });
    let on = json!({ "method": "sandbox.echo*" });
    sandbox.fault(json!({ "on": on, "skip": 1, "times": 2, "fault": error(3) })).await;
    sandbox.fault(json!({ "on": { "method": "friends.get" }, "times": null, "fault": error(4) })).await;
    sandbox.fault(json!({ "on": on, "times": null, "applied": true, "fault": error(1) })).await;
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(code(&sandbox.write().await));
    }
    assert_eq!(codes, [1, 3, 3, 1]);
    assert_eq!(sandbox.applied().await, 2);
}

impl Sandbox {
    /// The raw answer to a renewal.
    async fn renew(&self, refresh_token: &Value) -> String {
        let refresh_token = refresh_token.as_str().expect("a token");
        let form = format!(
            "grant_type=refresh_token&client_id={DEMO_APP}&client_secret={DEMO_SECRET_KEY}&refresh_token={refresh_token}"
        );
        let request = format!(
            "POST /oauth/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
            form.len()
        );
        Self::exchange(self.port, &request).await
    }

    /// The code of the answer to a call with this access token, or 0.
    async fn call_with(&self, access_token: &Value) -> i64 {
        let key = access_token.as_str().expect("a token");
        code(&self.call("friends.get", &[("session_key", key)], &CLIENT).await)
    }
}

#[tokio::test]
async fn a_refresh_token_works_once() {
    let sandbox = Sandbox::start().await;
    let token = sandbox.control("POST", "tokens", json!({})).await;
    let (status, first) = parts(&sandbox.renew(&token["refresh_token"]).await);
    assert_eq!((status, first["x_mailru_vid"].as_str()), (200, Some(DEMO_UID)));
    let (status, second) = parts(&sandbox.renew(&token["refresh_token"]).await);
    assert_eq!((status, second["error"].as_str()), (400, Some("invalid_grant")));
    let stats = sandbox.control("GET", "stats", json!({})).await;
    assert_eq!(stats["spent_refresh_tokens_seen"], 1);
    assert_eq!(stats["token_requests"]["refresh_token"], 2);
    assert_eq!(sandbox.call_with(&first["access_token"]).await, 0);
}

#[tokio::test]
async fn a_reused_refresh_token_ends_its_login_and_no_other() {
    let sandbox = Sandbox::start().await;
    sandbox.control("POST", "settings", json!({ "detect_reuse": true, "end_former": true })).await;
    let other = sandbox.control("POST", "tokens", json!({})).await;
    let token = sandbox.control("POST", "tokens", json!({})).await;
    let (_, first) = parts(&sandbox.renew(&token["refresh_token"]).await);
    assert_eq!(sandbox.call_with(&token["access_token"]).await, 102, "a renewal ends it");
    let (_, second) = parts(&sandbox.renew(&first["refresh_token"]).await);
    assert_eq!(sandbox.call_with(&second["access_token"]).await, 0);
    assert_eq!(parts(&sandbox.renew(&token["refresh_token"]).await).0, 400);
    assert_eq!(sandbox.call_with(&second["access_token"]).await, 102);
    assert_eq!(parts(&sandbox.renew(&second["refresh_token"]).await).0, 400);
    assert_eq!(sandbox.control("GET", "stats", json!({})).await["families_ended"], 1);
    assert_eq!(sandbox.call_with(&other["access_token"]).await, 0);
    assert_eq!(parts(&sandbox.renew(&other["refresh_token"]).await).0, 200);
}

#[tokio::test]
async fn ids_are_checked_on_request() {
    let sandbox = Sandbox::start().await;
    for (checked, param, expected) in [
        (false, ("uids", "1"), 0),
        (true, ("uids", "1"), 102),
        (true, ("uids", "1324730981306483817,1"), 102),
        (true, ("uids", "1324730981306483817,15410773191172635989"), 0),
    ] {
        sandbox.control("POST", "settings", json!({ "check_ids": checked })).await;
        let params = [("session_key", DEMO_SESSION_KEY), param];
        assert_eq!(code(&sandbox.call("users.getInfo", &params, &CLIENT).await), expected, "{param:?}");
    }
}

#[tokio::test]
async fn token_answers_may_be_late_or_incomplete() {
    let sandbox = Sandbox::start().await;
    let token = sandbox.control("POST", "tokens", json!({})).await;
    let on = json!({ "path": "/oauth/token" });
    sandbox.fault(json!({ "on": on, "fault": { "kind": "too_many", "retry_after": 7 } })).await;
    let answer = sandbox.renew(&token["refresh_token"]).await;
    assert!(answer.to_lowercase().contains("retry-after: 7\r\n"), "{answer}");
    assert_eq!((parts(&answer).0, &parts(&answer).1["error"]), (429, &json!("rate_limited")));
    sandbox.fault(json!({ "on": on, "fault": { "kind": "omit", "members": ["x_mailru_vid"] } })).await;
    let (status, answer) = parts(&sandbox.renew(&token["refresh_token"]).await);
    assert_eq!((status, answer.as_object().expect("an object").len()), (200, 4));
    assert!(answer["x_mailru_vid"].is_null());
    let (_, answer) = parts(&sandbox.renew(&answer["refresh_token"]).await);
    assert_eq!(answer["x_mailru_vid"], DEMO_UID);
}
