//! After everything was freed, no secret stands in the process's memory.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::host::{compiled, text};
use crate::support::*;

#[test]
fn no_secret_is_left_in_memory() {
    let Some(host) = compiled("memory.c") else { return };
    let sandbox = Sandbox::start();
    let random = || format!("{:032x}", fastrand::u128(..));
    let (private_key, secret_key, client_secret) = (random(), random(), random());
    sandbox.post("apps", json!({ "app_id": "777", "private_key": private_key, "secret_key": secret_key }));
    let token = || {
        let tokens = sandbox.post("tokens", json!({ "app_id": "777" }));
        tokens["refresh_token"].as_str().expect("a token").to_owned()
    };
    let password = random();
    sandbox.post("users", json!({ "email": "demo@mail.ru", "password": password, "uid": UID }));
    let code = sandbox.post("codes", json!({ "app_id": "777" }))["code"].as_str().expect("a code").to_owned();
    let secrets = [
        ("private_key", private_key),
        ("secret_key", secret_key),
        ("client_secret", client_secret),
        ("password", password),
        ("wrong_password", random()),
        ("code", code),
        ("refresh_given", token()),
        ("refresh_used", token()),
        ("refresh_stored", token()),
    ];
    // Some answers refuse, and quote what was sent; some are lost.
    sandbox.post("settings", json!({ "expires_in": 1 }));
    sandbox
        .post("faults", json!({ "on": { "path": "/oauth" }, "skip": 5, "times": 1, "fault": { "kind": "truncate" } }));
    let mut process = Command::new(host.path())
        .arg(sandbox.options(json!({ "retry_delay_ms": 1 })))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let lines: String = secrets.iter().map(|(name, secret)| format!("{name} {secret}\n")).collect();
    process.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("written");
    let output = process.wait_with_output().expect("it ends");
    println!("measured: {}", text(&output).trim());
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(sandbox.get("stats")["spent_codes_seen"], Value::from(0));
}
