//! Refusals and lost requests: what is remembered, what is retried, when a code is used up, and that a call that stops
//! waiting does not stop the grant.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::*;

/// A new code, and a session for it.
fn code_session(sandbox: &Sandbox, more: Value) -> Session {
    let code = sandbox.post("codes", json!({ "redirect_uri": REDIRECT_URI }))["code"].clone();
    let mut options = json!({ "retries": 0 });
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    session("code", &[("code", code.as_str().expect("a code"))], &sandbox.options(options))
}

#[test]
fn a_refusal_is_remembered_and_only_authorize_retries() {
    let sandbox = Sandbox::start();
    let options = sandbox.options(json!({}));
    for (kind, given) in [
        ("password", ("password", "wrong-password")),
        ("refresh", ("refresh_token", "unknown-token")),
        ("code", ("code", "unknown-code")),
    ] {
        watch::secret(given.1);
        let session = session(kind, &[given], &options);
        let begun = sandbox.requests().len();
        let failure = session.call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
        assert_eq!(failure.error("oauth")["error"], "invalid_grant", "{}", failure.json);
        assert_eq!((failure.error("http_status"), failure.error("transient")), (json!(400), json!(false)));
        for _ in 0..3 {
            assert_eq!(session.call("sandbox.echo", None), failure);
            assert_eq!(session.upload("photos.upload", r#"{"aid":"a"}"#, "img_file", "a", b"x"), failure);
            session.sign("friends.get", None).expect("MAILRU_SIGNATURE_UNDEFINED");
        }
        assert_eq!(sandbox.requests().len(), begun + 1, "{kind}: without network");
        assert_eq!(session.authorize(), failure);
        let tried_again = usize::from(kind != "code");
        assert_eq!(sandbox.requests().len(), begun + 1 + tried_again, "{kind}");
        session.public("mail/demo", None).expect_ok();
        assert_eq!(session.tokens().value()["access_token"], Value::Null);
    }
    // `mailru_authorize` notices a change at the server, and then all calls do.
    let session = session("password", &[("email", "late@mail.ru"), ("password", "late-password")], &options);
    session.call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
    sandbox.post("users", json!({ "email": "late@mail.ru", "password": "late-password", "uid": UID }));
    session.call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
    session.authorize().expect_ok();
    session.call("friends.get", None).expect_ok();
}

#[test]
fn a_refusal_is_shown_verbatim_without_secrets() {
    let sandbox = Sandbox::start();
    let password = watch::secret("hunter2&\"я");
    let session = |option: &str| {
        let options = sandbox.options(json!({ "client_secret": option, "retries": 0 }));
        session("password", &[("password", password)], &options)
    };
    let secret = watch::secret("my-client-secret-31415926");
    for (status, body, transient) in [
        (400, r#"{ "error":"x","z":1.10, "error_description" : "ой\u0021","n":18446744073709551616}"#, false),
        (200, r#"{"error":"x","access_token":"t"}"#, true),
        (401, r#"{"error":{"error_code":5,"error_msg":"other"}}"#, false),
        (403, r#"{"message":"no error member"}"#, true),
        (500, r#"{"error":"server_error"}"#, true),
    ] {
        sandbox.answer(json!({ "path": "/oauth" }), status, body);
        let failure = session(secret).call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
        assert!(failure.json.contains(&format!("\"oauth\":{body}")), "{body}\n{}", failure.json);
        assert_eq!((failure.error("http_status"), failure.error("transient")), (json!(status), json!(transient)));
    }
    // A secret that the server quotes in any encoding is not shown (which the harness checks too).
    for body in [
        json!({ "error": format!("bad {secret}"), "error_description": format!("password was {password}.") }).to_string(),
        r#"{"error":"x","sent":{"p":["hunter2\u0026\"\u044f"]},"form":"a=hunter2%26%22%D1%8F&b=my-client-secret-31415926"}"#.into(),
    ] {
        sandbox.answer(json!({ "path": "/oauth" }), 400, &body);
        let failure = session(secret).call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
        let shown = failure.value().to_string();
        assert!(!shown.contains("hunter2") && !shown.contains("31415926"), "{shown}");
        assert!(failure.error("oauth")["error"].is_string(), "the rest is shown: {shown}");
    }
}

#[test]
fn a_network_failure_is_not_remembered() {
    let sandbox = Sandbox::start();
    sandbox.post("settings", json!({ "rotate": false }));
    let token = sandbox.post("tokens", json!({}))["refresh_token"].clone();
    let token = token.as_str().expect("a token");
    for (kind, given) in [("password", vec![]), ("refresh", vec![("refresh_token", token)])] {
        let with = |timeout_ms: u64| {
            session(kind, &given, &sandbox.options(json!({ "retries": 0, "timeout_ms": timeout_ms })))
        };
        for (fault, expected) in [
            (json!({ "kind": "reset" }), "MAILRU_NETWORK_ERROR"),
            (json!({ "kind": "status", "status": 502 }), "MAILRU_HTTP_ERROR"),
            (json!({ "kind": "answer", "body": "{" }), "MAILRU_MALFORMED_RESPONSE"),
            (json!({ "kind": "oauth_error", "error": "busy", "status": 503 }), "MAILRU_OAUTH_ERROR"),
        ] {
            let session = with(20_000);
            sandbox.fault(json!({ "path": "/oauth" }), json!(1), fault.clone());
            let before = sandbox.token_requests();
            let failure = session.call("friends.get", None).expect(expected);
            assert_eq!(sandbox.token_requests(), before + 1, "{fault}");
            assert!(failure.error("transient") == true || expected == "MAILRU_MALFORMED_RESPONSE", "{}", failure.json);
            // The pause is short: the next call waits for it.
            session.call("friends.get", None).expect_ok();
            assert_eq!(sandbox.token_requests(), before + 2, "{fault}");
        }
        // After the call's time limit the token request continues for later calls.
        let session = with(300);
        sandbox.fault(json!({ "path": "/oauth" }), json!(1), json!({ "kind": "silent" }));
        let before = sandbox.token_requests();
        for _ in 0..2 {
            let failure = session.call("friends.get", None).expect("MAILRU_TIMEOUT");
            assert_eq!(failure.error("transient"), true);
        }
        assert_eq!(sandbox.token_requests(), before + 1);
    }
}

#[test]
fn a_code_that_may_have_been_sent_is_used_up_and_the_error_says_so() {
    let sandbox = Sandbox::start();
    let on = json!({ "path": "/oauth" });
    for (fault, applied, expected) in [
        (json!({ "kind": "reset" }), false, "MAILRU_NETWORK_ERROR"),
        (json!({ "kind": "reset", "phase": "after" }), true, "MAILRU_NETWORK_ERROR"),
        (json!({ "kind": "close", "phase": "after" }), true, "MAILRU_NETWORK_ERROR"),
        (json!({ "kind": "truncate" }), true, "MAILRU_MALFORMED_RESPONSE"),
        (json!({ "kind": "status", "status": 500 }), true, "MAILRU_HTTP_ERROR"),
        (json!({ "kind": "status", "status": 503 }), false, "MAILRU_HTTP_ERROR"),
        (json!({ "kind": "garbage" }), false, "MAILRU_MALFORMED_RESPONSE"),
        (json!({ "kind": "empty" }), true, "MAILRU_EMPTY_RESPONSE"),
        (json!({ "kind": "platform_error", "code": 3 }), true, "MAILRU_OAUTH_ERROR"),
        (json!({ "kind": "oauth_error", "error": "server_error", "status": 500 }), true, "MAILRU_OAUTH_ERROR"),
    ] {
        sandbox.post("faults", json!({ "on": on, "fault": fault, "applied": applied }));
        let session = code_session(&sandbox, json!({ "retries": 2, "retry_delay_ms": 1 }));
        let before = sandbox.requests().len();
        let failure = session.call("friends.get", None).expect(expected);
        assert!(failure.error("error_msg").as_str().unwrap().contains("get a new one"), "{}", failure.json);
        assert_eq!(failure.error("transient"), false, "{}", failure.json);
        assert_eq!(session.call("friends.get", None), failure);
        assert_eq!(session.authorize(), failure);
        assert_eq!(sandbox.requests().len(), before + 1, "{fault}: a code is sent once");
    }
    assert_eq!(sandbox.get("stats")["spent_codes_seen"], 0);
}

#[test]
fn a_code_that_was_not_sent_is_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let base = format!("http://127.0.0.1:{port}");
    let options = json!({
        "api_url": format!("{base}/platform/api"), "token_url": format!("{base}/oauth/token"), "retry_delay_ms": 1,
    });
    let session = session("code", &[("code", "kept-code")], &options.to_string());
    for _ in 0..2 {
        let failure = session.call("friends.get", None).expect("MAILRU_NETWORK_ERROR");
        assert_eq!(failure.error("transient"), true);
        assert!(!failure.error("error_msg").as_str().unwrap().contains("get a new one"), "{}", failure.json);
    }
    let sandbox = Sandbox::start_with(&["--port", &port.to_string()]);
    sandbox.post("codes", json!({ "code": "kept-code" }));
    session.call("friends.get", None).expect_ok();
    assert_eq!(sandbox.token_requests(), 1);
}

/// A session with a slow grant, and a recorder of its tokens.
fn slow_grant(sandbox: &Sandbox, ms: u64) -> (Session, std::sync::Arc<Recorder>) {
    sandbox.fault(json!({ "path": "/oauth" }), json!(1), json!({ "kind": "delay", "ms": ms }));
    let session = code_session(sandbox, json!({}));
    let recorder = Recorder::new();
    assert_eq!(recorder.listen(&session), 0);
    (session, recorder)
}

#[test]
fn a_time_out_ends_the_waiting_and_not_the_grant() {
    let sandbox = Sandbox::start();
    let (session, recorder) = slow_grant(&sandbox, 700);
    let begun = Instant::now();
    let failure = session.call_within("friends.get", None, 100, 0).expect("MAILRU_TIMEOUT");
    assert!(begun.elapsed() < Duration::from_millis(600));
    assert_eq!(failure.error("transient"), true);
    session.call("friends.get", None).expect_ok();
    recorder.await_received(1);
    assert_eq!((sandbox.token_requests(), &sandbox.get("stats")["spent_codes_seen"]), (1, &json!(0)));
}

#[test]
fn a_cancellation_ends_the_waiting_and_not_the_grant() {
    let sandbox = Sandbox::start();
    for way in ["session", "handle"] {
        let (session, recorder) = slow_grant(&sandbox, 700);
        let cancel = mailru::ffi::mailru_cancel_new();
        let before = sandbox.requests().len();
        let took = std::thread::scope(|scope| {
            let call = scope.spawn(|| {
                session.call_within("friends.get", None, 0, cancel).expect("MAILRU_CANCELLED");
                Instant::now()
            });
            await_that("the grant is running", || sandbox.requests().len() > before);
            let cancelled = Instant::now();
            match way {
                "session" => mailru::ffi::mailru_session_cancel(session.0),
                _ => mailru::ffi::mailru_cancel_fire(cancel),
            };
            call.join().expect("no panic") - cancelled
        });
        assert!(took < Duration::from_millis(300), "{way}: {took:?}");
        session.call("friends.get", None).expect_ok();
        recorder.await_received(1);
        mailru::ffi::mailru_cancel_free(cancel);
    }
    assert_eq!((sandbox.token_requests(), &sandbox.get("stats")["spent_codes_seen"]), (2, &json!(0)));
}

#[test]
fn a_freed_session_still_delivers_the_tokens_of_its_grant() {
    let sandbox = Sandbox::start();
    let (session, recorder) = slow_grant(&sandbox, 500);
    let number = session.0;
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..4)
            .map(|_| scope.spawn(move || std::mem::ManuallyDrop::new(Session(number)).call("friends.get", None)))
            .collect();
        await_that("the grant is running", || sandbox.requests().len() == 1);
        // Every call has started by now, or will find the session freed.
        std::thread::sleep(Duration::from_millis(50));
        drop(session);
        for call in calls {
            let answer = call.join().expect("no panic");
            assert!(["MAILRU_CANCELLED", "MAILRU_INVALID_HANDLE"].contains(&answer.name()), "{}", answer.json);
        }
        assert_eq!((recorder.received().len(), recorder.releases()), (0, 0), "not yet");
    });
    let received = recorder.await_received(1);
    assert!(received[0]["access_token"].is_string() && received[0]["refresh_token"].is_string(), "{received:?}");
    recorder.await_releases(1);
    assert_eq!(sandbox.requests().len(), 1);
    // The host can use them.
    let options = sandbox.options(json!({ "refresh_token": received[0]["refresh_token"] }));
    let session =
        crate::support::session("token", &[("access_token", received[0]["access_token"].as_str().unwrap())], &options);
    session.call("friends.get", None).expect_ok();
}
