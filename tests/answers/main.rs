//! A table of raw answers and, for each, the expected code, error members, requests and connection.
//!
//! `table.txt` explains its format. `json_test_suite.txt` has the cases of JSONTestSuite as bodies. All cases use the C
//! functions and a raw socket server.

// The C functions are unsafe to call.
#![allow(unsafe_code)]

// The harness is shared by several test programs; none uses all of it.
#[allow(dead_code, unused_imports)]
#[path = "../abi/support/mod.rs"]
mod support;

mod row;
mod script;
mod server;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::thread;

use serde_json::{Value, json};

use self::row::{Row, Then};
use self::server::{Identity, Server};
use self::support::{Answer, Session, client, server as server_session};

/// The number of rows tried in parallel, because some wait for a time limit.
const SIDE_BY_SIDE: usize = 8;

fn options(server: &Server, identity: &Identity, row: &Row) -> String {
    let limit = if row.code == "MAILRU_TIMEOUT" { 1000 } else { 20_000 };
    let mut options = json!({
        "api_url": server.address("/platform/api"), "public_url": server.address("/platform"),
        "retry_delay_ms": 1, "timeout_ms": limit, "max_response_bytes": 100_000,
        // Sessions with the same options share kept connections, of which those to other rows' servers would displace
        // this row's.
        "user_agent": row.name,
    });
    if server.is_secure {
        options["ca_file"] = identity.ca_file().into();
    }
    options.as_object_mut().expect("an object").extend(row.options.clone());
    options.to_string()
}

fn call(session: &Session, kind: &str) -> Answer {
    let long = json!({ "text": "x".repeat(5000) }).to_string();
    match kind {
        "read" => session.call("friends.get", None),
        "write" => session.call("stream.post", r#"{"text":"a"}"#),
        "unknown" => session.call("new.method", None),
        "post" => session.call("friends.get", long.as_str()),
        "public" => session.public("mail/nick", None),
        // More than the buffers of two sockets can hold.
        "big" => session.upload("photos.upload", "{}", "img_file", "a.jpg", &vec![7; 16_000_000]),
        "upload" => session.upload("photos.upload", "{}", "img_file", "a.jpg", &vec![7; 3_000_000]),
        _ => panic!("{kind} is no kind of call"),
    }
}

/// The error object of a failure, without halves of surrogate pairs, which a platform's error may contain.
fn error_object(json: &str) -> Value {
    let mut text = json.to_owned();
    let is_half = |escape: &str| escape.starts_with("\\ud") || escape.starts_with("\\uD");
    while let Some(at) = (0..text.len()).find(|at| text.get(*at..*at + 6).is_some_and(is_half)) {
        text.replace_range(at..at + 6, "?");
    }
    let tree: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    tree["error"].clone()
}

/// The difference from the row, if there is one.
fn mismatch(row: &Row, is_secure: bool, identity: &Identity) -> Option<String> {
    let server = Server::start(row.script.clone(), is_secure.then(|| identity.clone()));
    let session = client(&options(&server, identity, row));
    if row.is_warm {
        server.warm(|| assert_eq!(session.call("friends.get", None).name(), "MAILRU_OK", "{}", row.name));
    }
    let answer = call(&session, row.call);
    let requests = server.requests();
    let differs = |what: &str, found: &dyn std::fmt::Debug| Some(format!("{what} {found:?}: {}", answer.json));
    if answer.name() != row.code {
        return differs("code", &answer.name());
    }
    if row.code == "MAILRU_OK" {
        if answer.json != row.body {
            return differs("body, expected", &row.body);
        }
    } else {
        let error = error_object(&answer.json);
        for (member, expected) in &row.members {
            let found = error[member].clone();
            let is_as_expected = match (member.as_str(), expected) {
                ("error_msg", Value::String(part)) => found.as_str().is_some_and(|text| text.contains(part)),
                _ => found == *expected,
            };
            if !is_as_expected {
                return differs(&format!("member {member}"), &found);
            }
        }
        if !row.members.contains_key("sent") && (12..=24).contains(&answer.code) && error["sent"] != true {
            return differs("sent", &error["sent"]);
        }
    }
    if requests.len() != row.requests {
        return differs("requests", &requests);
    }
    server.behave();
    let next = session.call("friends.get", None);
    if next.name() != "MAILRU_OK" || next.json != "[\"next\"]" {
        return Some(format!("the next call: {} {}", next.name(), next.json));
    }
    let last = (requests.last(), server.requests().last().copied());
    let then = if last.0.copied() == last.1 { Then::Kept } else { Then::New };
    (then != row.then).then(|| format!("the connection is {then:?}: {requests:?}, then {:?}", last.1))
}

/// Tries rows and fails with all differences.
fn try_rows(rows: Vec<Row>) {
    let identity = Identity::new();
    let count = rows.len();
    let tries =
        rows.into_iter().flat_map(|row| row.ways().iter().map(move |way| (row.clone(), *way)).collect::<Vec<_>>());
    let tries: VecDeque<_> = tries.collect();
    let made = tries.len();
    let (tries, wrong) = (Mutex::new(tries), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some((row, is_secure)) = { tries.lock().expect("no panic").pop_front() } {
                    if let Some(difference) = mismatch(&row, is_secure, &identity) {
                        let over = if is_secure { " over TLS" } else { "" };
                        let message = format!("line {}, {}{over}: {difference}", row.line, row.name);
                        wrong.lock().expect("no panic").push(message);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    println!("measured: {count} answers in {made} tries, {} are not as the table says", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_answer_of_the_table() {
    let wanted = std::env::var("MAILRU_TEST_ROW").unwrap_or_default();
    let rows = row::table(include_str!("table.txt"));
    try_rows(rows.into_iter().filter(|row| row.name.contains(&wanted)).collect());
}

#[test]
fn every_text_of_json_test_suite() {
    try_rows(row::json_test_suite(include_str!("json_test_suite.txt")));
}

/// A session of the other circuit has the same outcomes.
#[test]
fn the_server_circuit_too() {
    let script = script::parse(r"<200><body:{\x22error\x22:{\x22error_code\x22:102},\x22\\ud800\x22:1}>");
    let server = Server::start(script, None);
    let options = json!({ "api_url": server.address("/platform/api") }).to_string();
    assert_eq!(server_session(&options).call("friends.get", None).name(), "MAILRU_API_ERROR");
}
