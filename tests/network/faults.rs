//! Faults inside: each allocation over 4 KB, each start of a thread and each call of a socket fails in turn, by a library
//! that is loaded before the C library, and from each allocation on the memory is gone. The outcome is one of the contract,
//! and afterwards everything works and nothing is left over.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::json;

use crate::host::{Program, compiled, preloaded, text};
use crate::support::*;
use crate::tools::*;

/// What fails: the host's number of it, the words for it, and how many points there are at least.
const KINDS: [(&str, &str, u64); 4] = [
    ("0", "allocations over 4 KB, one at a time", 12),
    ("1", "starts of threads", 2),
    ("2", "socket calls", 30),
    ("3", "allocations, each with all that follow", 20),
];

#[test]
fn each_call_of_the_system_may_fail() {
    if !takes_long("faults of the system") {
        return;
    }
    let (Some(host), Some(library)) = (compiled("faults_host.c"), preloaded("faults.c")) else { return };
    thread::scope(|scope| {
        for kind in KINDS {
            let (host, library) = (&host, library.path());
            scope.spawn(move || {
                let sandbox = Sandbox::start();
                let options = |more| sandbox.options(more);
                each_fails(kind, host, library, &sandbox, "plain http", options);
            });
            // Threads and sockets are the same; TLS needs more memory.
            if kind.0 == "0" || kind.0 == "3" {
                scope.spawn(move || {
                    let tls = TlsSandbox::start(&[]);
                    each_fails(kind, host, library, &tls.sandbox, "TLS", |more| tls.options(more));
                });
            }
        }
    });
}

/// Has the host make each call of this kind fail, and judges what it says.
fn each_fails(
    (kind, what, least): (&str, &str, u64),
    host: &Program,
    library: &Path,
    sandbox: &Sandbox,
    over: &str,
    options: impl Fn(serde_json::Value) -> String,
) {
    // All allocations are too many for each run of the tests.
    let variable = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let step = if kind == "3" { variable("MAILRU_FAULTS_STEP", "23") } else { "1".to_owned() };
    // Some kilobytes, without which the start of a thread may end the process, as the header says.
    let spare = variable("MAILRU_FAULTS_SPARE", "4096");
    // A renewal whose answer is cut off has to be possible again.
    sandbox.post("settings", json!({ "rotate": false, "record": false }));
    let token = sandbox.post("tokens", json!({}))["refresh_token"].as_str().expect("a token").to_owned();
    let options = options(json!({ "retry_delay_ms": 1, "timeout_ms": 10_000 }));
    let output = run(Command::new(host.path())
        .args([kind, &options, &token, &step, &spare])
        .env("LD_PRELOAD", library)
        .env("RUST_BACKTRACE", "0"));
    let (said, printed) = (text(&output), errors(&output));
    assert!(output.status.success(), "{what}: {}\n{said}\n{printed}", output.status);
    let sum = said.lines().find_map(|line| line.strip_prefix("points ")).expect("a sum");
    let points: u64 = sum.split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
    assert!(points >= least || step != "23", "{what}: {sum}");
    assert!(sum.ends_with("ended 0") || spare == "0", "{what}: {sum}\n{said}\n{printed}");

    let mut applied = BTreeMap::<String, u64>::new();
    for write in sandbox.get("applied").as_array().expect("an array") {
        *applied.entry(write["params"]["tag"].as_str().expect("a tag").to_owned()).or_default() += 1;
    }
    let mut writes = 0;
    for line in said.lines().filter_map(|line| line.strip_prefix("write ")) {
        let (tag, outcome) = line.split_once(' ').expect("two words");
        let times = applied.get(tag).copied().unwrap_or_default();
        let fits = match outcome {
            "done" => times == 1,
            "unsent" => times == 0,
            _ => times <= 1,
        };
        assert!(fits, "{tag} is {outcome} and was done {times} times");
        writes += 1;
    }
    let mut outcomes = BTreeMap::<&str, u64>::new();
    for line in said.lines().filter_map(|line| line.strip_prefix("outcome ")) {
        let (name, times) = line.split_once(' ').expect("two words");
        *outcomes.entry(name).or_default() += times.parse::<u64>().expect("a number");
    }
    if matches!(kind, "0" | "3") {
        assert!(outcomes.contains_key("MAILRU_OUT_OF_MEMORY"), "{what}: {outcomes:?}");
        assert!(
            outcomes.keys().all(|name| matches!(*name, "MAILRU_OK" | "MAILRU_OUT_OF_MEMORY")),
            "{what}: {outcomes:?}"
        );
    }
    println!("measured: {what}, {over}: {points} points, {sum}; {outcomes:?}; {writes} writes as their outcomes say");
}
