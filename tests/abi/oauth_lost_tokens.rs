//! Tokens in unusual answers, callbacks that call the library, and errors that say what may be lost.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};

use crate::support::*;

fn grants() -> Value {
    json!({ "path": "/oauth" })
}

/// A session of this kind for the client-server circuit, with a code or refresh token of the sandbox.
fn client_session(sandbox: &Sandbox, kind: &str) -> Session {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let code = text(&sandbox.post("codes", json!({ "redirect_uri": REDIRECT_URI }))["code"]);
    let refresh_token = text(&sandbox.post("tokens", json!({}))["refresh_token"]);
    let given = [("code", code.as_str()), ("refresh_token", refresh_token.as_str())];
    let given: Vec<_> = given.into_iter().filter(|(name, _)| kind.starts_with(&name[..4])).collect();
    session(kind, &given, &sandbox.options(json!({ "retry_delay_ms": 100 })))
}

#[test]
fn tokens_without_a_user_are_delivered_and_kept() {
    let sandbox = Sandbox::start();
    for kind in ["code_client", "password_client", "refresh_client"] {
        let session = client_session(&sandbox, kind);
        let recorder = Recorder::new();
        assert_eq!(recorder.listen(&session), 0);
        sandbox.fault(grants(), json!(1), json!({ "kind": "omit", "members": ["x_mailru_vid"] }));
        let failure = session.call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
        assert_eq!(failure.error("field"), "x_mailru_vid", "{kind}");
        let received = recorder.await_received(1);
        assert!(
            received[0]["access_token"].is_string() && received[0]["refresh_token"].is_string(),
            "{kind}: {received:?}"
        );
        assert_eq!(session.tokens().value(), received[0], "{kind}");
        // The received refresh token is used next, also after a code.
        session.call("friends.get", None).expect_ok();
        assert_eq!(
            sandbox.requests().iter().rev().find_map(|it| it["grant"].as_str().map(str::to_owned)).as_deref(),
            Some("refresh_token")
        );
        assert_eq!(recorder.received().len(), 2);
    }
    assert_eq!(sandbox.get("stats")["spent_refresh_tokens_seen"], 0);
}

#[test]
fn tokens_are_taken_from_every_answer_that_has_them() {
    let sandbox = Sandbox::start();
    let tokens = sandbox.post("tokens", json!({}));
    let whole = |more: &str| {
        let (access, refresh) = (&tokens["access_token"], &tokens["refresh_token"]);
        format!(r#"{{"access_token":{access},"refresh_token":{refresh},"x_mailru_vid":"{UID}"{more}}}"#)
    };
    for (status, body) in [
        (200, whole(r#","error":"""#)),
        (200, whole(r#","error":[]"#)),
        (200, whole(r#","error":{}"#)),
        (200, whole(r#","error":0"#)),
        (500, whole("")),
        (503, whole(r#","error":null"#)),
        (403, whole("")),
        (200, format!("\u{feff}{}", whole(""))),
        (200, format!("\u{feff}\r\n {} \n", whole(""))),
    ] {
        sandbox.answer(grants(), status, &body);
        let session = session("password_client", &[], &sandbox.options(json!({})));
        let recorder = Recorder::new();
        assert_eq!(recorder.listen(&session), 0);
        session.call("friends.get", None).expect_ok();
        assert_eq!(recorder.received()[0]["refresh_token"], tokens["refresh_token"], "{status} {body}");
    }
    // Next to an error they are neither used nor shown, but kept, because the previous ones may be used up.
    let odd = session("password_client", &[], &sandbox.options(json!({ "retry_delay_ms": 100 })));
    let recorder = Recorder::new();
    assert_eq!(recorder.listen(&odd), 0);
    sandbox.answer(grants(), 200, &whole(r#","error":"odd""#));
    let failure = odd.call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
    assert_eq!(failure.error("oauth")["error"], "odd");
    let shown = failure.error("oauth").to_string();
    assert!(!shown.contains(tokens["access_token"].as_str().unwrap()) && shown.contains('…'), "{shown}");
    assert_eq!(recorder.received().len(), 1);
    sandbox.behave();
    odd.call("friends.get", None).expect_ok();
    assert_eq!(
        sandbox
            .requests()
            .iter()
            .rev()
            .find_map(|it| it["params"]["refresh_token"].as_str().map(str::to_owned))
            .as_deref(),
        tokens["refresh_token"].as_str()
    );
}

#[test]
fn a_refusal_in_another_encoding_is_a_refusal() {
    let sandbox = Sandbox::start();
    // windows-1251
    let body = b"{\"error\":\"invalid_grant\",\"error_description\":\"\xed\xe5\xe2\xe5\xf0\xed\xfb\xe9 \xef\xe0\xf0\xee\xeb\xfc\"}";
    let body = base64::engine::general_purpose::STANDARD.encode(body);
    sandbox.fault(grants(), Value::Null, json!({ "kind": "answer", "status": 400, "body_base64": body }));
    let session = session("password", &[("password", "no-such-password")], &sandbox.options(json!({})));
    watch::secret("no-such-password");
    let failure = session.call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
    assert_eq!((failure.error("transient"), &failure.error("oauth")["error"]), (json!(false), &json!("invalid_grant")));
    for _ in 0..3 {
        assert_eq!(session.call("friends.get", None), failure);
    }
    assert_eq!(sandbox.token_requests(), 1, "the password was sent once");
}

#[test]
fn a_password_session_without_a_refresh_token_uses_its_password() {
    let sandbox = Sandbox::start();
    sandbox.post("settings", json!({ "omit": ["refresh_token"] }));
    let session = session("password", &[], &sandbox.options(json!({})));
    let expire = || sandbox.post("expire", json!({}));
    session.call("friends.get", None).expect_ok();
    expire();
    session.call("friends.get", None).expect_ok();
    assert_eq!(sandbox.get("stats")["token_requests"], json!({ "password": 2 }));
    // A valid token is kept, a rejected one is replaced.
    let good = session.authorize().expect_ok();
    assert_eq!(session.authorize().expect_ok(), good);
    expire();
    sandbox.fault(json!({ "method": "friends.get" }), json!(1), json!({ "kind": "platform_error", "code": 102 }));
    session.call("stream.get", None).expect_ok();
    assert_eq!(sandbox.get("stats")["token_requests"], json!({ "password": 3 }));
}

#[test]
fn authorize_with_a_rejected_token_and_a_password_gets_another() {
    let sandbox = Sandbox::start();
    sandbox.post("settings", json!({ "omit": ["refresh_token"] }));
    let session = session("password", &[], &sandbox.options(json!({ "auto_refresh": false })));
    let old = session.authorize().expect_ok();
    assert_eq!(session.authorize().expect_ok(), old);
    sandbox.post("expire", json!({}));
    session.call("friends.get", None).expect("MAILRU_API_ERROR");
    assert_ne!(session.authorize().expect_ok(), old);
    session.call("friends.get", None).expect_ok();
}

/// A session handle that is not freed on drop, for use in the session's own callback.
fn borrowed(number: &AtomicU64) -> std::mem::ManuallyDrop<Session> {
    std::mem::ManuallyDrop::new(Session(number.load(Ordering::SeqCst)))
}

#[test]
fn a_submission_inside_the_token_callback_is_refused_at_once() {
    let sandbox = Sandbox::start();
    let number = Arc::new(AtomicU64::new(0));
    let inside = Arc::clone(&number);
    let findings: Arc<Mutex<Vec<Answer>>> = Arc::default();
    let found = Arc::clone(&findings);
    let queue = Queue::new(1, 10);
    let queue_number = queue.0;
    let recorder = Recorder::acting(move |_| {
        let (session, queue) = (borrowed(&inside), std::mem::ManuallyDrop::new(Queue(queue_number)));
        *found.lock().unwrap() = vec![
            queue.submit(&session, "friends.get", None, 1),
            queue.request(&session, r#"{"authorize":true}"#, None, 0, 2),
            queue.request(&session, r#"{"public":"mail/demo"}"#, None, 0, 3),
        ];
    });
    let session = session("password", &[], &sandbox.options(json!({})));
    number.store(session.0, Ordering::SeqCst);
    assert_eq!(recorder.listen(&session), 0);
    session.call("friends.get", None).expect_ok();
    let names: Vec<_> = findings.lock().unwrap().iter().map(Answer::name).collect();
    assert_eq!(names, ["MAILRU_REENTERED", "MAILRU_REENTERED", "MAILRU_OK"]);
    assert_eq!(queue.next(-1).expect("the page").0, 3);
}

#[test]
fn log_and_release_callbacks_of_a_renewal_do_not_wait_for_themselves() {
    in_a_separate_process(
        "oauth_lost_tokens::log_and_release_callbacks_of_a_renewal_do_not_wait_for_themselves",
        || {
            use std::ffi::{c_char, c_void};
            static NUMBER: AtomicU64 = AtomicU64::new(0);
            static FOUND: Mutex<Vec<(&str, &str)>> = Mutex::new(Vec::new());
            fn note(from: &'static str) {
                if std::thread::current().name() == Some("mailru-token") {
                    let answer = borrowed(&NUMBER).call("friends.get", None);
                    FOUND.lock().unwrap().push((from, answer.name()));
                }
            }
            unsafe extern "C" fn log(_: *mut c_void, _: i32, _: *const c_char) {
                note("log");
            }
            unsafe extern "C" fn release(_: *mut c_void) {
                note("release");
            }
            unsafe extern "C" fn tokens(_: *mut c_void, _: *const c_char) {
                // Replaced while it runs, so that its data is released on this thread.
                let number = NUMBER.load(Ordering::SeqCst);
                // SAFETY: NULL removes the callback.
                let code = unsafe { mailru::ffi::mailru_session_on_token(number, None, null_mut(), None) };
                assert_eq!(code, 0);
            }
            let sandbox = Sandbox::start();
            watch::begin();
            // SAFETY: the functions need no data.
            let code = unsafe { mailru::ffi::mailru_set_log(Some(log), null_mut(), None, 4) };
            assert_eq!(code, 0);
            let session = session("password", &[], &sandbox.options(json!({ "timeout_ms": 20_000 })));
            NUMBER.store(session.0, Ordering::SeqCst);
            // SAFETY: as above.
            let code =
                unsafe { mailru::ffi::mailru_session_on_token(session.0, Some(tokens), null_mut(), Some(release)) };
            assert_eq!(code, 0);
            let begun = Instant::now();
            session.call("friends.get", None).expect_ok();
            assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
            let found = FOUND.lock().unwrap();
            for from in ["log", "release"] {
                assert!(found.iter().any(|found| found.0 == from), "{found:?}");
            }
            assert!(found.iter().all(|found| found.1 == "MAILRU_REENTERED"), "{found:?}");
        },
    );
}

/// Some hosts, such as Ruby, run callbacks on another thread and wait for it.
#[test]
fn a_call_that_only_waits_for_a_callback_says_so() {
    let sandbox = Sandbox::start();
    let session = session("refresh", &[], &sandbox.options(json!({})));
    let number = Arc::new(AtomicU64::new(session.0));
    let found: Arc<Mutex<Vec<Answer>>> = Arc::default();
    let call = move |found: &Mutex<Vec<Answer>>, number: &AtomicU64| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let answer = borrowed(number).call_within("friends.get", None, 200, 0);
                found.lock().unwrap().push(answer);
            });
        });
    };
    let (number2, found2) = (Arc::clone(&number), Arc::clone(&found));
    session.on_renewal(move |phase| {
        if phase == 1 {
            call(&found2, &number2);
        }
    });
    let (number3, found3) = (Arc::clone(&number), Arc::clone(&found));
    let recorder = Recorder::acting(move |_| call(&found3, &number3));
    assert_eq!(recorder.listen(&session), 0);
    let tokens = sandbox.post("tokens", json!({}));
    sandbox.answer(grants(), 200, &tokens.to_string());
    session.call("friends.get", None).expect_ok();
    let found = found.lock().unwrap();
    for (answer, callback) in found.iter().zip(["renewal callback", "token callback"]) {
        let failure = answer.clone().expect("MAILRU_TIMEOUT");
        let message = failure.error("error_msg").as_str().unwrap().to_owned();
        assert!(message.contains(callback) && !message.contains("no answer"), "{message}");
    }
    assert_eq!(found.len(), 2);
}

#[test]
fn a_lost_answer_says_what_may_be_used_up() {
    let sandbox = Sandbox::start();
    let tokens = sandbox.post("tokens", json!({}));
    let refresh_token = tokens["refresh_token"].as_str().expect("a token");
    sandbox.post("faults", json!({ "on": grants(), "applied": true, "fault": { "kind": "reset", "phase": "after" } }));
    let options = sandbox.options(json!({ "retry_delay_ms": 100 }));
    let session = session("refresh", &[("refresh_token", refresh_token)], &options);
    let failure = session.call("friends.get", None).expect("MAILRU_NETWORK_ERROR");
    assert_eq!(failure.error("transient"), true);
    assert!(
        failure.error("error_msg").as_str().unwrap().contains("the refresh token was sent and may be used up"),
        "{}",
        failure.json
    );
    // It was used up: the next refusal is final.
    let failure = session.call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
    assert_eq!((failure.error("transient"), &failure.error("oauth")["error"]), (json!(false), &json!("invalid_grant")));
}

#[test]
fn a_proxy_that_accepts_and_closes_has_not_received_the_code() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && connection.read(&mut byte).is_ok_and(|count| count == 1) {
                head.push(byte[0]);
            }
            let _ = connection.write_all(b"HTTP/1.1 200 yes\r\n\r\n");
        }
    });
    let options = json!({
        "proxy": format!("http://127.0.0.1:{port}"), "token_url": "https://token.example/oauth/token", "retries": 0,
    });
    let session = session("code", &[("code", "kept-code")], &options.to_string());
    for _ in 0..2 {
        let failure = session.call("friends.get", None);
        assert!(["MAILRU_NETWORK_ERROR", "MAILRU_TLS_ERROR"].contains(&failure.name()), "{}", failure.json);
        assert!(!failure.error("error_msg").as_str().unwrap().contains("was sent"), "{}", failure.json);
    }
}

#[test]
fn retries_are_counted_once_across_a_renewal() {
    let sandbox = Sandbox::start();
    let session = refreshing(&sandbox, json!({ "retries": 2, "retry_delay_ms": 1 }));
    sandbox.post("expire", json!({}));
    let on = json!({ "method": "friends.get" });
    // Two retries, then 102; with the new token there are no more retries.
    sandbox.fault(on.clone(), json!(2), json!({ "kind": "status", "status": 503 }));
    sandbox.post("faults", json!({ "on": on, "skip": 1, "times": null, "fault": { "kind": "status", "status": 503 } }));
    session.call("friends.get", None).expect("MAILRU_HTTP_ERROR");
    let calls = sandbox.requests().iter().filter(|it| it["platform_method"] == "friends.get").count();
    assert_eq!((calls, sandbox.token_requests()), (4, 1));
}

#[test]
fn a_renewal_for_another_user_is_an_error_and_changes_nothing() {
    let sandbox = Sandbox::start();
    for wrong in [json!("15410773191172635989"), json!("me"), json!(["1"]), json!(1.5)] {
        for (kind, expires_in) in [("token", 0), ("stored", 0)] {
            let tokens = sandbox.post("tokens", json!({}));
            let stored = json!({ "access_token": tokens["access_token"], "refresh_token": tokens["refresh_token"], "uid": UID, "expires_at": 1 });
            let options = sandbox.options(
                json!({ "refresh_token": tokens["refresh_token"], "expires_in": expires_in, "retry_delay_ms": 100 }),
            );
            let session = match kind {
                "stored" => session(
                    "stored",
                    &[("tokens_json", &stored.to_string())],
                    &sandbox.options(json!({ "retry_delay_ms": 100 })),
                ),
                _ => session("token", &[], &options),
            };
            let recorder = Recorder::new();
            assert_eq!(recorder.listen(&session), 0);
            let is_other = wrong == "15410773191172635989";
            let other = sandbox.post("tokens", json!({ "uid": if is_other { wrong.as_str() } else { Some(UID) } }));
            let mut body = other.clone();
            body["x_mailru_vid"] = wrong.clone();
            sandbox.answer(grants(), 200, &body.to_string());
            let failure = session.call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
            assert_eq!(
                (failure.error("field"), failure.error("http_status")),
                (json!("x_mailru_vid"), json!(200)),
                "{wrong}"
            );
            let shown = session.tokens().value();
            assert_eq!(shown["uid"], UID);
            // Another user's tokens are not delivered; tokens with an invalid user id are.
            assert_eq!(recorder.received().len(), usize::from(!is_other), "{wrong}");
            assert_eq!(shown["access_token"] == other["access_token"], !is_other, "{wrong}");
            sandbox.behave();
            session.call("friends.get", None).expect_ok();
            assert_eq!(session.tokens().value()["uid"], UID);
        }
    }
}
