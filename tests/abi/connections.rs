//! Connections are kept, and shared by the sessions that could share them.

use serde_json::json;

use crate::support::*;

#[test]
fn sessions_with_the_same_network_options_share_connections() {
    let sandbox = Sandbox::start();
    for round in 0..20 {
        // What does not concern the network may differ.
        let session = client(&sandbox.options(json!({ "pass_error": round % 2 == 0, "timeout_ms": 5000 + round })));
        session.call("friends.get", None).expect("MAILRU_OK");
        let other = server(&sandbox.options(json!({})));
        other.call("friends.get", None).expect("MAILRU_OK");
        // Each round ends with no session left; only sessions that live at once can share.
        assert_eq!(sandbox.get("stats")["connections_platform"], round + 1);
    }
    let first = client(&sandbox.options(json!({})));
    first.call("friends.get", None).expect("MAILRU_OK");
    let differing = client(&sandbox.options(json!({ "user_agent": "another" })));
    differing.call("friends.get", None).expect("MAILRU_OK");
    assert_eq!(sandbox.get("stats")["connections_platform"], 22, "other options for the network, other connections");
}
