//! Callbacks that run only on the thread that sets them, inside its calls, as `in_calls.c` uses them.

use std::process::Command;

use serde_json::{Value, json};

use crate::host::{compiled, text};
use crate::support::*;
use crate::tools::*;

fn keeps(case: &str, token_delay_ms: u32) {
    let Some(host) = compiled("in_calls.c") else { return };
    let sandbox = Sandbox::start();
    sandbox.post("settings", json!({ "record": false }));
    if token_delay_ms > 0 {
        let slow = json!({ "kind": "delay", "ms": token_delay_ms });
        sandbox.fault(json!({ "path": "/oauth/token" }), Value::Null, slow);
    }
    let options = sandbox.options(json!({ "callbacks_in_calls": true }));
    let output = run(Command::new(host.path()).args([case, &options]));
    assert!(output.status.success(), "{}: {}{}", output.status, text(&output), errors(&output));
    assert_eq!((text(&output).trim(), errors(&output).as_str()), ("as promised", ""));
}

#[test]
fn a_queued_call_tells_its_host_inside_its_calls() {
    keeps("queued", 0);
}

#[test]
fn calls_of_other_threads_wait_for_the_thread_that_is_told() {
    keeps("elsewhere", 0);
}

#[test]
fn a_callback_may_be_replaced_and_removed_under_way() {
    keeps("replaced", 0);
}

#[test]
fn tokens_that_outlive_their_session_are_told() {
    keeps("freed", 1500);
}

#[test]
fn a_call_inside_a_callback_waits_for_nothing_that_cannot_come() {
    keeps("nested", 0);
}

#[test]
fn the_oldest_lines_are_dropped_and_counted() {
    keeps("bounded", 0);
}

#[test]
fn the_log_is_replaced_under_way() {
    keeps("contended", 0);
}

#[test]
fn a_thread_that_ends_releases_what_waited_for_it() {
    keeps("ended", 0);
}
