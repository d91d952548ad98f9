//! The token callback: when it is called, what may be called in it, and that its data is released once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread::ThreadId;
use std::time::Duration;

use mailru::ffi::*;
use serde_json::{Value, json};

use crate::support::*;

/// A session of the guide's user that gets its tokens by password and renews them.
fn password_session(sandbox: &Sandbox) -> Session {
    session("password", &[], &sandbox.options(json!({})))
}

/// A session handle that is not freed on drop, for use in the session's own callback.
fn borrowed(number: &AtomicU64) -> std::mem::ManuallyDrop<Session> {
    std::mem::ManuallyDrop::new(Session(number.load(Ordering::SeqCst)))
}

/// A recorder whose callback returns after a message, or when the test has failed; and whether the callback has begun.
fn held() -> (mpsc::Sender<()>, Arc<Recorder>, Arc<AtomicBool>) {
    let (release, released) = mpsc::channel();
    let (released, begun) = (Mutex::new(released), Arc::new(AtomicBool::new(false)));
    let runs = Arc::clone(&begun);
    let wait = move |_: &Value| {
        runs.store(true, Ordering::SeqCst);
        _ = released.lock().expect("no panic").recv_timeout(PATIENCE);
    };
    (release, Recorder::acting(wait), begun)
}

#[test]
fn it_returns_before_the_tokens_are_used_and_sees_every_set() {
    let sandbox = Arc::new(Sandbox::start());
    let session = password_session(&sandbox);
    let threads: Arc<Mutex<Vec<ThreadId>>> = Arc::default();
    let (theirs, server) = (Arc::clone(&threads), Arc::clone(&sandbox));
    let recorder = Recorder::acting(move |tokens| {
        theirs.lock().unwrap().push(std::thread::current().id());
        std::thread::sleep(Duration::from_millis(100));
        let used = server.requests().iter().any(|it| it["params"]["session_key"] == tokens["access_token"]);
        assert!(!used, "the new token was used before the host could store it");
    });
    assert_eq!(recorder.listen(&session), 0);
    let callers = on_threads(8, |_| {
        session.call("friends.get", None).expect_ok();
        std::thread::current().id()
    });
    assert_eq!(recorder.received(), [session.tokens().value()]);
    sandbox.post("expire", json!({}));
    session.call("friends.get", None).expect_ok();
    session.authorize().expect_ok();
    let received = recorder.received();
    assert_eq!(received.len(), 3);
    assert_eq!(received[2], session.tokens().value());
    let names: Vec<_> = received[2].as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(names, ["access_token", "circuit", "expires_at", "expires_in", "refresh_token", "token_type", "uid"]);
    let threads = threads.lock().unwrap();
    assert!(threads.iter().all(|thread| !callers.contains(thread) && *thread != std::thread::current().id()));
}

#[test]
fn inside_it_tokens_are_shown_and_calls_that_need_them_are_refused() {
    let sandbox = Sandbox::start();
    let number = Arc::new(AtomicU64::new(0));
    let other = client(&sandbox.options(json!({})));
    let inside = Arc::clone(&number);
    let found: Arc<Mutex<Vec<(&str, Answer)>>> = Arc::default();
    let findings = Arc::clone(&found);
    let recorder = Recorder::acting(move |tokens| {
        let session = borrowed(&inside);
        assert_eq!(session.tokens().value(), *tokens, "the new tokens");
        *findings.lock().unwrap() = vec![
            ("MAILRU_REENTERED", session.call("friends.get", None)),
            ("MAILRU_REENTERED", session.call_within("friends.get", None, 100, 0)),
            ("MAILRU_REENTERED", session.upload("photos.upload", r#"{"aid":"a"}"#, "img_file", "a", b"x")),
            ("MAILRU_REENTERED", session.sign("friends.get", None)),
            ("MAILRU_REENTERED", session.authorize()),
            ("MAILRU_INVALID_ARGUMENT", session.call("friends.get", "[")),
            ("MAILRU_OK", session.public("mail/demo", None)),
            ("MAILRU_OK", other.call("friends.get", None)),
        ];
    });
    for grant in 0..2 {
        let session = password_session(&sandbox);
        number.store(session.0, Ordering::SeqCst);
        assert_eq!(recorder.listen(&session), 0);
        session.call("friends.get", None).expect_ok();
        assert_eq!(recorder.received().len(), grant + 1);
        for (expected, answer) in found.lock().unwrap().drain(..) {
            let answer = answer.expect(expected);
            assert!(expected != "MAILRU_REENTERED" || answer.error("transient") == false, "{}", answer.json);
        }
        session.sign("friends.get", None).expect_ok();
    }
}

#[test]
fn a_slow_one_delays_no_other_session_and_loses_no_tokens() {
    let sandbox = Sandbox::start();
    let slow = password_session(&sandbox);
    let (release, recorder, begun) = held();
    assert_eq!(recorder.listen(&slow), 0);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| slow.call("friends.get", None));
        await_that("the callback runs", || begun.load(Ordering::SeqCst));
        assert!(slow.tokens().value()["access_token"].is_string(), "the new tokens are shown");
        for _ in 0..3 {
            let quick = password_session(&sandbox);
            let quick_recorder = Recorder::new();
            assert_eq!(quick_recorder.listen(&quick), 0);
            quick.call("friends.get", None).expect_ok();
            assert_eq!(quick_recorder.received().len(), 1);
        }
        // Its own session performs calls that need no token, and ends waits in time.
        slow.public("mail/demo", None).expect_ok();
        slow.call_within("friends.get", None, 50, 0).expect("MAILRU_TIMEOUT");
        assert_eq!(recorder.received().len(), 0, "it still runs");
        release.send(()).expect("it waits");
        waiting.join().expect("no panic").expect_ok();
    });
    assert_eq!((recorder.received().len(), sandbox.token_requests()), (1, 4));
}

#[test]
fn its_data_is_released_once_in_every_case() {
    let sandbox = Sandbox::start();
    // Replaced, removed, and freed with the session.
    let session = password_session(&sandbox);
    let [replaced, removed, freed] = [Recorder::new(), Recorder::new(), Recorder::new()];
    assert_eq!(replaced.listen(&session), 0);
    assert_eq!(replaced.releases(), 0);
    assert_eq!(removed.listen(&session), 0);
    assert_eq!((replaced.releases(), removed.releases()), (1, 0));
    let remove = |session: &Session| {
        // SAFETY: NULL removes the callback.
        unsafe { mailru_session_on_token(session.0, None, std::ptr::null_mut(), None) }
    };
    assert_eq!(remove(&session), 0);
    assert_eq!(remove(&session), 0);
    assert_eq!(removed.releases(), 1);
    session.authorize().expect_ok();
    assert_eq!((replaced.received().len(), removed.received().len()), (0, 0), "neither is called any more");
    assert_eq!(freed.listen(&session), 0);
    drop(session);
    freed.await_releases(1);
    // Refused: an invalid handle, and a public session.
    for (number, expected) in [(0, "MAILRU_INVALID_HANDLE"), (12345, "MAILRU_INVALID_HANDLE")] {
        let recorder = Recorder::new();
        assert_eq!(name(recorder.listen_to(number)), expected);
        assert_eq!(recorder.releases(), 1);
    }
    let public = Session(Constructor::of("public").make_raw(&[], std::ptr::null()));
    let recorder = Recorder::new();
    assert_eq!(name(recorder.listen(&public)), "MAILRU_INVALID_ARGUMENT");
    assert_eq!(recorder.releases(), 1);
    // On every kind of session that can have tokens.
    for constructor in CONSTRUCTORS.iter().filter(|it| !it.arguments.is_empty()) {
        let session = constructor.make(&[], None).expect("made");
        let recorder = Recorder::new();
        assert_eq!(recorder.listen(&session), 0, "{}", constructor.name);
        drop(session);
        recorder.await_releases(1);
    }
}

#[test]
fn data_is_released_after_the_last_use_of_it() {
    let sandbox = Sandbox::start();
    let session = password_session(&sandbox);
    let (release, first, begun) = held();
    assert_eq!(first.listen(&session), 0);
    std::thread::scope(|scope| {
        let call = scope.spawn(|| session.call("friends.get", None).expect_ok());
        await_that("the callback runs", || begun.load(Ordering::SeqCst));
        let second = Recorder::new();
        assert_eq!(second.listen(&session), 0);
        assert_eq!((first.releases(), first.received().len()), (0, 0), "it is still in use");
        release.send(()).expect("it waits");
        call.join().expect("no panic");
        first.await_releases(1);
        assert_eq!((first.received().len(), second.received().len()), (1, 0));
        sandbox.post("expire", json!({}));
        session.call("friends.get", None).expect_ok();
        assert_eq!((first.received().len(), second.received().len()), (1, 1));
    });
}

#[test]
fn it_may_be_replaced_removed_and_its_session_freed_inside_it() {
    let sandbox = Sandbox::start();
    for way in ["replace", "remove", "free", "cancel"] {
        let number = Arc::new(AtomicU64::new(0));
        let inside = Arc::clone(&number);
        let next: Arc<OnceLock<Arc<Recorder>>> = Arc::default();
        let successor = Arc::clone(&next);
        let recorder = Recorder::acting(move |_| {
            let number = inside.load(Ordering::SeqCst);
            match way {
                "replace" => {
                    let recorder = Recorder::new();
                    assert_eq!(recorder.listen_to(number), 0);
                    assert!(successor.set(recorder).is_ok(), "called once");
                }
                // SAFETY: NULL removes the callback.
                "remove" => assert_eq!(unsafe { mailru_session_on_token(number, None, std::ptr::null_mut(), None) }, 0),
                "free" => mailru_session_free(number),
                _ => assert_eq!(mailru_session_cancel(number), 0),
            }
        });
        let session = password_session(&sandbox);
        number.store(session.0, Ordering::SeqCst);
        assert_eq!(recorder.listen(&session), 0);
        let answer = session.call("friends.get", None);
        let expected = if ["free", "cancel"].contains(&way) { "MAILRU_CANCELLED" } else { "MAILRU_OK" };
        assert_eq!(answer.name(), expected, "{way}");
        recorder.await_received(1);
        match way {
            "free" => {
                recorder.await_releases(1);
                assert_eq!(session.call("friends.get", None).name(), "MAILRU_INVALID_HANDLE");
            }
            "cancel" => {
                session.call("friends.get", None).expect_ok();
                assert_eq!(recorder.releases(), 0);
            }
            _ => {
                recorder.await_releases(1);
                session.authorize().expect_ok();
                assert_eq!(recorder.received().len(), 1, "{way}: it is not called again");
            }
        }
        if let Some(successor) = next.get() {
            assert_eq!(successor.received().len(), 1);
        }
    }
}

#[test]
fn it_may_be_set_and_removed_during_calls() {
    let sandbox = Sandbox::start();
    sandbox.post("settings", json!({ "record": false }));
    let session = refreshing(&sandbox, json!({}));
    let recorders: Mutex<Vec<Arc<Recorder>>> = Mutex::default();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !ended.load(Ordering::SeqCst) {
                    // Unlike a call, it renews each time.
                    session.authorize();
                    session.call("friends.get", None);
                }
            });
        }
        for round in 0..300 {
            let recorder = Recorder::new();
            assert_eq!(recorder.listen(&session), 0);
            recorders.lock().unwrap().push(recorder);
            if round % 3 == 0 {
                // SAFETY: NULL removes the callback.
                assert_eq!(unsafe { mailru_session_on_token(session.0, None, std::ptr::null_mut(), None) }, 0);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        ended.store(true, Ordering::SeqCst);
    });
    let renewals = sandbox.token_requests();
    drop(session);
    let recorders = recorders.into_inner().unwrap();
    for recorder in &recorders {
        recorder.await_releases(1);
    }
    let received: Vec<Value> = recorders.iter().flat_map(|recorder| recorder.received()).collect();
    assert!(!received.is_empty() && received.len() as u64 <= renewals, "{} of {renewals}", received.len());
    assert_eq!(sandbox.get("stats")["spent_refresh_tokens_seen"], 0);
}

#[test]
fn it_may_go_on_after_it_has_returned() {
    let sandbox = Sandbox::start();
    let number = Arc::new(AtomicU64::new(0));
    let (inside, phases) = (Arc::clone(&number), Arc::new(Mutex::new(Vec::new())));
    let hold = |number: &AtomicU64| {
        let code = borrowed(number).hold(1);
        assert!(["MAILRU_OK", "MAILRU_INVALID_HANDLE"].contains(&code), "{code}");
    };
    let recorder = Recorder::acting(move |_| hold(&inside));
    let session = password_session(&sandbox);
    number.store(session.0, Ordering::SeqCst);
    assert_eq!(recorder.listen(&session), 0);
    let (during, noted) = (Arc::clone(&number), Arc::clone(&phases));
    session.on_renewal(move |phase| {
        noted.lock().unwrap().push(phase);
        hold(&during);
    });
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| session.call("friends.get", None));
        recorder.await_received(1);
        let late = session.call_within("friends.get", None, 100, 0).expect("MAILRU_TIMEOUT");
        assert!(late.json.contains("token callback"), "{}", late.json);
        let used = sandbox.requests().iter().any(|it| it["params"]["session_key"].is_string());
        assert!(!used && !waiting.is_finished(), "the tokens are held back");
        assert_eq!(session.hold(0), "MAILRU_OK");
        waiting.join().expect("no panic").expect_ok();
        // A renewal, whose request waits for the first callback, and whose end for the others.
        let renewing = scope.spawn(|| session.authorize());
        for (phase, sets, requests) in [(1, 1, 1), (1, 2, 2), (0, 2, 2)] {
            let reached = || phases.lock().unwrap().last() == Some(&phase) && recorder.received().len() == sets;
            await_that("the callback was called", reached);
            std::thread::sleep(Duration::from_millis(50));
            assert!(reached() && !renewing.is_finished() && sandbox.token_requests() == requests, "it is held");
            assert_eq!(session.hold(0), "MAILRU_OK");
        }
        renewing.join().expect("no panic").expect_ok();
    });
    // Outside of a callback, and where there is nothing to hold.
    assert_eq!((session.hold(1), session.hold(2), session.hold(0)), {
        ("MAILRU_INVALID_ARGUMENT", "MAILRU_INVALID_ARGUMENT", "MAILRU_OK")
    });
    let public = Session(Constructor::of("public").make_raw(&[], std::ptr::null()));
    assert_eq!((public.hold(0), Session(0).hold(0)), ("MAILRU_INVALID_ARGUMENT", "MAILRU_INVALID_HANDLE"));
    // Freeing the session ends it.
    std::thread::scope(|scope| {
        let renewing = scope.spawn(|| session.authorize());
        await_that("the renewal begins", || phases.lock().unwrap().len() == 3);
        mailru_session_free(session.0);
        renewing.join().expect("no panic").expect("MAILRU_CANCELLED");
        recorder.await_releases(1);
    });
}
