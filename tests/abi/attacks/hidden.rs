//! Hidden names: a signed name within another's value, and unsigned names that look like signed ones.

use mailru::ffi::mailru_verify_launch;
use serde_json::json;

use super::oracle::{self, Fields};
use super::{object, passes, sample, signed, verify, verify_query};
fn unsigned(kind: &str) -> Fields {
    sample(kind).into_iter().filter(|field| field.0 != "sig").collect()
}

/// A launch with each of the platform's names.
fn whole_launch() -> Fields {
    let mut fields = unsigned("launch");
    fields.push(("ref_notify".into(), "9".into()));
    fields
}

/// `session_expire` moves into the value before it: the hashed text stays the same, and the launch never expires.
#[test]
fn a_launch_does_not_lose_its_expiry() {
    let honest = whole_launch();
    let forged: Fields = honest
        .iter()
        .filter(|field| field.0 != "session_expire")
        .map(|(name, value)| match name.as_str() {
            "referer_type" => (name.clone(), format!("{value}session_expire=4102444800")),
            _ => (name.clone(), value.clone()),
        })
        .collect();
    assert_eq!(oracle::text(&honest), oracle::text(&forged), "one signature serves for both");
    assert_eq!(passes(&signed(&honest)), ["launch"]);
    let refused = verify(mailru_verify_launch, &object(&signed(&forged))).expect("MAILRU_SIGNATURE_MISMATCH");
    assert_eq!(refused.error("argument"), "referer_type");
}

/// Each launch name hidden in the value of each other one, and each name of the cookie.
#[test]
fn no_name_is_hidden_in_another() {
    let mut counted = 0;
    for (kind, all) in [("launch", whole_launch()), ("cookie", unsigned("cookie")), ("payment", unsigned("payment"))] {
        for (hidden, its_value) in &all {
            for (carrier, _) in all.iter().filter(|field| field.0 != *hidden) {
                for (front, back) in [("", ""), ("x", ""), ("", "x"), ("1", "я")] {
                    let smuggled = format!("{front}{hidden}={its_value}{back}");
                    let forged: Fields = all
                        .iter()
                        .filter(|field| field.0 != *hidden)
                        .map(|(name, value)| {
                            (name.clone(), if name == carrier { smuggled.clone() } else { value.clone() })
                        })
                        .collect();
                    let forged = signed(&forged);
                    let answer = verify_query(kind, &oracle::query(&forged)).expect("MAILRU_SIGNATURE_MISMATCH");
                    assert_eq!(answer.error("argument"), *carrier, "{kind}: {hidden} in {carrier}");
                    assert_eq!(passes(&forged), [""; 0], "{hidden} in {carrier}");
                    counted += 1;
                }
            }
        }
    }
    println!("counted: {counted} requests with one name hidden in the value of another, all refused");
    assert_eq!(counted, (13 * 12 + 11 * 10 + 7 * 6) * 4);
}

/// A launch with unsigned names that some server would read as a signed one.
#[test]
fn no_unsigned_name_looks_like_a_signed_one() {
    let good = signed(&whole_launch());
    let names: Vec<_> = whole_launch().into_iter().map(|field| field.0).collect();
    let mut counted = 0;
    for name in &names {
        let mut spellings = vec![
            format!(" {name}"),
            format!("{name} "),
            format!("\t{name}"),
            format!("\u{a0}{name}"),
            format!("\u{feff}{name}"),
            format!("{name}\u{200b}"),
            format!("{name}\0"),
            format!("{name}\0x"),
            format!("\0{name}"),
            format!("{name}[]"),
            format!("{name}[x]"),
            format!("{name}["),
            format!(" {name}[0][1]"),
            name.to_uppercase(),
            format!("{}{}", name[..1].to_uppercase(), &name[1..]),
            format!("{}[]", name.to_uppercase()),
            format!("{name}\r\n"),
            name.replace('i', "\u{131}"),
            name.replace('s', "\u{17f}"),
            name.replace('k', "\u{212a}"),
            name.replace('_', "."),
            name.replace('_', " "),
            name.replacen('_', "[", 1),
        ];
        spellings.retain(|spelling| spelling != name);
        for spelling in spellings {
            let mut forged = good.clone();
            forged.push((spelling.clone(), "1".into()));
            let mut early = sample("launch_by_key");
            early.push((spelling.clone(), "1".into()));
            for answer in [
                verify(mailru_verify_launch, &object(&forged)),
                verify_query("launch", &oracle::query(&forged)),
                verify_query("launch_by_key", &oracle::query(&early)),
            ] {
                assert_eq!(answer.expect("MAILRU_SIGNATURE_MISMATCH").error("argument"), spelling);
            }
            counted += 1;
        }
    }
    println!("counted: {counted} spellings of signed names beside a launch, all refused");
    // Percent-encoded, and with separators that only some servers know.
    let query = oracle::query(&good);
    verify_query("launch", &query).expect_ok();
    for own in ["+vid=1", "vid%00x=1", "vid[]=1", "vid%5B%5D=1", "%56id=1", "VID=1", "x=1;vid=2", "x;VID[]=2", ";vid"] {
        for query in [format!("{query}&{own}"), format!("{own}&{query}")] {
            verify_query("launch", &query).expect("MAILRU_SIGNATURE_MISMATCH");
        }
    }
    // The application's own names are accepted.
    for own in [
        "page=1",
        "ids[]=1&ids[]=",
        "utm-source=x",
        "a.b=c",
        "SIG=x",
        "video=1",
        "state=x&mobile_spec=y",
        "flag",
        "x=a;b",
    ] {
        if own.starts_with("ids") {
            verify_query("launch", &format!("{query}&{own}")).expect("MAILRU_INVALID_ARGUMENT");
            continue;
        }
        verify_query("launch", &format!("{query}&{own}")).expect_ok();
    }
    let mut own = object(&good);
    for (name, value) in
        [("page", json!("x")), ("ids[]", json!(["1"])), ("зима", json!(true)), ("utm-source", json!(null))]
    {
        own[name] = value;
    }
    verify(mailru_verify_launch, &own).expect_ok();
}

/// The numbers of a launch must be digits only.
#[test]
fn numbers_of_a_launch_are_digits() {
    for name in ["app_id", "vid", "oid", "session_expire", "is_app_user"] {
        for value in ["", "x", "1x", "-1", " 1", "1.0", "1300000000 "] {
            let mut forged = whole_launch();
            forged.iter_mut().filter(|field| field.0 == name).for_each(|field| field.1 = value.into());
            let answer = verify(mailru_verify_launch, &object(&signed(&forged))).expect("MAILRU_SIGNATURE_MISMATCH");
            assert_eq!(answer.error("argument"), name, "{value:?}");
        }
    }
}
