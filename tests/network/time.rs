//! Time limits: of the whole call, and of making one connection.

use std::thread;

use serde_json::{Value, json};

use crate::support::*;
use crate::tools::*;

#[test]
fn the_limit_includes_retries_and_pauses() {
    let sandbox = Sandbox::start();
    let options =
        |limit: u64, delay: u64| sandbox.options(json!({"timeout_ms":limit,"retries":100,"retry_delay_ms":delay}));
    sandbox.fault(json!({}), Value::Null, json!({"kind":"status","status":503}));
    // A pause that does not fit into the time left is not made: the last failure is returned at once.
    let session = client(&options(2000, 4000));
    let (took, answer) = timed(|| session.call("friends.get", None));
    answer.expect("MAILRU_HTTP_ERROR");
    assert!(took < ms(2000), "no pause of 2 s or more fits into 2 s: {took:?}");
    let session = client(&options(1500, 20));
    let (took, answer) = timed(|| session.call("friends.get", None));
    answer.expect("MAILRU_HTTP_ERROR");
    assert!(took < ms(1600), "{took:?}");
    assert!(sandbox.requests().len() >= 5);
    // Each attempt is well within the limit, but not all together.
    let slow = RawServer::start(|mut stream| {
        while read_head(&mut stream).is_some() {
            thread::sleep(ms(150));
            if std::io::Write::write_all(&mut stream, b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n").is_err() {
                return;
            }
        }
    });
    let session = client(&slow.options(json!({"timeout_ms":500,"retries":100,"retry_delay_ms":0})));
    in_time(500, "MAILRU_TIMEOUT", || session.call("friends.get", None));
}

#[test]
fn the_limit_includes_the_renewal_of_the_token() {
    let sandbox = Sandbox::start();
    sandbox.fault(json!({"path":"/oauth/token"}), Value::Null, json!({"kind":"silent"}));
    let options = |more: Value| sandbox.options(more);
    let expired = client(&options(json!({"timeout_ms":300,"refresh_token":"r","expires_in":0})));
    in_time(300, "MAILRU_TIMEOUT", || expired.call("friends.get", None));
    // The token is rejected, and the call waits for the renewal.
    sandbox.fault(json!({"path":"/platform/api"}), Value::Null, json!({"kind":"platform_error","code":102}));
    let refused = client(&options(json!({"timeout_ms":300,"refresh_token":"r"})));
    in_time(300, "MAILRU_TIMEOUT", || refused.call("friends.get", None));
}

#[test]
fn a_call_may_have_its_own_limit() {
    let sandbox = Sandbox::start();
    sandbox.fault(json!({}), Value::Null, json!({"kind":"delay","ms":400}));
    let hasty = client(&sandbox.options(json!({"timeout_ms":100})));
    let patient = client(&sandbox.options(json!({})));
    in_time(100, "MAILRU_TIMEOUT", || hasty.call_within("friends.get", None, 0, 0));
    in_time(200, "MAILRU_TIMEOUT", || patient.call_within("friends.get", None, 200, 0));
    hasty.call_within("friends.get", None, 5_000, 0).expect_ok();
    hasty.call_within("friends.get", None, i64::MAX, 0).expect_ok();
    hasty.call_within("friends.get", None, -1, 0).expect("MAILRU_INVALID_ARGUMENT");
    hasty.call_within("friends.get", None, i64::MIN, 0).expect("MAILRU_INVALID_ARGUMENT");
}

#[test]
fn each_connection_has_a_limit() {
    let (hole, silent) = (BlackHole::open(), RawServer::silent());
    let (hole, silent) = (hole.port, silent.port);
    for (address, proxy) in [
        (format!("http://127.0.0.1:{hole}/"), Value::Null),
        (format!("https://127.0.0.1:{silent}/"), Value::Null),
        ("https://127.0.0.1:9/".to_owned(), json!(format!("http://127.0.0.1:{silent}"))),
        ("https://127.0.0.1:9/".to_owned(), json!(format!("http://127.0.0.1:{hole}"))),
        ("https://127.0.0.1:9/".to_owned(), json!(format!("socks5://127.0.0.1:{silent}"))),
        ("https://127.0.0.1:9/".to_owned(), json!(format!("socks5://127.0.0.1:{hole}"))),
    ] {
        let options = |timeout: u64, connect: u64| {
            json!({"api_url":address,"proxy":proxy,"timeout_ms":timeout,"connect_timeout_ms":connect}).to_string()
        };
        let session = client(&options(5_000, 200));
        let answer = in_time(200, "MAILRU_TIMEOUT", || session.call("friends.get", None));
        let text = answer.error("error_msg");
        assert!(text.as_str().is_some_and(|text| text.contains("connect_timeout_ms")), "{text}");
        let session = client(&options(200, 5_000));
        in_time(200, "MAILRU_TIMEOUT", || session.call("friends.get", None));
    }
    // The limit applies to making the connection, not to using it.
    let sandbox = Sandbox::start();
    sandbox.fault(json!({}), Value::Null, json!({"kind":"delay","ms":300}));
    client(&sandbox.options(json!({"connect_timeout_ms":100}))).call("friends.get", None).expect_ok();
}

#[test]
fn an_upload_that_is_never_read_ends_in_time() {
    let silent = RawServer::silent();
    let session = client(&silent.options(json!({"timeout_ms":300})));
    let file = vec![0; 20 << 20];
    in_time(300, "MAILRU_TIMEOUT", || session.upload("photos.upload", r#"{"aid":"1"}"#, "img_file", "a.jpg", &file));
}

#[test]
fn timed_out_calls_leave_nothing_behind() {
    alone("time::timed_out_calls_leave_nothing_behind", &[], || {
        let sandbox = Sandbox::start();
        let session = client(&sandbox.options(json!({})));
        session.call("friends.get", None).expect_ok();
        let (threads_before, descriptors_before) = (threads().len(), descriptors());
        sandbox.fault(json!({}), Value::Null, json!({"kind":"silent"}));
        let round = || {
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        for _ in 0..50 {
                            session.call_within("friends.get", None, 10, 0).expect("MAILRU_TIMEOUT");
                        }
                    });
                }
            });
        };
        round();
        let memory_before = memory("VmRSS");
        round();
        let grown = memory("VmRSS").saturating_sub(memory_before);
        println!("measured: 800 timed-out calls on 8 threads; the second half made memory grow by {grown} KiB");
        eventually("no thread is left", || threads().len() <= threads_before);
        assert!(descriptors() <= descriptors_before);
        assert!(grown < 2_000, "{grown} KiB");
    });
}
