//! Options: each is checked by name, and each has its effect.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::*;

/// Calls the constructor of public sessions with these options; returns the refused option's name.
fn refused(options: &str) -> Option<String> {
    let error = Constructor::of("public").make(&[], Some(options)).err()?;
    let error: Value = serde_json::from_str(&error).expect("the error is JSON");
    let error = &error["error"];
    let named = error["argument"].as_str().expect("a name").to_owned();
    assert_eq!(error["error_code"], -1);
    assert!(error["error_msg"].as_str().expect("a message").contains(&named), "{error}");
    Some(named)
}

const FLAGS: [&str; 4] = ["pass_error", "auto_refresh", "callbacks_in_calls", "allow_http"];
const NUMBERS: [&str; 8] = [
    "expires_in",
    "timeout_ms",
    "connect_timeout_ms",
    "retries",
    "retry_delay_ms",
    "max_response_bytes",
    "get_limit",
    "max_idle_connections",
];
const TEXTS: [&str; 9] = [
    "api_url",
    "public_url",
    "token_url",
    "client_secret",
    "refresh_token",
    "user_agent",
    "proxy",
    "tls_roots",
    "ca_file",
];

#[test]
fn a_wrong_type_range_or_name_is_refused_by_name() {
    let check = |names: &[&str], values: &[&str], refusal: bool| {
        for (name, value) in names.iter().flat_map(|name| values.iter().map(move |value| (*name, value))) {
            let named = refused(&format!("{{\"{name}\":{value}}}"));
            assert_eq!(named.as_deref(), refusal.then_some(name), "{name}: {value}");
        }
    };
    let good = |names: &[&str], values: &[&str]| check(names, values, false);
    let bad = |names: &[&str], values: &[&str]| check(names, values, true);
    good(&FLAGS, &["true", "false", "null"]);
    bad(&FLAGS, &["0", "1", "\"true\"", "\"\"", "[]", "{}", "[true]"]);
    good(&NUMBERS, &["1", "10", "null"]);
    bad(&NUMBERS, &["-1", "1.5", "\"1\"", "true", "[]", "{}", "1e400", "18446744073709551616"]);
    bad(&["timeout_ms", "connect_timeout_ms", "max_response_bytes"], &["0"]);
    good(&["expires_in", "retries", "retry_delay_ms", "get_limit", "max_idle_connections"], &["0"]);
    good(&["timeout_ms", "get_limit", "max_response_bytes"], &["2147483647", "4294967296"]);
    good(&TEXTS, &["null"]);
    bad(&TEXTS, &["0", "true", "[]", "{}", "[\"a\"]", "\"\\ud800\""]);
    let addresses = ["api_url", "public_url", "token_url"];
    good(&addresses, &["\"https://x.example\"", "\"https://x.example:8443/a/b/\"", "\"http://localhost:1\""]);
    good(&addresses, &["\"http://127.9.9.9/x\"", "\"http://[::1]:8/\""]);
    bad(&addresses, &["\"\"", "\"x\"", "\"x.example/api\"", "\"ftp://x.example\"", "\"//x.example\"", "\"https://\""]);
    bad(&addresses, &["\"https://u:p@x.example\"", "\"https://x.example/?a=b\"", "\"https://x.example/#a\""]);
    bad(&addresses, &["\"https://x.example:0\"", "\"https://пример.example\"", "\"http://x.example\""]);
    bad(&addresses, &["\"http://10.0.0.1\"", "\"http://localhost.example\"", "\"http://[::2]/\""]);
    for name in addresses {
        let plain = |allowed: bool| refused(&format!("{{\"allow_http\":{allowed},\"{name}\":\"http://x.example\"}}"));
        assert_eq!((plain(true), plain(false).as_deref()), (None, Some(name)));
    }
    good(&["tls_roots"], &["\"webpki\"", "\"system\""]);
    bad(&["tls_roots"], &["\"\"", "\"WebPKI\"", "\"none\""]);
    bad(&["user_agent"], &["\"a\\r\\nb\"", "\"a\\u0000\"", "\"é\""]);
    bad(&["ca_file"], &["\"/no/such/file.pem\"", "\"/dev/null\""]);
    bad(&["proxy"], &["\"ftp://x\"", "\"::\""]);
    for name in ["timeout", "Timeout_ms", "timeout_ms ", "", "error", "retry", "connect_timeout"] {
        assert_eq!(refused(&format!("{{\"{name}\":1}}")).as_deref(), Some(name));
        assert_eq!(refused(&format!("{{\"{name}\":null}}")).as_deref(), Some(name), "unknown, whatever its value");
    }
    assert_eq!(refused(r#"{"retries":1,"\u0072etries":1}"#).as_deref(), Some("retries"));
}

#[test]
fn every_option_is_known_to_every_constructor() {
    let all: String = FLAGS.iter().map(|name| format!("\"{name}\":true,")).collect::<String>()
        + &NUMBERS.iter().map(|name| format!("\"{name}\":100,")).collect::<String>()
        + r#""api_url":"https://a.example","public_url":"https://b.example","token_url":"https://c.example",
            "client_secret":"s","refresh_token":"r","user_agent":"u","proxy":"http://p.example:1","tls_roots":"webpki","ca_file":null"#;
    for constructor in CONSTRUCTORS {
        if let Err(error) = constructor.make(&[], Some(&format!("{{{all}}}"))) {
            panic!("{}: {error}", constructor.name);
        }
    }
}

#[test]
fn each_address_option_takes_effect() {
    let [api, public, token] = [Sandbox::start(), Sandbox::start(), Sandbox::start()];
    for slash in ["", "/"] {
        let options = json!({
            "api_url": format!("{}/platform/api{slash}", api.base()),
            "public_url": format!("{}/platform{slash}", public.base()),
            "token_url": format!("{}/oauth/token", token.base()),
        });
        let session = session("password", &[], &options.to_string());
        // The token is from another sandbox, unknown to this one.
        assert_eq!(session.call("friends.get", None).expect("MAILRU_API_ERROR").error("error_code"), 102);
        session.public("mail/demo", None).expect_ok();
    }
    let paths = |sandbox: &Sandbox| -> Vec<Value> { sandbox.requests().iter().map(|it| it["path"].clone()).collect() };
    assert!(paths(&token).iter().all(|path| path == "/oauth/token"), "{:?}", paths(&token));
    assert!(paths(&api).iter().all(|path| path == "/platform/api") && !paths(&api).is_empty(), "{:?}", paths(&api));
    assert_eq!(paths(&public), ["/platform/mail/demo", "/platform/mail/demo"]);
}

#[test]
fn allow_http_lets_plain_http_leave_this_machine() {
    let sandbox = Sandbox::start();
    // Not a loopback address, but one of this machine.
    let elsewhere = sandbox.base().replace("127.0.0.1", "0.0.0.0");
    let options = |allow_http: bool| {
        json!({ "api_url": format!("{elsewhere}/platform/api"), "allow_http": allow_http }).to_string()
    };
    let refused = Constructor::of("client").make(&[], Some(&options(false))).expect_err("refused");
    assert!(refused.contains("\"argument\":\"api_url\"") && refused.contains("allow_http"), "{refused}");
    session("client", &[], &options(true)).call("friends.get", None).expect_ok();
}

#[test]
fn user_agent_is_sent() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({ "user_agent": "my app/1.0 (~test)" })));
    session.call("friends.get", None).expect_ok();
    let headers = sandbox.last()["headers"].clone();
    assert!(headers.as_array().unwrap().contains(&json!(["user-agent", "my app/1.0 (~test)"])), "{headers}");
}

#[test]
fn max_response_bytes_limits_the_answer_to_the_byte_after_decompression() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({ "max_response_bytes": 10_000, "retries": 0 })));
    for (bytes, expected) in [
        (9_999, "MAILRU_OK"),
        (10_000, "MAILRU_OK"),
        (10_001, "MAILRU_RESPONSE_TOO_LARGE"),
        (3_000_000, "MAILRU_RESPONSE_TOO_LARGE"),
    ] {
        sandbox.fault(json!({}), json!(1), json!({ "kind": "huge", "bytes": bytes }));
        let answer = session.call("sandbox.echo", None).expect(expected);
        assert!(expected != "MAILRU_OK" || answer.json.len() == bytes);
    }
    // Sent as a few dozen bytes; the two quotation marks count.
    for (spaces, expected) in
        [(9_998, "MAILRU_OK"), (9_999, "MAILRU_RESPONSE_TOO_LARGE"), (1 << 30, "MAILRU_RESPONSE_TOO_LARGE")]
    {
        sandbox.fault(json!({}), json!(1), json!({ "kind": "gzip_bomb", "bytes": spaces }));
        session.call("sandbox.echo", None).expect(expected);
    }
    for (spaces, expected) in [(9_998, "MAILRU_OK"), (9_999, "MAILRU_RESPONSE_TOO_LARGE")] {
        sandbox.fault(json!({}), json!(1), json!({ "kind": "chunk_bomb", "bytes": spaces }));
        session.call("sandbox.echo", None).expect(expected);
    }
    // Answers of the authorization server are limited too.
    let session = crate::support::session("password", &[], &sandbox.options(json!({ "max_response_bytes": 20 })));
    session.call("friends.get", None).expect("MAILRU_RESPONSE_TOO_LARGE");
}

/// The outcome of a call that always gets this fault, and the pauses between its requests.
fn attempts(options: Value, fault: Value) -> (Answer, Vec<u64>) {
    let sandbox = Sandbox::start();
    sandbox.fault(json!({}), Value::Null, fault);
    let answer = client(&sandbox.options(options)).call("friends.get", None);
    let at: Vec<_> = sandbox.requests().iter().map(|it| it["at_ms"].as_u64().expect("a time")).collect();
    (answer, at.windows(2).map(|pair| pair[1] - pair[0]).collect())
}

#[test]
fn retries_are_counted_and_their_pauses_grow() {
    let unavailable = || json!({ "kind": "platform_error", "code": 3 });
    for retries in [0, 1, 4] {
        let (answer, pauses) = attempts(json!({ "retries": retries, "retry_delay_ms": 1 }), unavailable());
        assert_eq!(answer.expect("MAILRU_API_ERROR").error("error_code"), 3);
        assert_eq!(pauses.len(), retries);
    }
    let (_, pauses) = attempts(json!({}), unavailable());
    assert_eq!(pauses.len(), 2, "the default");
    assert!(pauses[0] >= 99 && pauses[1] >= 199, "from half of 200 and 400 ms on: {pauses:?}");
    let (_, pauses) = attempts(json!({ "retry_delay_ms": 60 }), json!({ "kind": "status", "status": 503 }));
    assert!(pauses[0] >= 29 && pauses[1] >= 59, "{pauses:?}");
    let begun = Instant::now();
    let (_, pauses) = attempts(json!({ "retries": 20, "retry_delay_ms": 0 }), unavailable());
    assert_eq!(pauses.len(), 20);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_pause_that_does_not_fit_into_the_time_left_ends_the_call_with_its_last_failure() {
    let begun = Instant::now();
    let options = json!({ "timeout_ms": 5000, "retries": 5, "retry_delay_ms": 60_000 });
    let (answer, pauses) = attempts(options, json!({ "kind": "platform_error", "code": 3 }));
    assert_eq!(answer.expect("MAILRU_API_ERROR").error("error_code"), 3, "not a timeout");
    assert_eq!(pauses.len(), 0);
    assert!(begun.elapsed() < Duration::from_secs(4), "at once");
}

#[test]
fn timeout_ms_limits_the_whole_call() {
    let sandbox = Sandbox::start();
    let options = |more: Value| sandbox.options(more);
    let took = |session: &Session| {
        let begun = Instant::now();
        session.call("friends.get", None).expect("MAILRU_TIMEOUT");
        begun.elapsed()
    };
    for fault in [json!({ "kind": "silent" }), json!({ "kind": "hang_body" }), json!({ "kind": "drip", "ms": 20 })] {
        sandbox.behave();
        sandbox.fault(json!({}), Value::Null, fault.clone());
        let session = client(&options(json!({ "timeout_ms": 300 })));
        // The best of three tries, because this machine may be busy.
        let best = (0..3).map(|_| took(&session)).min().expect("three");
        assert!((300..=400).contains(&best.as_millis()), "{fault}: {best:?}");
    }
    // With retries and their pauses.
    sandbox.behave();
    sandbox.fault(json!({}), Value::Null, json!({ "kind": "delay", "ms": 120, "phase": "before" }));
    sandbox.fault(json!({}), Value::Null, json!({ "kind": "platform_error", "code": 3 }));
    let session = client(&options(json!({ "timeout_ms": 300, "retries": 100, "retry_delay_ms": 1 })));
    let best = (0..3)
        .map(|_| {
            let begun = Instant::now();
            session.call("friends.get", None);
            begun.elapsed()
        })
        .min()
        .expect("three");
    assert!(best <= Duration::from_millis(400), "{best:?}");
}

#[test]
fn connect_timeout_ms_limits_the_making_of_a_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca_file = folder.path().join("ca.pem");
    let ca_file = ca_file.to_str().expect("UTF-8");
    let sandbox = Sandbox::start_with(&["--tls", "--write-ca", ca_file]);
    let options = |ms: u64| sandbox.options(json!({ "ca_file": ca_file, "connect_timeout_ms": ms, "retries": 0 }));
    client(&options(20_000)).call("friends.get", None).expect_ok();
    let session = client(&options(250));
    sandbox.fault(json!({ "connection": true }), Value::Null, json!({ "kind": "silent" }));
    let best = (0..3)
        .map(|_| {
            let begun = Instant::now();
            let answer = session.call("friends.get", None).expect("MAILRU_TIMEOUT");
            assert!(answer.error("error_msg").as_str().unwrap().contains("connect_timeout_ms"), "{}", answer.json);
            begun.elapsed()
        })
        .min()
        .expect("three");
    assert!((250..=350).contains(&best.as_millis()), "{best:?}");
    sandbox.behave();
    // It does not limit an answer on an existing connection.
    sandbox.fault(json!({}), json!(1), json!({ "kind": "delay", "ms": 2500 }));
    client(&options(2000)).call("friends.get", None).expect_ok();
    // Without the file, the sandbox's authority is not trusted.
    client(&sandbox.options(json!({ "retries": 0 }))).call("friends.get", None).expect("MAILRU_TLS_ERROR");
}

#[test]
fn max_idle_connections_limits_the_kept_connections() {
    for (kept, connections) in [(0, 5), (1, 1), (16, 1)] {
        let sandbox = Sandbox::start();
        let session = client(&sandbox.options(json!({ "max_idle_connections": kept })));
        for _ in 0..5 {
            session.call("friends.get", None).expect_ok();
        }
        assert_eq!(sandbox.get("stats")["connections_platform"], connections, "{kept} kept");
    }
}
