//! Forks: parent and children go on with the same session, and nobody hangs or gets another's answer.

use std::process::Command;

use serde_json::json;

use crate::host::{compiled, text};
use crate::support::*;
use crate::tools::*;

#[test]
fn answers_are_their_callers_own() {
    let Some(host) = compiled("host.c") else { return };
    let (plain, tls) = (Sandbox::start(), TlsSandbox::start(&[]));
    for (sandbox, options, children) in
        [(&plain, plain.options(json!({})), "12"), (&tls.sandbox, tls.options(json!({})), "4")]
    {
        let output = run(Command::new(host.path()).args(["share", &options, children]));
        assert!(output.status.success(), "{}: {}", output.status, text(&output));
        println!("measured: C, {}", text(&output).trim());
        assert_eq!(errors(&output), "");
        let sent = sandbox.get("stats")["requests"].as_u64().expect("a number");
        assert!(text(&output).starts_with(&format!("{sent} calls")), "{sent} requests: {}", text(&output));
    }
}

#[test]
fn a_child_lets_go_of_the_parents_connections() {
    let Some(host) = compiled("host.c") else { return };
    let (plain, tls) = (Sandbox::start(), TlsSandbox::start(&[]));
    for options in [plain.options(json!({})), tls.options(json!({}))] {
        let output = run(Command::new(host.path()).args(["inherit", &options, "1"]));
        assert_eq!((text(&output).trim(), errors(&output).as_str()), ("inherited", ""));
    }
}

#[test]
fn pythons_multiprocessing() {
    let Some(python) = program("python3") else { return };
    let sandbox = Sandbox::start();
    let library = library_folder().join("libmailru.so");
    let output = run(Command::new(python).arg(here("forks.py")).args([
        library.to_str().expect("UTF-8"),
        &sandbox.options(json!({})),
        "8",
        "250",
    ]));
    assert!(output.status.success(), "{}: {}{}", output.status, text(&output), errors(&output));
    println!("measured: Python, {}", text(&output).trim());
    assert_eq!(text(&output).trim(), "7000 calls, 0 wrong");
}

/// A child can call whatever the parent's other threads were in the middle of: calls, grants,
/// cancellations, handles, the log, the very first use.
#[test]
fn forks_in_the_middle_of_everything() {
    let Some(host) = compiled("host.c") else { return };
    for (situation, forks) in [("storm", "250"), ("first", "20"), ("first", "20"), ("first", "20")] {
        let sandbox = Sandbox::start();
        sandbox.post("settings", json!({ "record": false }));
        let (took, output) =
            timed(|| run(Command::new(host.path()).args([situation, &sandbox.options(json!({})), forks])));
        assert!(output.status.success(), "{situation}: {}: {}", output.status, text(&output));
        assert_eq!(errors(&output), "");
        if situation == "storm" {
            println!("measured: {forks} forks in the middle of calls and grants in {took:?}");
        }
    }
}

/// A code works once. The parent has sent it, so the child must not, and says what to do instead.
#[test]
fn a_code_that_the_parent_is_trading_is_not_sent_by_the_child() {
    let Some(host) = compiled("fork_with_code.c") else { return };
    let sandbox = Sandbox::start();
    let code = sandbox.post("codes", json!({ "redirect_uri": "http://localhost/cb" }))["code"].clone();
    sandbox.fault(json!({ "path": "/oauth/token" }), json!(null), json!({ "kind": "delay", "ms": 1500 }));
    let output = run(Command::new(host.path()).args([&sandbox.options(json!({})), code.as_str().expect("a code")]));
    let told = text(&output);
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), 3, "{told}");
    assert!(lines[0].starts_with("child: MAILRU_OAUTH_ERROR") && lines[0].contains("get a new one"), "{told}");
    assert_eq!(lines[1..], ["child: MAILRU_OAUTH_ERROR", "parent: MAILRU_OK"], "{told}");
    let stats = sandbox.get("stats");
    assert_eq!((&stats["token_requests"]["authorization_code"], &stats["spent_codes_seen"]), (&json!(1), &json!(0)));
}

#[test]
fn parent_and_child_use_different_boundaries() {
    let Some(host) = compiled("fork_boundary.c") else { return };
    let sandbox = Sandbox::start();
    let output = run(Command::new(host.path()).arg(sandbox.options(json!({}))));
    assert!(output.status.success(), "{}: {}", output.status, errors(&output));
    let mut boundaries: Vec<_> = sandbox
        .requests()
        .iter()
        .flat_map(|request| request["headers"].as_array().expect("headers").clone())
        .filter(|header| header[0] == "content-type")
        .map(|header| header[1].as_str().expect("text").to_owned())
        .collect();
    assert_eq!(boundaries.len(), 3);
    boundaries.sort();
    boundaries.dedup();
    assert_eq!(boundaries.len(), 3, "{boundaries:?}");
}
