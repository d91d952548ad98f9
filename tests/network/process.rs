//! Signals and forks of the host: none of its signals reaches a thread of the library's, and a fork is noticed
//! however it was made.

use std::process::Command;

use serde_json::json;

use crate::host::{compiled, text};
use crate::support::*;
use crate::tools::*;

/// Runs one situation of `process.c`, which loads the library by hand, against a sandbox.
fn situation(name: &str, variable: Option<(&str, &str)>) {
    let Some(host) = compiled("process.c") else { return };
    let sandbox = Sandbox::start();
    let library = library_folder().join("libmailru.so");
    let options = sandbox.options(json!({}));
    // A host that never ends is a failure.
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", "120"]).arg(host.path()).args([name, library.to_str().expect("UTF-8"), &options]);
    let output = run(command.envs(variable));
    assert!(output.status.success(), "{name}: {}: {}{}", output.status, text(&output), errors(&output));
    assert_eq!((text(&output).trim(), errors(&output).as_str()), (name, ""));
}

#[test]
fn a_signal_that_the_host_waits_for_reaches_no_thread_of_the_library() {
    situation("sigwait", None);
}

#[test]
fn a_fork_that_runs_no_hooks_is_noticed() {
    situation("_Fork", None);
    situation("clone", None);
}

#[test]
fn fork_handlers_older_than_the_library_may_call_it() {
    situation("handlers", None);
}

#[test]
fn a_fork_in_a_signal_handler_does_not_wait_for_what_it_interrupted() {
    situation("alarm", None);
}

#[test]
fn threads_have_a_stack_size_of_their_own() {
    situation("queue", Some(("RUST_MIN_STACK", "16384")));
}
