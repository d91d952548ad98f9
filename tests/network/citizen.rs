//! What a host may do with a thread that is inside the library, and what ends the process.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::host::{compiled, text};
use crate::support::*;
use crate::tools::*;

/// Runs one case of a program of this folder against a sandbox that answers some requests late.
fn run_case(source: &str, name: &str) -> Option<Output> {
    let host = compiled(source)?;
    let sandbox = Sandbox::start();
    sandbox.fault(json!({ "method": "friends.get" }), Value::Null, json!({ "kind": "delay", "ms": 300 }));
    sandbox.fault(json!({ "path": "/oauth/token" }), Value::Null, json!({ "kind": "delay", "ms": 300 }));
    Some(run(Command::new(host.path()).args([name, &sandbox.options(json!({}))])))
}

#[test]
fn memory_that_cannot_be_had_is_a_failure() {
    if !takes_long("large allocations that fail") {
        return;
    }
    let Some(host) = compiled("citizen.c") else { return };
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let options = json!({ "api_url": nowhere, "public_url": nowhere, "retries": 0 }).to_string();
    let output = run(Command::new(host.path()).args(["memory", &options]));
    assert!(output.status.success(), "{}: {}{}", output.status, text(&output), errors(&output));
    println!("{}", text(&output));
    assert_eq!(errors(&output), "");
}

/// As the header says: constructors read the proxy variables, and a first TLS connection reads those of the system's
/// certificates.
#[test]
fn the_environment_is_read_as_the_header_says() {
    let Some(host) = compiled("citizen.c") else { return };
    let (plain, tls) = (Sandbox::start(), TlsSandbox::start(&[]));
    let read = |options: &str| {
        let output = run(Command::new(host.path()).env("SSL_CERT_FILE", &tls.ca_file).args(["environment", options]));
        assert!(output.status.success(), "{}: {}{}", output.status, text(&output), errors(&output));
        // The library of the tests has a variable of its own.
        let own = |line: &&str| !line.ends_with(": MAILRU_TEST_PANIC_IN");
        let names: BTreeSet<_> = text(&output).lines().filter(own).map(str::to_owned).collect();
        names
    };
    let is_proxy = |line: &String| {
        let variable = line.strip_prefix("constructor: ").unwrap_or_default();
        variable.to_ascii_lowercase().ends_with("_proxy") || variable == "REQUEST_METHOD"
    };
    for options in [plain.options(json!({})), plain.options(json!({ "proxy": "env" })), tls.options(json!({}))] {
        let others: Vec<_> = read(&options).into_iter().filter(|line| !is_proxy(line)).collect();
        assert!(others.is_empty(), "{options}: {others:?}");
    }
    let others =
        read(&tls.sandbox.options(json!({ "tls_roots": "system" }))).into_iter().filter(|line| !is_proxy(line));
    assert_eq!(others.collect::<Vec<_>>(), ["call: SSL_CERT_DIR", "call: SSL_CERT_FILE"]);
}

/// The header's 64 KiB, for the released library; a debug build needs more.
#[test]
fn a_call_needs_no_more_stack_than_the_header_says() {
    let Some(host) = compiled("stack.c") else { return };
    let (plain, tls) = (Sandbox::start(), TlsSandbox::start(&[]));
    let stack: usize = if cfg!(debug_assertions) { 256 << 10 } else { 64 << 10 };
    for (kind, options) in [("http", plain.options(json!({}))), ("TLS", tls.options(json!({})))] {
        let output = run(Command::new(host.path()).args([&options, &stack.to_string()]));
        assert!(output.status.success(), "{kind}: {}: {}{}", output.status, text(&output), errors(&output));
        println!("measured: the deepest call over {kind} uses {} bytes of {stack}", text(&output).trim());
    }
}

#[track_caller]
fn succeeds(name: &str) {
    let Some(output) = run_case("citizen.c", name) else { return };
    assert!(output.status.success(), "{name}: {}: {}{}", output.status, text(&output), errors(&output));
    assert_eq!((text(&output).trim(), errors(&output).as_str()), (name, ""));
}

/// Checks that the process ends by SIGABRT, with a line that says why.
#[track_caller]
fn ends(source: &str, name: &str, why: &str) {
    let Some(output) = run_case(source, name) else { return };
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{name}: {}: {}", output.status, text(&output));
    assert_eq!(text(&output), "", "{name}");
    assert!(errors(&output).contains(why), "{name}: {}", errors(&output));
}

#[test]
fn a_thread_inside_the_library_is_cancelled_afterwards() {
    succeeds("cancel");
}

#[test]
fn a_callback_that_does_not_return_ends_the_process() {
    for name in ["longjmp", "pthread_exit", "release"] {
        ends("citizen.c", name, "libmailru: a callback was left");
    }
    for name in ["log", "release"] {
        // The text comes from Rust or the C library, depending on the optimization.
        ends("citizen.cpp", name, "");
    }
}

#[test]
fn a_callback_may_jump_within_itself_and_call_the_library() {
    succeeds("jump within");
    succeeds("nested");
}

#[test]
fn the_log_continues_after_a_callback_was_left_unnoticed() {
    succeeds("setcontext");
}
