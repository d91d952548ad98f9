//! `mailru_sign`: the call as it would be sent, and the text hashed for its signature.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::*;

/// A signed call without network, with the default address.
fn signed(session: &Session, method: &str, params: &str) -> Value {
    let answer = session.sign(method, params);
    let value = answer.value();
    answer.expect_ok();
    let names: Vec<_> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(names, ["base", "circuit", "params", "sig", "url"]);
    // The hash of base, with the key inserted, is the signature.
    let base = value["base"].as_str().expect("text");
    let whole = match value["circuit"].as_str() {
        Some("client-server") => base.strip_suffix("<private_key>").map(|front| format!("{front}{PRIVATE_KEY}")),
        _ => base.strip_suffix("<secret_key>").map(|front| format!("{front}{SECRET_KEY}")),
    };
    let hashed = format!("{:x}", md5::compute(whole.unwrap_or_else(|| panic!("{base}"))));
    assert_eq!((&value["sig"], &value["params"]["sig"]), (&json!(hashed), &json!(hashed)), "{base}");
    value
}

#[test]
fn the_guides_examples_and_further_vectors() {
    let (client, server) = (client("{}"), server("{}"));
    let one = signed(&client, "friends.get", "{}");
    assert_eq!(one["sig"], "5073f15c6d5b6ab2fde23ac43332b002");
    assert_eq!(one["circuit"], "client-server");
    assert_eq!(one["base"], format!("{UID}app_id={APP_ID}method=friends.getsession_key={SESSION_KEY}<private_key>"));
    assert_eq!(
        one["url"],
        format!(
            "https://appsmail.ru/platform/api?app_id={APP_ID}&method=friends.get&session_key={SESSION_KEY}\
             &sig=5073f15c6d5b6ab2fde23ac43332b002"
        )
    );
    assert_eq!(
        one["params"],
        json!({ "app_id": APP_ID, "method": "friends.get", "session_key": SESSION_KEY, "sig": one["sig"] })
    );
    let other = signed(&server, "friends.get", "{}");
    assert_eq!(
        (&other["sig"], &other["circuit"]),
        (&json!("4a05af66f80da18b308fa7e536912bae"), &json!("server-server"))
    );
    assert_eq!(
        other["base"],
        format!("app_id={APP_ID}method=friends.getsecure=1session_key={SESSION_KEY}<secret_key>")
    );
    assert_eq!(other["params"]["secure"], "1");

    assert_eq!(signed(&server, "friends.get", r#"{"format":"json"}"#)["sig"], "76cf7b1206b02ec19b443f7340a3fb9d");
    let text = signed(&server, "messages.getThread", r#"{"uid":1,"text":"Привет, мир!&=+"}"#);
    assert_eq!(text["sig"], "88276312abf0305a8075ea99b4c0d868");
    let escaped = r#"{"text":"\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!\u0026=+","uid":"1"}"#;
    assert_eq!(signed(&server, "messages.getThread", escaped), text, "however it is written");
}

#[test]
fn the_shown_call_is_the_one_sent() {
    let sandbox = Sandbox::start();
    let options = sandbox.options(json!({}));
    for session in [client(&options), server(&options), session("token", &[], &options)] {
        for params in ["{}", r#"{"ext":1,"uids":["1",2],"no":null,"text":"a b&=+Ё😀","deep":{"x":[1.50]},"a":""}"#] {
            let shown = signed(&session, "sandbox.echo", params);
            session.call("sandbox.echo", params).expect_ok();
            let sent = sandbox.last();
            assert_eq!(shown["url"], format!("{}{}", sandbox.base(), sent["target"].as_str().unwrap()));
            assert_eq!(shown["params"], sent["params"]);
        }
        // As GET, even if the call itself is sent as a POST.
        let long = json!({ "text": "x".repeat(10_000) }).to_string();
        let shown = signed(&session, "sandbox.echo", &long);
        session.call("sandbox.echo", &*long).expect_ok();
        let sent = sandbox.last();
        assert_eq!(
            shown["url"],
            format!("{}{}?{}", sandbox.base(), sent["target"].as_str().unwrap(), sent["body"].as_str().unwrap())
        );
    }
}

#[test]
fn without_keys_the_signature_is_undefined() {
    let sandbox = Sandbox::start();
    for given in [vec![("secret_key", ""), ("uid", "")], vec![("secret_key", ""), ("private_key", "")]] {
        session("token", &given, "{}").sign("friends.get", None).expect("MAILRU_SIGNATURE_UNDEFINED");
    }
    session("client", &[("uid", "")], "{}").sign("friends.get", None).expect("MAILRU_SIGNATURE_UNDEFINED");
    assert_eq!(signed(&session("token", &[("uid", "")], "{}"), "a", "{}")["circuit"], "server-server");
    assert_eq!(signed(&session("token", &[], "{}"), "a", "{}")["circuit"], "client-server");
    // Before the grant there is no token to sign with; after it there is, and signing sends nothing.
    let code = sandbox.post("codes", json!({}))["code"].as_str().expect("a code").to_owned();
    let session = session("code", &[("code", &code)], &sandbox.options(json!({})));
    session.sign("friends.get", None).expect("MAILRU_SIGNATURE_UNDEFINED");
    assert_eq!(sandbox.requests().len(), 0);
    session.authorize().expect_ok();
    let shown = signed(&session, "friends.get", "{}");
    assert_eq!(shown["params"]["session_key"], session.tokens().value()["access_token"]);
    assert_eq!(sandbox.requests().len(), 1);
}

#[test]
fn an_empty_access_token_is_not_signed() {
    let session = session("server", &[("access_token", "")], "{}");
    let shown = signed(&session, "users.getInfo", &json!({ "uid": UID }).to_string());
    assert_eq!(shown["base"], format!("app_id={APP_ID}method=users.getInfosecure=1uid={UID}<secret_key>"));
}

#[test]
fn signing_never_uses_the_network() {
    let sandbox = Sandbox::start();
    sandbox.fault(json!({}), Value::Null, json!({ "kind": "silent" }));
    let session = Arc::new(client(&sandbox.options(json!({}))));
    let other = Arc::clone(&session);
    let call = std::thread::spawn(move || other.call("friends.get", None));
    await_that("a call hangs", || sandbox.requests().len() == 1);
    signed(&session, "friends.get", "{}");
    assert_eq!(mailru::ffi::mailru_session_cancel(session.0), 0);
    call.join().expect("no panic").expect("MAILRU_CANCELLED");
}
