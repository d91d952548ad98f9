//! Forks: parent and children continue to use the same session, and no call hangs or gets another call's answer.

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
fn a_child_closes_the_parents_connections() {
    let Some(host) = compiled("host.c") else { return };
    let (plain, tls) = (Sandbox::start(), TlsSandbox::start(&[]));
    for options in [plain.options(json!({})), tls.options(json!({}))] {
        let output = run(Command::new(host.path()).args(["inherit", &options, "1"]));
        assert_eq!((text(&output).trim(), errors(&output).as_str()), ("inherited", ""));
    }
}

#[test]
fn pythons_multiprocessing() {
    if !takes_long("Python's multiprocessing") {
        return;
    }
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

/// A child can call the library whatever the parent's other threads were doing: calls, grants, cancellations, handles,
/// the log, the first use.
#[test]
fn forks_during_every_operation() {
    if !takes_long("forks during every operation") {
        return;
    }
    let Some(host) = compiled("host.c") else { return };
    for (case, forks) in [("storm", "250"), ("first", "20"), ("first", "20"), ("first", "20")] {
        let sandbox = Sandbox::start();
        sandbox.post("settings", json!({ "record": false }));
        let (took, output) = timed(|| run(Command::new(host.path()).args([case, &sandbox.options(json!({})), forks])));
        assert!(output.status.success(), "{case}: {}: {}", output.status, text(&output));
        assert_eq!(errors(&output), "");
        if case == "storm" {
            println!("measured: {forks} forks during calls and grants in {took:?}");
        }
    }
}

/// A code works once. The parent has sent it, so the child must not send it, and its error says what to do.
#[test]
fn a_code_that_the_parent_is_exchanging_is_not_sent_by_the_child() {
    let Some(host) = compiled("fork_with_code.c") else { return };
    let sandbox = Sandbox::start();
    let code = sandbox.post("codes", json!({ "redirect_uri": "http://localhost/cb" }))["code"].clone();
    sandbox.fault(json!({ "path": "/oauth/token" }), json!(null), json!({ "kind": "delay", "ms": 1500 }));
    let output = run(Command::new(host.path()).args([&sandbox.options(json!({})), code.as_str().expect("a code")]));
    let printed = text(&output);
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines.len(), 3, "{printed}");
    assert!(lines[0].starts_with("child: MAILRU_OAUTH_ERROR") && lines[0].contains("get a new code"), "{printed}");
    assert_eq!(lines[1..], ["child: MAILRU_OAUTH_ERROR", "parent: MAILRU_OK"], "{printed}");
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

/// A child inherits the parent's open lock file and must close it: otherwise no process could renew after the parent
/// has ended.
#[test]
fn a_lock_does_not_outlive_the_parent_that_held_it() {
    let Some(host) = compiled("fork_with_lock.c") else { return };
    let sandbox = Sandbox::start();
    sandbox.post("settings", json!({ "rotate": false }));
    sandbox.fault(
        json!({ "path": "/oauth/token" }),
        json!(1),
        json!({ "kind": "delay", "ms": 2000, "phase": "before" }),
    );
    let folder = tempfile::tempdir().expect("a folder");
    let options = sandbox.options(json!({ "token_file": folder.path().join("tokens"), "timeout_ms": 5000 }));
    let token = sandbox.post("tokens", json!({}))["refresh_token"].clone();
    let output = run(Command::new(host.path()).args([&options, token.as_str().expect("a token")]));
    assert!(text(&output).starts_with("MAILRU_OK"), "{}", text(&output));
    assert_eq!(sandbox.token_requests(), 2);
}
