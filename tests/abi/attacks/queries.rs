//! `mailru_verify_query`: checks a query string as received, and returns the checked parameters.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::oracle::{self, Fields};
use super::{object, sample, signed, verify_query};
use crate::support::*;

/// The members of the result other than `verified`.
fn checked(kind: &str, query: &str) -> Value {
    let answer = verify_query(kind, query);
    let mut value = answer.value();
    answer.expect_ok();
    assert_eq!(value.as_object_mut().expect("an object").remove("verified"), Some(json!(true)));
    value
}

#[test]
fn it_returns_the_checked_parameters_and_no_others() {
    for (kind, by, end) in [
        ("payment", json!(["sig"]), false),
        ("cookie", json!(["sig"]), true),
        ("launch", json!(["authentication_key", "sig"]), true),
        ("launch_by_key", json!(["authentication_key"]), false),
    ] {
        let sample = sample(kind);
        let mut query = oracle::query(&sample);
        if kind.starts_with("launch") {
            query.push_str("&own=1&session=2&state=x");
        }
        let answer = checked(kind, &query);
        let mut expected = object(&sample);
        expected.as_object_mut().expect("an object").remove("sig");
        if kind == "launch_by_key" {
            expected.as_object_mut().expect("an object").remove("authentication_key");
        }
        assert_eq!((&answer["params"], &answer["checked"]), (&expected, &by), "{kind}");
        let times = if end { (json!(4102444800_u64), json!(false)) } else { (Value::Null, Value::Null) };
        assert_eq!((answer["expires_at"].clone(), answer["expired"].clone()), times, "{kind}");
        assert_eq!(answer.as_object().map(|members| members.len()), Some(if end { 4 } else { 2 }), "{answer}");
    }
    // Sixteen names of an early launch, of which the key proves two.
    let mut early = sample("launch");
    early.retain(|field| field.0 != "sig");
    assert_eq!(checked("launch_by_key", &oracle::query(&early))["params"], json!({ "app_id": APP_ID, "vid": UID }));
    // A launch of the second generation.
    let second: Fields = early.into_iter().filter(|field| field.0 != "authentication_key").collect();
    assert_eq!(checked("launch", &oracle::query(&signed(&second)))["checked"], json!(["sig"]));
}

#[test]
fn it_returns_when_a_launch_expires() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    for (kind, name) in [("launch", "session_expire"), ("cookie", "exp")] {
        for (end, expires_at, expired) in [
            ("0", 0, true),
            ("1300000000", 1_300_000_000, true),
            (&*now.to_string(), now, true),
            (&*(now + 100).to_string(), now + 100, false),
            ("99999999999999999999999999", (1 << 53) - 1, false),
        ] {
            let mut fields = sample(kind);
            fields.retain(|field| field.0 != "sig");
            fields.iter_mut().filter(|field| field.0 == name).for_each(|field| field.1 = end.into());
            let answer = checked(kind, &oracle::query(&signed(&fields)));
            assert_eq!((&answer["expires_at"], &answer["expired"]), (&json!(expires_at), &json!(expired)), "{end}");
        }
    }
}

#[test]
fn it_decodes_strictly() {
    let fields = super::fields(&[("app_id", "1"), ("vid", "2"), ("view", "a b+c&d=e;я%"), ("window_id", "")]);
    let good = oracle::query(&signed(&fields));
    assert_eq!(checked("launch", &good)["params"]["view"], "a b+c&d=e;я%");
    for same in
        [good.replace("%20", "+"), good.replace("%D1%8F", "%d1%8f"), good.replace("%D1%8F", "я"), format!("&{good}&&")]
    {
        assert_eq!(checked("launch", &same)["params"]["view"], "a b+c&d=e;я%", "{same}");
    }
    for bad in [
        "a=%",
        "a=%4",
        "a=%zz",
        "a=%+1",
        "a=%ff",
        "%ff=a",
        "a=%D1",
        "a=%C0%80",
        "a=%ED%A0%80",
        "=a",
        "a b=c",
        "a=#b",
        "a=\u{7f}",
    ] {
        for query in [format!("{good}&{bad}"), format!("{bad}&{good}")] {
            let refused = verify_query("launch", &query).expect("MAILRU_INVALID_ARGUMENT");
            assert_eq!(refused.error("argument"), "query", "{bad}");
        }
    }
    assert_eq!(
        verify_query("launch", &format!("?{good}")).expect("MAILRU_INVALID_ARGUMENT").error("argument"),
        "query"
    );
    for (repeated, name) in [("vid=2", "vid"), ("own=1&own=1", "own"), ("%76id=3", "vid"), ("sig=x", "sig")] {
        for query in [format!("{good}&{repeated}"), format!("{repeated}&{good}")] {
            let refused = verify_query("launch", &query).expect("MAILRU_INVALID_ARGUMENT");
            assert_eq!(refused.error("argument"), name);
        }
    }
}

#[test]
fn it_names_what_is_missing_or_wrong() {
    for kind in ["payment", "launch", "cookie"] {
        assert_eq!(verify_query(kind, "").expect("MAILRU_INVALID_ARGUMENT").error("argument"), "sig");
        let query = oracle::query(&sample(kind));
        verify_query(kind, &query.replace("sig=", "sig=0")).expect("MAILRU_SIGNATURE_MISMATCH");
        let upper = query.rsplit_once("sig=").map(|(front, sig)| format!("{front}sig={}", sig.to_uppercase()));
        verify_query(kind, &upper.expect("a signature")).expect_ok();
    }
    for (kind, missing, code) in [
        ("launch", "app_id", "MAILRU_INVALID_ARGUMENT"),
        ("launch", "vid", "MAILRU_INVALID_ARGUMENT"),
        ("launch_by_key", "app_id", "MAILRU_INVALID_ARGUMENT"),
        ("launch_by_key", "vid", "MAILRU_INVALID_ARGUMENT"),
        ("launch_by_key", "authentication_key", "MAILRU_INVALID_ARGUMENT"),
        ("cookie", "app_id", "MAILRU_SIGNATURE_MISMATCH"),
        ("cookie", "exp", "MAILRU_SIGNATURE_MISMATCH"),
        ("payment", "uid", "MAILRU_SIGNATURE_MISMATCH"),
    ] {
        let fields: Fields = sample(kind).into_iter().filter(|field| field.0 != missing && field.0 != "sig").collect();
        let fields = if kind == "launch_by_key" { fields } else { signed(&fields) };
        assert_eq!(verify_query(kind, &oracle::query(&fields)).expect(code).error("argument"), missing, "{kind}");
    }
    let query = oracle::query(&sample("launch_by_key"));
    verify_query("launch_by_key", &query.replace(UID, "7")).expect("MAILRU_SIGNATURE_MISMATCH");
    for kind in ["", "Payment", "launch ", "call", "payment,launch"] {
        assert_eq!(verify_query(kind, &query).expect("MAILRU_INVALID_ARGUMENT").error("argument"), "kind");
    }
    for (arguments, named) in [
        ([None, Some("k"), Some("q")], "kind"),
        ([Some("launch"), None, Some("q")], "secret_key"),
        ([Some("launch"), Some(""), Some("q")], "secret_key"),
        ([Some("launch"), Some("k"), None], "query"),
    ] {
        let texts = arguments.map(|text| text.map(c));
        let [kind, key, query] = [0, 1, 2].map(|at| pointer(&texts[at]));
        // SAFETY: the strings outlive the call.
        let refused = Answer::of(|code| unsafe { mailru::ffi::mailru_verify_query(kind, key, query, code) });
        assert_eq!(refused.expect("MAILRU_INVALID_ARGUMENT").error("argument"), named);
    }
}

/// Shows why a signature of the server-server circuit must not reach a browser, and a user must not choose names: both
/// hashed texts are equal.
#[test]
fn one_signature_serves_for_two_sets_of_parameters() {
    let session = server("{}");
    let sig = |params: Value| session.sign("stream.post", &*params.to_string()).value()["sig"].clone();
    assert_eq!(sig(json!({ "text": "hiuid=999" })), sig(json!({ "text": "hi", "uid": "999" })));
    // The header warns of this at each function.
    let header = include_str!("../../../include/mailru.h");
    for function in [
        "mailru_call",
        "mailru_sign",
        "mailru_verify",
        "mailru_verify_launch",
        "mailru_verify_query",
        "mailru_parse_redirect",
    ] {
        let manual = header.split(&format!(" *{function}(")).next().and_then(|front| front.rsplit_once("/*"));
        assert!(manual.is_some_and(|(_, manual)| manual.contains("The attack:")), "{function}");
    }
}
