//! What `mailru_stats` counts, and when.

use std::process::Command;
use std::thread;
use std::time::Duration;

use mailru::ffi::*;
use serde_json::{Value, json};

use crate::support::{session as session_of, *};

fn stats(session: &Session) -> Value {
    // SAFETY: the code is a local variable.
    let answer = Answer::of(|code| unsafe { mailru_stats(session.0, code) });
    serde_json::from_str(&answer.expect_ok()).expect("JSON")
}

/// Checks members; the others must be 0.
#[track_caller]
fn expect(shown: &Value, members: &[(&str, u64)]) {
    for (name, value) in shown.as_object().expect("an object") {
        let Some(value) = value.as_u64().filter(|_| !name.starts_with("bytes")) else { continue };
        let expected = members.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count);
        assert_eq!(value, expected, "{name} in {shown}");
    }
}

#[test]
fn calls_attempts_and_connections() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({ "retry_delay_ms": 1 })));
    expect(&stats(&session), &[]);
    session.call("friends.get", None).expect_ok();
    session.call("friends.get", None).expect_ok();
    session.call("friends.get", r#"{"sig":"x"}"#).expect("MAILRU_INVALID_ARGUMENT");
    let shown = stats(&session);
    expect(&shown, &[("calls", 2), ("attempts", 2), ("connections_opened", 1), ("connections_reused", 1)]);
    assert!(shown["bytes_out"].as_u64() > Some(200) && shown["bytes_in"].as_u64() > Some(200), "{shown}");
    sandbox.fault(json!({}), json!(1), json!({ "kind": "status", "status": 503 }));
    session.call("friends.get", None).expect_ok();
    session.call("no.such", None).expect("MAILRU_API_ERROR");
    session.public("mail/demo", None).expect_ok();
    session.upload("sandbox.echo", None, "img_file", "a.jpg", &[0; 10_000]).expect_ok();
    let after = stats(&session);
    for (name, count) in [("calls", 6), ("attempts", 7), ("retries", 1), ("in_flight", 0)] {
        assert_eq!(after[name], count, "{name} in {after}");
    }
    assert_eq!(after["failures"], json!({ "MAILRU_API_ERROR": 1 }));
    assert!(after["bytes_out"].as_u64() > shown["bytes_out"].as_u64().map(|bytes| bytes + 10_000), "{after}");
    // Another session has its own numbers, even if they share connections.
    expect(&stats(&client(&sandbox.options(json!({})))), &[]);
}

#[test]
fn latency_is_counted_in_buckets_with_bounds() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({ "retries": 0 })));
    sandbox.fault(json!({ "method": "friends.get" }), json!(1), json!({ "kind": "delay", "ms": 120 }));
    session.call("friends.get", None).expect_ok();
    let latency = &stats(&session)["latency"];
    assert_eq!(latency["calls"], 1);
    assert!(latency["sum_ms"].as_f64() >= Some(120.0), "{latency}");
    let buckets = latency["buckets"].as_array().expect("an array");
    let bounds: Vec<_> = buckets.iter().map(|bucket| bucket["le_ms"].as_u64().unwrap_or(0)).collect();
    assert_eq!(bounds, [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 0]);
    let header = std::fs::read_to_string(crate::header::root().join("include/mailru.h")).expect("the header");
    let documented = bounds[..12].iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let header = header.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(header.contains(&documented), "the header has other bounds than {documented}");
    let counts: Vec<_> = buckets.iter().map(|bucket| bucket["calls"].as_u64().expect("a number")).collect();
    assert!(counts.is_sorted() && counts[4] == 0 && counts[12] == 1, "{counts:?}");
}

#[test]
fn calls_in_flight_and_their_failures() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    sandbox.fault(json!({ "method": "friends.get" }), Value::Null, json!({ "kind": "silent" }));
    let queue = Queue::new(0, 0);
    for tag in 0..3 {
        queue.submit(&session, "friends.get", None, tag);
    }
    while stats(&session)["in_flight"] != 3 {
        thread::sleep(Duration::from_millis(5));
    }
    session.call_within("friends.get", None, 30, 0).expect("MAILRU_TIMEOUT");
    mailru_session_cancel(session.0);
    (0..3).for_each(|_| drop(queue.next(-1)));
    let shown = stats(&session);
    assert_eq!((&shown["calls"], &shown["in_flight"]), (&json!(4), &json!(0)));
    assert_eq!(shown["failures"], json!({ "MAILRU_CANCELLED": 3, "MAILRU_TIMEOUT": 1 }));
}

#[test]
fn grants_and_renewals() {
    let sandbox = Sandbox::start();
    let session =
        session_of("password", &[("email", "demo@mail.ru"), ("password", "demo")], &sandbox.options(json!({})));
    session.call("friends.get", None).expect_ok();
    expect(
        &stats(&session),
        &[("calls", 1), ("attempts", 2), ("grants", 1), ("connections_opened", 1), ("connections_reused", 1)],
    );
    sandbox.post("expire", json!({}));
    session.call("friends.get", None).expect_ok();
    let shown = stats(&session);
    assert_eq!([&shown["calls"], &shown["attempts"], &shown["renewals"]], [2, 5, 1].map(Value::from).each_ref());
    let wrong = session_of("password", &[("email", "demo@mail.ru"), ("password", "x")], &sandbox.options(json!({})));
    wrong.call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
    let shown = stats(&wrong);
    assert_eq!([&shown["token_failures"], &shown["grants"]], [1, 0].map(Value::from).each_ref());
    assert_eq!(shown["failures"], json!({ "MAILRU_OAUTH_ERROR": 1 }));
}

#[test]
fn a_freed_session_has_no_statistics() {
    let session = client("{}");
    let number = session.0;
    drop(session);
    // SAFETY: the code is a local variable.
    Answer::of(|code| unsafe { mailru_stats(number, code) }).expect("MAILRU_INVALID_HANDLE");
}

/// The members named in the manual exist, and its program converts them to the Prometheus format.
#[test]
fn the_manual_names_the_members_and_converts_them_for_prometheus() {
    let manual = std::fs::read_to_string(crate::header::root().join("include/manual.md")).expect("the manual");
    let section = manual.split_once("\n## Figures to watch\n").expect("a section").1;
    let section = section.split("\n## ").next().expect("its text");
    let shown = stats(&client("{}"));
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|row| row.trim_start_matches("| ").split(" | ").next());
    let mut documented: Vec<_> = cells.flat_map(|cell| cell.split(", ").map(|name| name.trim_matches('`'))).collect();
    documented.sort_unstable();
    let mut members: Vec<_> = shown.as_object().expect("an object").keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(documented, members);

    if Command::new("jq").arg("--version").output().is_err() {
        return skip("the manual's program for Prometheus", "jq is not installed");
    }
    let program = section.split("```").nth(1).and_then(|block| block.strip_prefix("sh\n")).expect("a program");
    let folder = tempfile::tempdir().expect("a folder");
    let mut shown = shown;
    shown["failures"] = json!({ "MAILRU_TIMEOUT": 2 });
    std::fs::write(folder.path().join("stats.json"), shown.to_string()).expect("a file");
    let output = Command::new("sh").args(["-euc", program]).current_dir(folder.path()).output().expect("sh runs");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for line in [
        "mailru_calls 0",
        "mailru_failures{code=\"MAILRU_TIMEOUT\"} 2",
        "mailru_latency_ms_bucket{le=\"5\"} 0",
        "mailru_latency_ms_bucket{le=\"+Inf\"} 0",
        "mailru_latency_ms_count 0",
    ] {
        assert!(text.lines().any(|printed| printed == line), "{line} in {text}");
    }
}
