//! Renewal: once for all threads, early if the expiry is known, and without losing the current tokens.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::*;

fn friends() -> Value {
    json!({ "method": "friends.get" })
}

/// The requests in order: a grant's name, or the outcome of a call.
fn request_sequence(sandbox: &Sandbox) -> Vec<String> {
    let line = |request: &Value| match request["grant"].as_str() {
        Some(grant) => grant.to_owned(),
        None => request["served"].as_str().or(request["outcome"].as_str()).expect("an outcome").to_owned(),
    };
    sandbox.requests().iter().map(line).collect()
}

#[test]
fn a_rejected_token_is_renewed_and_the_call_retried_once() {
    let sandbox = Sandbox::start();
    let session = refreshing(&sandbox, json!({}));
    let old = session.tokens().value();
    session.call("friends.get", None).expect_ok();
    sandbox.post("expire", json!({}));
    session.call("friends.get", None).expect_ok();
    assert_eq!(request_sequence(&sandbox), ["ok", "error 102", "refresh_token", "ok"]);
    let [_, refused, renewal, repeated] = &sandbox.requests()[..] else { panic!("four requests") };
    assert_eq!(refused["params"]["session_key"], old["access_token"]);
    assert_eq!(
        renewal["params"],
        json!({
            "grant_type": "refresh_token", "client_id": APP_ID, "client_secret": SECRET_KEY,
            "refresh_token": old["refresh_token"],
        })
    );
    let new = session.tokens().value();
    assert_eq!(repeated["params"]["session_key"], new["access_token"]);
    assert!(new["access_token"] != old["access_token"] && new["refresh_token"] != old["refresh_token"]);
    assert_eq!((&new["expires_in"], &new["uid"]), (&json!(86400), &json!(UID)));

    // An upload is sent a second time.
    sandbox.post("expire", json!({}));
    session.upload("photos.upload", r#"{"aid":"a"}"#, "img_file", "a.png", b"bytes").expect_ok();
    let [.., first, _, second] = &sandbox.requests()[..] else { panic!("three requests more") };
    assert_eq!(first["files"], second["files"]);
    assert_eq!(sandbox.get("stats")["applied"], json!({ "photos.upload": 1 }));

    // A second rejection is returned; and a platform that rejects fresh tokens too causes few requests.
    sandbox.fault(friends(), Value::Null, json!({ "kind": "platform_error", "code": 102 }));
    let before = sandbox.requests().len();
    for _ in 0..10 {
        assert_eq!(session.call("friends.get", None).expect("MAILRU_API_ERROR").error("error_code"), 102);
    }
    let sequence = &request_sequence(&sandbox)[before..];
    assert_eq!(sequence[..3], ["fault platform_error", "refresh_token", "fault platform_error"]);
    assert!(sequence[3..].iter().all(|line| line == "fault platform_error"), "{sequence:?}");
}

#[test]
fn thirty_two_threads_on_an_expired_token_make_one_renewal() {
    let sandbox = Sandbox::start();
    let session = refreshing(&sandbox, json!({}));
    let recorder = Recorder::new();
    assert_eq!(recorder.listen(&session), 0);
    for round in 1..=10 {
        sandbox.post("expire", json!({}));
        for answer in on_threads(32, |_| session.call("friends.get", None)) {
            assert!(answer.value().is_array(), "{}", answer.json);
        }
        assert_eq!(sandbox.token_requests(), round);
        assert_eq!(recorder.received().len() as u64, round);
        assert_eq!(recorder.received().last(), Some(&session.tokens().value()));
    }
    assert_eq!(sandbox.get("stats")["spent_refresh_tokens_seen"], 0);
}

#[test]
fn a_call_rejected_with_the_old_token_uses_the_renewed_one() {
    let sandbox = Sandbox::start();
    let session = refreshing(&sandbox, json!({}));
    sandbox.post("expire", json!({}));
    // The first call gets its rejection late.
    sandbox.fault(friends(), json!(1), json!({ "kind": "delay", "ms": 400 }));
    std::thread::scope(|scope| {
        let late = scope.spawn(|| session.call("friends.get", None));
        await_that("the late call is running", || sandbox.requests().len() == 1);
        session.call("friends.get", None).expect_ok();
        assert_eq!(request_sequence(&sandbox), ["error 102", "error 102", "refresh_token", "ok"]);
        late.join().expect("no panic").expect_ok();
    });
    assert_eq!(request_sequence(&sandbox).len(), 5);
    assert_eq!(sandbox.last()["params"]["session_key"], session.tokens().value()["access_token"]);
    assert_eq!(sandbox.token_requests(), 1);
}

#[test]
fn a_token_known_to_have_expired_is_renewed_before_use() {
    let sandbox = Sandbox::start();
    // Expired according to the host: it is not sent to the platform.
    refreshing(&sandbox, json!({ "expires_in": 0 })).call("friends.get", None).expect_ok();
    assert_eq!(request_sequence(&sandbox), ["refresh_token", "ok"]);
    // Not near its expiry, and with unknown expiry.
    for more in [json!({ "expires_in": 86400 }), json!({})] {
        let before = sandbox.requests().len();
        refreshing(&sandbox, more).call("friends.get", None).expect_ok();
        assert_eq!(request_sequence(&sandbox)[before..], ["ok"]);
    }
    // About to expire after a grant: in the last tenth of a short life. A slow machine may miss the moment, so the test
    // tries several times.
    sandbox.post("settings", json!({ "expires_in": 3 }));
    let ahead = (0..5).any(|_| {
        let before = sandbox.requests().len();
        let session = session("password", &[], &sandbox.options(json!({})));
        session.authorize().expect_ok();
        std::thread::sleep(Duration::from_millis(2800));
        session.call("friends.get", None).expect_ok();
        // The call does not wait for it.
        await_that("it is renewed", || request_sequence(&sandbox).len() == before + 3);
        let mut sequence = request_sequence(&sandbox)[before..].to_vec();
        sequence.sort();
        assert_eq!(sequence, ["ok", "password", "refresh_token"]);
        let at = |number: usize| sandbox.requests()[before + number]["at_ms"].as_u64().expect("a time");
        at(2) - at(0) < 3000
    });
    assert!(ahead, "always too late");
    // All threads share one renewal.
    sandbox.post("settings", json!({ "expires_in": 86400 }));
    let session = refreshing(&sandbox, json!({ "expires_in": 0 }));
    let before = sandbox.token_requests();
    on_threads(32, |_| session.call("friends.get", None).expect_ok());
    assert_eq!(sandbox.token_requests() - before, 1);
}

#[test]
fn without_auto_refresh_only_the_host_renews() {
    let sandbox = Sandbox::start();
    let session = refreshing(&sandbox, json!({ "auto_refresh": false, "expires_in": 0 }));
    session.call("friends.get", None).expect_ok();
    sandbox.post("expire", json!({}));
    for _ in 0..2 {
        assert_eq!(session.call("friends.get", None).expect("MAILRU_API_ERROR").error("error_code"), 102);
    }
    assert_eq!(request_sequence(&sandbox), ["ok", "error 102", "error 102"]);
    let tokens = session.authorize();
    assert_eq!(tokens.expect_ok(), session.tokens().json);
    session.call("friends.get", None).expect_ok();
    assert_eq!(request_sequence(&sandbox)[3..], ["refresh_token", "ok"]);
    // A grant session still gets its first tokens.
    let session = crate::support::session("password", &[], &sandbox.options(json!({ "auto_refresh": false })));
    session.call("friends.get", None).expect_ok();
    sandbox.post("expire", json!({}));
    assert_eq!(session.call("friends.get", None).expect("MAILRU_API_ERROR").error("error_code"), 102);
}

#[test]
fn without_a_refresh_token_there_is_no_renewal() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({ "expires_in": 0 })));
    session.call("friends.get", None).expect_ok();
    let shown = session.tokens().json;
    assert_eq!(session.authorize().expect_ok(), shown, "the current tokens");
    sandbox.post("expire", json!({}));
    assert_eq!(session.call("friends.get", None).expect("MAILRU_API_ERROR").error("error_code"), 102);
    assert_eq!(request_sequence(&sandbox), ["ok", "error 102"]);
    sandbox.post("settings", json!({ "omit": ["refresh_token"] }));
    let session = crate::support::session("password", &[], &sandbox.options(json!({})));
    let first = session.authorize().expect_ok();
    assert_eq!(session.authorize().expect_ok(), first);
    assert_eq!(sandbox.token_requests(), 1);
}

#[test]
fn authorize_renews_if_possible() {
    let sandbox = Sandbox::start();
    let code = sandbox.post("codes", json!({}))["code"].as_str().expect("a code").to_owned();
    for (kind, given) in [("password", vec![]), ("code", vec![("code", &*code)])] {
        let session = session(kind, &given, &sandbox.options(json!({})));
        let one = session.authorize().expect_ok();
        let other = session.authorize();
        assert_ne!(other.json, one);
        assert_eq!(other.expect_ok(), session.tokens().json);
        assert_eq!(sandbox.last()["grant"], "refresh_token");
    }
    assert_eq!(sandbox.get("stats")["spent_codes_seen"], 0);
}

#[test]
fn a_missing_refresh_token_keeps_the_old_one() {
    let sandbox = Sandbox::start();
    sandbox.post("settings", json!({ "rotate": false }));
    let tokens = sandbox.post("tokens", json!({}));
    let refresh_token = tokens["refresh_token"].as_str().expect("a token");
    sandbox.post("settings", json!({ "omit": ["refresh_token", "x_mailru_vid", "token_type", "expires_in"] }));
    let options = sandbox.options(json!({ "refresh_token": refresh_token }));
    for session in [
        session("token", &[("access_token", "spent")], &options),
        session("refresh", &[("refresh_token", refresh_token)], &sandbox.options(json!({}))),
        session("refresh_server", &[("refresh_token", refresh_token)], &sandbox.options(json!({}))),
    ] {
        for _ in 0..3 {
            session.call("friends.get", None).expect_ok();
            assert_eq!(session.tokens().value()["refresh_token"], refresh_token);
            assert_eq!(session.tokens().value()["expires_in"], Value::Null, "unknown now");
            sandbox.post("expire", json!({}));
        }
    }
    let session = session("token", &[("access_token", "spent")], &options);
    session.call("friends.get", None).expect_ok();
    assert_eq!(
        (&session.tokens().value()["uid"], &session.tokens().value()["circuit"]),
        (&json!(UID), &json!("client-server"))
    );
}

#[test]
fn a_renewal_with_a_network_failure_keeps_the_tokens_and_is_retried() {
    let sandbox = Sandbox::start();
    let on = json!({ "grant": "refresh_token" });
    for (fault, expected) in [
        (json!({ "kind": "reset" }), "MAILRU_NETWORK_ERROR"),
        (json!({ "kind": "close" }), "MAILRU_NETWORK_ERROR"),
        (json!({ "kind": "status", "status": 500 }), "MAILRU_HTTP_ERROR"),
        (json!({ "kind": "status", "status": 404 }), "MAILRU_HTTP_ERROR"),
        (json!({ "kind": "redirect", "location": "/x" }), "MAILRU_HTTP_ERROR"),
        (json!({ "kind": "garbage" }), "MAILRU_MALFORMED_RESPONSE"),
        (json!({ "kind": "answer", "body": "<html>" }), "MAILRU_MALFORMED_RESPONSE"),
        (json!({ "kind": "empty" }), "MAILRU_EMPTY_RESPONSE"),
        (json!({ "kind": "oauth_error", "error": "server_error", "status": 500 }), "MAILRU_OAUTH_ERROR"),
    ] {
        let session = refreshing(&sandbox, json!({ "retries": 0, "expires_in": 0 }));
        let old = session.tokens();
        sandbox.fault(on.clone(), json!(1), fault.clone());
        let failure = session.call("friends.get", None).expect(expected);
        assert!(failure.error("transient") == true || fault["kind"] == "garbage", "{}", failure.json);
        assert_eq!(session.tokens(), old, "{fault}");
        // The pause is short: the next call waits for it.
        session.call("friends.get", None).expect_ok();
    }
    assert_eq!(sandbox.get("stats")["spent_refresh_tokens_seen"], 0);
}

#[test]
fn a_refused_renewal_is_remembered_until_authorize() {
    let sandbox = Sandbox::start();
    let session = refreshing(&sandbox, json!({}));
    let old = session.tokens();
    sandbox.post("expire", json!({}));
    let refusal = json!({ "kind": "oauth_error", "error": "invalid_grant", "description": "отозван" });
    sandbox.fault(json!({ "grant": "refresh_token" }), json!(2), refusal);
    let failure = session.call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
    assert_eq!(failure.error("oauth"), json!({ "error": "invalid_grant", "error_description": "отозван" }));
    assert_eq!((failure.error("http_status"), failure.error("transient")), (json!(400), json!(false)));
    assert_eq!(session.tokens(), old, "the tokens are kept");
    let before = sandbox.requests().len();
    for answer in on_threads(8, |_| session.call("friends.get", None)) {
        assert_eq!(answer, failure);
    }
    assert_eq!(sandbox.requests().len(), before, "without network");
    session.authorize().expect("MAILRU_OAUTH_ERROR");
    assert_eq!(sandbox.requests().len(), before + 1, "tried again");
    session.authorize().expect_ok();
    session.call("friends.get", None).expect_ok();
}

#[test]
fn a_failed_early_renewal_does_not_fail_the_call() {
    if !takes_long("early renewals that fail") {
        return;
    }
    let faults = [
        (json!({ "kind": "reset" }), 20_000),
        (json!({ "kind": "status", "status": 503 }), 20_000),
        (json!({ "kind": "oauth_error", "error": "invalid_grant" }), 20_000),
        (json!({ "kind": "delay", "ms": 5000 }), 20_000),
        (json!({ "kind": "silent" }), 600),
    ];
    std::thread::scope(|scope| {
        for (fault, timeout_ms) in faults {
            scope.spawn(move || {
                let sandbox = Sandbox::start();
                sandbox.fault(json!({ "path": "/oauth" }), Value::Null, fault.clone());
                let options =
                    json!({ "retries": 0, "expires_in": 10, "timeout_ms": timeout_ms, "retry_delay_ms": 100 });
                // Renewed in the last second; a slow machine may miss that, so the test tries several times.
                let in_time = (0..4).any(|_| {
                    let begun = Instant::now();
                    let session = refreshing(&sandbox, options.clone());
                    std::thread::sleep(Duration::from_millis(9050));
                    let before = sandbox.token_requests();
                    let mut calls = 0;
                    while begun.elapsed() < Duration::from_millis(9700) {
                        let call = Instant::now();
                        session.call("friends.get", None).expect_ok();
                        assert!(call.elapsed() < Duration::from_millis(2000), "{fault}: it waited for the renewal");
                        calls += 1;
                    }
                    if begun.elapsed() > Duration::from_millis(9950) {
                        return false;
                    }
                    // After pauses of about 100, 200 and 400 ms.
                    let renewals = sandbox.token_requests() - before;
                    let expected =
                        if ["reset", "status"].contains(&fault["kind"].as_str().unwrap()) { 2..=4 } else { 1..=1 };
                    assert!(calls > 3 && expected.contains(&renewals), "{fault}: {renewals} for {calls} calls");
                    if fault["kind"] == "silent" || fault["kind"] == "delay" {
                        return true;
                    }
                    // After the expiry, the call fails.
                    std::thread::sleep(Duration::from_millis(500));
                    let failure = session.call("friends.get", None);
                    assert_ne!(failure.name(), "MAILRU_OK");
                    let is_remembered = fault["kind"] == "oauth_error";
                    assert_eq!(failure.error("transient"), !is_remembered, "{}", failure.json);
                    assert!(!is_remembered || sandbox.token_requests() - before == renewals);
                    true
                });
                assert!(in_time, "always too late: {fault}");
            });
        }
    });
}

#[test]
fn a_password_session_uses_the_password_once_if_its_refresh_token_is_refused() {
    let sandbox = Sandbox::start();
    let session = session("password", &[], &sandbox.options(json!({})));
    session.authorize().expect_ok();
    let revoke = || {
        let tokens = session.tokens().value();
        sandbox.post(
            "expire",
            json!({ "access_token": tokens["access_token"], "refresh_token": tokens["refresh_token"] }),
        );
    };
    revoke();
    session.call("friends.get", None).expect_ok();
    assert_eq!(request_sequence(&sandbox), ["password", "error 102", "refresh_token", "password", "ok"]);
    // If the password is refused too, that is the outcome, and it is remembered.
    revoke();
    sandbox.fault(json!({ "grant": "password" }), Value::Null, json!({ "kind": "oauth_error", "error": "blocked" }));
    let failure = session.call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
    assert_eq!(failure.error("oauth")["error"], "blocked");
    assert_eq!(request_sequence(&sandbox)[5..], ["error 102", "refresh_token", "password"]);
    assert_eq!(session.call("friends.get", None), failure);
    assert_eq!(request_sequence(&sandbox).len(), 8);
    sandbox.behave();
    session.authorize().expect_ok();
    session.call("friends.get", None).expect_ok();
    // A network failure is not a refusal.
    revoke();
    sandbox.fault(json!({ "grant": "refresh_token" }), json!(1), json!({ "kind": "reset" }));
    let before = sandbox.requests().len();
    session.call("friends.get", None).expect("MAILRU_NETWORK_ERROR");
    assert_eq!(request_sequence(&sandbox)[before..], ["error 102", "refresh_token"]);
}

#[test]
fn an_answer_without_the_access_token_keeps_the_next_refresh_token() {
    let sandbox = Sandbox::start();
    let tokens = sandbox.post("tokens", json!({}));
    let refresh_token = tokens["refresh_token"].as_str().expect("a token");
    for session in [
        refreshing(&sandbox, json!({})),
        session("refresh", &[("refresh_token", refresh_token)], &sandbox.options(json!({}))),
    ] {
        let old = session.tokens().value();
        sandbox.post("expire", json!({}));
        sandbox.post("settings", json!({ "omit": ["access_token"] }));
        let recorder = Recorder::new();
        assert_eq!(recorder.listen(&session), 0);
        let failure = session.call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
        assert_eq!((failure.error("field"), failure.error("transient")), (json!("access_token"), json!(true)));
        let tokens = session.tokens().value();
        assert_eq!(recorder.received(), std::slice::from_ref(&tokens));
        assert_eq!(tokens["access_token"], old["access_token"]);
        assert!(tokens["refresh_token"].is_string() && tokens["refresh_token"] != old["refresh_token"]);
        sandbox.post("settings", json!({ "omit": [] }));
        session.authorize().expect_ok();
        session.call("friends.get", None).expect_ok();
    }
    assert_eq!(sandbox.get("stats")["spent_refresh_tokens_seen"], 0);
}
