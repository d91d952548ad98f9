//! Commands at a terminal, with the keyboard of a user who follows what he reads.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::shell::{folder, root};
use crate::support::{Sandbox, library_folder, profile_folder};

/// The folder of the command, compiled with the sanitizers where the compiler has them, and of the sandbox.
pub fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let build = folder("command");
        let make = |flags: &str| {
            let flags = format!("CFLAGS=-std=c99 -g -O1 -Wall -Wextra -Wpedantic -Wstrict-prototypes -Werror {flags}");
            let build = format!("BUILD={}", build.display());
            let library = format!("LIBRARY_FOLDER={}", library_folder().display());
            let mut make = Command::new("make");
            make.arg("-C").arg(root().join("examples-c")).args(["-s", "-B", "command", "CARGO=true"]);
            make.args([flags, build, library]).env_remove("MAKEFLAGS").output().expect("make runs")
        };
        let mut made = make("-fsanitize=address,undefined -fno-sanitize-recover=all");
        if !made.status.success() {
            made = make("");
        }
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let sandbox = build.join("mailru-sandbox");
        let _ = fs::remove_file(&sandbox);
        std::os::unix::fs::symlink(profile_folder().join("examples/sandbox"), &sandbox).expect("a link");
        build
    })
}

/// A shell in a folder, with the command in reach and nothing of the test's environment that it reads.
pub fn shell(command: &str, at: &Path) -> Command {
    let mut shell = Command::new("sh");
    let path = std::env::var("PATH").unwrap_or_default();
    shell.args(["-c", command]).current_dir(at).env("PATH", format!("{}:{path}", programs().display()));
    shell.env("HOME", at).env("TERM", "dumb").env("LANG", "C.UTF-8").env_remove("XDG_CONFIG_HOME");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MAILRU_")) {
        shell.env_remove(name);
    }
    shell
}

/// Whether this machine can play a terminal.
pub fn exists() -> bool {
    Command::new("script").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Types a command at a terminal; all that stands on the screen afterwards. Where an address of the sandbox's login is
/// shown, the user opens it and pastes the address to which the browser was sent.
pub fn type_command(command: &str, at: &Path, sandbox: &Sandbox) -> String {
    let mut script = shell("exec script -qefc \"$TYPED\" /dev/null", at);
    let mut script =
        script.env("TYPED", command).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script runs");
    let mut keyboard = script.stdin.take();
    let mut screen = script.stdout.take().expect("stdout is piped");
    let (mut shown, mut piece, mut has_pasted) = (Vec::new(), [0; 4096], false);
    loop {
        let count = screen.read(&mut piece).expect("a terminal can be read");
        if count == 0 {
            break;
        }
        shown.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&shown);
        let login = format!("{}/oauth/authorize", sandbox.base());
        let address = text.lines().find(|line| line.starts_with(&login)).filter(|_| text.contains("Then paste"));
        if let (Some(address), Some(keys), false) = (address, &mut keyboard, has_pasted) {
            writeln!(keys, "{}", browse(address.trim())).expect("the keyboard is connected");
            has_pasted = true;
        }
    }
    drop(keyboard);
    script.wait().expect("script ends");
    as_seen(&String::from_utf8_lossy(&shown))
}

/// Where the sandbox sends the browser.
pub fn browse(address: &str) -> String {
    let config = ureq::Agent::config_builder().max_redirects(0).max_redirects_will_error(false).build();
    let answer = config.new_agent().get(address).call().expect("the sandbox answers");
    answer.headers()["location"].to_str().expect("text").to_owned()
}

/// What a terminal shows: a carriage return begins a line anew.
fn as_seen(shown: &str) -> String {
    let shown = shown.replace("\r\n", "\n");
    let last = |line: &str| line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default().trim_end().to_owned();
    shown.lines().map(last).collect::<Vec<_>>().join("\n")
}
