//! The constructors: the required arguments of each, and its errors.

use std::ffi::CString;
use std::ptr::null;

use serde_json::{Value, json};

use crate::support::*;

/// Whether this constructor accepts NULL, and the empty text, as this argument.
fn accepted(constructor: &Constructor, argument: &str) -> (bool, bool) {
    let fixed = constructor.name.contains("_client_") || constructor.name.contains("_server_");
    match argument {
        "private_key" | "secret_key" => (!fixed, !fixed),
        "uid" | "scope" => (true, true),
        "access_token" => (false, true),
        _ => (false, false),
    }
}

/// The session, or the members of the error, whose shape is checked.
fn outcome(made: Result<Session, String>) -> Result<Session, Value> {
    made.map_err(|json| {
        let value: Value = serde_json::from_str(&json).expect("the error is JSON");
        let error = &value["error"];
        assert_eq!(value.as_object().map(|object| object.len()), Some(1), "{json}");
        assert_eq!((&error["error_code"], &error["transient"]), (&json!(-1), &json!(false)), "{json}");
        assert!(error["error_msg"].as_str().is_some_and(|text| !text.is_empty()), "{json}");
        error.clone()
    })
}

#[test]
fn each_argument_of_each_constructor_is_required_or_not_as_documented() {
    for constructor in CONSTRUCTORS {
        outcome(constructor.make(&[], None)).expect("the usual arguments are enough");
        for argument in constructor.arguments {
            let (null_is_fine, empty_is_fine) = accepted(constructor, argument);
            for (given, fine) in [(None, null_is_fine), (Some(""), empty_is_fine)] {
                let made = outcome(constructor.make(&[(argument, given)], None));
                let what = format!("{}: {argument} {given:?}", constructor.name);
                assert_eq!(made.is_ok(), fine, "{what}");
                if let Err(error) = made {
                    assert_eq!(error["argument"], *argument, "{what}");
                    assert!(error["error_msg"].as_str().unwrap().contains(argument), "{what}: {error}");
                }
            }
        }
    }
}

#[test]
fn text_that_is_not_utf8_is_refused_by_name() {
    let bad = CString::new(b"te\xd0xt").expect("no NUL");
    for constructor in CONSTRUCTORS {
        let good: Vec<_> = constructor.arguments.iter().map(|argument| c(usual(argument))).collect();
        let good = || good.iter().map(|text| text.as_ptr()).collect::<Vec<_>>();
        for position in 0..constructor.arguments.len() {
            let mut pointers = good();
            pointers[position] = bad.as_ptr();
            let error = constructor.refusal(&pointers, null());
            assert_eq!(error["argument"], constructor.arguments[position], "{}", constructor.name);
        }
        let pointers = good();
        assert_eq!(constructor.refusal(&pointers, bad.as_ptr())["argument"], "options_json", "{}", constructor.name);
        assert_eq!(constructor.make_raw(&pointers, bad.as_ptr()), 0, "the error may be NULL");
        let session = constructor.make_raw(&pointers, null());
        assert_ne!(session, 0, "{}", constructor.name);
        drop(Session(session));
    }
}

#[test]
fn options_are_checked_by_every_constructor() {
    for constructor in CONSTRUCTORS {
        for good in ["", "{}", " {\n} ", r#"{"pass_error":true,"timeout_ms":null}"#] {
            outcome(constructor.make(&[], Some(good))).expect("good options");
        }
        for (bad, named) in [
            (" ", "options_json"),
            ("[]", "options_json"),
            ("null", "options_json"),
            ("{", "options_json"),
            (r#"{"timeout":1}"#, "timeout"),
            (r#"{"timeout_ms":"1"}"#, "timeout_ms"),
            (r#"{"retries":1,"retries":2}"#, "retries"),
        ] {
            let error = outcome(constructor.make(&[], Some(bad))).expect_err("bad options");
            assert_eq!(error["argument"], named, "{}: {bad}", constructor.name);
        }
    }
}

#[test]
fn arguments_are_copied() {
    let sandbox = Sandbox::start();
    let options = sandbox.options(json!({}));
    let texts = [APP_ID, PRIVATE_KEY, SESSION_KEY, UID].map(|text| CString::new(text).expect("no NUL"));
    let options = CString::new(options).expect("no NUL");
    let pointers: Vec<_> = texts.iter().map(|text| text.as_ptr()).collect();
    let session = Session(Constructor::of("client").make_raw(&pointers, options.as_ptr()));
    for text in texts.into_iter().chain([options]) {
        let mut bytes = text.into_bytes();
        bytes.fill(b'x');
        std::hint::black_box(&bytes);
    }
    session.call("friends.get", None).expect_ok();
}

#[test]
fn no_constructor_uses_the_network() {
    let sandbox = Sandbox::start();
    let sessions: Vec<_> =
        CONSTRUCTORS.iter().map(|it| it.make(&[], Some(&sandbox.options(json!({})))).expect("made")).collect();
    assert_eq!(sandbox.get("stats")["connections_accepted"], 0);
    for session in &sessions {
        let tokens = session.tokens();
        let names: Vec<_> = tokens.value().as_object().expect("an object").keys().cloned().collect();
        let all = ["access_token", "circuit", "expires_at", "expires_in", "refresh_token", "token_type", "uid"];
        assert_eq!(names, all, "{}", tokens.json);
    }
    drop(sessions);
    assert_eq!(sandbox.get("stats")["connections_accepted"], 0);
}
