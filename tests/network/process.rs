//! Signals and forks of the host: no signal reaches a thread of the library, and every kind of fork is noticed.

use std::process::Command;

use serde_json::json;

use crate::host::{compiled, text};
use crate::support::*;
use crate::tools::*;

/// Runs one case of `process.c`, which loads the library by dlopen, against a sandbox.
fn run_case(name: &str, variable: Option<(&str, &str)>) {
    let Some(host) = compiled("process.c") else { return };
    let sandbox = Sandbox::start();
    let library = library_folder().join("libmailru.so");
    let options = sandbox.options(json!({}));
    // A host that does not end fails the test.
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", "120"]).arg(host.path()).args([name, library.to_str().expect("UTF-8"), &options]);
    let output = run(command.envs(variable));
    assert!(output.status.success(), "{name}: {}: {}{}", output.status, text(&output), errors(&output));
    assert_eq!((text(&output).trim(), errors(&output).as_str()), (name, ""));
}

#[test]
fn a_signal_that_the_host_waits_for_reaches_no_thread_of_the_library() {
    run_case("sigwait", None);
}

#[test]
fn a_fork_that_runs_no_hooks_is_noticed() {
    run_case("_Fork", None);
    run_case("clone", None);
}

#[test]
fn fork_handlers_older_than_the_library_may_call_it() {
    run_case("handlers", None);
}

#[test]
fn a_fork_in_a_signal_handler_does_not_wait_for_what_it_interrupted() {
    run_case("alarm", None);
}

#[test]
fn threads_have_their_own_stack_size() {
    run_case("queue", Some(("RUST_MIN_STACK", "16384")));
}
