//! Secrets: every kind of failure is provoked with recognisable secrets, and no failure's JSON or log line contains
//! one.

use serde_json::{Value, json};

use crate::support::*;

const PRIVATE: &str = "marked-private-key-я&=";
const SECRET: &str = "marked-secret-key-я&=";
const TOKEN: &str = "marked-access-token";
const REFRESH: &str = "marked-refresh-token-\"";
const CODE: &str = "marked-code-%41";
const WORD: &str = "marked-password-+ ";
const CLIENT_SECRET: &str = "marked-client-secret";
const PROXY: &str = "marked-proxy-password";
const ALL: [&str; 8] = [PRIVATE, SECRET, TOKEN, REFRESH, CODE, WORD, CLIENT_SECRET, PROXY];

/// One session of each kind, with marked secrets in every argument.
fn sessions(sandbox: &Sandbox, more: Value) -> Vec<Session> {
    let mut options = json!({ "retries": 1, "retry_delay_ms": 1, "timeout_ms": 150 });
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let given = [
        ("app_id", Some("777")),
        ("private_key", Some(PRIVATE)),
        ("secret_key", Some(SECRET)),
        ("access_token", Some(TOKEN)),
        ("code", Some(CODE)),
        ("email", Some("marked@mail.ru")),
        ("password", Some(WORD)),
        ("refresh_token", Some(REFRESH)),
    ];
    CONSTRUCTORS.iter().map(|it| it.make(&given, Some(&sandbox.options(options.clone()))).expect(it.name)).collect()
}

/// Everything that can fail, on all these sessions at once; returns the codes' names. The harness checks each failure
/// and the log.
fn provoke(sessions: &[Session]) -> Vec<&'static str> {
    on_threads(sessions.len(), |number| failures(&sessions[number]).map(|answer| answer.name())).concat()
}

fn failures(session: &Session) -> [Answer; 8] {
    [
        session.call("friends.get", None),
        session.call("stream.post", r#"{"text":"x"}"#),
        session.call("friends.get", &*json!({ "long": "x".repeat(5000) }).to_string()),
        session.upload("photos.upload", r#"{"aid":"a"}"#, "img_file", "a.png", b"x"),
        session.public("mail/nobody", None),
        session.authorize(),
        session.sign("friends.get", r#"{"sig":1}"#),
        session.call_within("friends.get", None, 1, 0),
    ]
}

#[test]
fn no_failure_and_no_log_line_contains_one() {
    if !takes_long("secrets in every failure") {
        return;
    }
    for secret in ALL {
        watch::secret(secret);
    }
    let sandbox = Sandbox::start();
    sandbox.post("apps", json!({ "app_id": "777", "private_key": PRIVATE, "secret_key": SECRET }));
    let mut seen = std::collections::BTreeSet::new();
    let echo = |sent: &str| json!({ "error": format!("bad {sent}"), "sent": { CLIENT_SECRET: [sent] } });
    for fault in [
        None,
        Some(json!({ "kind": "reset" })),
        Some(json!({ "kind": "silent" })),
        Some(json!({ "kind": "truncate" })),
        Some(json!({ "kind": "status", "status": 502 })),
        Some(json!({ "kind": "redirect", "location": format!("https://elsewhere.example/?session_key={TOKEN}") })),
        Some(json!({ "kind": "platform_error", "code": 102 })),
        Some(json!({ "kind": "oauth_error", "error": "invalid_client" })),
        Some(json!({ "kind": "answer", "body": "{}" })),
        Some(json!({ "kind": "huge", "bytes": 5000 })),
        Some(json!({ "kind": "garbage" })),
        Some(json!({ "kind": "bad_utf8" })),
        Some(json!({ "kind": "deep", "depth": 1000 })),
        Some(json!({ "kind": "many_headers", "count": 2000 })),
    ] {
        sandbox.behave();
        if let Some(fault) = fault {
            sandbox.fault(json!({}), Value::Null, fault);
        } else {
            // A server that quotes the request.
            for (grant, sent) in [("authorization_code", CODE), ("password", WORD), ("refresh_token", REFRESH)] {
                let quoting = json!({ "kind": "answer", "status": 400, "body": echo(sent).to_string() });
                sandbox.fault(json!({ "grant": grant }), Value::Null, quoting);
            }
        }
        let client_secret = json!({ "client_secret": CLIENT_SECRET, "max_response_bytes": 4000 });
        seen.extend(provoke(&sessions(&sandbox, client_secret)));
    }
    // A key that was not sent is not shown either.
    sandbox.behave();
    let keys = json!({ "error": "x", "keys": [PRIVATE, SECRET] }).to_string();
    sandbox.fault(json!({ "path": "/oauth" }), Value::Null, json!({ "kind": "answer", "status": 400, "body": keys }));
    let session = session("password", &[("private_key", PRIVATE), ("secret_key", SECRET)], &sandbox.options(json!({})));
    session.authorize().expect("MAILRU_OAUTH_ERROR");
    // No server, an unknown host name, a proxy with a password, an untrusted certificate.
    let tls = Sandbox::start_with(&["--tls"]);
    let nowhere = format!("http://user:{PROXY}@127.0.0.1:9");
    for options in [
        json!({ "api_url": "http://127.0.0.1:9/api", "public_url": "http://127.0.0.1:9/", "token_url": "http://127.0.0.1:9/t" }),
        json!({ "api_url": "https://no-such-host.invalid", "token_url": "https://no-such-host.invalid" }),
        json!({ "proxy": nowhere, "api_url": "https://127.0.0.1:9/", "token_url": "https://127.0.0.1:9/" }),
        json!({ "api_url": format!("{}/platform/api", tls.base()), "token_url": format!("{}/oauth/token", tls.base()) }),
    ] {
        seen.extend(provoke(&sessions(&sandbox, options)));
    }
    // Refused options and arguments.
    for options in [
        json!({ "client_secret": [CLIENT_SECRET] }),
        json!({ "proxy": format!("http://user:{PROXY}@::") }),
        json!({ "proxy": format!("ftp://user:{PROXY}@x.example") }),
        json!({ "api_url": format!("https://user:{PROXY}@x.example") }),
        json!({ "refresh_token": { "x": REFRESH } }),
        json!({ "user_agent": format!("{TOKEN}\n") }),
    ] {
        let error = Constructor::of("token").make(&[], Some(&options.to_string())).expect_err("refused");
        assert!(error.contains("\"argument\""), "{error}");
    }
    let session = client("{}");
    for params in [format!("{{\"a\":\"{TOKEN}\""), format!("[\"{TOKEN}\"]"), format!("{{\"sig\":\"{TOKEN}\"}}")] {
        session.call("friends.get", &*params).expect("MAILRU_INVALID_ARGUMENT");
    }
    // Checks the log, and that all of these failures occurred.
    watch::check("");
    for kind in [
        "MAILRU_INVALID_ARGUMENT",
        "MAILRU_SIGNATURE_UNDEFINED",
        "MAILRU_API_ERROR",
        "MAILRU_OAUTH_ERROR",
        "MAILRU_EMPTY_RESPONSE",
        "MAILRU_MALFORMED_RESPONSE",
        "MAILRU_RESPONSE_TOO_LARGE",
        "MAILRU_HTTP_ERROR",
        "MAILRU_NETWORK_ERROR",
        "MAILRU_TIMEOUT",
        "MAILRU_TLS_ERROR",
    ] {
        assert!(seen.contains(kind), "{kind} was not provoked: {seen:?}");
    }
    let lines = watch::lines();
    for level in ["1 ", "2 ", "4 "] {
        assert!(lines.iter().any(|line| line.starts_with(level)), "no line of level {level}");
    }
}
