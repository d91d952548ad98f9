//! Faults inside: each allocation over 4 KB, each start of a thread and each call of a socket fails in turn, by a library
//! that is loaded before the C library. The outcome is one of the contract, and afterwards everything works and nothing
//! is left over.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::json;

use crate::host::{compiled, text};
use crate::support::*;
use crate::tools::*;

/// As the header says, the process ends when small buffers cannot be had: the largest of them.
const SMALL: u64 = 65_536;

#[test]
fn each_call_of_the_system_may_fail() {
    if !takes_long("faults of the system") {
        return;
    }
    let (Some(host), Some(compiler)) = (compiled("faults_host.c"), program("cc")) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let library = folder.path().join("faults.so");
    let output = run(Command::new(compiler)
        .args(["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(here("faults.c"))
        .arg("-ldl"));
    assert!(output.status.success(), "{}", errors(&output));
    for (kind, what, least) in [("0", "allocations over 4 KB", 5), ("1", "threads", 2), ("2", "socket calls", 30)] {
        let sandbox = Sandbox::start();
        // A renewal whose answer is cut off has to be possible again.
        sandbox.post("settings", json!({ "rotate": false, "record": false }));
        let token = sandbox.post("tokens", json!({}))["refresh_token"].as_str().expect("a token").to_owned();
        let options = sandbox.options(json!({ "retry_delay_ms": 1, "timeout_ms": 10_000 }));
        let output = run(Command::new(host.path())
            .args([kind, &options, &token])
            .env("LD_PRELOAD", &library)
            .env("RUST_BACKTRACE", "0"));
        let (said, printed) = (text(&output), errors(&output));
        assert!(output.status.success(), "{what}: {}\n{said}\n{printed}", output.status);
        let end = said.lines().find(|line| line.starts_with("points ")).expect("a sum");
        let points: u64 = end.split(' ').nth(1).and_then(|number| number.parse().ok()).expect("a number");
        assert!(points >= least, "{what}: {end}");
        for line in said.lines().filter(|line| line.contains("ended by signal")) {
            let size: u64 = line.rsplit(' ').next().and_then(|size| size.parse().ok()).expect("a size");
            assert!(kind == "0" && size <= SMALL, "{what}: {line}\n{printed}");
        }
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
        println!("measured: {what}: {end}; {writes} writes as their outcomes say");
    }
}
