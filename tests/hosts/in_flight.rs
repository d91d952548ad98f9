//! Ten thousand calls in flight at once from asyncio and from goroutines. The sandbox holds their answers back, so that
//! its own count tells how many there are.

use serde_json::json;

use crate::install::prefix;
use crate::shell::{Script, finds, folder, root};
use crate::support::{Sandbox, allow_connections, takes_long};

/// Runs a script against a sandbox of its own, if `tools` succeeds.
fn run(host: &str, tools: &str, script: &str) {
    let prepared = |text: &str| {
        let source = root().join("tests/hosts").join(host);
        Script::new(text, prefix()).set("SOURCE", source).set("BUILD", folder(host))
    };
    if !takes_long(&format!("ten thousand calls from {host}")) || !finds(host, prepared(tools)) {
        return;
    }
    let calls = allow_connections().min(10_000);
    let sandbox = Sandbox::start();
    sandbox.fault(json!({ "method": "sandbox.echo.held" }), json!(null), json!({ "kind": "hold" }));
    sandbox.post("settings", json!({ "record": false }));
    let options = sandbox.options(json!({ "connect_timeout_ms": 120_000, "retries": 0 }));
    let script = prepared(script).set("MAILRU_OPTIONS", options).set("MAILRU_SANDBOX_CONTROL", sandbox.control());
    let said = script.set("CALLS", calls.to_string()).run().unwrap_or_else(|error| panic!("{host}: {error}"));
    println!("{said}");
}

#[test]
fn asyncio_has_ten_thousand_calls_in_flight() {
    let script = r#"cd "$SOURCE"
        PYTHONPATH="$SOURCE/../../../src/bindings/python" python3 -B -X dev -W error in_flight.py "$CALLS""#;
    run("python", "python3 -c 'import asyncio; asyncio.timeout'", script);
}

#[test]
fn go_has_ten_thousand_calls_in_flight() {
    let script = r#"cd "$SOURCE"
        go vet ./in_flight && go build -o "$BUILD/in_flight" ./in_flight
        "$BUILD/in_flight" "$CALLS""#;
    run("go", "go version && pkg-config --version && cc --version", script);
}
