//! The host of `random/` uses every function at random, from many threads, against platforms that misbehave at random, and
//! checks the laws of the contract itself; `tests/targets/sanitizers.sh` has it run under sanitizers and valgrind.
//!
//! `MAILRU_HOST_SECONDS`, `MAILRU_HOST_THREADS` and `MAILRU_HOST_SEED` say how long, with how many threads, and from which
//! number on; `MAILRU_TEST_TOOL` is the tool that watches, and must find the faults that are planted for it.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Output};

use serde_json::json;

use crate::host::{Program, compiled_from, text};
use crate::soak::misbehave;
use crate::support::*;
use crate::tools::*;

const SOURCES: [&str; 4] = ["random/main.c", "random/laws.c", "random/actions.c", "random/helpers.c"];

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// Runs the host for so many seconds, with a fault of its own.
fn host(program: &Program, seconds: &str, planted: Option<&str>) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = || json!({ "timeout_ms": 500, "retry_delay_ms": 1 });
    let (plain, second, tls) = (Sandbox::start(), Sandbox::start(), TlsSandbox::start(&[]));
    // valgrind 3.19 takes the results of the assembly of AES-GCM for undefined.
    let other = match variable("MAILRU_TEST_TOOL", "").as_str() {
        "valgrind" => (&second, second.options(limits())),
        _ => (&tls.sandbox, tls.options(limits())),
    };
    let platforms = [(&plain, plain.options(limits())), other];
    let runner = variable("MAILRU_TEST_RUN", "");
    let mut words: Vec<_> = runner.split_whitespace().collect();
    words.push(program.path().to_str().expect("a path in UTF-8"));
    let mut command = Command::new(words[0]);
    let seed = variable("MAILRU_HOST_SEED", &fastrand::u32(1..).to_string());
    let tokens = folder.path().join("tokens");
    command.args(&words[1..]).args([&seed, seconds, &variable("MAILRU_HOST_THREADS", "12")]).arg(&tokens);
    for (sandbox, options) in &platforms {
        // A renewal whose answer is lost has to be possible again.
        sandbox.post("settings", json!({ "record": false, "rotate": false }));
        let token = sandbox.post("tokens", json!({}))["refresh_token"].as_str().expect("a token").to_owned();
        for number in 0..100 {
            let code = json!({ "code": format!("code-{number}"), "redirect_uri": "http://localhost/cb" });
            sandbox.post("codes", code);
        }
        command.arg(options).arg(token);
        misbehave(sandbox);
    }
    run(command.args(planted).env("RUST_BACKTRACE", "1"))
}

#[test]
fn every_function_at_random_from_many_threads() {
    if !takes_long("every function at random") {
        return;
    }
    let Some(program) = compiled_from(&SOURCES) else { return };
    let output = host(&program, &variable("MAILRU_HOST_SECONDS", "10"), None);
    let (said, printed) = (text(&output), errors(&output));
    assert!(output.status.success() && printed.is_empty(), "{}\n{said}\n{printed}", output.status);
    println!("measured: {}", said.trim());
}

/// What a tool says of each fault that is planted for it.
fn planted_faults(tool: &str) -> &'static [(&'static str, &'static str)] {
    match tool {
        "address" => &[("overread", "heap-buffer-overflow"), ("leak", "LeakSanitizer")],
        "thread" => &[("race", "ThreadSanitizer: data race")],
        "valgrind" => &[("overread", "Invalid read"), ("leak", "definitely lost")],
        _ => panic!("MAILRU_TEST_TOOL is {tool}; it must be address, thread or valgrind"),
    }
}

#[test]
fn the_tool_that_watches_is_awake() {
    let Ok(tool) = std::env::var("MAILRU_TEST_TOOL") else { return };
    let Some(program) = compiled_from(&SOURCES) else { return };
    for (fault, said) in planted_faults(&tool) {
        let output = host(&program, "2", Some(fault));
        let printed = errors(&output);
        assert!(!output.status.success() && printed.contains(said), "{tool} does not see {fault}: {printed}");
        println!("measured: {tool} sees {fault}: {said}");
    }
}

/// The functions of the header, without `mailru_`.
pub fn declared() -> BTreeSet<String> {
    let header = fs::read_to_string(here("../../include/mailru.h")).expect("a file");
    let declarations = header
        .lines()
        .filter(|line| !line.starts_with([' ', '#', '/', '*']) && !line.starts_with("typedef"))
        .filter_map(|line| line.split_once('('));
    declarations.filter_map(|(front, _)| Some(front.rsplit_once("mailru_")?.1.to_owned())).collect()
}

/// The host's list of functions, which are all called in each run, is that of the header.
#[test]
fn the_random_host_uses_every_function() {
    let declared = declared();
    let list = fs::read_to_string(here("random/random.h")).expect("a file");
    let list = list.split("#define NUMBER").next().expect("a first part");
    let used: BTreeSet<_> =
        list.split("X(").skip(1).filter_map(|part| Some(part.split_once(')')?.0.to_owned())).collect();
    assert_eq!(used, declared);
    assert!(declared.len() >= 54, "{declared:?}");
}

/// What the programs in C use of the record of names: all options, all members of requests, and each code.
#[test]
fn programs_in_c_use_every_name() {
    let folder = |path: &str, end: &str| -> String {
        let files = fs::read_dir(here(path)).expect("a folder").flatten().map(|file| file.path());
        let files = files.filter(|file| file.to_str().is_some_and(|name| name.ends_with(end)));
        files.map(|file| fs::read_to_string(file).expect("a file")).collect()
    };
    // The options of the platforms and of time come from the tests.
    let random = folder("random", ".c") + &folder(".", "random.rs") + &folder("../abi/support", "sandbox.rs");
    let random = random.replace('\\', "") + &folder(".", "tools.rs");
    let programs = folder("../abi/programs", ".c") + &folder(".", ".c");
    let vocabulary = fs::read_to_string(here("../abi/record/vocabulary.txt")).expect("a file");
    let mut names = 0;
    for line in vocabulary.lines() {
        let mut words = line.split(' ');
        let kind = words.next().expect("a word");
        if matches!(kind, "option" | "request_member" | "file_member") {
            let name = words.next().expect("a name");
            assert!(random.contains(&format!("\"{name}\"")), "the random host does not use {name}");
            names += 1;
        }
    }
    let codes = fs::read_to_string(here("../../src/codes.in")).expect("a file");
    for name in codes.split('"').filter(|part| part.starts_with("MAILRU_")) {
        assert!(programs.contains(name), "no program in C expects {name}");
        names += 1;
    }
    assert!(names >= 52, "{names}");
}
