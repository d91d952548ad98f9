//! Answers are passed to the host byte for byte, or classified in the documented order.

use serde_json::{Value, json};

use crate::support::*;

/// A session without retries, which gets the sandbox's first answer.
fn once(sandbox: &Sandbox, more: Value) -> Session {
    let mut options = json!({ "retries": 0 });
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client(&sandbox.options(options))
}

fn platform() -> Value {
    json!({ "path": "/platform" })
}

/// The answers to a call, an upload and a public page: all are classified in the same way.
fn answers(session: &Session) -> [Answer; 3] {
    [
        session.call("sandbox.echo", None),
        session.upload("photos.upload", r#"{"aid":"a"}"#, "img_file", "a.png", b"x"),
        session.public("mail/demo", None),
    ]
}

#[test]
fn an_answer_is_passed_on_byte_for_byte() {
    let sandbox = Sandbox::start();
    let session = once(&sandbox, json!({}));
    for body in [
        r#"{"b" : 1,"a":2 , "b2":[ 1.0,2e5 ,-0.0, 1E+2]}"#,
        r#"[{"uid":15410773191172635989,"long":0.1000000000000000055511151231257827,"big":1e999,"deep":[[[]]]}]"#,
        r#"{"a":"\u0041\/\ud83d\ude00\u0000\"\\","а":"привет 😀","error_code":104,"errors":[{"error":"x"}]}"#,
        "{\"a\":\t1,\r\n \"b\":\"\u{7f}\u{85}\u{2028}\u{feff}\"}",
        "[]",
        "[ ]",
        "[null]",
        "[{}]",
        "\"\"",
        "\"{}\"",
        "\"a\\nb\"",
        "0",
        "-0",
        "18446744073709551616",
        "true",
        "false",
        r#"{"":null}"#,
        r#"{"error":null}"#,
        r#"{"error":false,"uid":"1"}"#,
        r#"{"error":0}"#,
        r#"{"result":{"error":{"error_code":104}}}"#,
        r#"[{"error":{"error_code":104,"error_msg":"inner"}}]"#,
        r#"{"a":1,"a":2}"#,
    ] {
        for (before, after) in [("", ""), ("\r\n\t  ", " \n\n")] {
            sandbox.answer(platform(), 200, &format!("{before}{body}{after}"));
            for answer in answers(&session) {
                assert_eq!(answer.expect_ok(), body);
            }
        }
    }
    for status in [201, 202, 299] {
        sandbox.answer(platform(), status, "[1]");
        assert_eq!(session.call("sandbox.echo", None).expect_ok(), "[1]", "{status}");
    }
    // A real answer of the sandbox, compressed and not.
    sandbox.behave();
    let plain = session.call("friends.get", r#"{"ext":1}"#).expect_ok();
    sandbox.fault(platform(), json!(1), json!({ "kind": "gzip" }));
    assert_eq!(session.call("friends.get", r#"{"ext":1}"#).expect_ok(), plain);
    assert!(plain.contains("15410773191172635989"));
}

#[test]
fn a_platform_error_keeps_its_bytes_under_any_status() {
    let sandbox = Sandbox::start();
    let session = once(&sandbox, json!({}));
    for body in [
        r#"{"error":{"error_msg":"Incorrect signature","error_token":"NONE","extended":null,"error_code":104}}"#,
        r#"{ "error" : { "error_code" : 202 , "error_msg" : "Access to this object is denied" } }"#,
        r#"{"error":{"error_code":0}}"#,
        r#"{"error":{"error_code":-7,"extra":[1,{"a":18446744073709551616}]},"more":"\u0041"}"#,
        r#"{"first":[],"\u0065rror":{"error_code":9000000000}}"#,
        r#"{"error":{"error_code":105,"error_msg":"Привет 😀"}}"#,
    ] {
        for status in [200, 302, 400, 403, 404, 500, 503] {
            sandbox.answer(platform(), status, &format!(" {body}\n"));
            for answer in answers(&session) {
                assert_eq!((answer.name(), &*answer.json), ("MAILRU_API_ERROR", body), "{status}");
            }
        }
    }
}

#[test]
fn an_error_of_another_shape_is_shown_unchanged() {
    let sandbox = Sandbox::start();
    let session = once(&sandbox, json!({}));
    for error in [
        r#""unknown""#,
        r#""""#,
        "true",
        "1",
        "-1.5",
        "[]",
        r#"["x"]"#,
        "{}",
        r#"{"error_msg":"no code"}"#,
        r#"{"error_code":"104"}"#,
        r#"{"error_code":1.5}"#,
        r#"{"error_code":null}"#,
        r#"{"code":104,"n":18446744073709551616}"#,
    ] {
        let body = format!(r#"{{"z":1.10, "error":{error},"a":[ ]}}"#);
        for status in [200, 400, 500] {
            sandbox.answer(platform(), status, &body);
            for answer in answers(&session) {
                assert_eq!(answer.name(), "MAILRU_API_ERROR", "{error}");
                assert_eq!((answer.error("error_code"), answer.error("http_status")), (json!(-10), json!(status)));
                assert!(answer.json.contains(&format!("\"platform\":{body}")), "verbatim: {}", answer.json);
                assert!(answer.error("transient").is_boolean() && answer.error("error_msg").is_string());
            }
        }
    }
}

#[test]
fn another_status_than_2xx_is_an_http_error_whatever_the_body() {
    let sandbox = Sandbox::start();
    let session = once(&sandbox, json!({}));
    for body in
        ["", "{}", "null", "[]", r#"{"uid":"1"}"#, "<html>Bad Gateway</html>", "{", r#"{"error":null}"#, "\u{1}"]
    {
        for (status, transient) in
            [(301, false), (404, false), (429, true), (500, true), (502, true), (503, true), (504, true)]
        {
            sandbox.answer(platform(), status, body);
            for answer in answers(&session) {
                let answer = answer.expect("MAILRU_HTTP_ERROR");
                assert_eq!(answer.error("http_status"), status, "{body}");
                assert_eq!(answer.error("transient"), transient, "{status}");
            }
        }
    }
    for status in [301, 302, 303, 307, 308] {
        sandbox.behave();
        let elsewhere = format!("{}/platform/mail/demo", sandbox.base());
        sandbox.fault(platform(), json!(1), json!({ "kind": "redirect", "location": elsewhere, "status": status }));
        let before = sandbox.requests().len();
        let answer = session.call("friends.get", None).expect("MAILRU_HTTP_ERROR");
        assert_eq!(answer.error("http_status"), status);
        assert_eq!(
            sandbox.requests().len() - before,
            1,
            "the query contains the access token: it is not sent elsewhere"
        );
    }
}

#[test]
fn what_is_not_json_is_malformed() {
    let sandbox = Sandbox::start();
    let session = once(&sandbox, json!({}));
    for body in [
        "<html></html>",
        "{",
        "[1,]",
        "[01]",
        "{\"a\":1}}",
        "[] []",
        "nul",
        "NaN",
        "'a'",
        "{\"a\":\"\t\"}",
        "\u{feff}{\"a\":1}",
        "callback({});",
        "{\"error\":{\"error_code\":104}",
        "[\"\\x\"]",
    ] {
        sandbox.answer(platform(), 200, body);
        for answer in answers(&session) {
            let answer = answer.expect("MAILRU_MALFORMED_RESPONSE");
            assert_eq!(answer.error("http_status"), 200, "{body}");
        }
    }
    for fault in [
        json!({ "kind": "bad_utf8" }),
        json!({ "kind": "deep", "depth": 129 }),
        json!({ "kind": "deep", "depth": 1_000_000 }),
        json!({ "kind": "truncate" }),
        json!({ "kind": "truncate", "chunked": true }),
        json!({ "kind": "close_delimited_cut" }),
    ] {
        sandbox.behave();
        sandbox.fault(platform(), Value::Null, fault.clone());
        for answer in answers(&session) {
            assert_eq!(answer.name(), "MAILRU_MALFORMED_RESPONSE", "{fault} {}", answer.json);
        }
    }
    sandbox.behave();
    sandbox.fault(platform(), json!(1), json!({ "kind": "deep", "depth": 100 }));
    session.call("sandbox.echo", None).expect_ok();
}

#[test]
fn an_answer_without_content_is_empty_but_an_empty_list_is_not() {
    let sandbox = Sandbox::start();
    let session = once(&sandbox, json!({}));
    for body in ["", " ", "\r\n", "{}", " { } ", "{\n}", "null", " null\n"] {
        sandbox.answer(platform(), 200, body);
        for answer in answers(&session) {
            assert_eq!(answer.expect("MAILRU_EMPTY_RESPONSE").error("http_status"), 200, "{body:?}");
        }
    }
    sandbox.answer(platform(), 204, "");
    session.call("sandbox.echo", None).expect("MAILRU_EMPTY_RESPONSE");
    sandbox.behave();
    session.call("sandbox.empty", None).expect("MAILRU_EMPTY_RESPONSE");
    session.call("friends.get", r#"{"offset":1000}"#).expect_ok();
}

#[test]
fn reading_the_whole_answer_comes_first() {
    let sandbox = Sandbox::start();
    let session = once(&sandbox, json!({ "max_response_bytes": 100 }));
    let filler = " ".repeat(200);
    for (status, body) in
        [(200, format!(r#"{{"error":{{"error_code":104}}}}{filler}"#)), (500, format!("<html>{filler}")), (200, filler)]
    {
        sandbox.answer(platform(), status, &body);
        for answer in answers(&session) {
            answer.expect("MAILRU_RESPONSE_TOO_LARGE");
        }
    }
    // The platform's error before the status, the status before the syntax, the syntax before emptiness.
    for (status, body, expected) in [
        (500, r#"{"error":{"error_code":104}}"#, "MAILRU_API_ERROR"),
        (500, r#"{"error":"x"}"#, "MAILRU_API_ERROR"),
        (500, "{", "MAILRU_HTTP_ERROR"),
        (500, "", "MAILRU_HTTP_ERROR"),
        (200, "{", "MAILRU_MALFORMED_RESPONSE"),
        (200, "{}", "MAILRU_EMPTY_RESPONSE"),
    ] {
        sandbox.answer(platform(), status, body);
        session.call("sandbox.echo", None).expect(expected);
    }
}

#[test]
fn with_pass_error_any_json_is_a_success() {
    let sandbox = Sandbox::start();
    let session = once(&sandbox, json!({ "pass_error": true }));
    for body in [
        r#"{ "error":{"error_code":104,"error_msg":"x"}}"#,
        r#"{"error":"x"}"#,
        r#"{"error":{}}"#,
        r#"{"error":[1.10]}"#,
        "{}",
        "{ }",
        "null",
        "[]",
        r#"{"uid":15410773191172635989}"#,
    ] {
        for status in [200, 302, 400, 404, 500, 503] {
            sandbox.answer(platform(), status, &format!("\n{body} "));
            for answer in answers(&session) {
                assert_eq!(answer.expect_ok(), body, "{status}");
            }
        }
    }
    for (status, body, expected) in [
        (200, "", "MAILRU_EMPTY_RESPONSE"),
        (200, "<html>", "MAILRU_MALFORMED_RESPONSE"),
        (404, "", "MAILRU_HTTP_ERROR"),
        (502, "<html>", "MAILRU_HTTP_ERROR"),
    ] {
        sandbox.answer(platform(), status, body);
        for answer in answers(&session) {
            answer.expect(expected);
        }
    }
    // The library's own failures stay failures.
    sandbox.behave();
    session.call("friends.get", r#"{"sig":1}"#).expect("MAILRU_INVALID_ARGUMENT");
    session.call_within("friends.get", None, -1, 0).expect("MAILRU_INVALID_ARGUMENT");
    sandbox.fault(platform(), json!(1), json!({ "kind": "reset" }));
    session.call("sandbox.echo", None).expect("MAILRU_NETWORK_ERROR");
    sandbox.fault(platform(), json!(1), json!({ "kind": "truncate" }));
    session.call("sandbox.echo", None).expect("MAILRU_MALFORMED_RESPONSE");
}

#[test]
fn pass_error_does_not_disable_renewal_and_retries() {
    let sandbox = Sandbox::start();
    let session = refreshing(&sandbox, json!({ "pass_error": true, "retry_delay_ms": 1 }));
    sandbox.fault(json!({ "method": "friends.get" }), json!(2), json!({ "kind": "platform_error", "code": 3 }));
    assert!(session.call("friends.get", None).value().is_array());
    sandbox.post("expire", json!({}));
    assert!(session.call("friends.get", None).value().is_array(), "renewed");
    assert_eq!(sandbox.token_requests(), 1);
    sandbox.fault(json!({ "method": "friends.get" }), Value::Null, json!({ "kind": "platform_error", "code": 3 }));
    assert_eq!(session.call("friends.get", None).value()["error"]["error_code"], 3, "the last answer is returned");
    // A refusal of the authorization server is still a failure.
    sandbox.behave();
    sandbox.post("expire", json!({}));
    sandbox.fault(
        json!({ "grant": "refresh_token" }),
        json!(1),
        json!({ "kind": "oauth_error", "error": "invalid_grant" }),
    );
    session.call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
}

#[test]
fn every_failure_says_whether_the_same_call_may_succeed_later() {
    let sandbox = Sandbox::start();
    let session = once(&sandbox, json!({ "timeout_ms": 300 }));
    let on = json!({ "method": "sandbox.echo" });
    for (fault, code, transient) in [
        (json!({ "kind": "reset" }), "MAILRU_NETWORK_ERROR", true),
        (json!({ "kind": "silent" }), "MAILRU_TIMEOUT", true),
        (json!({ "kind": "truncate" }), "MAILRU_MALFORMED_RESPONSE", true),
        (json!({ "kind": "status", "status": 503 }), "MAILRU_HTTP_ERROR", true),
        (json!({ "kind": "status", "status": 404 }), "MAILRU_HTTP_ERROR", false),
    ] {
        sandbox.fault(on.clone(), json!(1), fault);
        let answer = session.call("sandbox.echo", None).expect(code);
        assert_eq!(answer.error("transient"), transient, "{}", answer.json);
    }
    assert_eq!(session.call("", None).error("transient"), false);
    drop(sandbox);
    assert_eq!(session.call("sandbox.echo", None).expect("MAILRU_NETWORK_ERROR").error("transient"), true);
}
