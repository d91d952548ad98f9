//! Hosts in C, compiled with the shipped header and the built library, run against a sandbox: plain, linked statically,
//! under valgrind, and with the compiler's sanitizers; also the examples.

use std::fs;
use std::io::Read;
use std::net::{Shutdown, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::header::{self, root};
use crate::support::*;

/// The parts of the program without the soak test.
const PARTS: [&str; 3] = ["results", "nulls", "handles"];
const SANITIZERS: [&str; 2] = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
/// The exit code of a tool that found something.
const FOUND: i32 = 9;

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// The program in its own temporary folder.
struct Host(TempDir);

impl Host {
    /// Compiles it; the flags come before the files, the libraries after them.
    fn compile(flags: &[&str], libraries: &[&str]) -> Result<Host, String> {
        let folder = tempfile::tempdir().expect("a folder for the program");
        let parts = ["main", "results", "nulls", "handles", "soak"];
        let output = Command::new("cc")
            .args(["-std=c99", "-g", "-Wall", "-Wextra", "-Wpedantic", "-Wstrict-prototypes", "-Werror"])
            .args(flags)
            .arg("-I")
            .arg(root().join("include"))
            .args(parts.map(|part| root().join(format!("tests/abi/programs/{part}.c"))))
            .arg("-o")
            .arg(folder.path().join("host"))
            .args(libraries)
            .arg("-pthread")
            .output()
            .expect("cc runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(Host(folder)) } else { Err(said) }
    }

    /// Linked with the shared library.
    fn shared(flags: &[&str]) -> Result<Host, String> {
        let folder = library_folder();
        let folder = folder.to_str().expect("a folder in UTF-8");
        Host::compile(flags, &["-L", folder, &format!("-Wl,--disable-new-dtags,-rpath,{folder}"), "-lmailru"])
    }

    /// The one without flags, compiled once for all tests.
    fn plain() -> &'static Host {
        static PLAIN: OnceLock<Host> = OnceLock::new();
        PLAIN.get_or_init(|| Host::shared(&[]).expect("the program compiles without a warning"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("host")
    }

    /// Runs parts of the program, under a tool (which may be none), against a sandbox of their own.
    fn run(&self, tool: &[&str], parts: &[&str]) -> Output {
        let sandbox = misbehaving_sandbox();
        let tls = json!({ "api_url": sandbox.base().replace("http://", "https://"), "retries": 0 });
        let path = self.path();
        let words: Vec<_> = tool.iter().map(Path::new).chain([path.as_path()]).collect();
        Command::new(words[0])
            .args(&words[1..])
            .args(parts)
            .env("MAILRU_OPTIONS", sandbox.options(json!({})))
            .env("MAILRU_SMALL_OPTIONS", sandbox.options(json!({ "max_response_bytes": 50_000 })))
            .env("MAILRU_TLS_OPTIONS", tls.to_string())
            .env("MAILRU_LEAVING_OPTIONS", json!({ "api_url": server_that_closes_early() }).to_string())
            .env("ASAN_OPTIONS", format!("detect_leaks=1:detect_stack_use_after_return=1:exitcode={FOUND}"))
            .env("UBSAN_OPTIONS", "print_stacktrace=1")
            .output()
            .unwrap_or_else(|error| panic!("{tool:?}: {error}"))
    }

    /// Runs parts that must succeed; returns their output.
    #[track_caller]
    fn pass(&self, tool: &[&str], parts: &[&str]) -> String {
        let output = self.run(tool, parts);
        let [said, failed] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        assert!(output.status.success(), "{tool:?} {parts:?}: {}\n{said}{failed}", output.status);
        said
    }

    /// Runs a part with a deliberate mistake; the tool must find and name it.
    #[track_caller]
    fn is_caught(&self, tool: &[&str], part: &str, names: &str) {
        let output = self.run(tool, &[part]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(FOUND) && said.contains(names), "{part}: {}\n{said}", output.status);
    }
}

/// A sandbox whose methods sandbox.echo... have the faults that their names say.
fn misbehaving_sandbox() -> Sandbox {
    let sandbox = Sandbox::start();
    for (method, fault) in [
        ("Garbage", json!({ "kind": "answer", "body": "not json" })),
        ("BadUtf8", json!({ "kind": "bad_utf8" })),
        ("Deep", json!({ "kind": "deep", "depth": 100_000 })),
        ("Status", json!({ "kind": "status", "status": 500, "body": "oops" })),
        ("Redirect", json!({ "kind": "redirect", "location": "http://127.0.0.1/" })),
        ("Reset", json!({ "kind": "reset" })),
        ("Huge", json!({ "kind": "huge", "bytes": 100_000 })),
        ("Silent", json!({ "kind": "silent" })),
        ("Slow", json!({ "kind": "delay", "ms": 20 })),
    ] {
        sandbox.fault(json!({ "method": format!("sandbox.echo{method}") }), json!(null), fault);
    }
    sandbox
}

/// The address of a server that closes each connection while the client is still sending: first its own direction, then
/// all of it. The client's next write then raises SIGPIPE.
fn server_that_closes_early() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    // The thread ends with the tests' process.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 1000]);
            let _ = stream.shutdown(Shutdown::Write);
            thread::sleep(Duration::from_millis(50));
        }
    });
    format!("http://{address}/")
}

#[test]
fn results_and_errors() {
    Host::plain().pass(&[], &["results"]);
}

#[test]
fn the_statistics_of_a_forked_child() {
    Host::plain().pass(&[], &["figures"]);
}

#[test]
fn null_for_every_pointer() {
    let tested = fs::read_to_string(root().join("tests/abi/programs/nulls.c")).expect("the source");
    for function in header::functions() {
        let takes_pointers =
            function.parameters.iter().any(|parameter| parameter.contains('*') || parameter.contains("_callback"));
        let is_called = tested.contains(&format!("{}(", function.name));
        assert!(is_called || !takes_pointers, "nulls.c does not call {}", function.name);
    }
    Host::plain().pass(&[], &["nulls"]);
}

#[test]
fn handles_that_stand_for_nothing() {
    Host::plain().pass(&[], &["handles"]);
}

#[test]
fn eight_threads_call_free_and_make_sessions() {
    let seconds = rounds(10);
    print!("{}", Host::plain().pass(&[], &[&format!("soak:{seconds}")]));
}

#[test]
fn the_static_library_works_as_well() {
    let library = library_folder().join("libmailru.a");
    let libraries = [library.to_str().expect("a path in UTF-8"), "-lgcc_s", "-lm", "-ldl"];
    let host = Host::compile(&[], &libraries).expect("the program links with the static library");
    host.pass(&[], &[&PARTS[..], &["soak:1"]].concat());
}

#[test]
fn valgrind_finds_nothing() {
    if !takes_long("C programs under memcheck") {
        return;
    }
    if !is_installed("valgrind") {
        return skip("C programs under memcheck", "valgrind is not installed");
    }
    let code = format!("--error-exitcode={FOUND}");
    let kinds = ["--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect"];
    let tool = ["valgrind", "--quiet", &code, "--leak-check=full", kinds[0], kinds[1], "--fair-sched=yes"];
    let host = Host::plain();
    host.pass(&tool, &[&PARTS[..], &["soak:2"]].concat());
    // Checks that the tool finds deliberate mistakes.
    host.is_caught(&tool, "leak", "definitely lost");
    host.is_caught(&tool, "overrun", "Invalid read");
}

#[test]
fn the_sanitizers_find_nothing() {
    if !takes_long("C programs with sanitizers") {
        return;
    }
    let host = match Host::shared(&SANITIZERS) {
        Ok(host) => host,
        Err(said) => return skip("C programs with sanitizers", &said),
    };
    host.pass(&[], &[&PARTS[..], &["soak:2"]].concat());
    host.is_caught(&[], "leak", "LeakSanitizer");
    host.is_caught(&[], "overrun", "heap-buffer-overflow");
}

/// Runs each example as the README says, with the login; with the sanitizers, so that none leaks a string.
#[test]
fn the_examples_run() {
    if !is_installed("make") {
        return skip("the examples", "make is not installed");
    }
    let folder = tempfile::tempdir().expect("a folder for the programs");
    let sanitizers = if Host::shared(&SANITIZERS).is_ok() { SANITIZERS.join(" ") } else { String::new() };
    let flags = format!("-std=c99 -g -O1 -Wall -Wextra -Wpedantic -Wstrict-prototypes -Werror {sanitizers}");
    let variable = |name: &str, value: &str| format!("{name}={value}");
    let path = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
    let output = Command::new("make")
        .arg("-C")
        .arg(root().join("examples-c"))
        .arg("run-all")
        // The library is already built.
        .args([variable("CARGO", "true"), variable("CFLAGS", &flags), variable("BUILD", &path(folder.path()))])
        .arg(variable("LIBRARY_FOLDER", &path(library_folder())))
        .arg(variable("SANDBOX", &path(&profile_folder().join("examples/sandbox"))))
        .env_remove("MAKEFLAGS")
        .output()
        .expect("make runs");
    let [said, failed] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success(), "{said}{failed}");
    for shown in [
        "[{\"",
        "MAILRU_INVALID_HANDLE",
        "last MAILRU_CANCELLED",
        "{\"status\":1}",
        "{\"status\":2",
        "unread messages:",
    ] {
        assert!(said.contains(shown), "{shown} in {said}");
    }
    assert_eq!(said.matches("new tokens are stored").count(), 2, "{said}");
}
