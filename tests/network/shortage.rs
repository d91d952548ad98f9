//! Lack of memory: a large allocation that fails is a code, and the session still works afterwards.

use std::process::Command;

use mailru::ffi::{mailru_call, mailru_public};
use serde_json::{Value, json};

use crate::host::{compiled, text};
use crate::support::*;
use crate::tools::*;

/// Limits this process to `more` bytes of address space beyond its current use; `None` removes the limit.
fn allow(more: Option<u64>) {
    let limit = more.map_or(libc::RLIM_INFINITY, |more| memory("VmSize") as u64 * 1024 + more);
    let limit = libc::rlimit { rlim_cur: limit, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the structure is a local variable.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
}

#[test]
fn large_allocations_that_fail_are_a_code() {
    if !takes_long("large allocations that fail within a call") {
        return;
    }
    alone("shortage::large_allocations_that_fail_are_a_code", &[], || {
        let sandbox = Sandbox::start();
        let session = client(&sandbox.options(json!({ "max_response_bytes": 200_000_000, "retries": 2 })));
        // Made before memory is limited.
        let large = c(&json!({ "text": "\"".repeat(30_000_000) }).to_string());
        let (method, path) = (c("friends.get"), c("mail/demo"));
        // Larger than the memory that is already free in the process.
        let file = vec![7; 300_000_000];
        let queue = Queue::new(1, 4);
        // Initialise what is made on first use.
        session.call("friends.get", None).expect_ok();
        queue.submit(&session, "friends.get", None, 1).expect("MAILRU_OK");
        queue.next(10_000).expect("a completion");
        let requests = sandbox.requests().len();
        let out_of_memory = |answer: Answer| {
            let answer = answer.expect("MAILRU_OUT_OF_MEMORY");
            assert_eq!(answer.error("transient"), true, "{}", answer.json);
            answer
        };

        // An answer: the request was sent, and is not retried.
        sandbox.fault(json!({ "path": "/platform/api" }), json!(1), json!({ "kind": "huge", "bytes": 100_000_000 }));
        allow(Some(20_000_000));
        let answer = session.call("friends.get", None);
        allow(None);
        let answer = out_of_memory(answer);
        assert!(answer.error("error_msg").as_str().is_some_and(|text| text.contains("answer")), "{}", answer.json);
        assert_eq!((answer.error("sent"), sandbox.requests().len()), (json!(true), requests + 1));
        session.call("friends.get", None).expect_ok();

        // Parameters: nothing is sent.
        let requests = sandbox.requests().len();
        allow(Some(20_000_000));
        // SAFETY: the strings outlive the calls.
        let answers = unsafe {
            [
                Answer::of(|code| mailru_call(session.0, method.as_ptr(), large.as_ptr(), code)),
                Answer::of(|code| mailru_public(session.0, path.as_ptr(), large.as_ptr(), code)),
            ]
        };
        allow(None);
        for answer in answers {
            assert_eq!(out_of_memory(answer).error("sent"), false);
        }
        // A copy of a file for the queue.
        let request = json!({ "method": "photos.upload", "file": { "field": "img_file", "name": "a" } }).to_string();
        allow(Some(20_000_000));
        let refused = queue.request(&session, &request, Some(&file), 0, 2);
        allow(None);
        assert_eq!(out_of_memory(refused).error("sent"), false);
        assert_eq!(sandbox.requests().len(), requests);
        session.call("friends.get", None).expect_ok();
        session.upload("photos.upload", r#"{"aid":"1"}"#, "img_file", "a.jpg", &file[..1_000_000]).expect_ok();
    });
}

/// Calls take their buffers after they have begun, for example after a wait for `max_calls_per_second`. Without memory for
/// them a call fails, and the process does not end.
#[test]
fn many_threads_without_memory_for_buffers() {
    let Some(host) = compiled("shortage.c") else { return };
    let sandbox = Sandbox::start();
    // Longer than all calls need to begin: each has a connection of its own.
    sandbox.fault(json!({ "method": "friends.get" }), Value::Null, json!({ "kind": "delay", "ms": 2000 }));
    let options = sandbox.options(json!({ "max_idle_connections": 64, "max_calls_per_second": 30 }));
    let output = run(Command::new(host.path()).args([&options, "64"]));
    assert!(output.status.success(), "{}: {}{}", output.status, text(&output), errors(&output));
    assert!(text(&output).contains("some blocks were refused"), "{}", text(&output));
    println!("measured: {}", text(&output));
}
