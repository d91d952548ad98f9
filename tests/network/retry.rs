//! Retries: exactly where the contract allows them, and never a write twice.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::*;
use crate::tools::*;

/// A method that reads, one that writes, and one that is not in the catalogue.
const READ: &str = "friends.get";
const WRITE: &str = "guestbook.post";
const UNKNOWN: &str = "sandbox.echo.unknown";

fn quick(sandbox: &Sandbox, more: Value) -> Session {
    let mut options = json!({ "retry_delay_ms": 1, "timeout_ms": 3000 });
    options.as_object_mut().expect("an object").extend(more.as_object().expect("options").clone());
    client(&sandbox.options(options))
}

/// The number of requests of one call.
fn requests_of(sandbox: &Sandbox, call: impl FnOnce() -> Answer) -> (usize, Answer) {
    let count = || sandbox.get("stats")["requests"].as_u64().expect("a number");
    let before = count();
    let answer = call();
    ((count() - before) as usize, answer)
}

#[test]
fn what_is_retried_and_what_is_not() {
    let sandbox = Sandbox::start();
    let platform = |code: i64| json!({"kind":"platform_error","code":code});
    let status = |status: u16| json!({"kind":"status","status":status});
    let cut = |kind: &str, phase: &str| json!({"kind":kind,"phase":phase});
    for (fault, code, [read, write, unknown]) in [
        (platform(3), "MAILRU_API_ERROR", [3, 3, 3]),
        (platform(1), "MAILRU_API_ERROR", [3, 1, 1]),
        (platform(100), "MAILRU_API_ERROR", [1, 1, 1]),
        (platform(102), "MAILRU_API_ERROR", [1, 1, 1]),
        (platform(201), "MAILRU_API_ERROR", [1, 1, 1]),
        // The platform's error has priority over the status, which a gateway may have set.
        (json!({"kind":"platform_error","code":100,"status":503}), "MAILRU_API_ERROR", [1, 1, 1]),
        (json!({"kind":"platform_error","code":3,"status":200}), "MAILRU_API_ERROR", [3, 3, 3]),
        (cut("reset", "before"), "MAILRU_NETWORK_ERROR", [3, 1, 1]),
        (cut("reset", "after"), "MAILRU_NETWORK_ERROR", [3, 1, 1]),
        (cut("reset", "head"), "MAILRU_MALFORMED_RESPONSE", [3, 1, 1]),
        (cut("reset", "body"), "MAILRU_MALFORMED_RESPONSE", [3, 1, 1]),
        (cut("close", "before"), "MAILRU_NETWORK_ERROR", [3, 1, 1]),
        (cut("close", "body"), "MAILRU_MALFORMED_RESPONSE", [3, 1, 1]),
        (status(502), "MAILRU_HTTP_ERROR", [3, 1, 1]),
        (status(503), "MAILRU_HTTP_ERROR", [3, 1, 1]),
        (status(504), "MAILRU_HTTP_ERROR", [3, 1, 1]),
        (status(500), "MAILRU_HTTP_ERROR", [1, 1, 1]),
        (status(408), "MAILRU_HTTP_ERROR", [3, 1, 1]),
        (status(425), "MAILRU_HTTP_ERROR", [3, 1, 1]),
        (status(429), "MAILRU_HTTP_ERROR", [3, 1, 1]),
        (json!({"kind":"garbage"}), "MAILRU_MALFORMED_RESPONSE", [1, 1, 1]),
        (json!({"kind":"bad_utf8"}), "MAILRU_MALFORMED_RESPONSE", [1, 1, 1]),
        (json!({"kind":"empty"}), "MAILRU_EMPTY_RESPONSE", [1, 1, 1]),
        (json!({"kind":"redirect","location":"/"}), "MAILRU_HTTP_ERROR", [1, 1, 1]),
    ] {
        sandbox.fault(json!({}), Value::Null, fault.clone());
        for (method, expected) in [(READ, read), (WRITE, write), (UNKNOWN, unknown)] {
            let session = quick(&sandbox, json!({}));
            let (made, answer) = requests_of(&sandbox, || session.call(method, r#"{"a":"1"}"#));
            assert_eq!((answer.name(), made), (code, expected), "{fault}, {method}: {}", answer.json);
            // A longer call and an upload are sent as a POST; the same rules for retries apply.
            if method == READ {
                let long = json!({ "a": "x".repeat(5000) }).to_string();
                let (made, _) = requests_of(&sandbox, || session.call(method, long.as_str()));
                assert_eq!(made, expected, "{fault}, {method} as POST");
            }
            if method == WRITE {
                let upload = || session.upload(method, "{}", "img_file", "a.jpg", b"x");
                assert_eq!(requests_of(&sandbox, upload).0, expected, "{fault}, upload");
            }
        }
        if fault["kind"] != "platform_error" {
            let session = quick(&sandbox, json!({}));
            let (made, _) = requests_of(&sandbox, || session.public("mail/demo", None));
            assert_eq!(made, read, "{fault}, public page");
        }
        sandbox.behave();
    }
}

/// Until the request is sent, a retry cannot do anything twice.
#[test]
fn an_unsent_request_is_retried() {
    let tls = TlsSandbox::start(&[]);
    for kind in ["reset", "close"] {
        for method in [READ, WRITE, UNKNOWN] {
            let session = client(&tls.options(json!({"retry_delay_ms":1})));
            let accepted = || tls.sandbox.get("stats")["connections_accepted"].as_u64().expect("a number");
            let before = accepted();
            tls.sandbox.fault(json!({"connection":true}), Value::Null, json!({"kind":kind}));
            let answer = session.call(method, None).expect("MAILRU_NETWORK_ERROR");
            assert_eq!(accepted() - before, 3, "{kind}, {method}: {}", answer.json);
            tls.sandbox.behave();
            tls.sandbox.fault(json!({"connection":true}), json!(2), json!({"kind":kind}));
            session.call(method, r#"{"uid":"1","description":"x"}"#);
            assert_eq!(accepted() - before, 6, "{kind}, {method}: the third connection is good");
            tls.sandbox.behave();
        }
    }
    // Nothing listens: refused at once, and reported after two pauses.
    let session = client(&json!({"api_url":"http://127.0.0.1:9/","retry_delay_ms":100}).to_string());
    let (took, answer) = timed(|| session.call(WRITE, None));
    let answer = answer.expect("MAILRU_NETWORK_ERROR");
    assert!(took >= ms(150), "{took:?}");
    assert_eq!(answer.error("transient"), true);
}

#[test]
fn the_number_of_retries_is_an_option() {
    let sandbox = Sandbox::start();
    for (retries, failures, code, made) in [
        (0, 1, "MAILRU_API_ERROR", 1),
        (1, 1, "MAILRU_OK", 2),
        (2, 2, "MAILRU_OK", 3),
        (2, 3, "MAILRU_API_ERROR", 3),
        (7, 7, "MAILRU_OK", 8),
    ] {
        let session = quick(&sandbox, json!({ "retries": retries }));
        sandbox.fault(json!({}), json!(failures), json!({"kind":"platform_error","code":3}));
        let (requests, answer) = requests_of(&sandbox, || session.call(READ, None));
        assert_eq!((answer.name(), requests), (code, made), "retries {retries}, {failures} failures");
        sandbox.behave();
    }
    // With pass_error the host gets the last error unchanged, after the same retries.
    let session = quick(&sandbox, json!({ "pass_error": true }));
    sandbox.fault(json!({}), Value::Null, json!({"kind":"platform_error","code":3}));
    let (requests, answer) = requests_of(&sandbox, || session.call(READ, None));
    assert_eq!((answer.name(), requests), ("MAILRU_OK", 3));
}

#[test]
fn pauses_grow_and_differ() {
    let sandbox = Sandbox::start();
    sandbox.fault(json!({}), Value::Null, json!({"kind":"platform_error","code":3}));
    let session = client(&sandbox.options(json!({ "retries": 3, "retry_delay_ms": 100 })));
    let mut firsts = Vec::new();
    for _ in 0..3 {
        let before = sandbox.requests().len();
        session.call(READ, None).expect("MAILRU_API_ERROR");
        let times: Vec<_> =
            sandbox.requests()[before..].iter().map(|request| request["at_ms"].as_u64().expect("a time")).collect();
        let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        for (pause, whole) in pauses.iter().zip([100, 200, 400]) {
            assert!((whole / 2 - 2..whole + 250).contains(pause), "{pauses:?}");
        }
        firsts.push(pauses[2]);
    }
    assert!(firsts.iter().any(|pause| *pause != firsts[0]), "no jitter: {firsts:?}");
}

/// A connection that the server closed while it was idle causes neither a failure nor a retry.
#[test]
fn connections_closed_while_idle_fail_no_call() {
    let closed = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&closed);
    let server = RawServer::start(move |mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]");
        drop(stream);
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let session = client(&server.options(json!({ "retries": 0 })));
    for number in 1..=50 {
        let method = [READ, WRITE][number % 2];
        let answer = session.call(method, None);
        assert_eq!(answer.name(), "MAILRU_OK", "{method} {number}: {}", answer.json);
        eventually("the connection is closed", || closed.load(Ordering::SeqCst) == number);
    }
    assert_eq!(server.connections(), 50);
}

/// A close just when the request is sent cannot be distinguished from a failure: a read is retried, a write fails.
#[test]
fn connections_closed_during_a_request() {
    let sandbox = Sandbox::start();
    sandbox.fault(json!({}), Value::Null, json!({"kind":"close_after","ms":0}));
    let session = quick(&sandbox, json!({}));
    let mut done = Vec::new();
    for number in 0..300 {
        session.call(READ, None).expect_ok();
        let answer = session.call("sandbox.echoWrite", format!(r#"{{"n":"w{number}"}}"#).as_str());
        assert!(matches!(answer.name(), "MAILRU_OK" | "MAILRU_NETWORK_ERROR"), "{}", answer.json);
        done.push((format!("w{number}"), answer.name() == "MAILRU_OK"));
    }
    let applied = sandbox.get("applied");
    let times = |tag: &str| {
        let applied = applied.as_array().expect("an array").iter();
        applied.filter(|write| write["params"]["n"] == tag).count()
    };
    for (tag, ok) in &done {
        let times = times(tag);
        assert!(if *ok { times == 1 } else { times <= 1 }, "{tag}: {times} times, answered {ok}");
    }
    let failed = done.iter().filter(|(_, ok)| !ok).count();
    println!("measured: of 300 writes on connections closed meanwhile, {failed} failed, none was done twice");
    // On a busy machine a close may arrive late; without watching for it a third of them failed.
    assert!(failed <= 15, "{failed} failed");
}

/// Only writes, one after the other: a server that keeps its connections gets one connection.
#[test]
fn writes_share_a_connection_that_the_server_keeps() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    for number in 0..20 {
        session.call("sandbox.echoWrite", format!(r#"{{"n":"{number}"}}"#).as_str()).expect_ok();
    }
    assert_eq!(sandbox.get("stats")["connections_platform"], 1);
}

/// A write does not use a connection that the server announced to close by then.
#[test]
fn a_write_does_not_use_a_connection_that_is_about_to_close() {
    let server = RawServer::start(|mut stream| {
        while read_head(&mut stream).is_some() {
            let answer = b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\n[]";
            if stream.write_all(answer).is_err() {
                return;
            }
        }
    });
    let session = client(&server.options(json!({ "retries": 0 })));
    for _ in 0..3 {
        session.call(WRITE, None).expect_ok();
    }
    assert_eq!(server.connections(), 1);
    std::thread::sleep(ms(600));
    session.call(WRITE, None).expect_ok();
    assert_eq!(server.connections(), 2, "half of the announced second had passed");
}

/// For example kept connections that a firewall has dropped: after one timeout all of them are closed.
#[test]
fn kept_connections_that_became_silent_cost_one_timeout() {
    let (silent, opened) = (Arc::new(AtomicUsize::new(usize::MAX)), Arc::new(AtomicUsize::new(0)));
    let (until, number) = (Arc::clone(&silent), Arc::clone(&opened));
    let server = RawServer::start(move |mut stream| {
        let number = number.fetch_add(1, Ordering::SeqCst);
        while read_head(&mut stream).is_some() {
            // Long enough that all of the first calls run at once.
            std::thread::sleep(ms(50));
            let is_forgotten = until.load(Ordering::SeqCst) == 0 && number < 16;
            if !is_forgotten && stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]").is_err() {
                return;
            }
        }
    });
    for method in [READ, WRITE] {
        silent.store(usize::MAX, Ordering::SeqCst);
        opened.store(0, Ordering::SeqCst);
        let session = client(&server.options(json!({ "timeout_ms": 400, "user_agent": method })));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| session.call_within(method, None, 10_000, 0).expect_ok());
            }
        });
        silent.store(0, Ordering::SeqCst);
        let outcomes: Vec<_> = (0..6).map(|_| session.call(method, None).name()).collect();
        let timed_out = outcomes.iter().filter(|name| **name == "MAILRU_TIMEOUT").count();
        assert_eq!((outcomes[0], timed_out), ("MAILRU_TIMEOUT", 1), "{method}: {outcomes:?}");
    }
}

/// A write whose answer is lost was carried out once, and the failure says that it may have been.
#[test]
fn a_write_whose_answer_is_lost_is_not_retried() {
    for tls in [false, true] {
        let (plain, secure) = (Sandbox::start(), TlsSandbox::start(&[]));
        let sandbox = if tls { &secure.sandbox } else { &plain };
        let options =
            if tls { secure.options(json!({"timeout_ms":500})) } else { plain.options(json!({"timeout_ms":500})) };
        let session = client(&options);
        let faults = [
            json!({"kind":"reset","phase":"after"}),
            json!({"kind":"close","phase":"after"}),
            json!({"kind":"reset","phase":"head"}),
            json!({"kind":"close","phase":"head"}),
            json!({"kind":"reset","phase":"body"}),
            json!({"kind":"truncate"}),
            json!({"kind":"hang_body"}),
            json!({"kind":"drip","ms":100}),
        ];
        for (number, fault) in faults.iter().enumerate() {
            sandbox.fault(json!({"path":"/platform/api"}), Value::Null, fault.clone());
            let answer = session.call("sandbox.echoWrite", format!(r#"{{"n":"{number}"}}"#).as_str());
            assert_ne!(answer.name(), "MAILRU_OK", "{fault}");
            sandbox.behave();
        }
        assert_eq!(sandbox.get("stats")["applied_total"], faults.len(), "each once");
    }
}

/// The credential of a grant works once, so only an unsent request is retried.
#[test]
fn grants_are_not_retried_once_sent() {
    let sandbox = Sandbox::start();
    for fault in [
        json!({"kind":"reset"}),
        json!({"kind":"status","status":503}),
        json!({"kind":"platform_error","code":3}),
        json!({"kind":"garbage"}),
    ] {
        let session = quick(&sandbox, json!({ "refresh_token": "r", "expires_in": 0 }));
        sandbox.fault(json!({"path":"/oauth/token"}), Value::Null, fault.clone());
        let (made, _) = requests_of(&sandbox, || session.authorize());
        assert_eq!(made, 1, "{fault}");
        sandbox.behave();
    }
}
