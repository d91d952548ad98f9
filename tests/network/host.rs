//! What a host process may do with the library, and what the library must not do to it. The hosts are C programs of
//! this folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::*;
use crate::tools::*;

/// A program that is removed when dropped.
pub struct Program {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Program {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Compiles a program of this folder against the header and the built library. `MAILRU_TEST_CC` is another compiler of
/// C, with its flags.
pub fn compiled(source: &str) -> Option<Program> {
    compiled_from(&[source])
}

/// A program of several files.
pub fn compiled_from(sources: &[&str]) -> Option<Program> {
    let cc = std::env::var("MAILRU_TEST_CC").unwrap_or_else(|_| "cc".into());
    // C++ compilers define _GNU_SOURCE themselves; the examples in C do it as here.
    let (compiler, flags) = match sources[0].ends_with(".cpp") {
        true => ("c++", ["-std=c++17", "-pthread"]),
        false => (&*cc, ["-std=c11", "-D_GNU_SOURCE="]),
    };
    let mut words = compiler.split_whitespace();
    let compiler = program(words.next()?)?;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("host");
    let library = library_folder();
    let output = run(Command::new(compiler)
        .args(words)
        .args(flags)
        .args(["-Wall", "-Wextra", "-Werror", "-O1", "-g", "-pthread", "-o"])
        .arg(&path)
        .args(sources.iter().map(|source| here(source)))
        .arg(format!("-I{}/include", env!("CARGO_MANIFEST_DIR")))
        .arg(format!("-L{}", library.display()))
        // DT_RPATH comes before LD_LIBRARY_PATH, in which cargo also has the folder of `cargo build` with a perhaps
        // older library.
        .arg(format!("-Wl,--disable-new-dtags,-rpath,{}", library.display()))
        .args(["-lmailru", "-ldl"]));
    assert!(output.status.success(), "{sources:?}: {}", errors(&output));
    Some(Program { path, _folder: folder })
}

/// A library of this folder that a program loads before the C library; `None` without a compiler.
pub fn preloaded(source: &str) -> Option<Program> {
    let compiler = program("cc")?;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("preloaded.so");
    let output = run(Command::new(compiler)
        .args(["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o"])
        .arg(&path)
        .arg(here(source))
        .arg("-ldl"));
    assert!(output.status.success(), "{source}: {}", errors(&output));
    Some(Program { path, _folder: folder })
}

pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Checks for success, and that only the host itself prints to its streams.
#[track_caller]
pub fn quiet(output: &Output, prints: &str) {
    assert!(output.status.success(), "{}: {}{}", output.status, text(output), errors(output));
    assert_eq!((text(output).trim(), errors(output).as_str()), (prints, ""));
}

#[test]
fn exit_with_calls_in_flight() {
    let Some(host) = compiled("host.c") else { return };
    for tls in [false, true] {
        let (plain, secure) = (Sandbox::start(), TlsSandbox::start(&[]));
        let sandbox = if tls { &secure.sandbox } else { &plain };
        sandbox.fault(json!({}), Value::Null, json!({"kind":"hang_body"}));
        let options = if tls { secure.options(json!({})) } else { plain.options(json!({})) };
        // Returning from main; with the session freed just before; by quick_exit.
        for how in ["0", "1", "2"] {
            let (took, output) = timed(|| run(Command::new(host.path()).args(["leave", &options, how])));
            quiet(&output, "");
            assert!(took < ms(15_000), "{took:?}");
        }
    }
}

/// A write to a connection that the server has closed must not end the host by SIGPIPE.
#[test]
fn broken_connections_raise_no_signal() {
    let Some(host) = compiled("host.c") else { return };
    let closing = RawServer::start(drop);
    quiet(&run(Command::new(host.path()).args(["pipes", &closing.options(json!({})), "20"])), "");
    let tls = TlsSandbox::start(&[]);
    tls.sandbox.fault(json!({"path":"/platform/api"}), Value::Null, json!({"kind":"reset"}));
    tls.sandbox.post("settings", json!({ "record": false }));
    let options = tls.options(json!({ "retries": 0 }));
    quiet(&run(Command::new(host.path()).args(["pipes", &options, "1"])), "");
}

/// The library works with closed standard streams, whose numbers its sockets then get.
#[test]
fn closed_standard_streams() {
    let Some(host) = compiled("host.c") else { return };
    let sandbox = Sandbox::start();
    for closed in ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"] {
        let script = format!("exec \"$@\" {closed}");
        let output = run(Command::new("sh").args(["-c", &script, "sh"]).arg(host.path()).args([
            "calls",
            &sandbox.options(json!({})),
            "5",
        ]));
        assert!(output.status.success(), "{closed}: {}", output.status);
    }
    assert_eq!(sandbox.requests().len(), 15);
}

/// A call from one of the host's destructors at the end of a thread, after thread-local data was destroyed.
#[test]
fn calls_at_the_end_of_a_thread() {
    let Some(host) = compiled("host.c") else { return };
    let (plain, tls) = (Sandbox::start(), TlsSandbox::start(&[]));
    for options in [plain.options(json!({})), tls.options(json!({}))] {
        quiet(&run(Command::new(host.path()).args(["late", &options, "1"])), "3 late calls");
    }
}

/// The host's signals interrupt system calls, without effect on answers and time limits.
#[test]
fn many_signals() {
    let Some(host) = compiled("host.c") else { return };
    let (plain, tls) = (Sandbox::start(), TlsSandbox::start(&[]));
    for (sandbox, options) in [(&plain, plain.options(json!({}))), (&tls.sandbox, tls.options(json!({})))] {
        sandbox.fault(json!({"method":"friends.get"}), Value::Null, json!({"kind":"silent"}));
        quiet(&run(Command::new(host.path()).args(["signals", &options, "500"])), "in time");
    }
}

/// Without a free descriptor for a connection a call fails, and works again when there is one.
#[test]
fn no_descriptors() {
    alone("host::no_descriptors", &[], || {
        let sandbox = Sandbox::start();
        let session = client(&sandbox.options(json!({ "retry_delay_ms": 1 })));
        let limit = |descriptors: u64| {
            let limit = libc::rlimit { rlim_cur: descriptors, rlim_max: 4096 };
            // SAFETY: the structure is a local variable.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
        };
        limit(3);
        for _ in 0..3 {
            let answer = session.call("friends.get", None).expect("MAILRU_NETWORK_ERROR");
            assert!(
                answer.error("error_msg").as_str().is_some_and(|text| text.contains("open files")),
                "{}",
                answer.json
            );
        }
        limit(1024);
        session.call("friends.get", None).expect_ok();
        // A kept connection needs no new descriptor.
        limit(3);
        session.call("friends.get", None).expect_ok();
        limit(1024);
    });
}

#[test]
fn unloading_with_calls_in_flight() {
    let Some(host) = compiled("unload.c") else { return };
    let sandbox = Sandbox::start();
    sandbox.fault(json!({}), Value::Null, json!({"kind":"delay","ms":200}));
    let library = library_folder().join("libmailru.so");
    quiet(&run(Command::new(host.path()).arg(library).arg(sandbox.options(json!({})))), "12 calls");
}

/// On a kept connection: one write, one read, and one check whether it is still open.
#[test]
fn a_call_costs_three_system_calls() {
    let (Some(host), Some(strace)) = (compiled("host.c"), program("strace")) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    let (plain, tls) = (Sandbox::start(), TlsSandbox::start(&[]));
    for (kind, options) in [("plain", plain.options(json!({}))), ("TLS", tls.options(json!({})))] {
        let output =
            run(Command::new(&strace).args(["-f", "-o"]).arg(&trace).arg(host.path()).args(["calls", &options, "12"]));
        assert!(output.status.success(), "{}{}", text(&output), errors(&output));
        let lines = std::fs::read_to_string(&trace).expect("a trace");
        let names: Vec<_> = lines
            .lines()
            .filter_map(|line| line.split_once(' ')?.1.trim().split_once('(').map(|(name, _)| name.to_owned()))
            // The host's own calls, and sometimes one that sets the socket's time limit anew.
            .filter(|name| name != "getpid" && name != "setsockopt")
            .collect();
        let last = names.iter().rposition(|name| name == "recvfrom").expect("a read");
        // The last five calls of twelve, after the first-use initialisation.
        let each = &names[last + 1 - 15..=last];
        println!("measured: the system calls of a call, {kind}: {:?}", &each[12..]);
        for call in each.chunks(3) {
            assert_eq!(call, ["recvfrom", "sendto", "recvfrom"], "{kind}: {each:?}");
        }
    }
}
