//! After everything was freed, no secret is left in the process's memory.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::host::{Program, compiled, text};
use crate::support::*;
use crate::tools::*;

/// The secrets that the program found in its memory, one a line, and its summary.
fn looked_for(host: &Program, options: &str, what: &str, secrets: &[(&str, String)]) -> String {
    let mut process = Command::new(host.path())
        .args([options, what])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let lines: String = secrets.iter().map(|(name, secret)| format!("{name} {secret}\n")).collect();
    process.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("written");
    text(&process.wait_with_output().expect("it ends")).trim().to_owned()
}

fn random() -> String {
    format!("{:032x}", fastrand::u128(..))
}

/// The application that the program uses, with its private key and its secret key.
fn application(sandbox: &Sandbox) -> (String, String) {
    let (private_key, secret_key) = (random(), random());
    sandbox.post("apps", json!({ "app_id": "777", "private_key": private_key, "secret_key": secret_key }));
    (private_key, secret_key)
}

/// A token of the application's, of this kind.
fn token(sandbox: &Sandbox, kind: &str) -> String {
    sandbox.post("tokens", json!({ "app_id": "777" }))[kind].as_str().expect("a token").to_owned()
}

/// What is left of the secrets of every kind of grant.
fn left_by_grants(host: &Program, sandbox: &Sandbox, options: &str) -> String {
    let (private_key, secret_key) = application(sandbox);
    let password = random();
    sandbox.post("users", json!({ "email": "demo@mail.ru", "password": password, "uid": UID }));
    let code = sandbox.post("codes", json!({ "app_id": "777" }))["code"].as_str().expect("a code").to_owned();
    let secrets = [
        ("private_key", private_key),
        ("secret_key", secret_key),
        ("client_secret", random()),
        ("password", password),
        ("wrong_password", random()),
        ("code", code),
        ("refresh_given", token(sandbox, "refresh_token")),
        ("refresh_used", token(sandbox, "refresh_token")),
        ("refresh_stored", token(sandbox, "refresh_token")),
    ];
    // Some answers are refusals, and one is lost.
    sandbox.post("settings", json!({ "expires_in": 1 }));
    let cut = json!({ "kind": "truncate" });
    sandbox.post("faults", json!({ "on": { "path": "/oauth" }, "skip": 5, "times": 1, "fault": cut }));
    let found = looked_for(host, options, "grants", &secrets);
    assert_eq!(sandbox.get("stats")["spent_codes_seen"], Value::from(0));
    found
}

/// What is left of a session key that was sent in one way.
fn left_by_calls(host: &Program, sandbox: &Sandbox, options: &str, how: &str) -> String {
    let (private_key, _) = application(sandbox);
    let secrets = [
        ("private_key", private_key),
        ("access_given", token(sandbox, "access_token")),
        ("access_later", token(sandbox, "access_token")),
    ];
    if how == "lost" {
        sandbox.fault(json!({ "path": "/platform/api" }), json!(3), json!({ "kind": "truncate" }));
    }
    looked_for(host, options, how, &secrets)
}

/// The ways in which the program sends a session key.
const WAYS: [&str; 13] = [
    "get",
    "letters",
    "form",
    "large",
    "growing",
    "queue",
    "large queue",
    "upload",
    "named upload",
    "sign",
    "ended",
    "lost",
    "given",
];

#[test]
fn no_session_key_is_left_in_memory() {
    if !takes_long("session keys in freed memory") {
        return;
    }
    let Some(host) = compiled("memory.c") else { return };
    let (plain, tls) = (Sandbox::start(), TlsSandbox::start(&[]));
    let mut left = Vec::new();
    let folder = tempfile::tempdir().expect("a folder");
    let more = || json!({ "retry_delay_ms": 1, "token_file": folder.path().join("tokens") });
    for (sandbox, options) in [(&plain, plain.options(more())), (&tls.sandbox, tls.options(more()))] {
        for how in WAYS {
            let _ = std::fs::remove_file(folder.path().join("tokens"));
            let found = left_by_calls(&host, sandbox, &options, how);
            if !found.contains("nothing of ") {
                left.push(format!("{how}, {options}:\n{found}"));
            }
        }
    }
    assert!(left.is_empty(), "{}", left.join("\n\n"));
}

#[test]
fn no_secret_is_left_in_memory() {
    let Some(host) = compiled("memory.c") else { return };
    let sandbox = Sandbox::start();
    let found = left_by_grants(&host, &sandbox, &sandbox.options(json!({ "retry_delay_ms": 1 })));
    println!("measured: {found}");
    assert!(found.contains("nothing of "), "{found}");
}

/// The TLS library does not wipe what it decrypted, as `include/manual.md` says: received tokens remain, but nothing
/// that was sent.
#[test]
fn over_tls_only_received_tokens_are_left_in_memory() {
    if !takes_long("secrets in freed memory over TLS") {
        return;
    }
    let Some(host) = compiled("memory.c") else { return };
    let tls = TlsSandbox::start(&[]);
    let found = left_by_grants(&host, &tls.sandbox, &tls.options(json!({ "retry_delay_ms": 1 })));
    println!("measured: {}", found.lines().last().unwrap_or_default());
    let lines = || found.lines().filter(|line| line.contains(" at "));
    let sent = lines().filter(|line| !line.starts_with("access_token ") && !line.starts_with("refresh_token "));
    // The one that the program itself keeps, found by each look.
    assert_eq!(sent.count(), 2, "{found}");
}
