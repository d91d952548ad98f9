//! Redirects that did not come from the authorization server.

use mailru::ffi::mailru_parse_redirect;
use serde_json::{Value, json};

use crate::support::*;

fn parse(url: &str, state: Option<&str>) -> Answer {
    let (url, state) = (c(url), state.map(c));
    // SAFETY: the strings outlive the call.
    Answer::of(|code| unsafe { mailru_parse_redirect(url.as_ptr(), pointer(&state), code) })
}

#[test]
fn an_empty_state_is_no_state() {
    for url in
        ["https://x.example/?code=EVIL&state=", "https://x.example/?code=EVIL", "https://x.example/#code=EVIL&state="]
    {
        let refused = parse(url, Some("")).expect("MAILRU_INVALID_ARGUMENT");
        assert_eq!(refused.error("argument"), "expected_state");
        // NULL skips the comparison, as the header says.
        parse(url, None).expect_ok();
    }
    parse("https://x.example/?code=EVIL&state=", Some("s")).expect("MAILRU_OAUTH_ERROR");
}

/// Parts of the attacker and of the server are never combined.
#[test]
fn everything_comes_from_one_part() {
    let tokens = |answer: Answer| -> Value { answer.value()["access_token"].clone() };
    // The part with the state is used, whatever the other contains.
    assert_eq!(tokens(parse("https://x.example/?code=EVIL#state=s&access_token=a", Some("s"))), "a");
    assert_eq!(tokens(parse("https://x.example/?code=EVIL#state=s&access_token=a", None)), "a");
    assert_eq!(parse("https://x.example/?state=s&code=a#access_token=EVIL", Some("s")).value(), json!({ "code": "a" }));
    assert_eq!(parse("https://x.example/?state=s&code=a#error=EVIL", Some("s")).value(), json!({ "code": "a" }));
    assert_eq!(tokens(parse("https://x.example/?error=EVIL&uid=1#state=s&access_token=a", Some("s"))), "a");
    let mixed =
        parse("https://x.example/?x_mailru_vid=666&refresh_token=EVIL#access_token=a&state=s", Some("s")).value();
    assert_eq!((&mixed["uid"], &mixed["refresh_token"]), (&Value::Null, &Value::Null));
    for url in [
        // The state is in one part, the other parameters in the other.
        "https://x.example/?state=s#code=EVIL",
        "https://x.example/?code=EVIL#state=s",
        "https://x.example/?code=EVIL#state=s&error=access_denied",
        // It is unclear which part the server wrote.
        "https://x.example/?state=s&code=EVIL#state=s&code=a",
        "https://x.example/?state=s&code=EVIL#state=t&code=a",
        "https://x.example/?state=t&code=EVIL#state=s&code=a",
    ] {
        parse(url, Some("s")).expect("MAILRU_OAUTH_ERROR");
        parse(url, None).expect("MAILRU_OAUTH_ERROR");
    }
    for query in ["code=EVIL", "access_token=EVIL", "error=EVIL"] {
        for fragment in ["code=a", "access_token=a", "error=access_denied"] {
            parse(&format!("https://x.example/?{query}#{fragment}"), None).expect("MAILRU_OAUTH_ERROR");
        }
    }
}

#[test]
fn a_name_stands_once() {
    let names = [
        "state",
        "code",
        "access_token",
        "refresh_token",
        "expires_in",
        "token_type",
        "x_mailru_vid",
        "error",
        "error_description",
        "error_uri",
        "scope",
        "status",
    ];
    for name in names {
        for part in ["?", "#"] {
            for repeated in [
                format!("{name}=1&{name}=1"),
                format!("{name}=1&{name}=2"),
                format!("{name}=1&%{:02x}{}=2", name.as_bytes()[0], &name[1..]),
            ] {
                let url = format!("https://x.example/{part}state=s&code=a&{repeated}");
                let refused = parse(&url, None).expect("MAILRU_OAUTH_ERROR");
                assert!(refused.error("field").is_string(), "{}", refused.json);
            }
        }
    }
    parse("https://x.example/?own=1&own=2&state=s&code=a", Some("s")).expect_ok();
    for damaged in ["code=%", "code=%ff", "state=%zz", "access_token=a%4"] {
        parse(&format!("https://x.example/?{damaged}"), None).expect("MAILRU_OAUTH_ERROR");
    }
    parse("https://x.example/?own=%ff&code=a", None).expect_ok();
}

#[test]
fn a_user_refuses_in_several_ways() {
    for url in [
        "mm423004://authorize?status=cancel",
        "mm423004://authorize?status=error",
        "mm423004://authorize?status=error&access_token=a&state=s",
        "mm423004://authorize#status=cancel&state=s&code=a",
        "https://x.example/?error=access_denied&state=s",
    ] {
        let refused = parse(url, url.contains("state").then_some("s")).expect("MAILRU_OAUTH_ERROR");
        assert!(refused.error("oauth").is_object(), "{}", refused.json);
    }
    for url in
        ["mm423004://authorize?status=success&code=a", "mm423004://authorize?status=5&code=a", "x?status=cancel#code=a"]
    {
        assert_eq!(parse(url, None).value(), json!({ "code": "a" }), "{url}");
    }
}

/// Errors are displayed and logged.
#[test]
fn a_refusal_shows_nothing_but_the_refusal() {
    let secrets = [
        "code",
        "access_token",
        "refresh_token",
        "session_key",
        "id_token",
        "client_secret",
        "token",
        "password",
        "state",
        "x_mailru_vid",
        "assertion",
        "code_verifier",
        "secret_key",
        "private_key",
        "sig",
    ];
    let more: String = secrets.iter().map(|name| format!("&{name}=hunter2")).collect();
    for part in ["?", "#"] {
        let refused = parse(&format!("x{part}error=access_denied&error_description=no&error_code=7{more}"), None);
        let refused = refused.expect("MAILRU_OAUTH_ERROR");
        assert!(!refused.json.contains("hunter2"), "{}", refused.json);
        let shown = refused.error("oauth");
        assert_eq!((&shown["error"], &shown["error_description"]), (&json!("access_denied"), &json!("no")));
    }
}

#[test]
fn a_user_id_is_digits() {
    for uid in ["7x", "-7", "7.0", "+7", " 7", "%D9%A7", "7%00", "0x7", "app_id%3D1", "7%0A"] {
        for part in ["?", "#"] {
            let refused =
                parse(&format!("x{part}access_token=a&x_mailru_vid={uid}"), None).expect("MAILRU_OAUTH_ERROR");
            assert_eq!(refused.error("field"), "x_mailru_vid", "{uid}");
        }
    }
    assert_eq!(
        parse("x#access_token=a&x_mailru_vid=15410773191172635989", None).value()["uid"],
        "15410773191172635989"
    );
    assert_eq!(parse("x#access_token=a&x_mailru_vid=", None).value()["uid"], Value::Null);
}

#[test]
fn an_unlimited_life_is_unknown() {
    for seconds in ["1e308", "18446744073709551615", "9007199254740993", "inf", "NaN", "-1", "1e999"] {
        let tokens = parse(&format!("x#access_token=a&expires_in={seconds}"), None).value();
        assert_eq!((&tokens["expires_in"], &tokens["expires_at"]), (&Value::Null, &Value::Null), "{seconds}");
    }
    assert_eq!(parse("x#access_token=a&expires_in=86400", None).value()["expires_in"], 86400);
}
