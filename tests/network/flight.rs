//! Thousands of calls in flight, from a C program with an event loop and from one that ends them in every way.
//!
//! `MAILRU_TEST_LIBRARY=target/release MAILRU_TEST_CALLS=10000 cargo test --test network flight:: -- --nocapture` shows
//! the figures. `MAILRU_TEST_RUN` is a command that runs the programs, such as valgrind.

use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::host::compiled;
use crate::planted::can_be_planted;
use crate::support::*;
use crate::tools::*;

/// How many calls are in flight: `MAILRU_TEST_CALLS`, or this number.
fn calls_or(number: u64) -> u64 {
    possible(std::env::var("MAILRU_TEST_CALLS").map_or(number, |number| number.parse().expect("a number")))
}

/// Those of the cases of `flight.c`: fewer than 10,000, for which a debug build takes ten seconds in each case.
fn calls() -> u64 {
    calls_or(rounds(2_000))
}

/// This number of calls, in so far as a process may open as many connections.
fn possible(wanted: u64) -> u64 {
    let possible = allow_connections();
    if possible < wanted {
        skip(&format!("{wanted} connections"), &format!("this process may open {possible}"));
    }
    wanted.min(possible)
}

/// A program with its input and output.
struct Talk {
    process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    errors: std::fs::File,
}

impl Talk {
    fn start(program: &Path, arguments: &[&str], options: &str) -> Talk {
        let runner = std::env::var("MAILRU_TEST_RUN").unwrap_or_default();
        let words: Vec<_> = runner.split_whitespace().map(Path::new).chain([program]).collect();
        // Memory that only a suspended call refers to looks leaked at the exit of the process, or of a forked child.
        let suspends = arguments[0].contains("exit") || arguments[0] == "fork";
        let leaks = if suspends { "detect_leaks=0" } else { "detect_leaks=1" };
        // Every second wait ends with a panic, until half of the calls have had one.
        let panics = match arguments {
            ["panics", _, calls] => format!("wait 2 {}", calls.parse::<u64>().expect("a number") / 2),
            _ => String::new(),
        };
        let errors = tempfile::tempfile().expect("a temporary file");
        let mut process = Command::new(words[0])
            .args(&words[1..])
            .args(arguments)
            .env("MAILRU_OPTIONS", options)
            .env("ASAN_OPTIONS", leaks)
            .env("MAILRU_TEST_PANIC_IN", panics)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors.try_clone().expect("a descriptor"))
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let lines = BufReader::new(process.stdout.take().expect("stdout is piped")).lines();
        Talk { process, lines, errors }
    }

    /// Reads lines up to this one, and shows what was measured.
    #[track_caller]
    fn expect(&mut self, wanted: &str) {
        let mut said = Vec::new();
        for line in self.lines.by_ref().map(|line| line.expect("text")) {
            if line == wanted {
                return;
            }
            if line.starts_with("measured:") {
                println!("{line}");
            }
            said.push(line);
        }
        panic!("no line {wanted}, but: {}", said.join("\n"));
    }

    fn go_on(&mut self) {
        let input = self.process.stdin.as_mut().expect("stdin is piped");
        input.write_all(b"\n").expect("the program reads");
    }

    /// A number of the process's status, such as `Threads`.
    fn status(&self, name: &str) -> u64 {
        let file = format!("/proc/{}/status", self.process.id());
        let text = std::fs::read_to_string(file).expect("proc is mounted");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("a line of status");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Checks for success, and that nothing was printed to standard error.
    #[track_caller]
    fn end(mut self) {
        drop(self.process.stdin.take());
        let said: Vec<_> = self.lines.by_ref().map_while(Result::ok).collect();
        let status = self.process.wait().expect("it has ended");
        let mut printed = String::new();
        self.errors.rewind().expect("a file");
        self.errors.read_to_string(&mut printed).expect("text");
        assert!(status.success() && printed.is_empty(), "{status}: {}\n{printed}", said.join("\n"));
    }
}

/// A sandbox that holds the answers to a method back.
fn holding(method: &str) -> Sandbox {
    let sandbox = Sandbox::start();
    sandbox.fault(json!({ "method": method }), Value::Null, json!({ "kind": "hold" }));
    sandbox.post("settings", json!({ "record": false }));
    sandbox
}

/// Waits until the server has this many requests at once, each on its own connection.
#[track_caller]
fn all_in_flight(sandbox: &Sandbox, calls: u64) {
    let begun = Instant::now();
    loop {
        let stats = sandbox.get("stats");
        if stats["held"] == calls {
            assert!(stats["connections_open"].as_u64() >= Some(calls), "{stats}");
            return;
        }
        assert!(begun.elapsed() < ms(120_000), "not {calls} calls at once: {stats}");
        std::thread::sleep(ms(20));
    }
}

fn options(sandbox: &Sandbox) -> String {
    sandbox.options(json!({ "timeout_ms": 240_000, "connect_timeout_ms": 120_000, "retries": 0 }))
}

/// The example with an epoll loop. Its own thread and the queue's are all.
#[test]
fn an_event_loop_has_ten_thousand_calls_in_flight() {
    if !takes_long("ten thousand calls in flight from C") {
        return;
    }
    let Some(example) = compiled("../../examples-c/event_loop.c") else { return };
    let (calls, sandbox) = (calls_or(10_000), holding("users.getInfo"));
    let number = calls.to_string();
    let begun = Instant::now();
    let mut talk = Talk::start(example.path(), &[&number, &number], &options(&sandbox));
    all_in_flight(&sandbox, calls);
    let (took, threads, memory) = (begun.elapsed(), talk.status("Threads"), talk.status("VmRSS"));
    println!("measured: {calls} calls in flight after {took:?}: {threads} threads, {} MB", memory / 1024);
    assert_eq!(threads, 2);
    assert_eq!(sandbox.post("release", json!({}))["released"], calls);
    let said = talk.lines.next().expect("a line").expect("text");
    assert!(said.starts_with(&format!("{calls} calls, 0 failed, ")), "{said}");
    talk.end();
}

/// Runs a case of the program up to the moment at which all its calls are in flight.
fn started(case: &str, more: u64) -> Option<(Talk, Sandbox, crate::host::Program)> {
    let host = compiled("flight.c")?;
    let (calls, sandbox) = (calls() - more, holding("friends.get"));
    let mut options: Value = serde_json::from_str(&options(&sandbox)).expect("an object");
    if case.ends_with("of posts") {
        options["get_limit"] = json!(0);
    }
    let mut talk = Talk::start(host.path(), &[case, &options.to_string(), &calls.to_string()], "");
    talk.expect("submitted");
    all_in_flight(&sandbox, calls + more);
    assert_eq!(talk.status("Threads"), 2, "{case}");
    Some((talk, sandbox, host))
}

#[track_caller]
fn ends(case: &str, more: u64) {
    let Some((mut talk, sandbox, _host)) = started(case, more) else { return };
    talk.go_on();
    talk.expect(case);
    talk.end();
    eventually("the server's connections are closed", || sandbox.get("stats")["connections_open"] == 0);
}

#[test]
fn all_are_cancelled_by_their_session() {
    ends("session", 1);
}

#[test]
fn all_are_cancelled_by_their_tag() {
    ends("tag", 1);
}

#[test]
fn all_are_cancelled_by_their_handle() {
    ends("handle", 1);
}

#[test]
fn all_end_with_their_session() {
    ends("free session", 1);
}

#[test]
fn all_end_with_their_queue() {
    ends("free queue", 0);
}

#[test]
fn posts_end_with_their_queue() {
    ends("free queue of posts", 0);
}

#[test]
fn a_forked_child_leaves_them_alone() {
    let Some((mut talk, sandbox, _host)) = started("fork", 0) else { return };
    talk.go_on();
    talk.expect("forked");
    sandbox.post("release", json!({}));
    talk.go_on();
    talk.expect("fork");
    talk.end();
}

#[test]
fn the_process_exits_with_them() {
    if !takes_long("a process that exits with thousands of calls in flight") {
        return;
    }
    for case in ["exit", "exit after free", "quick exit"] {
        let Some((mut talk, _sandbox, _host)) = started(case, 0) else { return };
        talk.go_on();
        let (took, ()) = timed(|| talk.end());
        assert!(took < ms(15_000), "{case}: {took:?}");
    }
}

/// Half of the calls panic after they have been suspended. Each is an answer, the others end well, and later ones too.
#[test]
fn panics_end_only_their_calls() {
    if !can_be_planted() {
        return;
    }
    let Some((mut talk, sandbox, _host)) = started("panics", 0) else { return };
    sandbox.post("release", json!({}));
    talk.go_on();
    talk.expect("panics");
    talk.end();
}

/// Calls beyond the limit of descriptors fail and say why; those in flight end well, and later ones too.
#[test]
fn without_descriptors_calls_say_so() {
    if std::env::var("MAILRU_TEST_RUN").is_ok() {
        println!("skipped: a tool has descriptors of its own");
        return;
    }
    let Some(host) = compiled("flight.c") else { return };
    let (calls, sandbox) = (calls(), holding("friends.get"));
    let mut talk = Talk::start(host.path(), &["descriptors", &options(&sandbox), &calls.to_string()], "");
    talk.expect("refused");
    sandbox.post("release", json!({}));
    talk.go_on();
    talk.expect("descriptors");
    talk.end();
}
