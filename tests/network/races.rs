//! Races: cancellation and release against completion, and writes under failures at random moments.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mailru::ffi::*;
use serde_json::{Value, json};

use crate::support::*;
use crate::tools::*;

/// Waits without yielding the processor, because races are decided within microseconds.
fn spin(length: Duration) {
    let until = Instant::now() + length;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

/// The state of a pair of threads: one calls, the other ends the call at a random moment.
#[derive(Default)]
struct Pair {
    session: AtomicU64,
    cancel: AtomicU64,
    /// Set by the caller when it begins; cleared by the other thread when it is done.
    begun: AtomicBool,
    over: AtomicBool,
}

#[test]
fn calls_are_cancelled_while_they_finish() {
    alone("races::calls_are_cancelled_while_they_finish", &[], || {
        let races = rounds(20_000) as usize;
        let sandbox = Sandbox::start();
        sandbox.post("settings", json!({ "record": false }));
        // Some answers come in two parts, so that a call can be ended between them.
        let slow =
            json!({ "on": {}, "times": null, "probability": 0.05, "fault": {"kind":"delay","ms":1,"phase":"body"} });
        sandbox.post("faults", slow);
        let options = sandbox.options(json!({}));
        client(&options).call("friends.get", None).expect_ok();
        let counts = ["MAILRU_OK", "MAILRU_CANCELLED", "MAILRU_INVALID_HANDLE"].map(|name| (name, AtomicUsize::new(0)));
        let round = |races: usize| {
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| run_pair(&options, races / 4, &counts));
                }
            });
        };
        round(400);
        let (threads_before, descriptors_before, memory_before) = (threads().len(), descriptors(), memory("VmRSS"));
        let (took, ()) = timed(|| round(races));
        eventually("no thread is left", || threads().len() <= threads_before);
        eventually("no descriptor is left", || descriptors() <= descriptors_before + 16);
        let grown = memory("VmRSS").saturating_sub(memory_before);
        let counts = counts.map(|(name, count)| (name, count.into_inner()));
        println!("measured: {races} races in {took:?}: {counts:?}; memory grew by {grown} KiB");
        assert!(counts[..2].iter().all(|(_, count)| *count > races / 40), "both outcomes happen: {counts:?}");
        assert!(grown < 4_000, "{grown} KiB");
        client(&options).call("friends.get", None).expect_ok();
    });
}

/// Runs races between this thread, which calls, and one that ends its calls.
fn run_pair(options: &str, races: usize, counts: &[(&str, AtomicUsize)]) {
    let pair = Pair::default();
    let shared = client(options);
    thread::scope(|scope| {
        scope.spawn(|| end_calls(&pair));
        for number in 0..races {
            let cancel = mailru_cancel_new();
            let own = if fastrand::u8(0..4) == 0 { Some(client(options)) } else { None };
            let session = own.as_ref().unwrap_or(&shared);
            pair.session.store(session.0, Ordering::SeqCst);
            // 0 makes the other thread free the session.
            pair.cancel.store(if own.is_some() { 0 } else { cancel }, Ordering::SeqCst);
            pair.begun.store(true, Ordering::SeqCst);
            let mark = format!("{:?}-{number}", thread::current().id());
            let answer =
                session.call_within("sandbox.echo", json!({ "id": mark }).to_string().as_str(), 10_000, cancel);
            let count = counts.iter().find(|(name, _)| *name == answer.name());
            count.unwrap_or_else(|| panic!("{}: {}", answer.name(), answer.json)).1.fetch_add(1, Ordering::Relaxed);
            if answer.name() == "MAILRU_OK" {
                assert_eq!(answer.value()["id"], mark.as_str(), "another call's answer");
            }
            while pair.begun.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            mailru_cancel_free(cancel);
        }
        pair.over.store(true, Ordering::SeqCst);
    });
}

fn end_calls(pair: &Pair) {
    while !pair.over.load(Ordering::SeqCst) {
        if !pair.begun.load(Ordering::SeqCst) {
            thread::yield_now();
            continue;
        }
        let (session, cancel) = (pair.session.load(Ordering::SeqCst), pair.cancel.load(Ordering::SeqCst));
        spin(Duration::from_micros(fastrand::u64(0..1500)));
        match cancel {
            0 => mailru_session_free(session),
            _ if fastrand::bool() => drop(mailru_cancel_fire(cancel)),
            _ => drop(mailru_session_cancel(session)),
        }
        pair.begun.store(false, Ordering::SeqCst);
    }
}

#[test]
fn no_write_happens_twice_under_failures_at_random_moments() {
    let (plain, tls) = (Sandbox::start(), TlsSandbox::start(&[]));
    let limits = json!({ "timeout_ms": 5000, "retry_delay_ms": 1, "retries": 5 });
    let done: Mutex<Vec<(String, &'static str)>> = Mutex::default();
    for (sandbox, options, calls) in
        [(&plain, plain.options(limits.clone()), 2000), (&tls.sandbox, tls.options(limits.clone()), 400)]
    {
        done.lock().expect("no panic").clear();
        for (fault, probability) in [
            (json!({"kind":"reset","phase":"before"}), 0.05),
            (json!({"kind":"reset","phase":"after"}), 0.05),
            (json!({"kind":"reset","phase":"head"}), 0.05),
            (json!({"kind":"reset","phase":"body"}), 0.05),
            (json!({"kind":"close","phase":"before"}), 0.05),
            (json!({"kind":"close","phase":"after"}), 0.05),
            (json!({"kind":"truncate"}), 0.05),
            (json!({"kind":"platform_error","code":3}), 0.1),
            (json!({"kind":"platform_error","code":1}), 0.05),
            (json!({"kind":"status","status":503}), 0.05),
            (json!({"kind":"close_after"}), 0.3),
        ] {
            sandbox.post("faults", json!({"on":{},"times":null,"probability":probability,"fault":fault}));
        }
        for kind in ["reset", "close"] {
            let on = json!({"connection":true});
            sandbox.post("faults", json!({"on":on,"times":null,"probability":0.1,"fault":{"kind":kind}}));
        }
        let session = client(&options);
        thread::scope(|scope| {
            for worker in 0..8 {
                let (session, done) = (&session, &done);
                scope.spawn(move || {
                    for number in 0..calls / 8 {
                        let tag = format!("{worker}-{number}");
                        let cancel = mailru_cancel_new();
                        let answer = thread::scope(|scope| {
                            if fastrand::u8(0..10) == 0 {
                                scope.spawn(move || {
                                    thread::sleep(Duration::from_micros(fastrand::u64(0..3000)));
                                    mailru_cancel_fire(cancel)
                                });
                            }
                            let params = json!({ "tag": tag }).to_string();
                            session.call_within("sandbox.echoWrite", params.as_str(), 0, cancel)
                        });
                        mailru_cancel_free(cancel);
                        done.lock().expect("no panic").push((tag, answer.name()));
                    }
                });
            }
        });
        let applied = sandbox.get("applied");
        let applied: Vec<&Value> =
            applied.as_array().expect("an array").iter().map(|it| &it["params"]["tag"]).collect();
        let done = done.lock().expect("no panic");
        let mut outcomes = std::collections::BTreeMap::<_, usize>::new();
        for (tag, outcome) in done.iter() {
            let times = applied.iter().filter(|applied| **applied == tag.as_str()).count();
            let allowed = if *outcome == "MAILRU_OK" { 1..=1 } else { 0..=1 };
            assert!(allowed.contains(&times), "{tag} was done {times} times and answered {outcome}");
            *outcomes.entry(*outcome).or_default() += 1;
        }
        println!("measured: {} writes, {} done, none twice: {outcomes:?}", done.len(), applied.len());
        assert!(outcomes["MAILRU_OK"] > done.len() / 4 && outcomes["MAILRU_NETWORK_ERROR"] > done.len() / 20);
    }
}
