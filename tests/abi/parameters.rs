//! How the values of `params_json` are sent, and which are refused by name.

use serde_json::{Value, json};

use crate::support::*;

/// The parameters that the sandbox received, without the library's own.
fn received(session: &Session, params_json: &str) -> Value {
    let mut echo: Value = session.call("sandbox.echo", params_json).value();
    let own = ["app_id", "method", "session_key", "secure"];
    echo.as_object_mut().expect("an object").retain(|name, _| !own.contains(&name.as_str()));
    echo
}

#[test]
fn values_of_every_kind_are_sent_as_the_manual_says() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    for (params, expected) in [
        (r#"{}"#, json!({})),
        (r#" { "a" : "x" } "#, json!({ "a": "x" })),
        (
            r#"{"a":"","b":0,"c":false,"d":true,"e":null,"f":"null"}"#,
            json!({ "a": "", "b": "0", "c": "0", "d": "1", "f": "null" }),
        ),
        (
            r#"{"a":-0,"b":-0.0,"c":1e2,"d":1E+2,"e":1.50,"f":-1.5e-10}"#,
            json!({ "a": "-0", "b": "-0.0", "c": "1e2", "d": "1E+2", "e": "1.50", "f": "-1.5e-10" }),
        ),
        (
            r#"{"a":18446744073709551615,"b":15410773191172635989,"c":9007199254740993,"d":-9223372036854775808}"#,
            json!({ "a": "18446744073709551615", "b": "15410773191172635989", "c": "9007199254740993", "d": "-9223372036854775808" }),
        ),
        (
            r#"{"a":0.1000000000000000055511151231257827021181583404541015625,"b":123456789012345678901234567890.123456789012345678901234567890,"c":1e999,"d":-1e-999}"#,
            json!({ "a": "0.1000000000000000055511151231257827021181583404541015625", "b": "123456789012345678901234567890.123456789012345678901234567890", "c": "1e999", "d": "-1e-999" }),
        ),
        (
            r#"{"a":[],"b":[1],"c":["x","y"],"d":[1,"2",true,false,4.0,18446744073709551615],"e":["a,b",""]}"#,
            json!({ "a": "", "b": "1", "c": "x,y", "d": "1,2,1,0,4.0,18446744073709551615", "e": "a,b," }),
        ),
        (
            r#"{"a":[ null ],"b":[ 1 , [ 2 ] ],"c":[ { } ],"d":{},"e":{ "x" : 1.0 , "y" : [ "a\u0041" , null , true ] }}"#,
            json!({ "a": "[null]", "b": "[1,[2]]", "c": "[{}]", "d": "{}" , "e": r#"{"x":1.0,"y":["a\u0041",null,true]}"# }),
        ),
        (
            r#"{"a":{"big":18446744073709551616,"long":0.30000000000000004440892098500626}}"#,
            json!({ "a": r#"{"big":18446744073709551616,"long":0.30000000000000004440892098500626}"# }),
        ),
        (r#"{"a":{" ":" a  b ","\"\\":"\"\\ \/"}}"#, json!({ "a": r#"{" ":" a  b ","\"\\":"\"\\ \/"}"# })),
        (r#"{"\u0061":"\u0000\u0001\n\t\"\\\/\ud83d\ude00"}"#, json!({ "a": "\u{0}\u{1}\n\t\"\\/😀" })),
        (
            r#"{"_":" ","a-b":"&=+%","a.b[c]":"%42","a[]":"1","A":"2","a":"3","uid":"4","format":"json"}"#,
            json!({ "_": " ", "a-b": "&=+%", "a.b[c]": "%42", "a[]": "1", "A": "2", "a": "3", "uid": "4", "format": "json" }),
        ),
    ] {
        assert_eq!(received(&session, params), expected, "{params}");
    }
    // 128 levels are accepted, in parameters and in answers.
    let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(received(&session, &nested(128))["a"].as_str().map(str::len), Some(256));
    let refused = session.call("sandbox.echo", &*nested(20_000)).expect("MAILRU_INVALID_ARGUMENT");
    assert_eq!(refused.error("argument"), "a");
}

#[test]
fn names_are_signed_in_the_order_of_their_bytes() {
    let sandbox = Sandbox::start();
    for session in [client(&sandbox.options(json!({}))), server(&sandbox.options(json!({})))] {
        // Sorting the joined texts would put `a1=` before `a=`.
        session.call("sandbox.echo", r#"{"a1":"x","a":"y","a-":"z","B":"1","b":"2","a[]":"3","_":"4"}"#).expect_ok();
        let target = sandbox.last()["target"].as_str().expect("text").to_owned();
        let at = |name: &str| target.find(&format!("{name}=")).unwrap_or_else(|| panic!("{name} in {target}"));
        let order =
            [at("?B"), at("&_"), at("&a"), at("&a-"), at("&a1"), at("&a%5B%5D"), at("&app_id"), at("&b"), at("&sig")];
        assert!(order.is_sorted(), "{target}");
    }
}

#[test]
fn reserved_and_repeated_names_are_refused_by_name() {
    let sandbox = Sandbox::start();
    for session in [client(&sandbox.options(json!({}))), server(&sandbox.options(json!({})))] {
        let refused = |params: &str, named: &str| {
            for answer in [session.call("friends.get", params), session.sign("friends.get", params)] {
                let answer = answer.expect("MAILRU_INVALID_ARGUMENT");
                assert_eq!(answer.error("argument"), named, "{}", answer.json);
                assert!(answer.error("error_msg").as_str().is_some_and(|text| text.contains(named)), "{}", answer.json);
                assert_eq!(answer.error("transient"), false);
            }
        };
        for name in ["method", "app_id", "session_key", "secure", "sig", "cb"] {
            for value in ["\"x\"", "1", "\"\"", "0", "[]", "{}", "false", "null"] {
                refused(&format!("{{\"x\":1,\"{name}\":{value}}}"), name);
            }
        }
        refused(r#"{"s\u0069g":"x"}"#, "sig");
        for format in ["\"xml\"", "\"JSON\"", "\"\"", "1", "[]", "[\"json\",1]"] {
            refused(&format!("{{\"format\":{format}}}"), "format");
        }
        refused(r#"{"a":1,"b":2,"a":1}"#, "a");
        refused(r#"{"имя":1,"\u0438\u043c\u044f":null}"#, "имя");
        let many: String = (0..100).map(|number| format!("\"p{number}\":{number},")).collect();
        refused(&format!("{{{many}\"p7\":1}}"), "p7");
        refused(r#"{"":1}"#, "params_json");
        refused(r#"{"a":"\ud800"}"#, "a");
        refused(r#"{"a":["\udc00 "]}"#, "a");
        for params in [
            " ",
            "null",
            "[]",
            "\"a\"",
            "1",
            "{",
            "{}}",
            "{\"a\"}",
            "{a:1}",
            "{\"a\":}",
            "{\"a\":01}",
            "{'a':1}",
            "{\"a\":1,}",
            "{\"a\":NaN}",
            "{\"a\":\"\t\"}",
            "\u{feff}{}",
        ] {
            refused(params, "params_json");
        }
    }
    assert_eq!(sandbox.requests().len(), 0, "a refused call is not sent");
}

#[test]
fn names_that_only_begin_like_reserved_ones_are_the_callers() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    let others = r#"{"Methods":"1","xsig":"2","sig-":"3","session_key2":"4","secures":"5","formats":"xml","cb_":"6"}"#;
    assert_eq!(received(&session, others), serde_json::from_str::<Value>(others).unwrap());
}

#[test]
fn any_method_name_of_dotted_words_is_allowed() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    for method in ["sandbox.echo", "sandbox.echo_1.Two.x9"] {
        session.call(method, None).expect_ok();
        assert_eq!(sandbox.last()["params"]["method"], method);
    }
    // Unknown to the library and to the platform, which answers with an error.
    for method in ["no.such.method", "x", "_", "9", "A.b_C"] {
        assert_eq!(session.call(method, None).expect("MAILRU_API_ERROR").error("error_code"), 2);
    }
    let before = sandbox.requests().len();
    for method in [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "a b",
        "a/b",
        "a-b",
        "метод",
        "a&b=c",
        "a?b",
        "a#b",
        " a",
        "a\n",
        "a%2e",
        "a\u{7f}",
    ] {
        for refused in [
            session.call(method, None),
            session.sign(method, None),
            session.call_within(method, None, 0, 0),
            session.upload(method, None, "img_file", "a", b"x"),
        ] {
            assert_eq!(refused.expect("MAILRU_INVALID_ARGUMENT").error("argument"), "method", "{method:?}");
        }
    }
    assert_eq!(sandbox.requests().len(), before);
}
