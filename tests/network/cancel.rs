//! Cancellation: in every phase of a call, by every means, within 50 ms, without effect on other calls.

use std::thread;
use std::time::{Duration, Instant};

use mailru::ffi::*;
use serde_json::{Value, json};

use crate::support::*;
use crate::tools::*;

/// The ways in which a host can end a call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Means {
    Cancel,
    Fire,
    Free,
}

/// A session whose calls hang in some phase.
pub struct Stuck<'a> {
    pub session: Session,
    /// Makes a call that hangs, with this cancel handle.
    pub call: &'a (dyn Fn(&Session, mailru_cancel) -> Answer + Sync),
    /// Shows that the session still works.
    pub works: &'a dyn Fn(&Session),
}

/// Ends hanging calls by each means, and checks the outcomes.
pub fn ends_in_time<'a>(phase: &str, make: impl Fn() -> Stuck<'a>) {
    for means in [Means::Cancel, Means::Fire, Means::Free] {
        // At most three tries, because the machine may be busy for 50 ms.
        let mut latencies = Vec::new();
        while latencies.len() < 3 && latencies.last().is_none_or(|last| *last > ms(50)) {
            latencies.push(end(means, make()));
        }
        let last = latencies.last().expect("a try");
        assert!(*last <= ms(50), "{phase}, {means:?}: {latencies:?}");
        println!("measured: {phase}, {means:?}: {last:?}");
    }
}

/// Ends one hanging call; returns how long that took.
fn end(means: Means, stuck: Stuck<'_>) -> Duration {
    let cancel = mailru_cancel_new();
    let Stuck { session, call, works } = stuck;
    let took = thread::scope(|scope| {
        // A cancellation before the call begins would not affect it.
        let running = hanging(scope, || {
            let answer = call(&session, cancel);
            (Instant::now(), answer)
        });
        let begun = Instant::now();
        match means {
            Means::Cancel => assert_eq!(mailru_session_cancel(session.0), MAILRU_OK),
            Means::Fire => assert_eq!(mailru_cancel_fire(cancel), MAILRU_OK),
            Means::Free => mailru_session_free(session.0),
        }
        let (ended, answer) = running.join().expect("no panic");
        answer.expect("MAILRU_CANCELLED");
        ended - begun
    });
    match means {
        Means::Cancel => works(&session),
        Means::Fire => {
            let (late, answer) = timed(|| session.call_within("friends.get", None, 0, cancel));
            answer.expect("MAILRU_CANCELLED");
            assert!(late < ms(50), "a fired handle ends calls at once, not after {late:?}");
            works(&session);
        }
        Means::Free => {
            session.call("friends.get", None).expect("MAILRU_INVALID_HANDLE");
        }
    }
    mailru_cancel_free(cancel);
    took
}

pub fn friends(session: &Session, cancel: mailru_cancel) -> Answer {
    session.call_within("friends.get", None, 0, cancel)
}

/// A call to another address of the same session.
pub fn public_page(session: &Session) {
    session.public("mail/demo", None).expect_ok();
}

/// A second call that hangs until its time limit shows that the cancellation has ended.
fn hangs_again(session: &Session) {
    session.call_within("friends.get", None, 100, 0).expect("MAILRU_TIMEOUT");
}

#[test]
fn while_connecting() {
    let (sandbox, hole) = (Sandbox::start(), BlackHole::open());
    let options = sandbox.options(json!({ "api_url": format!("http://127.0.0.1:{}/", hole.port) }));
    ends_in_time("connecting", || Stuck { session: client(&options), call: &friends, works: &public_page });
}

#[test]
fn during_the_tls_handshake() {
    let (sandbox, silent) = (Sandbox::start(), RawServer::silent());
    let options = sandbox.options(json!({ "api_url": format!("https://127.0.0.1:{}/", silent.port) }));
    ends_in_time("TLS handshake", || Stuck { session: client(&options), call: &friends, works: &public_page });
}

#[test]
fn while_a_proxy_is_silent() {
    let silent = RawServer::silent();
    for (scheme, phase) in [("http", "HTTP proxy"), ("socks5", "SOCKS proxy")] {
        let proxy = format!("{scheme}://127.0.0.1:{}", silent.port);
        let options = json!({ "api_url": "https://127.0.0.1:9/", "proxy": proxy }).to_string();
        ends_in_time(phase, || Stuck { session: client(&options), call: &friends, works: &hangs_again });
    }
    let hole = BlackHole::open();
    let options = json!({ "api_url": "https://127.0.0.1:9/", "proxy": format!("socks5://127.0.0.1:{}", hole.port) });
    ends_in_time("connecting to a SOCKS proxy", || Stuck {
        session: client(&options.to_string()),
        call: &friends,
        works: &hangs_again,
    });
}

#[test]
fn while_the_answer_is_awaited_or_comes_slowly() {
    for (fault, phase) in [
        (json!({"kind":"silent"}), "head"),
        (json!({"kind":"drip","ms":20,"phase":"head"}), "dripping head"),
        (json!({"kind":"hang_body"}), "body"),
        (json!({"kind":"drip","ms":20}), "dripping body"),
    ] {
        let sandbox = Sandbox::start();
        sandbox.fault(json!({"path":"/platform/api"}), Value::Null, fault);
        let options = sandbox.options(json!({}));
        ends_in_time(phase, || Stuck { session: client(&options), call: &friends, works: &public_page });
    }
}

#[test]
fn over_tls_as_well() {
    let tls = TlsSandbox::start(&[]);
    tls.sandbox.fault(json!({"path":"/platform/api"}), Value::Null, json!({"kind":"hang_body"}));
    let options = tls.options(json!({}));
    ends_in_time("body over TLS", || Stuck { session: client(&options), call: &friends, works: &public_page });
}

#[test]
fn while_a_file_is_sent() {
    let (sandbox, silent) = (Sandbox::start(), RawServer::silent());
    let options = sandbox.options(json!({ "api_url": format!("http://127.0.0.1:{}/", silent.port) }));
    let file = vec![0; 20 << 20];
    let upload = |session: &Session| session.upload("photos.upload", r#"{"aid":"1"}"#, "img_file", "a.jpg", &file);
    let took = |free: bool| {
        let session = client(&options);
        thread::scope(|scope| {
            let running = hanging(scope, || {
                let answer = upload(&session);
                (Instant::now(), answer)
            });
            let begun = Instant::now();
            if free {
                mailru_session_free(session.0)
            } else {
                assert_eq!(mailru_session_cancel(session.0), MAILRU_OK)
            };
            let (ended, answer) = running.join().expect("no panic");
            answer.expect("MAILRU_CANCELLED");
            ended - begun
        })
    };
    for free in [false, true] {
        let best = (0..3).map(|_| took(free)).min().expect("three");
        assert!(best <= ms(50), "{best:?}");
    }
}

#[test]
fn in_the_pause_before_a_retry() {
    let sandbox = Sandbox::start();
    sandbox.fault(json!({"path":"/platform/api"}), Value::Null, json!({"kind":"platform_error","code":3}));
    let options = sandbox.options(json!({ "retry_delay_ms": 20_000, "timeout_ms": 60_000 }));
    ends_in_time("back-off", || Stuck { session: client(&options), call: &friends, works: &public_page });
}

/// Both the call that began the renewal and those that only wait for it; the renewal itself continues.
#[test]
fn while_waiting_for_a_renewal() {
    let sandbox = Sandbox::start();
    sandbox.fault(json!({"path":"/oauth/token"}), Value::Null, json!({"kind":"silent"}));
    let options = sandbox.options(json!({ "refresh_token": "r", "expires_in": 0 }));
    ends_in_time("renewal", || Stuck { session: client(&options), call: &friends, works: &public_page });
    ends_in_time("another thread's renewal", || {
        let session = client(&options);
        let number = session.0;
        // The call that began the renewal and stopped waiting.
        session.call_within("friends.get", None, 30, 0).expect("MAILRU_TIMEOUT");
        assert_eq!(session.0, number);
        Stuck { session, call: &friends, works: &public_page }
    });
    let refreshes = sandbox.requests().iter().filter(|request| request["grant"] == "refresh_token").count();
    assert!(refreshes >= 6, "one renewal for each session: {refreshes}");
}

#[test]
fn other_calls_continue() {
    let sandbox = Sandbox::start();
    sandbox.fault(json!({"path":"/platform/api"}), Value::Null, json!({"kind":"delay","ms":800}));
    let (one, other) = (client(&sandbox.options(json!({}))), client(&sandbox.options(json!({}))));
    let [fired, kept] = [mailru_cancel_new(), mailru_cancel_new()];
    thread::scope(|scope| {
        let (one, other) = (&one, &other);
        let call = |session, handle| scope.spawn(move || friends(session, handle));
        let (ended, ended_too) = (call(one, fired), call(other, fired));
        let (same_session, without_handle) = (call(one, kept), call(other, 0));
        eventually("four requests", || sandbox.requests().len() == 4);
        assert_eq!(mailru_cancel_fire(fired), MAILRU_OK);
        for call in [ended, ended_too] {
            call.join().expect("no panic").expect("MAILRU_CANCELLED");
        }
        for call in [same_session, without_handle] {
            call.join().expect("no panic").expect_ok();
        }
        let (cancelled, untouched) = (call(one, kept), call(other, kept));
        eventually("two more", || sandbox.requests().len() == 6);
        // Freeing a handle cancels nothing.
        mailru_cancel_free(kept);
        assert_eq!(mailru_session_cancel(one.0), MAILRU_OK);
        cancelled.join().expect("no panic").expect("MAILRU_CANCELLED");
        untouched.join().expect("no panic").expect_ok();
    });
    one.call("friends.get", None).expect_ok();
    mailru_cancel_free(fired);
    one.call_within("friends.get", None, 0, fired).expect("MAILRU_INVALID_HANDLE");
}

/// One cancellation ends all calls of a session, and a cancelled connection is not used again.
#[test]
fn many_calls_at_once() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    sandbox.fault(json!({"path":"/platform/api"}), Value::Null, json!({"kind":"silent"}));
    thread::scope(|scope| {
        let running: Vec<_> = (0..50).map(|_| scope.spawn(|| friends(&session, 0))).collect();
        eventually("50 requests", || sandbox.requests().len() == 50);
        let (took, ()) = timed(|| {
            assert_eq!(mailru_session_cancel(session.0), MAILRU_OK);
            running.into_iter().for_each(|call| {
                call.join().expect("no panic").expect("MAILRU_CANCELLED");
            });
        });
        println!("measured: 50 calls ended together in {took:?}");
        assert!(took <= ms(400), "{took:?}");
    });
    sandbox.behave();
    session.call("friends.get", None).expect_ok();
    eventually("the 50 connections are closed", || sandbox.get("stats")["connections_open"].as_u64() <= Some(2));
}

/// A cancellation also works in the short time between the start of a connection attempt and the wait for it.
#[test]
fn at_any_moment_of_connecting() {
    let hole = BlackHole::open();
    let session = client(&json!({ "api_url": format!("http://127.0.0.1:{}/", hole.port) }).to_string());
    let mut latencies: Vec<Duration> = (0..400)
        .map(|_| {
            let cancel = mailru_cancel_new();
            let latency = thread::scope(|scope| {
                let running = scope.spawn(|| {
                    let answer = friends(&session, cancel);
                    (Instant::now(), answer)
                });
                let until = Instant::now() + Duration::from_micros(fastrand::u64(0..600));
                while Instant::now() < until {
                    std::hint::spin_loop();
                }
                let begun = Instant::now();
                mailru_cancel_fire(cancel);
                let (ended, answer) = running.join().expect("no panic");
                answer.expect("MAILRU_CANCELLED");
                ended.saturating_duration_since(begun)
            });
            mailru_cancel_free(cancel);
            latency
        })
        .collect();
    latencies.sort();
    println!("measured: 400 cancellations at any moment of connecting: at most {:?}", latencies[399]);
    // A lost cancellation would end after connect_timeout_ms, 10 s.
    assert!(latencies[300] <= ms(50) && latencies[399] < ms(3000), "{:?}", &latencies[300..]);
}
