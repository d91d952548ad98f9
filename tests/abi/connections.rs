//! Connections are kept, and shared by sessions with the same network options.

use serde_json::json;

use crate::support::*;

#[test]
fn sessions_with_the_same_network_options_share_connections() {
    let sandbox = Sandbox::start();
    let mut sessions = Vec::new();
    for round in 0..20 {
        // Other options may differ.
        let options = sandbox.options(json!({ "pass_error": round % 2 == 0, "timeout_ms": 5000 + round }));
        sessions.push(if round % 3 == 0 { server(&options) } else { client(&options) });
        sessions.last().expect("one").call("friends.get", None).expect("MAILRU_OK");
    }
    assert_eq!(sandbox.get("stats")["connections_platform"], 1);
    let differing = client(&sandbox.options(json!({ "user_agent": "another" })));
    differing.call("friends.get", None).expect("MAILRU_OK");
    assert_eq!(sandbox.get("stats")["connections_platform"], 2, "other options for the network, other connections");
}
