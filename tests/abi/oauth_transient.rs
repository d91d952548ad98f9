//! Failures of the authorization server and of the platform: transient ones end no session, a wrong user id affects
//! only its own call, and no received token is lost.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::*;

fn grants() -> Value {
    json!({ "path": "/oauth" })
}

/// The number of token requests for each grant.
fn asked(sandbox: &Sandbox) -> Value {
    sandbox.get("stats")["token_requests"].clone()
}

/// A session of each kind whose next call needs tokens, with the grant that it will use.
fn sessions_without_tokens(sandbox: &Sandbox, more: Value) -> Vec<(&'static str, Session)> {
    let mut options = json!({ "retries": 0, "retry_delay_ms": 100 });
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let token = |name: &str| sandbox.post("tokens", json!({}))[name].as_str().expect("a token").to_owned();
    let stored =
        json!({ "access_token": token("access_token"), "refresh_token": token("refresh_token"), "expires_at": 1 });
    let mut ended = options.clone();
    ended
        .as_object_mut()
        .unwrap()
        .extend([("refresh_token".into(), token("refresh_token").into()), ("expires_in".into(), 0.into())]);
    let options = sandbox.options(options);
    vec![
        ("password", session("password", &[], &options)),
        ("refresh_token", session("refresh", &[("refresh_token", &token("refresh_token"))], &options)),
        ("refresh_token", session("token", &[], &sandbox.options(ended))),
        ("refresh_token", session("stored", &[("tokens_json", &stored.to_string())], &options)),
    ]
}

/// Faults that cause transient failures.
fn transient_faults() -> Vec<Value> {
    let answer = |status: u16, body: &str| json!({ "kind": "answer", "status": status, "body": body });
    vec![
        json!({ "kind": "too_many" }),
        answer(429, r#"{"message":"slow down"}"#),
        answer(408, ""),
        answer(425, r#"{"error":"too_early"}"#),
        answer(403, r#"{"blocked":"by firewall"}"#),
        answer(400, r#"{"error":"temporarily_unavailable"}"#),
        answer(400, r#"{"error":"slow_down","error_description":"x"}"#),
        answer(302, r#"{"moved":true}"#),
        answer(307, r#"{"error":"invalid_grant"}"#),
        answer(500, r#"{"error":"invalid_grant"}"#),
        answer(503, ""),
        answer(404, "<html>"),
        answer(200, r#"{"error":"odd"}"#),
        answer(200, "[]"),
        answer(200, ""),
    ]
}

#[test]
fn a_transient_failure_ends_no_session() {
    let sandbox = Sandbox::start();
    for fault in transient_faults() {
        for (grant, session) in sessions_without_tokens(&sandbox, json!({})) {
            let before = sandbox.token_requests();
            sandbox.fault(grants(), json!(1), fault.clone());
            let failure = session.call("friends.get", None);
            assert!(
                ["MAILRU_OAUTH_ERROR", "MAILRU_HTTP_ERROR", "MAILRU_EMPTY_RESPONSE", "MAILRU_MALFORMED_RESPONSE"]
                    .contains(&failure.name())
            );
            assert_eq!(failure.error("transient"), true, "{grant} {fault}: {}", failure.json);
            assert!(failure.error("http_status").is_u64(), "{}", failure.json);
            session.call("friends.get", None).expect_ok();
            assert_eq!(sandbox.token_requests(), before + 2, "{grant} {fault}");
        }
    }
    // No password was sent, because no refresh token was refused.
    assert_eq!(asked(&sandbox)["password"], 2 * transient_faults().len());
}

#[test]
fn a_transient_failure_does_not_send_the_password() {
    let sandbox = Sandbox::start();
    sandbox.post("settings", json!({ "expires_in": 2 }));
    for fault in transient_faults() {
        let session = session("password", &[], &sandbox.options(json!({ "retries": 0, "retry_delay_ms": 100 })));
        session.authorize().expect_ok();
        let tokens = session.tokens().value();
        sandbox.post("expire", json!({ "access_token": tokens["access_token"] }));
        let before = asked(&sandbox);
        sandbox.fault(grants(), json!(1), fault.clone());
        session.authorize();
        let after = asked(&sandbox);
        assert_eq!(after["password"], before["password"], "{fault}");
        session.authorize().expect_ok();
        assert_eq!(asked(&sandbox)["password"], before["password"], "{fault}");
    }
}

#[test]
fn a_failing_server_gets_few_requests() {
    for fault in [
        json!({ "kind": "status", "status": 503 }),
        json!({ "kind": "reset" }),
        json!({ "kind": "answer", "body": "{}" }),
    ] {
        let sandbox = Sandbox::start();
        sandbox.fault(grants(), Value::Null, fault.clone());
        let session = session("refresh", &[], &sandbox.options(json!({ "retries": 0, "retry_delay_ms": 100 })));
        let begun = Instant::now();
        let mut calls = 0;
        while begun.elapsed() < Duration::from_secs(2) {
            assert_ne!(session.call_within("friends.get", None, 500, 0).name(), "MAILRU_OK");
            calls += 1;
            std::thread::sleep(Duration::from_millis(5));
        }
        let requests = sandbox.token_requests();
        // After pauses of about 0, 100, 200, 400, 800 ms.
        assert!(calls > 10 && requests <= 6, "{fault}: {requests} requests for {calls} calls");
    }
}

#[test]
fn retry_after_is_respected() {
    let sandbox = Sandbox::start();
    for (grant, session) in sessions_without_tokens(&sandbox, json!({})) {
        let before = sandbox.requests().len();
        sandbox.fault(grants(), json!(1), json!({ "kind": "too_many", "retry_after": 2 }));
        let begun = Instant::now();
        let failure = session.call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
        assert_eq!(
            (failure.error("retry_after_ms"), failure.error("http_status")),
            (json!(2000), json!(429)),
            "{grant}"
        );
        // In the next second no call waits and nothing is sent; nor do calls with too little time.
        for answer in [session.call("friends.get", None), session.authorize()] {
            let failure = answer.expect("MAILRU_OAUTH_ERROR");
            let left = failure.error("retry_after_ms").as_u64().expect("a number");
            assert!(left <= 2000 && failure.error("transient") == true, "{}", failure.json);
        }
        assert_eq!(sandbox.requests().len(), before + 1);
        await_that("the pause is over", || session.call("friends.get", None).name() == "MAILRU_OK");
        assert!(begun.elapsed() >= Duration::from_millis(1990), "{:?}", begun.elapsed());
        let asked: Vec<_> = sandbox.requests()[before..]
            .iter()
            .filter(|it| it["grant"].is_string())
            .map(|it| it["at_ms"].as_u64().expect("a time"))
            .collect();
        assert!(asked.len() == 2 && asked[1] - asked[0] >= 1990, "{asked:?}");
    }
}

/// A call with an unknown user id.
fn call_with_wrong_id(session: &Session) -> Answer {
    session.call("users.getInfo", r#"{"uids":"404"}"#)
}

#[test]
fn a_wrong_id_keeps_its_102_and_affects_no_other_call() {
    if !takes_long("wrong ids among many calls") {
        return;
    }
    let sandbox = Sandbox::start();
    sandbox.post("settings", json!({ "check_ids": true }));
    for (refusal, works_before) in [
        (json!({ "kind": "oauth_error", "error": "invalid_grant" }), false),
        (json!({ "kind": "oauth_error", "error": "invalid_grant" }), true),
        (json!({ "kind": "status", "status": 503 }), false),
        (json!({ "kind": "reset" }), true),
        (json!({ "kind": "delay", "ms": 10_000, "phase": "before" }), true),
    ] {
        let session = refreshing(&sandbox, json!({ "timeout_ms": 3000, "retries": 0 }));
        sandbox.fault(grants(), Value::Null, refusal.clone());
        if works_before {
            session.call("friends.get", None).expect_ok();
        }
        for _ in 0..3 {
            let failure = call_with_wrong_id(&session).expect("MAILRU_API_ERROR");
            assert_eq!(failure.error("error_code"), 102, "{refusal}");
            session.call("friends.get", None).expect_ok();
            session.call("users.getInfo", &*json!({ "uids": UID }).to_string()).expect_ok();
        }
        sandbox.behave();
    }
}

#[test]
fn ten_wrong_ids_make_one_renewal() {
    let sandbox = Sandbox::start();
    sandbox.post("settings", json!({ "check_ids": true, "end_former": true }));
    let session = refreshing(&sandbox, json!({}));
    let recorder = Recorder::new();
    assert_eq!(recorder.listen(&session), 0);
    for _ in 0..10 {
        call_with_wrong_id(&session).expect("MAILRU_API_ERROR");
        session.call("friends.get", None).expect_ok();
    }
    assert_eq!((sandbox.token_requests(), recorder.received().len()), (1, 1));
    // One request each, and one more for the retry after the renewal.
    assert_eq!(sandbox.requests().iter().filter(|it| it["platform_method"] == "users.getInfo").count(), 11);
}

/// The duration of a test; `MAILRU_TEST_LONG` selects the long one.
pub fn length(short: Duration, long: Duration) -> Duration {
    if std::env::var_os("MAILRU_TEST_LONG").is_some() { long } else { short }
}

#[test]
fn one_bad_caller_beside_eight_healthy_writers() {
    let sandbox = Sandbox::start();
    sandbox.post("settings", json!({ "record": false, "check_ids": true, "end_former": true }));
    let session = refreshing(&sandbox, json!({}));
    let until = Instant::now() + length(Duration::from_secs(2), Duration::from_secs(10));
    let work = |call: &dyn Fn(u64) -> Answer, expected: &str| {
        let mut calls = 0;
        while Instant::now() < until {
            call(calls).expect(expected);
            calls += 1;
        }
        calls
    };
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let write = |_| session.call("stream.post", r#"{"text":"x"}"#);
                scope.spawn(move || work(&write, "MAILRU_OK"))
            })
            .collect();
        let bad = work(&|_| call_with_wrong_id(&session), "MAILRU_API_ERROR");
        let writes: u64 = writers.into_iter().map(|writer| writer.join().expect("no healthy call fails")).sum();
        println!("measured: {bad} calls with a wrong id beside {writes} writes");
        assert!(bad > 20 && writes > 100);
        assert_eq!(sandbox.get("stats")["applied"]["stream.post"], writes);
    });
    assert!(sandbox.token_requests() <= 1, "{} renewals", sandbox.token_requests());
}

#[test]
fn tokens_that_expire_at_once_cause_few_requests() {
    for expires_in in ["0", "\"0\"", "0.5", "-3", "\"soon\""] {
        let sandbox = Sandbox::start();
        let tokens = sandbox.post("tokens", json!({}));
        let body = format!(
            r#"{{"access_token":{},"refresh_token":"next","expires_in":{expires_in},"x_mailru_vid":"{UID}"}}"#,
            tokens["access_token"]
        );
        sandbox.answer(grants(), 200, &body);
        for session in [
            session("refresh", &[], &sandbox.options(json!({}))),
            session("password", &[], &sandbox.options(json!({}))),
        ] {
            let before = sandbox.token_requests();
            for _ in 0..20 {
                session.call("friends.get", None).expect_ok();
            }
            assert_eq!(sandbox.token_requests(), before + 1, "{expires_in}");
            assert_eq!(session.tokens().value()["expires_in"], Value::Null);
        }
    }
}

#[test]
fn a_grant_that_was_sent_has_its_own_time_limit() {
    let sandbox = Sandbox::start();
    let code = sandbox.post("codes", json!({ "redirect_uri": REDIRECT_URI }))["code"].clone();
    sandbox.fault(grants(), json!(1), json!({ "kind": "delay", "ms": 2000, "phase": "before" }));
    let options = sandbox.options(json!({ "timeout_ms": 400 }));
    let session = session("code", &[("code", code.as_str().expect("a code"))], &options);
    let recorder = Recorder::new();
    assert_eq!(recorder.listen(&session), 0);
    for _ in 0..2 {
        let failure = session.call("friends.get", None).expect("MAILRU_TIMEOUT");
        assert!(
            failure.error("error_msg").as_str().unwrap().contains("the token request continues"),
            "{}",
            failure.json
        );
    }
    recorder.await_received(1);
    session.call("friends.get", None).expect_ok();
    assert_eq!((sandbox.token_requests(), &sandbox.get("stats")["spent_codes_seen"]), (1, &json!(0)));
}

/// A port on which nothing listens yet.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

#[test]
fn an_unsent_request_ends_with_its_session_or_its_last_call() {
    for way in ["free", "cancel", "handle", "time"] {
        let port = closed_port();
        let base = format!("http://127.0.0.1:{port}");
        let options = json!({
            "api_url": format!("{base}/platform/api"), "token_url": format!("{base}/oauth/token"),
            "retries": 20, "retry_delay_ms": 200,
        });
        let session = session("code", &[("code", "kept-code")], &options.to_string());
        let cancel = mailru::ffi::mailru_cancel_new();
        let limit = if way == "time" { 300 } else { 0 };
        std::thread::scope(|scope| {
            let call = scope.spawn(|| session.call_within("friends.get", None, limit, cancel));
            std::thread::sleep(Duration::from_millis(250));
            match way {
                "free" => mailru::ffi::mailru_session_free(session.0),
                "cancel" => assert_eq!(mailru::ffi::mailru_session_cancel(session.0), 0),
                "handle" => assert_eq!(mailru::ffi::mailru_cancel_fire(cancel), 0),
                _ => {}
            }
            let expected = if way == "time" { "MAILRU_TIMEOUT" } else { "MAILRU_CANCELLED" };
            call.join().expect("no panic").expect(expected);
        });
        mailru::ffi::mailru_cancel_free(cancel);
        let sandbox = Sandbox::start_with(&["--port", &port.to_string()]);
        sandbox.post("codes", json!({ "code": "kept-code" }));
        // The next attempt would have been made within two seconds.
        let goes_on = way == "time";
        if goes_on {
            await_that("the grant continues", || sandbox.token_requests() == 1);
        } else {
            std::thread::sleep(Duration::from_millis(1500));
            assert_eq!(sandbox.token_requests(), 0, "{way}: the code was sent behind the host's back");
        }
        if ["cancel", "handle"].contains(&way) {
            session.call("friends.get", None).expect_ok();
            assert_eq!(sandbox.token_requests(), 1, "{way}");
        }
    }
}

/// The library's threads for token requests, in this process.
fn token_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("proc is mounted");
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == "mailru-token").count()
}

#[test]
fn freed_sessions_leave_no_threads_at_a_silent_server() {
    in_a_separate_process("oauth_transient::freed_sessions_leave_no_threads_at_a_silent_server", || {
        // It accepts connections and sends nothing, so even the TLS handshake hangs.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            let mut taken = Vec::new();
            listener.incoming().for_each(|connection| taken.push(connection));
        });
        let options = json!({ "token_url": format!("https://127.0.0.1:{port}/oauth/token") }).to_string();
        let sessions: Vec<_> = (0..50).map(|_| session("password", &[], &options)).collect();
        for session in &sessions {
            session.call_within("friends.get", None, 20, 0).expect("MAILRU_TIMEOUT");
        }
        // A thread takes its name once it runs.
        await_that("each has its thread", || token_threads() == 50);
        drop(sessions);
        let freed = Instant::now();
        await_that("the threads end", || token_threads() == 0);
        assert!(freed.elapsed() < Duration::from_secs(2), "{:?}", freed.elapsed());
    });
}
