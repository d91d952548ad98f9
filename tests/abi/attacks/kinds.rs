//! One key signs payments, launches, cookies and calls: none is accepted as another kind, unchanged or divided
//! differently.

use mailru::ffi::{mailru_verify, mailru_verify_launch};
use serde_json::json;

use super::oracle::{self, Fields, NAMES, SIGNED};
use super::{Verify, fields, object, passes, sample, signed, verify, verify_query};
use crate::support::*;

#[test]
fn each_kind_passes_for_itself_only() {
    let kinds = ["payment", "launch", "cookie", "launch_by_key", "call"];
    let mut presented = 0;
    for kind in kinds {
        let passed = passes(&sample(kind));
        let itself: Vec<_> = [kind].into_iter().filter(|kind| *kind != "call").collect();
        assert_eq!(passed, itself, "{kind}");
        presented += 4 - itself.len();
    }
    println!("counted: 5 kinds of signed requests presented as each of 4 kinds, {presented} of them forged");
    assert_eq!(presented, 16);
}

/// The attack of a user: a launch with a payment within a value, sent to the application's payment address.
#[test]
fn a_launch_is_no_payment() {
    // As the platform signs it, and as an attacker divides it.
    let launch = fields(&[
        ("app_id", APP_ID),
        ("ext_perm", "service_id=10sms_price=500transaction_id=3751uid=104"),
        ("vid", UID),
    ]);
    let payment = fields(&[
        ("app_id", APP_ID),
        ("ext_perm", ""),
        ("service_id", "10"),
        ("sms_price", "500"),
        ("transaction_id", "3751"),
        ("uid", "104"),
        ("vid", UID),
    ]);
    assert_eq!(oracle::text(&launch), oracle::text(&payment));
    let sample = signed(&payment);
    assert_eq!(passes(&sample), [""; 0]);
    let refused = verify(mailru_verify, &object(&sample)).expect("MAILRU_SIGNATURE_MISMATCH");
    assert_eq!(refused.error("argument"), "ext_perm");
    assert_eq!(passes(&signed(&launch)), ["launch"]);
    // Nor unchanged.
    for kind in ["launch", "call"] {
        let refused = verify(mailru_verify, &object(&super::sample(kind))).expect("MAILRU_SIGNATURE_MISMATCH");
        assert!(refused.error("argument").is_string(), "{}", refused.json);
    }
}

/// The names that a kind requires, in the order of hashing, with accepted values.
fn needs(kind: &str) -> &'static [(&'static str, &'static str)] {
    match kind {
        "payment" => &[("app_id", "1"), ("service_id", "2"), ("sms_price", "3"), ("transaction_id", "4"), ("uid", "5")],
        "launch" => &[("app_id", "1"), ("vid", "2")],
        "cookie" => &[("app_id", "1"), ("exp", "2"), ("vid", "3")],
        "call" => &[("app_id", "1"), ("method", "a.b"), ("secure", "1"), ("text", "x")],
        _ => panic!("no kind {kind}"),
    }
}

/// All readings of a text by known names, each with the names in order.
fn readings(whole: &str) -> Vec<Fields> {
    let mut places = Vec::new();
    for (at, _) in whole.match_indices('=') {
        places.extend(NAMES.iter().filter(|name| whole[..at].ends_with(*name)).map(|name| (at - name.len(), *name)));
    }
    let mut found = Vec::new();
    let mut open = vec![(Fields::new(), None::<(&str, usize)>, 0)];
    while let Some((read, begun, next)) = open.pop() {
        if next == places.len() {
            let Some((name, value_at)) = begun else { continue };
            let mut read = read;
            read.push((name.to_owned(), whole[value_at..].to_owned()));
            found.push(read);
            continue;
        }
        let (at, name) = places[next];
        let follows = match begun {
            None => at == 0,
            Some((previous, value_at)) => previous < name && at >= value_at,
        };
        if follows {
            let mut read = read.clone();
            if let Some((previous, value_at)) = begun {
                read.push((previous.to_owned(), whole[value_at..at].to_owned()));
            }
            open.push((read, Some((name, at + name.len() + 1)), next + 1));
        }
        open.push((read, begun, next + 1));
    }
    found
}

/// The required parameters of each kind, hidden in each value of each kind: of all readings of the text, at most one is
/// accepted.
#[test]
fn hidden_requests_are_nobodys() {
    let (mut texts, mut tried, mut passed) = (0, 0, 0);
    for carrier in ["payment", "launch", "cookie", "call"] {
        let names = sample(carrier).into_iter().map(|field| field.0).filter(|name| name != "sig");
        for (name, hidden) in
            names.flat_map(|name| ["payment", "launch", "cookie", "call"].map(|hidden| (name.clone(), hidden)))
        {
            for (front, separator) in [("", ""), ("x", ""), ("1", ""), ("", "x"), ("", "&")] {
                // The app_id of the carrying request is the first name in both.
                let smuggled: Vec<_> =
                    needs(hidden)[1..].iter().map(|(name, value)| format!("{name}={value}")).collect();
                let mut carrying = fields(needs(carrier));
                carrying.retain(|field| field.0 != name);
                carrying.push((name.clone(), [front, &smuggled.join(separator)].concat()));
                let whole = oracle::text(&carrying);
                texts += 1;
                let mut accepted = Vec::new();
                for reading in readings(&whole) {
                    let query = oracle::query(&signed(&reading));
                    tried += SIGNED.len();
                    let accepting = SIGNED.into_iter().filter(|kind| oracle::passes(kind, &query).is_some());
                    accepted.extend(accepting.map(|kind| (kind, reading.clone())));
                }
                assert!(accepted.len() <= 1, "{whole}: {accepted:?}");
                passed += accepted.len();
            }
        }
    }
    println!(
        "counted: {texts} texts with a request hidden in another, checked in {tried} ways; {passed} pass, each in one way"
    );
    assert!(texts > 600 && tried > 10 * texts && passed > 20, "{texts} {tried} {passed}");
}

/// A payment must have all its parameters and none of another kind, even with a correct signature.
#[test]
fn a_payment_is_whole_and_only_a_payment() {
    let base: Fields = sample("payment").into_iter().filter(|field| field.0 != "sig").collect();
    let refused = |fields: &Fields, argument: &str| {
        let all = signed(fields);
        for answer in [verify(mailru_verify, &object(&all)), verify_query("payment", &oracle::query(&all))] {
            let answer = answer.expect("MAILRU_SIGNATURE_MISMATCH");
            assert_eq!(answer.error("argument"), argument, "{all:?}");
        }
    };
    let without = |name: &str| base.iter().filter(|field| field.0 != name).cloned().collect::<Fields>();
    let with = |name: &str, value: &str| {
        let mut fields = without(name);
        fields.push((name.into(), value.into()));
        fields
    };
    for name in ["app_id", "transaction_id", "service_id", "uid"] {
        refused(&without(name), name);
        for value in ["", "-1", "1.5", "1e3", " 1", "1 ", "0x1", "１", "abc", "1,2"] {
            refused(&with(name, value), name);
        }
    }
    refused(&without("other_price"), "mailiki_price");
    for price in ["mailiki_price", "other_price", "sms_price"] {
        refused(&with(price, "free"), price);
        assert_eq!(passes(&signed(&with(price, "1"))), ["payment"]);
    }
    for other in [
        "authentication_key",
        "ext_perm",
        "is_app_user",
        "oid",
        "ref_notify",
        "referer_id",
        "referer_type",
        "session_expire",
        "session_key",
        "vid",
        "view",
        "window_id",
        "state",
        "mobile_spec",
        "method",
        "secure",
        "cb",
        "format",
        "exp",
        "ss",
        "connectPartner",
    ] {
        refused(&with(other, "1"), other);
    }
    for name in ["UID", "App_id", "a b", "a-b", "a=b", "uid[]", "имя", "vid\u{1}", "+uid", "Sig"] {
        refused(&with(name, "1"), name);
    }
}

/// A value of another type is not the value that was hashed.
#[test]
fn values_are_strings_or_numbers() {
    for (kind, function) in [("payment", mailru_verify as Verify), ("launch", mailru_verify_launch)] {
        let good = object(&sample(kind));
        verify(function, &good).expect_ok();
        for (name, value) in good.as_object().expect("an object") {
            let text = value.as_str().expect("text");
            for other in
                [json!([text]), json!({ "0": text }), json!([]), json!({}), json!(true), json!(false), json!(null)]
            {
                let mut params = good.clone();
                params[name] = other.clone();
                let answer = verify(function, &params);
                if name == "sig" && other.is_null() {
                    answer.expect("MAILRU_INVALID_ARGUMENT");
                    continue;
                }
                let answer = answer.expect("MAILRU_SIGNATURE_MISMATCH");
                assert_eq!(answer.error("argument"), *name, "{kind}: {name}={other}");
            }
            // A number counts as its digits.
            if let Ok(number) = text.parse::<u64>() {
                let mut params = good.clone();
                params[name] = json!(number);
                verify(function, &params).expect_ok();
            }
        }
    }
}
