//! After everything was freed, no secret stands in the process's memory.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::host::{Program, compiled, text};
use crate::support::*;
use crate::tools::*;

/// What the program found of the secrets that it used and freed, a line each, and its last word.
fn looked_for(host: &Program, sandbox: &Sandbox, options: &str) -> String {
    let random = || format!("{:032x}", fastrand::u128(..));
    let (private_key, secret_key, password) = (random(), random(), random());
    sandbox.post("apps", json!({ "app_id": "777", "private_key": private_key, "secret_key": secret_key }));
    sandbox.post("users", json!({ "email": "demo@mail.ru", "password": password, "uid": UID }));
    let token = || {
        let tokens = sandbox.post("tokens", json!({ "app_id": "777" }));
        tokens["refresh_token"].as_str().expect("a token").to_owned()
    };
    let code = sandbox.post("codes", json!({ "app_id": "777" }))["code"].as_str().expect("a code").to_owned();
    let secrets = [
        ("private_key", private_key),
        ("secret_key", secret_key),
        ("client_secret", random()),
        ("password", password),
        ("wrong_password", random()),
        ("code", code),
        ("refresh_given", token()),
        ("refresh_used", token()),
        ("refresh_stored", token()),
    ];
    // Some answers refuse, and one is lost.
    sandbox.post("settings", json!({ "expires_in": 1 }));
    let cut = json!({ "kind": "truncate" });
    sandbox.post("faults", json!({ "on": { "path": "/oauth" }, "skip": 5, "times": 1, "fault": cut }));
    let mut process = Command::new(host.path())
        .arg(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let lines: String = secrets.iter().map(|(name, secret)| format!("{name} {secret}\n")).collect();
    process.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("written");
    let output = process.wait_with_output().expect("it ends");
    assert_eq!(sandbox.get("stats")["spent_codes_seen"], Value::from(0));
    text(&output).trim().to_owned()
}

#[test]
fn no_secret_is_left_in_memory() {
    let Some(host) = compiled("memory.c") else { return };
    let sandbox = Sandbox::start();
    let found = looked_for(&host, &sandbox, &sandbox.options(json!({ "retry_delay_ms": 1 })));
    println!("measured: {found}");
    assert!(found.contains("nothing of "), "{found}");
}

/// The TLS library does not wipe what it decrypted, as include/manual.md says: tokens that came remain, and nothing that was
/// sent.
#[test]
fn within_tls_only_tokens_that_came_are_left_in_memory() {
    let Some(host) = compiled("memory.c") else { return };
    let tls = TlsSandbox::start(&[]);
    let found = looked_for(&host, &tls.sandbox, &tls.options(json!({ "retry_delay_ms": 1 })));
    println!("measured: {}", found.lines().last().unwrap_or_default());
    let lines = || found.lines().filter(|line| line.contains(" at "));
    let sent = lines().filter(|line| !line.starts_with("access_token ") && !line.starts_with("refresh_token "));
    // The one that the program itself keeps.
    assert_eq!(sent.count(), 1, "{found}");
}
