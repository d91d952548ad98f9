//! Handles: using a stale, foreign or made-up number is harmless.

use std::collections::HashSet;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mailru::ffi::*;
use serde_json::{Value, json};

use crate::support::*;

/// Calls every function that takes a session with this number; returns its code and its JSON, if any.
fn all_with(session: mailru_session) -> Vec<(&'static str, Answer)> {
    let code = |code| Answer { code, json: String::new() };
    let it = std::mem::ManuallyDrop::new(Session(session));
    let recorder = Recorder::new();
    let listened = recorder.listen_to(session);
    recorder.await_releases(1);
    vec![
        ("mailru_call", it.call("friends.get", None)),
        ("mailru_call_within", it.call_within("friends.get", None, 0, 0)),
        ("mailru_upload", it.upload("photos.upload", None, "img_file", "a", b"x")),
        ("mailru_public", it.public("mail/demo", None)),
        ("mailru_authorize", it.authorize()),
        ("mailru_tokens", it.tokens()),
        ("mailru_sign", it.sign("friends.get", None)),
        ("mailru_session_on_token", code(listened)),
        ("mailru_session_cancel", code(mailru_session_cancel(session))),
    ]
}

#[test]
fn stale_foreign_and_made_up_numbers_are_told() {
    let sandbox = Sandbox::start();
    let alive = client(&sandbox.options(json!({})));
    let stale = client(&sandbox.options(json!({})));
    let number = stale.0;
    drop(stale);
    let cancel = mailru_cancel_new();
    let queue = Queue::new(1, 1);
    let made_up = [0, 1, 2, alive.0 + 1, alive.0 - 1, !alive.0, u64::MAX, 1 << 53, (1 << 53) - 1, alive.0 | 1 << 60];
    for wrong in [number, cancel, queue.0].into_iter().chain(made_up) {
        for (function, answer) in all_with(wrong) {
            assert_eq!(answer.name(), "MAILRU_INVALID_HANDLE", "{function}({wrong})");
            if !answer.json.is_empty() {
                assert_eq!(answer.error("argument"), "session", "{function}");
            }
        }
        if wrong != cancel {
            assert_eq!(name(mailru_cancel_fire(wrong)), "MAILRU_INVALID_HANDLE");
            if wrong != 0 {
                let answer = alive.call_within("friends.get", None, 0, wrong).expect("MAILRU_INVALID_HANDLE");
                assert_eq!(answer.error("argument"), "cancel");
            }
            mailru_cancel_free(wrong);
        }
        mailru_session_free(wrong);
        if wrong != queue.0 {
            let queue = std::mem::ManuallyDrop::new(Queue(wrong));
            let submitted = queue.submit(&alive, "friends.get", None, 1).expect("MAILRU_INVALID_HANDLE");
            assert_eq!(submitted.error("argument"), "queue");
            let (_, next) = queue.next(0).expect("an error, not an empty queue");
            assert_eq!(next.expect("MAILRU_INVALID_HANDLE").error("argument"), "queue");
            assert_eq!(name(mailru_queue_cancel(wrong, 1)), "MAILRU_INVALID_HANDLE");
            assert_eq!(mailru_queue_fd(wrong), -1);
            mailru_queue_free(wrong);
        }
    }
    let foreign = std::mem::ManuallyDrop::new(Session(queue.0));
    let answer = queue.submit(&foreign, "friends.get", None, 1).expect("MAILRU_INVALID_HANDLE");
    assert_eq!(answer.error("argument"), "session");
    assert_eq!(name(mailru_cancel_fire(alive.0)), "MAILRU_INVALID_HANDLE", "a session is not a cancel handle");
    mailru_cancel_free(alive.0);
    alive.call("friends.get", None).expect_ok();
    assert_eq!(name(mailru_cancel_fire(cancel)), "MAILRU_OK", "freeing it as a session did nothing");
    mailru_cancel_free(cancel);
    mailru_cancel_free(cancel);
    assert_eq!(name(mailru_cancel_fire(cancel)), "MAILRU_INVALID_HANDLE");
    assert_eq!(sandbox.requests().len(), 1, "nothing was sent for the others");
}

#[test]
fn numbers_are_never_used_again_and_kinds_never_coincide() {
    let mut seen = HashSet::new();
    for round in 0..2000 {
        let session = Session(Constructor::of("public").make_raw(&[], null()));
        let cancel = mailru_cancel_new();
        let queue = (round % 100 == 0).then(|| Queue::new(1, 1));
        for number in [session.0, cancel].into_iter().chain(queue.as_ref().map(|queue| queue.0)) {
            assert!(number > 0 && number < 1 << 53, "{number}");
            assert!(seen.insert(number), "{number} again in round {round}");
        }
        mailru_cancel_free(cancel);
    }
    let numbers = on_threads(8, |_| (0..200).map(|_| mailru_cancel_new()).collect::<Vec<_>>());
    for number in numbers.concat() {
        assert!(seen.insert(number), "{number} twice");
        mailru_cancel_free(number);
    }
}

#[test]
fn a_session_may_be_freed_and_cancelled_during_calls() {
    let sandbox = Sandbox::start();
    sandbox.post("settings", json!({ "record": false }));
    sandbox.fault(json!({ "method": "friends.get" }), Value::Null, json!({ "kind": "delay", "ms": 3 }));
    for round in 0..20 {
        let session = client(&sandbox.options(json!({})));
        let number = session.0;
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let session = std::mem::ManuallyDrop::new(Session(number));
                    let mut answers = 0;
                    loop {
                        let answer = session.call("friends.get", None);
                        answers += 1;
                        match answer.name() {
                            "MAILRU_OK" | "MAILRU_CANCELLED" => {}
                            "MAILRU_INVALID_HANDLE" => break,
                            other => panic!("{other}: {}", answer.json),
                        }
                    }
                    assert!(ended.load(Ordering::SeqCst), "refused before it was freed, after {answers} calls");
                });
            }
            std::thread::sleep(Duration::from_millis(5 + round));
            assert_eq!(mailru_session_cancel(number), 0);
            std::thread::sleep(Duration::from_millis(5));
            ended.store(true, Ordering::SeqCst);
            drop(session);
        });
    }
}

#[test]
fn a_cancel_handle_may_be_freed_while_calls_use_it() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    sandbox.fault(json!({}), Value::Null, json!({ "kind": "delay", "ms": 100 }));
    let cancel = mailru_cancel_new();
    let answers = std::thread::scope(|scope| {
        let call = scope.spawn(|| session.call_within("friends.get", None, 0, cancel));
        await_that("the call is running", || sandbox.requests().len() == 1);
        mailru_cancel_free(cancel);
        assert_eq!(name(mailru_cancel_fire(cancel)), "MAILRU_INVALID_HANDLE");
        call.join().expect("no panic")
    });
    answers.expect_ok();
    // A fired handle ends every later call, without a request.
    sandbox.behave();
    let cancel = mailru_cancel_new();
    session.call_within("friends.get", None, 0, cancel).expect_ok();
    assert_eq!(mailru_cancel_fire(cancel), 0);
    assert_eq!(mailru_cancel_fire(cancel), 0);
    let before = sandbox.requests().len();
    for _ in 0..3 {
        let answer = session.call_within("friends.get", None, 0, cancel).expect("MAILRU_CANCELLED");
        assert_eq!(answer.error("transient"), true);
    }
    assert_eq!(sandbox.requests().len(), before);
    session.call("friends.get", None).expect_ok();
    mailru_cancel_free(cancel);
}

#[test]
fn out_parameters_may_be_null() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    let [method, bad, path] = ["friends.get", "friends.get!", "mail/demo"].map(c);
    // SAFETY: the strings outlive the calls; NULL is allowed for the code.
    unsafe {
        for number in [session.0, 0] {
            for method in [&method, &bad] {
                taken(mailru_call(number, method.as_ptr(), null(), null_mut()));
                taken(mailru_call_within(number, method.as_ptr(), null(), 0, 0, null_mut()));
                taken(mailru_sign(number, method.as_ptr(), null(), null_mut()));
            }
            taken(mailru_public(number, path.as_ptr(), null(), null_mut()));
            taken(mailru_authorize(number, null_mut()));
            taken(mailru_tokens(number, null_mut()));
        }
        mailru_string_free(null_mut());
    }
}

#[test]
fn a_required_text_may_not_be_null_and_every_text_must_be_utf8() {
    let session = client("{}");
    let [method, field, data] = [c("friends.get"), c("img_file"), c("data")];
    let bad = std::ffi::CString::new(&b"\xff"[..]).expect("no NUL");
    let (good, bad, absent) = (method.as_ptr(), bad.as_ptr(), null());
    let (field, bytes) = (field.as_ptr(), data.as_ptr().cast::<u8>());
    // SAFETY: the strings outlive the calls.
    let refused: Vec<(&str, Answer)> = unsafe {
        vec![
            ("method", Answer::of(|code| mailru_call(session.0, absent, absent, code))),
            ("method", Answer::of(|code| mailru_call(session.0, bad, absent, code))),
            ("params_json", Answer::of(|code| mailru_call(session.0, good, bad, code))),
            ("method", Answer::of(|code| mailru_call_within(session.0, absent, absent, 0, 0, code))),
            ("params_json", Answer::of(|code| mailru_call_within(session.0, good, bad, 0, 0, code))),
            ("timeout_ms", Answer::of(|code| mailru_call_within(session.0, good, absent, -1, 0, code))),
            ("timeout_ms", Answer::of(|code| mailru_call_within(session.0, good, absent, i64::MIN, 0, code))),
            ("method", Answer::of(|code| mailru_sign(session.0, absent, absent, code))),
            ("params_json", Answer::of(|code| mailru_sign(session.0, good, bad, code))),
            ("path", Answer::of(|code| mailru_public(session.0, absent, absent, code))),
            ("path", Answer::of(|code| mailru_public(session.0, bad, absent, code))),
            ("params_json", Answer::of(|code| mailru_public(session.0, good, bad, code))),
            ("method", Answer::of(|code| mailru_upload(session.0, absent, absent, field, good, bytes, 4, code))),
            ("params_json", Answer::of(|code| mailru_upload(session.0, good, bad, field, good, bytes, 4, code))),
            ("field", Answer::of(|code| mailru_upload(session.0, good, absent, absent, good, bytes, 4, code))),
            ("field", Answer::of(|code| mailru_upload(session.0, good, absent, bad, good, bytes, 4, code))),
            ("file_name", Answer::of(|code| mailru_upload(session.0, good, absent, field, absent, bytes, 4, code))),
            ("file_name", Answer::of(|code| mailru_upload(session.0, good, absent, field, bad, bytes, 4, code))),
            ("data", Answer::of(|code| mailru_upload(session.0, good, absent, field, good, null(), 4, code))),
            ("data", Answer::of(|code| mailru_upload(session.0, good, absent, field, good, bytes, usize::MAX, code))),
        ]
    };
    for (argument, answer) in refused {
        let answer = answer.expect("MAILRU_INVALID_ARGUMENT");
        assert_eq!(answer.error("argument"), argument, "{}", answer.json);
    }
}

#[test]
fn the_longest_time_limit_is_no_limit() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({ "timeout_ms": 1 })));
    session.call_within("friends.get", None, i64::MAX, 0).expect_ok();
    session.call_within("friends.get", None, 20_000, 0).expect_ok();
}
