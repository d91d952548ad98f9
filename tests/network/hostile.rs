//! Invalid and hostile answers: each gets a clear code, and the next call works.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::*;
use crate::tools::*;

/// The connection of the next call.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    /// The same.
    Kept,
    /// A new one.
    Dropped,
}
use Then::{Dropped, Kept};

/// The connections of the last two requests.
fn last_two_connections(sandbox: &Sandbox) -> [Value; 2] {
    let requests = sandbox.requests();
    let last = requests.last_chunk::<2>().expect("two requests");
    last.clone().map(|request| request["connection"].clone())
}

fn no_secret(answer: &Answer) {
    assert!(!answer.json.contains(SESSION_KEY) && !answer.json.contains("sig="), "{}", answer.json);
}

#[test]
fn every_fault_has_its_code_and_leaves_the_next_call_unharmed() {
    let sandbox = Sandbox::start();
    let limits = json!({ "retries": 0, "max_response_bytes": 100_000 });
    let bomb = 1_u64 << 40;
    for (fault, code, then) in [
        (json!({"kind":"silent"}), "MAILRU_TIMEOUT", Dropped),
        (json!({"kind":"delay","ms":2000}), "MAILRU_TIMEOUT", Dropped),
        (json!({"kind":"delay","ms":2000,"phase":"body"}), "MAILRU_TIMEOUT", Dropped),
        (json!({"kind":"drip","ms":100,"phase":"head"}), "MAILRU_TIMEOUT", Dropped),
        (json!({"kind":"drip","ms":100}), "MAILRU_TIMEOUT", Dropped),
        (json!({"kind":"hang_body"}), "MAILRU_TIMEOUT", Dropped),
        (json!({"kind":"close"}), "MAILRU_NETWORK_ERROR", Dropped),
        (json!({"kind":"close","phase":"after"}), "MAILRU_NETWORK_ERROR", Dropped),
        (json!({"kind":"close","phase":"head"}), "MAILRU_MALFORMED_RESPONSE", Dropped),
        (json!({"kind":"close","phase":"body"}), "MAILRU_MALFORMED_RESPONSE", Dropped),
        (json!({"kind":"reset"}), "MAILRU_NETWORK_ERROR", Dropped),
        (json!({"kind":"reset","phase":"after"}), "MAILRU_NETWORK_ERROR", Dropped),
        (json!({"kind":"reset","phase":"head"}), "MAILRU_MALFORMED_RESPONSE", Dropped),
        (json!({"kind":"reset","phase":"body"}), "MAILRU_MALFORMED_RESPONSE", Dropped),
        (json!({"kind":"truncate"}), "MAILRU_MALFORMED_RESPONSE", Dropped),
        (json!({"kind":"truncate","chunked":true}), "MAILRU_MALFORMED_RESPONSE", Dropped),
        (json!({"kind":"close_delimited_cut"}), "MAILRU_MALFORMED_RESPONSE", Dropped),
        (json!({"kind":"garbage"}), "MAILRU_MALFORMED_RESPONSE", Dropped),
        (json!({"kind":"endless_headers"}), "MAILRU_MALFORMED_RESPONSE", Dropped),
        (json!({"kind":"many_headers","count":300}), "MAILRU_EMPTY_RESPONSE", Dropped),
        (json!({"kind":"many_headers","count":50}), "MAILRU_EMPTY_RESPONSE", Dropped),
        (json!({"kind":"continue_flood"}), "MAILRU_MALFORMED_RESPONSE", Dropped),
        (json!({"kind":"huge","bytes":100_001}), "MAILRU_RESPONSE_TOO_LARGE", Dropped),
        (json!({"kind":"huge","bytes":100_000}), "MAILRU_OK", Kept),
        (json!({"kind":"gzip_bomb","bytes":bomb}), "MAILRU_RESPONSE_TOO_LARGE", Dropped),
        (json!({"kind":"gzip_bomb","bytes":99_998}), "MAILRU_OK", Kept),
        (json!({"kind":"chunk_bomb","bytes":100_000}), "MAILRU_RESPONSE_TOO_LARGE", Dropped),
        (json!({"kind":"gzip"}), "MAILRU_OK", Kept),
        (json!({"kind":"deep","depth":100}), "MAILRU_OK", Kept),
        (json!({"kind":"deep","depth":200}), "MAILRU_MALFORMED_RESPONSE", Kept),
        (json!({"kind":"deep","depth":45_000}), "MAILRU_MALFORMED_RESPONSE", Kept),
        (json!({"kind":"bad_utf8"}), "MAILRU_MALFORMED_RESPONSE", Kept),
        (json!({"kind":"empty"}), "MAILRU_EMPTY_RESPONSE", Kept),
        (json!({"kind":"answer","body":"{}"}), "MAILRU_EMPTY_RESPONSE", Kept),
        (json!({"kind":"answer","body":"[1,"}), "MAILRU_MALFORMED_RESPONSE", Kept),
        (json!({"kind":"status","status":204}), "MAILRU_EMPTY_RESPONSE", Kept),
        (json!({"kind":"status","status":418,"body":"[]"}), "MAILRU_HTTP_ERROR", Kept),
        (json!({"kind":"status","status":503}), "MAILRU_HTTP_ERROR", Kept),
        (json!({"kind":"platform_error","code":100}), "MAILRU_API_ERROR", Kept),
        (json!({"kind":"platform_error","code":100,"status":200}), "MAILRU_API_ERROR", Kept),
    ] {
        let session = client(&sandbox.options(limits.clone()));
        session.call("friends.get", None).expect_ok();
        sandbox.fault(json!({"path":"/platform/api"}), json!(1), fault.clone());
        let limit = if code == "MAILRU_TIMEOUT" { 300 } else { 0 };
        let answer = session.call_within("friends.get", None, limit, 0);
        assert_eq!(answer.name(), code, "{fault}: {}", answer.json);
        no_secret(&answer);
        sandbox.behave();
        session.call("friends.get", None).expect_ok();
        let [faulty, next] = last_two_connections(&sandbox);
        assert_eq!(faulty == next, then == Kept, "{fault}: connections {faulty} and {next}");
    }
}

#[test]
fn redirects_are_not_followed() {
    let (sandbox, elsewhere) = (Sandbox::start(), Sandbox::start());
    let session = client(&sandbox.options(json!({})));
    for status in [301, 302, 303, 307, 308] {
        let location = format!("{}/platform/api", elsewhere.base());
        let fault = json!({"kind":"redirect","status":status,"location":location});
        sandbox.fault(json!({"path":"/platform"}), json!(2), fault);
        for answer in [session.call("friends.get", None), session.public("mail/demo", None)] {
            let answer = answer.expect("MAILRU_HTTP_ERROR");
            assert_eq!(answer.error("http_status"), status);
            let text = answer.error("error_msg");
            assert!(text.as_str().is_some_and(|text| text.contains("redirect")), "{text}");
        }
    }
    assert_eq!(elsewhere.requests(), Vec::<Value>::new());
}

#[test]
fn answers_below_and_beside_http() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let sized = |head: &str| format!("{head}Content-Length: 2\r\n\r\n[]");
    let chunked = |body: &str| format!("{ok}Transfer-Encoding: chunked\r\n\r\n{body}");
    let long = "x".repeat(100_000);
    let malformed = "MAILRU_MALFORMED_RESPONSE";
    for (name, bytes, code) in [
        ("nothing at all", String::new(), "MAILRU_NETWORK_ERROR"),
        ("an empty line", "\r\n".into(), malformed),
        ("another protocol", "220 smtp.example.com ESMTP\r\n".into(), malformed),
        ("HTTP/0.9", "[]".into(), malformed),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), malformed),
        ("HTTP/1.0", sized("HTTP/1.0 200 OK\r\n"), "MAILRU_OK"),
        ("megabytes without a line", "x".repeat(10_000_000), malformed),
        ("a status of letters", sized("HTTP/1.1 abc OK\r\n"), malformed),
        ("a status too small", sized("HTTP/1.1 99 OK\r\n"), malformed),
        ("a status too large", sized("HTTP/1.1 1000 OK\r\n"), malformed),
        ("an unknown status", sized("HTTP/1.1 999 OK\r\n"), "MAILRU_HTTP_ERROR"),
        ("another protocol offered", "HTTP/1.1 101 Switching Protocols\r\n\r\n".into(), "MAILRU_HTTP_ERROR"),
        ("no reason phrase", sized("HTTP/1.1 200\r\n"), "MAILRU_OK"),
        ("a long reason phrase", sized(&format!("HTTP/1.1 200 {long}\r\n")), malformed),
        ("interim answers", sized(&format!("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{ok}")), "MAILRU_OK"),
        ("a header without a colon", sized(&format!("{ok}what\r\n")), malformed),
        ("a folded header", sized(&format!("{ok}X: y\r\n z\r\n")), "MAILRU_OK"),
        ("a header with NUL", sized(&format!("{ok}X: a\0b\r\n")), malformed),
        ("a header in UTF-8", sized(&format!("{ok}X: привет\r\n")), "MAILRU_OK"),
        ("a long header", sized(&format!("{ok}X: {long}\r\n")), malformed),
        ("a head that just fits", sized(&format!("{ok}X: {}\r\n", "x".repeat(32 * 1024 - 44))), "MAILRU_OK"),
        ("a head that fills the buffer", sized(&format!("{ok}X: {}\r\n", "x".repeat(32 * 1024 - 43))), malformed),
        ("two lengths", sized(&format!("{ok}Content-Length: 3\r\n")), malformed),
        ("one length twice", sized(&format!("{ok}Content-Length: 2\r\n")), "MAILRU_OK"),
        ("a negative length", format!("{ok}Content-Length: -2\r\n\r\n[]"), malformed),
        ("a length with a sign", format!("{ok}Content-Length: +2\r\n\r\n[]"), malformed),
        ("the largest length", format!("{ok}Content-Length: 18446744073709551615\r\n\r\n[]"), malformed),
        ("a length beyond 64 bits", format!("{ok}Content-Length: 18446744073709551616\r\n\r\n[]"), malformed),
        (
            "length and chunks",
            format!("{ok}Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            "MAILRU_EMPTY_RESPONSE",
        ),
        ("the largest chunk", chunked("ffffffffffffffff\r\n[]\r\n0\r\n\r\n"), malformed),
        ("a chunk beyond 64 bits", chunked("fffffffffffffffff\r\n[]\r\n0\r\n\r\n"), malformed),
        ("a negative chunk", chunked("-2\r\n[]\r\n0\r\n\r\n"), malformed),
        ("a chunk without its end", chunked("2\r\n[]xx0\r\n\r\n"), malformed),
        ("a chunk extension", chunked("2;a=b\r\n[]\r\n0\r\n\r\n"), "MAILRU_OK"),
        ("a long chunk extension", chunked(&format!("2;{long}\r\n[]\r\n0\r\n\r\n")), malformed),
        ("many trailers", chunked(&format!("2\r\n[]\r\n0\r\n{}\r\n", "X: y\r\n".repeat(10_000))), "MAILRU_OK"),
        ("gzip that is none", format!("{ok}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n[]"), malformed),
        ("empty gzip", format!("{ok}Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"), "MAILRU_EMPTY_RESPONSE"),
        ("a body with 204", sized("HTTP/1.1 204 No Content\r\n"), "MAILRU_EMPTY_RESPONSE"),
        ("a body with 304", sized("HTTP/1.1 304 Not Modified\r\n"), "MAILRU_HTTP_ERROR"),
        ("NUL in the body", format!("{ok}Content-Length: 3\r\n\r\n[\0]"), malformed),
        ("a byte order mark", format!("{ok}Content-Length: 5\r\n\r\n\u{feff}[]"), malformed),
    ] {
        // The server closes after its first answer, and later answers normally.
        let was_hostile = AtomicBool::new(false);
        let good = sized(ok);
        let server = RawServer::start(move |mut stream| {
            let hostile = !was_hostile.swap(true, Ordering::SeqCst);
            while read_head(&mut stream).is_some() {
                let sent = stream.write_all(if hostile { bytes.as_bytes() } else { good.as_bytes() });
                if hostile || sent.is_err() {
                    return;
                }
            }
        });
        let session = client(&server.options(json!({"timeout_ms":3000,"retries":0})));
        let answer = session.call("friends.get", None);
        assert_eq!(answer.name(), code, "{name}: {}", answer.json);
        no_secret(&answer);
        // The close of the connection may still be in transit.
        let mut next = session.call("friends.get", None);
        for _ in 0..3 {
            if next.name() == "MAILRU_NETWORK_ERROR" {
                thread::sleep(ms(20));
                next = session.call("friends.get", None);
            }
        }
        assert_eq!((next.name(), next.json.as_str()), ("MAILRU_OK", "[]"), "after {name}");
    }
}

/// Answers without an end are ended by the time limit.
#[test]
fn endless_answers_end_in_time() {
    let endless: [(&'static str, &'static str); 5] = [
        ("HTTP/1.1 100 Continue\r\n\r\n", "interim answers"),
        ("X", "a header that grows"),
        ("1\r\n \r\n", "chunks of one byte"),
        ("X: y\r\n", "trailers"),
        ("", "nothing"),
    ];
    // In parallel, because each lasts until its time limit.
    let workers = endless.map(|(piece, name)| {
        thread::spawn(move || {
            let begin = match name {
                "a header that grows" => "HTTP/1.1 200 OK\r\nX: ",
                "chunks of one byte" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                "trailers" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n",
                _ => "",
            };
            let server = RawServer::start(move |mut stream| {
                read_head(&mut stream);
                let mut sent = stream.write_all(begin.as_bytes());
                while sent.is_ok() {
                    thread::sleep(ms(20));
                    sent = stream.write_all(piece.as_bytes());
                }
            });
            let session = client(&server.options(json!({"timeout_ms":500,"retries":2})));
            in_time(500, "MAILRU_TIMEOUT", || session.call("friends.get", None));
        })
    });
    workers.into_iter().for_each(|worker| worker.join().expect("as expected"));
}

/// Unrequested bytes are not the answer to the next call.
#[test]
fn unasked_bytes_are_never_the_next_answer() {
    const ANSWERS: [&[u8]; 2] =
        [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[2]"];
    for late in [false, true] {
        let written = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&written);
        let server = RawServer::start(move |mut stream| {
            while read_head(&mut stream).is_some() {
                let sent = if late {
                    stream.write_all(ANSWERS[0]).and_then(|()| {
                        thread::sleep(ms(30));
                        stream.write_all(ANSWERS[1])
                    })
                } else {
                    stream.write_all(&ANSWERS.concat())
                };
                counted.fetch_add(1, Ordering::SeqCst);
                if sent.is_err() {
                    return;
                }
            }
        });
        let session = client(&server.options(json!({})));
        for number in 1..=3 {
            assert_eq!(session.call("friends.get", None).expect_ok(), "[1]");
            eventually("the second answer is out", || written.load(Ordering::SeqCst) == number);
        }
        assert_eq!(server.connections(), 3);
    }
}

/// Memory use depends on the limit, not on the decompressed or announced size.
#[test]
fn a_bomb_does_not_fill_the_memory() {
    alone("hostile::a_bomb_does_not_fill_the_memory", &[], || {
        let sandbox = Sandbox::start();
        let session = client(&sandbox.options(json!({"max_response_bytes":4_000_000,"retries":0})));
        session.call("friends.get", None).expect_ok();
        let before = memory("VmHWM");
        sandbox.fault(json!({}), json!(1), json!({"kind":"gzip_bomb","bytes":1_u64 << 40}));
        session.call("friends.get", None).expect("MAILRU_RESPONSE_TOO_LARGE");
        sandbox.fault(json!({}), json!(1), json!({"kind":"huge","bytes":1_u64 << 40}));
        session.call("friends.get", None).expect("MAILRU_RESPONSE_TOO_LARGE");
        let grown = memory("VmHWM") - before;
        println!("measured: two bombs of 1 TiB made the process grow by {grown} KiB");
        assert!(grown < 3 * 4_000, "{grown} KiB");
    });
}
