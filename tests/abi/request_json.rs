//! Any request as JSON: `mailru_request`, `mailru_queue_request`, `mailru_cancel_progress`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mailru::ffi::*;
use serde_json::{Value, json};

use crate::support::*;

const WAIT: i32 = 20_000;

/// The last request as the sandbox received it, without the parts that differ between requests.
fn seen(sandbox: &Sandbox) -> Value {
    let last = sandbox.last();
    json!([last["http_method"], last["path"], last["params"]["method"], last["params"]["ext"], last["files"]])
}

#[test]
fn the_other_functions_and_requests_are_equivalent() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    let file = b"\xff\xd8 a picture";
    let call = |session: &Session| session.call("friends.get", r#"{"ext":1}"#).expect_ok();
    let request = |json: &str, data: Option<&[u8]>| session.request(json, data, 0).expect_ok();

    let expected = (call(&session), seen(&sandbox));
    let asked = (request(r#"{"method":"friends.get","params":{"ext":1}}"#, None), seen(&sandbox));
    assert_eq!(asked, expected);

    let expected = (session.public("mail/demo", None).expect_ok(), seen(&sandbox));
    assert_eq!((request(r#"{"public":"mail/demo"}"#, None), seen(&sandbox)), expected);

    let uploaded = session.upload("sandbox.echo", None, "img_file", "a.jpg", file).expect_ok();
    let expected = seen(&sandbox);
    assert_eq!(sandbox.last()["files"][0]["content_type"], "application/octet-stream");
    let json = r#"{"method":"sandbox.echo","file":{"field":"img_file","name":"a.jpg"}}"#;
    assert_eq!(request(json, Some(file)).len(), uploaded.len());
    assert_eq!(seen(&sandbox), expected);
    let json = r#"{"method":"sandbox.echo","file":{"field":"img_file","name":"a.jpg","type":"image/jpeg"}}"#;
    request(json, Some(file));
    assert_eq!(sandbox.last()["files"][0]["content_type"], "image/jpeg");

    let tokens = request(r#"{"authorize":true}"#, None);
    assert_eq!(tokens, session.authorize().expect_ok());
}

#[test]
fn a_request_has_its_own_options() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({ "retry_delay_ms": 1 })));
    let error = json!({ "kind": "platform_error", "code": 3 });
    let requests = || sandbox.get("stats")["requests"].as_u64().expect("a number");
    for (member, attempts) in [(r#","retries":0"#, 1), (r#","retries":1"#, 2), ("", 3)] {
        sandbox.fault(json!({ "method": "friends.get" }), json!(10), error.clone());
        let before = requests();
        let json = format!(r#"{{"method":"friends.get"{member}}}"#);
        session.request(&json, None, 0).expect("MAILRU_API_ERROR");
        assert_eq!(requests() - before, attempts, "{member}");
        sandbox.post("reset", json!({}));
    }
    sandbox.fault(json!({ "method": "friends.get" }), json!(10), error);
    let passed = session.request(r#"{"method":"friends.get","pass_error":true,"retries":0}"#, None, 0).expect_ok();
    assert!(passed.contains("error_code"), "{passed}");
    sandbox.post("reset", json!({}));
    sandbox.fault(json!({ "method": "friends.get" }), json!(1), json!({ "kind": "delay", "ms": 3000 }));
    let begun = Instant::now();
    session.request(r#"{"method":"friends.get","timeout_ms":100}"#, None, 0).expect("MAILRU_TIMEOUT");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn mistakes_name_the_argument() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    let queue = Queue::new(1, 0);
    for (json, data, argument) in [
        ("{}", None, "request_json"),
        (r#"{"method":"friends.get","timeout":1}"#, None, "timeout"),
        (r#"{"method":"friends.get","params":{"sig":"x"}}"#, None, "sig"),
        (r#"{"method":"friends.get"}"#, Some(b"x".as_slice()), "data"),
        (r#"{"method":"friends.get","file":{"field":"f","name":"n"}}"#, None, "data"),
    ] {
        let refused = session.request(json, data, 0).expect("MAILRU_INVALID_ARGUMENT");
        assert_eq!(refused.error("argument"), argument, "{json}");
        let refused = queue.request(&session, json, data, 0, 1).expect("MAILRU_INVALID_ARGUMENT");
        assert_eq!(refused.error("argument"), argument, "{json}");
    }
    session.request(r#"{"method":"friends.get"}"#, None, 12345).expect("MAILRU_INVALID_HANDLE");
    // SAFETY: the function must accept NULL.
    Answer::of(|code| unsafe { mailru_request(session.0, std::ptr::null(), std::ptr::null(), 0, 0, code) })
        .expect("MAILRU_INVALID_ARGUMENT");
    // SAFETY: the bytes are never read.
    Answer::of(|code| unsafe { mailru_request(session.0, c"{}".as_ptr(), std::ptr::null(), 7, 0, code) })
        .expect("MAILRU_INVALID_ARGUMENT");
    assert!(queue.next(0).is_none(), "nothing was accepted");
    assert_eq!(sandbox.get("stats")["requests"], 0);
}

#[test]
fn every_kind_of_request_goes_through_a_queue() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    let queue = Queue::new(2, 0);
    let file = vec![7; 100_000];
    for (tag, json, data) in [
        (1, r#"{"method":"friends.get","params":{"ext":1}}"#, None),
        (2, r#"{"method":"sandbox.echo","file":{"field":"f","name":"n"}}"#, Some(file.as_slice())),
        (3, r#"{"public":"mail/demo"}"#, None),
        (4, r#"{"authorize":true}"#, None),
    ] {
        queue.request(&session, json, data, 0, tag).expect("MAILRU_OK");
    }
    let mut tags = Vec::new();
    while tags.len() < 4 {
        let (tag, answer) = queue.next(WAIT).expect("a completion");
        answer.expect_ok();
        tags.push(tag);
    }
    tags.sort_unstable();
    assert_eq!(tags, [1, 2, 3, 4]);
}

#[test]
fn a_cancel_handle_ends_queued_requests() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    sandbox.fault(json!({ "method": "sandbox.echo" }), json!(10), json!({ "kind": "delay", "ms": 5000 }));
    let queue = Queue::new(1, 0);
    let cancel = mailru_cancel_new();
    for tag in 0..3 {
        queue.request(&session, r#"{"method":"sandbox.echo"}"#, None, cancel, tag).expect("MAILRU_OK");
    }
    assert_eq!(mailru_cancel_fire(cancel), MAILRU_OK);
    for _ in 0..3 {
        queue.next(1000).expect("at once").1.expect("MAILRU_CANCELLED");
    }
    queue.request(&session, r#"{"method":"sandbox.echo"}"#, None, cancel, 9).expect("MAILRU_CANCELLED");
    mailru_cancel_free(cancel);
}

fn progress(cancel: mailru_cancel) -> (u64, u64) {
    let (mut sent, mut total) = (u64::MAX, u64::MAX);
    // SAFETY: both are local variables.
    assert_eq!(unsafe { mailru_cancel_progress(cancel, &mut sent, &mut total) }, MAILRU_OK);
    (sent, total)
}

#[test]
fn an_upload_reports_its_progress() {
    const SIZE: usize = 20_000_000;
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    let file = vec![7; SIZE];
    let cancel = mailru_cancel_new();
    assert_eq!(progress(cancel), (0, 0));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut seen = vec![(0, 0)];
            while !done.load(Ordering::SeqCst) {
                seen.push(progress(cancel));
                thread::yield_now();
            }
            seen
        });
        let json = r#"{"method":"photos.upload","params":{"aid":"1"},"file":{"field":"img_file","name":"a.jpg"}}"#;
        session.request(json, Some(&file), cancel).expect_ok();
        done.store(true, Ordering::SeqCst);
        let seen = watcher.join().expect("no panic");
        assert!(seen.is_sorted(), "it only grows");
    });
    let (sent, total) = progress(cancel);
    assert_eq!(sent, total);
    assert!((SIZE as u64..SIZE as u64 + 2000).contains(&total), "{total}");
    mailru_cancel_free(cancel);
    let (mut sent, mut total) = (1, 1);
    // SAFETY: both are local variables.
    assert_eq!(name(unsafe { mailru_cancel_progress(cancel, &mut sent, &mut total) }), "MAILRU_INVALID_HANDLE");
    assert_eq!((sent, total), (0, 0));
    // SAFETY: NULL is allowed.
    let code = unsafe { mailru_cancel_progress(cancel, std::ptr::null_mut(), std::ptr::null_mut()) };
    assert_eq!(name(code), "MAILRU_INVALID_HANDLE");
}
