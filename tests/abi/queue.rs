//! The queue: each accepted submission is completed once, and no thread waits forever.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use mailru::ffi::*;
use serde_json::json;

use crate::support::*;

const WAIT: i32 = 20_000;

/// Whether a descriptor is readable now.
fn is_readable(descriptor: i32) -> bool {
    let mut poll = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
    // SAFETY: one structure, for the time of the call.
    let ready = unsafe { libc::poll(&mut poll, 1, 0) };
    assert!(ready >= 0, "poll failed");
    ready == 1
}

/// The number of this process's threads that serve a queue.
fn queue_threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux");
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("mailru-queue")).count()
}

#[test]
fn each_submission_is_completed_once_with_its_own_answer() {
    let sandbox = Sandbox::start();
    let sessions = [client(&sandbox.options(json!({}))), server(&sandbox.options(json!({})))];
    let queue = Queue::new(16, 5000);
    let taken = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for submitter in 0..4_u64 {
            let (queue, sessions) = (&queue, &sessions);
            scope.spawn(move || {
                for number in 0..500 {
                    let tag = submitter << 32 | number;
                    let params = json!({ "tag": tag }).to_string();
                    queue.submit(&sessions[number as usize % 2], "sandbox.echo", &*params, tag).expect("MAILRU_OK");
                }
            });
        }
        for _ in 0..3 {
            let (queue, taken) = (&queue, &taken);
            scope.spawn(move || {
                loop {
                    if taken.lock().unwrap().len() == 2000 {
                        return;
                    }
                    if let Some((tag, answer)) = queue.next(50) {
                        assert_eq!(answer.value()["tag"], tag.to_string(), "{}", answer.json);
                        taken.lock().unwrap().push(tag);
                    }
                }
            });
        }
    });
    let taken = taken.into_inner().unwrap();
    assert_eq!(taken.iter().collect::<BTreeSet<_>>().len(), 2000, "each tag once");
    assert!(queue.next(0).is_none());
}

#[test]
fn completions_come_in_the_order_of_completion() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    sandbox.fault(json!({ "method": "sandbox.echo.slow" }), json!(1), json!({ "kind": "delay", "ms": 400 }));
    let queue = Queue::new(2, 0);
    queue.submit(&session, "sandbox.echo.slow", None, 1).expect("MAILRU_OK");
    queue.submit(&session, "sandbox.echo", None, 2).expect("MAILRU_OK");
    let order: Vec<_> = (0..2).map(|_| queue.next(WAIT).expect("a completion").0).collect();
    assert_eq!(order, [2, 1]);
}

#[test]
fn invalid_submissions_are_refused_at_once() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    let queue = Queue::new(1, 2);
    let refused = queue.submit(&session, "bad name", None, 1).expect("MAILRU_INVALID_ARGUMENT");
    assert_eq!(refused.error("argument"), "method");
    let refused = queue.submit(&session, "friends.get", r#"{"sig":"x"}"#, 1).expect("MAILRU_INVALID_ARGUMENT");
    assert_eq!(refused.error("argument"), "sig");
    queue.submit(&Session(12345), "friends.get", None, 1).expect("MAILRU_INVALID_HANDLE");
    // SAFETY: NULL means no options; the error is a local variable.
    let public = made(|error| unsafe { mailru_public_session_new(std::ptr::null(), error) }).expect("a session");
    queue.submit(&public, "friends.get", None, 1).expect("MAILRU_SIGNATURE_UNDEFINED");
    for tag in 0..2 {
        queue.submit(&session, "friends.get", None, tag).expect("MAILRU_OK");
    }
    let full = queue.submit(&session, "friends.get", None, 3).expect("MAILRU_QUEUE_FULL");
    assert_eq!(full.error("transient"), true);
    // A completed submission counts until it is handed out.
    await_that("both calls", || sandbox.requests().len() == 2);
    await_that("a completion", || is_readable(mailru_queue_fd(queue.0)));
    queue.submit(&session, "friends.get", None, 3).expect("MAILRU_QUEUE_FULL");
    queue.next(WAIT).expect("a completion");
    queue.submit(&session, "friends.get", None, 3).expect("MAILRU_OK");
    assert_eq!(queue.next(-2).expect("a refusal").1.expect("MAILRU_INVALID_ARGUMENT").error("argument"), "timeout_ms");
}

#[test]
fn the_descriptor_is_readable_only_while_a_completion_waits() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    let queue = Queue::new(4, 0);
    queue.submit(&session, "friends.get", None, 0).expect("MAILRU_OK");
    thread::sleep(Duration::from_millis(200));
    let descriptor = mailru_queue_fd(queue.0);
    assert_eq!(descriptor, mailru_queue_fd(queue.0), "the same each time");
    assert!(is_readable(descriptor), "a completion was there before the descriptor");
    for round in 0..50 {
        for tag in 0..3 {
            queue.submit(&session, "sandbox.echo", None, tag).expect("MAILRU_OK");
        }
        for _ in 0..if round == 0 { 4 } else { 3 } {
            let begun = Instant::now();
            while !is_readable(descriptor) {
                assert!(begun.elapsed() < Duration::from_secs(20), "never readable");
                thread::yield_now();
            }
            queue.next(0).expect("readable, so there is one");
        }
        assert!(queue.next(0).is_none());
        assert!(!is_readable(descriptor), "empty, so not readable");
    }
}

#[test]
fn a_tag_is_cancelled_whether_it_waits_or_runs() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    sandbox.fault(json!({ "method": "sandbox.echo.slow" }), json!(null), json!({ "kind": "delay", "ms": 5000 }));
    let queue = Queue::new(1, 0);
    queue.submit(&session, "sandbox.echo.slow", None, 1).expect("MAILRU_OK");
    await_that("the only worker is busy", || sandbox.requests().len() == 1);
    for tag in [2, 3, 2] {
        queue.submit(&session, "sandbox.echo", None, tag).expect("MAILRU_OK");
    }
    // The waiting ones are completed although the only worker is busy.
    assert_eq!(name(mailru_queue_cancel(queue.0, 2)), "MAILRU_OK");
    for _ in 0..2 {
        let (tag, answer) = queue.next(1000).expect("completed at once");
        answer.expect("MAILRU_CANCELLED");
        assert_eq!(tag, 2);
    }
    assert!(queue.next(0).is_none());
    let begun = Instant::now();
    mailru_queue_cancel(queue.0, 1);
    let (tag, answer) = queue.next(WAIT).expect("the running one ends");
    answer.expect("MAILRU_CANCELLED");
    assert_eq!(tag, 1);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let (tag, answer) = queue.next(WAIT).expect("the other continues");
    answer.expect_ok();
    assert_eq!(tag, 3);
}

#[test]
fn freeing_a_session_completes_its_submissions_and_no_others() {
    let sandbox = Sandbox::start();
    let [doomed, other] = [client(&sandbox.options(json!({}))), client(&sandbox.options(json!({})))];
    sandbox.fault(json!({ "method": "sandbox.echo.slow" }), json!(null), json!({ "kind": "delay", "ms": 1500 }));
    for cancel_first in [true, false] {
        let queue = Queue::new(1, 0);
        queue.submit(&other, "sandbox.echo.slow", None, 1).expect("MAILRU_OK");
        for tag in 10..15 {
            queue.submit(&doomed, "sandbox.echo", None, tag).expect("MAILRU_OK");
        }
        if cancel_first {
            assert_eq!(name(mailru_session_cancel(doomed.0)), "MAILRU_OK");
        } else {
            mailru_session_free(doomed.0);
        }
        let cancelled = (10..15).map(|_| {
            let (tag, answer) = queue.next(1000).expect("completed although no worker is free");
            answer.expect("MAILRU_CANCELLED");
            tag
        });
        // They are completed at once, so in any order.
        assert_eq!(cancelled.collect::<BTreeSet<_>>(), (10..15).collect());
        let (tag, answer) = queue.next(WAIT).expect("the other session's");
        answer.expect_ok();
        assert_eq!(tag, 1);
    }
}

#[test]
fn freeing_wakes_waiters_and_ends_only_its_own_calls() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    sandbox.fault(json!({ "method": "sandbox.echo.slow" }), json!(null), json!({ "kind": "delay", "ms": 1000 }));
    let (queue, other) = (Queue::new(2, 0), Queue::new(1, 0));
    queue.submit(&session, "sandbox.echo.slow", None, 1).expect("MAILRU_OK");
    other.submit(&session, "sandbox.echo.slow", None, 2).expect("MAILRU_OK");
    let empty = Queue::new(0, 0);
    thread::scope(|scope| {
        let waiters: Vec<_> =
            (0..4).map(|_| scope.spawn(|| empty.next(-1).expect("woken with an error").1.name())).collect();
        let direct = scope.spawn(|| session.call("sandbox.echo.slow", None).name());
        await_that("all calls are running", || sandbox.requests().len() == 3);
        mailru_queue_free(empty.0);
        mailru_queue_free(queue.0);
        for waiter in waiters {
            assert_eq!(waiter.join().expect("no panic"), "MAILRU_INVALID_HANDLE");
        }
        assert_eq!(direct.join().expect("no panic"), "MAILRU_OK");
    });
    other.next(WAIT).expect("the other queue's call continues").1.expect_ok();
    queue.submit(&session, "friends.get", None, 1).expect("MAILRU_INVALID_HANDLE");
    assert_eq!(mailru_queue_fd(queue.0), -1);
    mailru_queue_free(queue.0);
}

#[test]
fn a_time_limit_begins_with_the_call_not_with_its_submission() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({ "timeout_ms": 900, "retries": 0 })));
    sandbox.fault(json!({ "method": "sandbox.echo.slow" }), json!(null), json!({ "kind": "delay", "ms": 400 }));
    let queue = Queue::new(1, 0);
    for tag in 0..4 {
        queue.submit(&session, "sandbox.echo.slow", None, tag).expect("MAILRU_OK");
    }
    for _ in 0..4 {
        queue.next(WAIT).expect("a completion").1.expect_ok();
    }
}

#[test]
fn one_thread_performs_all_and_ends_when_idle() {
    // In a separate process, because other tests' queues have threads too.
    if std::env::var_os("MAILRU_TEST_ALONE").is_none() {
        let test = std::env::current_exe().expect("a test knows its path");
        let status = std::process::Command::new(test)
            .args(["--exact", "queue::one_thread_performs_all_and_ends_when_idle"])
            .env("MAILRU_TEST_ALONE", "1")
            .stdout(std::process::Stdio::null())
            .status();
        assert!(status.expect("the test runs").success());
        return;
    }
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    let queue = Queue::new(6, 0);
    assert_eq!(queue_threads(), 0, "none before the first submission");
    queue.submit(&session, "friends.get", None, 0).expect("MAILRU_OK");
    queue.next(WAIT).expect("a completion");
    assert_eq!(queue_threads(), 1, "one for a call");
    sandbox.fault(json!({ "method": "sandbox.echo.slow" }), json!(null), json!({ "kind": "delay", "ms": 300 }));
    for tag in 0..20 {
        queue.submit(&session, "sandbox.echo.slow", None, tag).expect("MAILRU_OK");
    }
    await_that("the calls are in flight", || sandbox.requests().len() > 6);
    assert_eq!(queue_threads(), 1, "one for any number of calls");
    for _ in 0..20 {
        queue.next(WAIT).expect("a completion").1.expect_ok();
    }
    let idle_since = Instant::now();
    while queue_threads() > 0 {
        assert!(idle_since.elapsed() < Duration::from_secs(15), "it does not end although it is idle");
        thread::sleep(Duration::from_millis(100));
    }
    queue.submit(&session, "friends.get", None, 0).expect("MAILRU_OK");
    queue.next(WAIT).expect("it is started again").1.expect_ok();
}
