//! Grants: the fields that each sends, the circuit that follows from the answer, and that concurrent calls share one.

use serde_json::{Value, json};

use crate::support::*;

const PASSWORD: &str = "п а&р=о+л%ь\"\\#😀";
const EMAIL: &str = "имя+x&y=z@mail.ru";
const CODE: &str = "c&o=d+e%20 код\"";
const BACK: &str = "http://localhost/back?a=b&c=d+e f#г";

/// A code of the guide's user and application.
fn code(sandbox: &Sandbox) -> String {
    sandbox.post("codes", json!({ "redirect_uri": REDIRECT_URI }))["code"].as_str().expect("a code").to_owned()
}

/// A refresh token of the guide's user and application.
fn refresh_token(sandbox: &Sandbox) -> String {
    sandbox.post("tokens", json!({}))["refresh_token"].as_str().expect("a token").to_owned()
}

#[test]
fn every_grant_in_every_form_sends_the_documented_fields() {
    let sandbox = Sandbox::start();
    watch::secret(PASSWORD);
    watch::secret(CODE);
    sandbox.post("users", json!({ "email": EMAIL, "password": PASSWORD, "uid": UID }));
    for (form, key) in [("", SECRET_KEY), ("_client", PRIVATE_KEY), ("_server", SECRET_KEY)] {
        sandbox.post("codes", json!({ "redirect_uri": BACK, "code": CODE }));
        let token = refresh_token(&sandbox);
        let of_code = json!({ "grant_type": "authorization_code", "code": CODE, "redirect_uri": BACK });
        let of_password = json!({
            "grant_type": "password", "username": EMAIL, "password": PASSWORD,
            "scope": "photos guestbook stream messages events",
        });
        let of_refresh = json!({ "grant_type": "refresh_token", "refresh_token": token });
        for (grant, given, mut fields) in [
            ("code", vec![("code", CODE), ("redirect_uri", BACK)], of_code),
            ("password", vec![("email", EMAIL), ("password", PASSWORD)], of_password),
            ("refresh", vec![("refresh_token", token.as_str())], of_refresh),
        ] {
            let kind = format!("{grant}{form}");
            let session = session(&kind, &given, &sandbox.options(json!({})));
            assert_eq!(session.tokens().value()["access_token"], Value::Null, "{kind}: nothing yet");
            assert!(session.call("friends.get", None).value().is_array(), "{kind}");
            let requests = sandbox.requests();
            let [.., token_request, call] = &requests[..] else { panic!("two requests") };
            fields["client_id"] = APP_ID.into();
            fields["client_secret"] = key.into();
            assert_eq!(token_request["params"], fields, "{kind}");
            assert_eq!(
                (&token_request["http_method"], &token_request["target"]),
                (&json!("POST"), &json!("/oauth/token"))
            );
            let secure = if form == "_server" { json!("1") } else { Value::Null };
            assert_eq!(call["params"]["secure"], secure, "{kind}: the circuit");
            let tokens = session.tokens().value();
            assert_eq!(call["params"]["session_key"], tokens["access_token"]);
            let circuit = if form == "_server" { "server-server" } else { "client-server" };
            assert_eq!(
                (&tokens["circuit"], &tokens["uid"], &tokens["expires_in"], &tokens["token_type"]),
                (&json!(circuit), &json!(UID), &json!(86400), &json!("bearer")),
                "{kind}"
            );
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("now").as_secs();
            let until = tokens["expires_at"].as_u64().expect("a time");
            assert!((now + 86400 - until) < 60, "{kind}: {until}");
            assert!(session.call("friends.get", None).value().is_array());
            assert_eq!(sandbox.requests().len(), requests.len() + 1, "{kind}: one token request");
        }
    }
}

#[test]
fn the_scope_is_sent_as_given_or_in_full() {
    let sandbox = Sandbox::start();
    for (given, sent) in [
        (None, "photos guestbook stream messages events"),
        (Some(""), "photos guestbook stream messages events"),
        (Some("stream photos"), "stream photos"),
        (Some("новое"), "новое"),
    ] {
        for kind in ["password", "password_client", "password_server"] {
            let made = Constructor::of(kind).make(&[("scope", given)], Some(&sandbox.options(json!({}))));
            made.expect("made").authorize().expect_ok();
            assert_eq!(sandbox.last()["params"]["scope"], sent);
        }
    }
}

#[test]
fn client_secret_is_the_option_or_the_secret_key_or_the_private_key() {
    let sandbox = Sandbox::start();
    for (given, option, sent) in [
        (vec![], None, "secret_key"),
        (vec![("secret_key", "")], None, "private_key"),
        (vec![("private_key", "")], None, "secret_key"),
        (vec![], Some(PRIVATE_KEY), "private_key"),
        (vec![("secret_key", "")], Some(SECRET_KEY), "secret_key"),
        (vec![], Some(""), "secret_key"),
    ] {
        let session = session("password", &given, &sandbox.options(json!({ "client_secret": option })));
        session.authorize().expect_ok();
        assert_eq!(sandbox.last()["client_secret"], sent, "{given:?} {option:?}");
        // The same for renewals.
        session.authorize().expect_ok();
        assert_eq!(
            (&sandbox.last()["grant"], &sandbox.last()["client_secret"]),
            (&json!("refresh_token"), &json!(sent))
        );
    }
    let odd = "с&е=к+р%т";
    let session = session("password", &[], &sandbox.options(json!({ "client_secret": odd })));
    session.authorize().expect("MAILRU_OAUTH_ERROR");
    assert_eq!(sandbox.last()["params"]["client_secret"], odd);
}

#[test]
fn the_circuit_is_chosen_by_the_grants_answer() {
    let sandbox = Sandbox::start();
    // With both keys: client-server, if the answer names the user.
    for (omit, keys, circuit) in [
        (json!([]), vec![], "client-server"),
        (json!(["x_mailru_vid"]), vec![], "server-server"),
        (json!(["x_mailru_vid"]), vec![("private_key", "")], "server-server"),
        (json!([]), vec![("secret_key", "")], "client-server"),
        (json!([]), vec![("private_key", "")], "server-server"),
    ] {
        sandbox.post("settings", json!({ "omit": omit }));
        let code = code(&sandbox);
        let session = session("code", &[&keys[..], &[("code", &*code)]].concat(), &sandbox.options(json!({})));
        let friends = session.call("friends.get", None);
        assert!(friends.value().is_array(), "{}", friends.json);
        assert_eq!(session.tokens().value()["circuit"], circuit, "{omit} {keys:?}");
        assert_eq!(sandbox.last()["params"].get("secure").is_some(), circuit == "server-server");
    }
    // If only client-server is possible, the answer must name the user.
    sandbox.post("settings", json!({ "omit": ["x_mailru_vid"] }));
    for (kind, given) in [("code", vec![("secret_key", "")]), ("code_client", vec![])] {
        let code = code(&sandbox);
        let session = session(kind, &[&given[..], &[("code", &*code)]].concat(), &sandbox.options(json!({})));
        let failure = session.call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
        assert_eq!((failure.error("field"), failure.error("http_status")), (json!("x_mailru_vid"), json!(200)));
    }
    // Without any key nothing can be signed, so nothing is sent.
    let before = sandbox.requests().len();
    let session = session("password", &[("private_key", ""), ("secret_key", "")], &sandbox.options(json!({})));
    session.call("friends.get", None).expect("MAILRU_SIGNATURE_UNDEFINED");
    session.upload("photos.upload", r#"{"aid":"a"}"#, "img_file", "a", b"x").expect("MAILRU_SIGNATURE_UNDEFINED");
    assert_eq!(sandbox.requests().len(), before);
}

/// Makes this text the next token answers.
fn token_answer(sandbox: &Sandbox, body: &str) {
    sandbox.answer(json!({ "path": "/oauth/token" }), 200, body);
}

#[test]
fn answers_are_read_leniently() {
    let sandbox = Sandbox::start();
    let tokens = sandbox.post("tokens", json!({}));
    let access = tokens["access_token"].as_str().expect("a token");
    for (more, expected) in [
        (r#","expires_in":86400"#, json!({ "expires_in": 86400 })),
        (r#","expires_in":"86400""#, json!({ "expires_in": 86400 })),
        (r#","expires_in":86400.0"#, json!({ "expires_in": 86400 })),
        (
            r#","expires_in":null,"token_type":null,"refresh_token":null"#,
            json!({ "expires_in": null, "expires_at": null, "token_type": null, "refresh_token": null }),
        ),
        (r#","expires_in":"soon""#, json!({ "expires_in": null })),
        (r#","expires_in":1e999"#, json!({ "expires_in": null })),
        (r#","expires_in":-5"#, json!({ "expires_in": null })),
        ("", json!({ "expires_in": null, "expires_at": null, "refresh_token": null, "token_type": null, "uid": null })),
        (r#","token_type":"Bearer","new":{"a":[1e999,{}]},"also":true"#, json!({ "token_type": "Bearer" })),
        (r#","x_mailru_vid":"15410773191172635989""#, json!({ "uid": "15410773191172635989" })),
        (r#","x_mailru_vid":15410773191172635989"#, json!({ "uid": "15410773191172635989" })),
        (r#","refresh_token":"r\u0041\"","scope":"x""#, json!({ "refresh_token": "rA\"" })),
        (r#","error":null,"twice":1,"twice":2"#, json!({})),
    ] {
        let body = format!("\n {{ \"access_token\" : \"{access}\" {more} }} \n");
        token_answer(&sandbox, &body);
        let session = session("password_server", &[], &sandbox.options(json!({})));
        let tokens = session.authorize();
        let value = tokens.value();
        tokens.expect_ok();
        assert_eq!(value["access_token"], access, "{body}");
        for (name, expected) in expected.as_object().expect("an object") {
            assert_eq!(value[name], *expected, "{body}");
        }
    }
    // The sandbox's own two spellings.
    sandbox.behave();
    for spelling in ["number", "string"] {
        sandbox.post("settings", json!({ "expires_in_as": spelling }));
        let tokens = session("password", &[], &sandbox.options(json!({}))).authorize().value();
        assert_eq!(tokens["expires_in"], 86400);
    }
}

#[test]
fn missing_fields_of_an_answer_are_named() {
    let sandbox = Sandbox::start();
    for body in [
        r#"{}"#,
        r#"{"access_token":null}"#,
        r#"{"access_token":""}"#,
        r#"{"refresh_token":"x","token":"y"}"#,
        r#"{"access_token":["x"]}"#,
    ] {
        token_answer(&sandbox, body);
        for kind in ["code", "password", "refresh"] {
            let session = session(kind, &[], &sandbox.options(json!({})));
            let failure = session.call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
            assert_eq!(
                (failure.error("field"), failure.error("http_status")),
                (json!("access_token"), json!(200)),
                "{body}"
            );
            assert!(failure.error("error_msg").as_str().unwrap().contains("access_token"), "{}", failure.json);
            // A code is used up, unless a refresh token was received; otherwise the next answer may be complete.
            let is_lost = kind == "code" && !body.contains("refresh_token");
            assert_eq!(failure.error("transient"), !is_lost, "{kind} {body}");
        }
    }
    for (body, expected) in [
        ("", "MAILRU_EMPTY_RESPONSE"),
        ("[]", "MAILRU_MALFORMED_RESPONSE"),
        ("<html>", "MAILRU_MALFORMED_RESPONSE"),
        ("{\"access_token\":\"x\"", "MAILRU_MALFORMED_RESPONSE"),
    ] {
        token_answer(&sandbox, body);
        session("password", &[], &sandbox.options(json!({}))).call("friends.get", None).expect(expected);
    }
}

#[test]
fn thirty_two_threads_on_a_fresh_session_make_one_token_request() {
    for (grant, ms) in [("code", 0), ("code", 50), ("password", 0), ("password", 50), ("refresh", 0), ("refresh", 50)] {
        let sandbox = Sandbox::start();
        let (code, token) = (code(&sandbox), refresh_token(&sandbox));
        let given: &[(&str, &str)] = match grant {
            "code" => &[("code", &code)],
            "refresh" => &[("refresh_token", &token)],
            _ => &[],
        };
        sandbox.fault(json!({ "path": "/oauth" }), json!(1), json!({ "kind": "delay", "ms": ms }));
        let session = session(grant, given, &sandbox.options(json!({})));
        let recorder = Recorder::new();
        assert_eq!(recorder.listen(&session), 0);
        for answer in on_threads(32, |_| session.call("friends.get", None)) {
            assert!(answer.value().is_array(), "{grant}: {}", answer.json);
        }
        assert_eq!(recorder.received(), [session.tokens().value()]);
        assert_eq!((sandbox.token_requests(), sandbox.requests().len()), (1, 33), "{grant}");
    }
}

#[test]
fn all_waiting_calls_get_the_refusal_of_one_request() {
    let sandbox = Sandbox::start();
    sandbox.fault(json!({ "path": "/oauth" }), Value::Null, json!({ "kind": "delay", "ms": 300, "phase": "before" }));
    let session = session("password", &[("password", "wrong-password")], &sandbox.options(json!({})));
    let answers = on_threads(32, |number| match number % 2 {
        0 => session.call("friends.get", None),
        _ => session.authorize(),
    });
    for answer in &answers {
        assert_eq!(answer.clone().expect("MAILRU_OAUTH_ERROR"), answers[0]);
    }
    assert_eq!(sandbox.requests().len(), 1);
}
