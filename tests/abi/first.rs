//! The first call of a new user.

use serde_json::json;

use crate::support::*;

#[test]
fn friends_of_the_guides_user() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    let friends = session.call("friends.get", r#"{"ext":1}"#);
    assert!(friends.value().as_array().is_some_and(|friends| !friends.is_empty()), "{}", friends.json);
    assert_eq!(sandbox.requests().len(), 1);
}
