//! The error functions for hosts without a JSON parser: number, transience, message, catalogue.

use std::ffi::CString;
use std::ptr::{null, null_mut};

use mailru::ffi::*;
use serde_json::{Value, json};

use crate::support::{session as session_of, *};

fn number(error: &str) -> i64 {
    let error = c(error);
    // SAFETY: the string outlives the call.
    unsafe { mailru_error_number(error.as_ptr()) }
}

fn transient(error: &str) -> i32 {
    let error = c(error);
    // SAFETY: the string outlives the call.
    unsafe { mailru_error_transient(error.as_ptr()) }
}

fn message(error: &str) -> Answer {
    let error = c(error);
    // SAFETY: the string outlives the call.
    Answer::of(|code| unsafe { mailru_error_message(error.as_ptr(), code) })
}

/// The results of the three functions for an answer.
fn details(answer: &Answer) -> (i64, i32, String) {
    let message = message(&answer.json);
    assert_eq!(message.name(), "MAILRU_OK", "{}", answer.json);
    (number(&answer.json), transient(&answer.json), message.json)
}

#[test]
fn errors_of_the_platform_and_of_the_library() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({ "retries": 0 })));
    for (body, expected) in [
        (
            r#"{"error":{"error_msg":"Incorrect signature","extended":null,"error_code":104}}"#,
            (104, 0, "Incorrect signature"),
        ),
        (r#"{"error":{"error_code":3,"error_msg":"Привет 😀\u0021"}}"#, (3, 1, "Привет 😀!")),
        (r#"{"error":{"error_code":1}}"#, (1, 1, "unknown error")),
        (r#"{"error":{"error_code":201}}"#, (201, 1, "the rate limit is exceeded")),
        (r#"{"error":{"error_code":777,"error_msg":"new"}}"#, (777, 0, "new")),
    ] {
        sandbox.answer(json!({ "path": "/platform" }), 400, body);
        let (code, is_transient, text) = details(&session.call("friends.get", None).expect("MAILRU_API_ERROR"));
        assert_eq!((code, is_transient, text.as_str()), expected, "{body}");
    }
    sandbox.answer(json!({ "path": "/platform" }), 503, "");
    let (code, is_transient, text) = details(&session.call("friends.get", None).expect("MAILRU_HTTP_ERROR"));
    assert_eq!((code, is_transient), (-15, 1));
    assert!(text.contains("503") && !text.contains('{'), "{text}");
    let (code, is_transient, text) =
        details(&session.call("friends.get", r#"{"sig":"x"}"#).expect("MAILRU_INVALID_ARGUMENT"));
    assert_eq!((code, is_transient), (-1, 0));
    assert!(text.starts_with("sig"), "{text}");
    let failed = made(|error| {
        let options = c("[]");
        // SAFETY: the string outlives the call.
        unsafe { mailru_public_session_new(options.as_ptr(), error) }
    });
    assert_eq!(number(&failed.expect_err("no object")), -1);
}

#[test]
fn json_without_an_error_is_refused() {
    for text in ["", "x", "null", "[]", r#"{"uid":"1"}"#, "{\"error\"", "[{\"error\":{\"error_code\":5}}]"] {
        assert_eq!((number(text), transient(text)), (0, 0), "{text}");
        assert_eq!(message(text).expect("MAILRU_INVALID_ARGUMENT").error("argument"), "error_json", "{text}");
    }
    // SAFETY: NULL is allowed.
    unsafe {
        assert_eq!((mailru_error_number(null()), mailru_error_transient(null())), (0, 0));
        let answer = Answer::of(|code| mailru_error_message(null(), code));
        assert_eq!(answer.expect("MAILRU_INVALID_ARGUMENT").error("argument"), "error_json");
        taken(mailru_error_message(null(), null_mut()));
    }
    // Bytes that are not UTF-8 are searched too.
    let odd = CString::new(b"{\"a\":\"\xff\",\"error\":{\"error_code\":5,\"error_msg\":\"\xfex\"}}".to_vec())
        .expect("no NUL");
    // SAFETY: the string outlives the calls.
    unsafe {
        assert_eq!(mailru_error_number(odd.as_ptr()), 5);
        assert_eq!(taken(mailru_error_message(odd.as_ptr(), null_mut())), "\u{fffd}x");
    }
}

#[test]
fn the_catalogue_of_errors() {
    // SAFETY: the code is a local variable.
    let answer = Answer::of(|code| unsafe { mailru_errors(code) });
    let errors: Vec<Value> = serde_json::from_str(&answer.expect_ok()).expect("an array");
    for error in &errors {
        let code = error["code"].as_i64().expect("a code");
        assert!(error["meaning"].is_string() && error["advice"].is_string(), "{error}");
        let json = json!({ "error": { "error_code": code } }).to_string();
        assert_eq!(transient(&json) == 1, error["transient"], "{error}");
    }
    let codes: Vec<_> = errors.iter().map(|error| error["code"].as_i64().expect("a code")).collect();
    assert_eq!(codes, [1, 2, 3, 4, 5, 100, 102, 103, 104, 105, 200, 201, 202, 301, 401, 501]);
    // SAFETY: NULL is allowed.
    taken(unsafe { mailru_errors(null_mut()) });
}

/// Whether a failed write may be retried: `sent` is false only if nothing can have reached a server.
#[test]
fn sent_says_whether_anything_can_have_arrived() {
    let sandbox = Sandbox::start();
    let quick = json!({ "retries": 0, "timeout_ms": 300 });
    let session = client(&sandbox.options(quick.clone()));
    for (fault, code) in [
        (json!({ "kind": "reset" }), "MAILRU_NETWORK_ERROR"),
        (json!({ "kind": "silent" }), "MAILRU_TIMEOUT"),
        (json!({ "kind": "status", "status": 503 }), "MAILRU_HTTP_ERROR"),
        (json!({ "kind": "truncate" }), "MAILRU_MALFORMED_RESPONSE"),
        (json!({ "kind": "empty" }), "MAILRU_EMPTY_RESPONSE"),
    ] {
        sandbox.fault(json!({ "path": "/platform/api" }), json!(1), fault.clone());
        let answer = session.call("stream.post", "{}").expect(code);
        assert_eq!(answer.error("sent"), true, "{fault}: {}", answer.json);
    }
    // Nothing listens there.
    let nowhere = client(r#"{"api_url":"http://127.0.0.1:9/","retries":1,"retry_delay_ms":1}"#);
    let answer = nowhere.call("stream.post", "{}").expect("MAILRU_NETWORK_ERROR");
    assert_eq!((answer.error("sent"), answer.error("transient")), (json!(false), json!(true)));
    assert!(answer.error("error_msg").as_str().is_some_and(|text| text.contains("127.0.0.1:9")), "{}", answer.json);
    // Cancelled before it began.
    let cancel = mailru_cancel_new();
    mailru_cancel_fire(cancel);
    let answer = session.call_within("stream.post", "{}", 0, cancel).expect("MAILRU_CANCELLED");
    assert_eq!(answer.error("sent"), false);
    mailru_cancel_free(cancel);
    // An earlier attempt was sent, the last one was not.
    sandbox.fault(json!({}), json!(1), json!({ "kind": "platform_error", "code": 3 }));
    let rule = json!({ "on": { "connection": true }, "skip": 1, "times": null, "fault": { "kind": "reset" } });
    sandbox.post("faults", rule);
    let failing = client(&sandbox.options(json!({ "retries": 1, "retry_delay_ms": 1, "max_idle_connections": 0 })));
    let answer = failing.call("stream.post", "{}").expect("MAILRU_NETWORK_ERROR");
    assert_eq!(answer.error("sent"), true, "{}", answer.json);
    sandbox.behave();
    // A call without a token was not sent, although the token request was.
    sandbox.fault(json!({ "path": "/oauth/token" }), Value::Null, json!({ "kind": "status", "status": 503 }));
    let granted = session_of("refresh", &[("refresh_token", "r")], &sandbox.options(quick));
    let answer = granted.call("stream.post", "{}").expect("MAILRU_HTTP_ERROR");
    assert_eq!(answer.error("sent"), false, "{}", answer.json);
    // A failure without a request has no such member.
    assert_eq!(session.call("", None).error("sent"), Value::Null);
}
