//! Parameters whose names a server reads as those that the library signs itself.

use serde_json::{Value, json};

use crate::support::*;

#[test]
fn reserved_names_are_reserved_in_every_spelling() {
    let sandbox = Sandbox::start();
    let mut counted = 0;
    for session in [client(&sandbox.options(json!({}))), server(&sandbox.options(json!({})))] {
        for reserved in ["method", "app_id", "session_key", "secure", "sig", "cb"] {
            let capital = format!("{}{}", reserved[..1].to_uppercase(), &reserved[1..]);
            for name in [
                reserved.to_owned(),
                reserved.to_uppercase(),
                capital,
                format!("{reserved}[]"),
                format!("{reserved}[x]"),
                format!("{reserved}["),
                format!("{reserved}.x"),
                format!("{reserved}."),
                format!("{}[0]", reserved.to_uppercase()),
                format!(" {reserved}"),
                format!("{reserved} "),
                format!("\t{reserved}"),
                format!("{reserved}\0"),
                format!("{reserved}\0x"),
                format!("\u{feff}{reserved}"),
                format!("{reserved}="),
                format!("{reserved}&x"),
                format!("{reserved}\n"),
                format!("{reserved};"),
                format!("%73{reserved}"),
                reserved.replace('_', "."),
                reserved.replace('_', "["),
                reserved.replace('s', "\u{17f}"),
            ] {
                for value in [json!("x"), json!(1), json!([]), Value::Null] {
                    let params = json!({ "a": 1, &name: value }).to_string();
                    for answer in [session.call("friends.get", &*params), session.sign("friends.get", &*params)] {
                        let refused = answer.expect("MAILRU_INVALID_ARGUMENT");
                        assert_eq!(refused.error("argument"), name, "{params}");
                    }
                    counted += 1;
                }
            }
        }
        for name in ["FORMAT", "Format", "format[]", "format.x", "format"] {
            let params = json!({ name: "xml" }).to_string();
            let refused = session.sign("friends.get", &*params).expect("MAILRU_INVALID_ARGUMENT");
            assert_eq!(refused.error("argument"), name);
        }
        session.sign("friends.get", r#"{"format":"json"}"#).expect_ok();
        session.sign("friends.get", r#"{"format":null}"#).expect_ok();
    }
    println!("counted: {counted} parameters with a reserved name in another spelling, all refused");
    assert_eq!(sandbox.requests().len(), 0, "a refused call is not sent");
}

#[test]
fn a_name_is_letters_digits_and_little_else() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    let good = json!({ "a": "1", "A9": "2", "uid2": "3", "user-id": "4", "ids[]": "5", "a[b][c]": "6", "x.y": "7", "_": "8",
        "sigma": "9", "methods": "10", "cb_": "11", "format_": "12", "secured": "13", "session": "14" });
    let answer = session.call("sandbox.echo", &*good.to_string()).value();
    for (name, value) in good.as_object().expect("an object") {
        assert_eq!(answer[name], *value, "{name}");
    }
    // A name with = is the attack itself: {"text=hi": ""} and {"text": "hi"} would be signed alike.
    for name in [
        "a b", " ", "a=b", "a&b", "имя", "é", "a\u{0}", "a\n", "a%41", "a+b", "a/b", "a\\b", "\"", "a;b", "a:b", "a,b",
        "(a)", "{a}", "~a", "@", "#", "😀",
    ] {
        for value in [json!("x"), Value::Null] {
            let params = json!({ name: value }).to_string();
            let answers = [
                session.call("friends.get", &*params),
                session.sign("friends.get", &*params),
                session.upload("photos.upload", &*params, "img_file", "a", b"x"),
            ];
            for answer in answers {
                assert_eq!(answer.expect("MAILRU_INVALID_ARGUMENT").error("argument"), name, "{name:?}");
            }
        }
    }
}

#[test]
fn the_empty_string_is_not_given() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    session.call("friends.get", "").expect_ok();
    session.sign("friends.get", "").expect_ok();
    session.public("mail/demo", "").expect_ok();
    let given = sandbox.requests()[0]["params"].clone();
    session.call("friends.get", None).expect_ok();
    assert_eq!(sandbox.last()["params"], given);
    drop(Constructor::of("public").make(&[], Some("")).expect("the defaults"));
    for blank in [" ", "\n"] {
        session.call("friends.get", blank).expect("MAILRU_INVALID_ARGUMENT");
        assert!(Constructor::of("public").make(&[], Some(blank)).is_err());
    }
}
