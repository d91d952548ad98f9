//! The bytes that a call sends: every byte of the address and of the form.

use serde_json::{Value, json};

use crate::support::*;

/// Percent-encodes all characters except RFC 3986's "unreserved" ones.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

fn request_line(request: &Value) -> String {
    format!("{} {} HTTP/1.1", request["http_method"].as_str().unwrap(), request["target"].as_str().unwrap())
}

fn header(request: &Value, name: &str) -> Option<String> {
    let headers = request["headers"].as_array().expect("headers");
    headers.iter().find(|header| header[0] == name).map(|header| header[1].as_str().unwrap().to_owned())
}

#[test]
fn the_guides_two_examples_are_sent_as_the_guide_signs_them() {
    let sandbox = Sandbox::start();
    client(&sandbox.options(json!({}))).call("friends.get", None).expect_ok();
    assert_eq!(
        request_line(&sandbox.last()),
        format!(
            "GET /platform/api?app_id={APP_ID}&method=friends.get&session_key={SESSION_KEY}\
             &sig=5073f15c6d5b6ab2fde23ac43332b002 HTTP/1.1"
        )
    );
    assert_eq!(sandbox.last()["body"], Value::Null);
    server(&sandbox.options(json!({}))).call("friends.get", "{}").expect_ok();
    assert_eq!(
        request_line(&sandbox.last()),
        format!(
            "GET /platform/api?app_id={APP_ID}&method=friends.get&secure=1&session_key={SESSION_KEY}\
             &sig=4a05af66f80da18b308fa7e536912bae HTTP/1.1"
        )
    );
}

#[test]
fn every_character_is_percent_encoded_utf8_in_address_and_form() {
    let sandbox = Sandbox::start();
    let ascii: String = (1..=127).map(char::from).collect();
    let text = format!("\0{ascii}\u{80}Привет, мир!&=+ёЁ\u{7ff}\u{800}\u{2028}\u{ffff}😀\u{10ffff}");
    let params = json!({ "text": text, "a-.[]_9Z": "value", "list[x][]": "a+b c%20" });
    let sorted = [("app_id", APP_ID), ("method", "sandbox.echo"), ("session_key", SESSION_KEY)];
    let mut all: Vec<_> = sorted.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    all.extend([
        ("a-.[]_9Z".into(), "value".to_owned()),
        ("text".into(), text),
        ("list[x][]".into(), "a+b c%20".into()),
    ]);
    all.sort_by(|one, other| one.0.as_bytes().cmp(other.0.as_bytes()));
    let form: Vec<_> = all.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    let form = form.join("&");

    let get = client(&sandbox.options(json!({ "get_limit": 60000 }))).call("sandbox.echo", &*params.to_string());
    let answered = get.value();
    get.expect_ok();
    let last = sandbox.last();
    let sig = last["params"]["sig"].as_str().expect("a signature").to_owned();
    assert_eq!(last["target"], format!("/platform/api?{form}&sig={sig}"));
    for (name, value) in &all {
        assert_eq!(answered[name], *value);
    }

    client(&sandbox.options(json!({ "get_limit": 0 }))).call("sandbox.echo", &*params.to_string()).expect_ok();
    let last = sandbox.last();
    assert_eq!((&last["http_method"], &last["target"]), (&json!("POST"), &json!("/platform/api")));
    assert_eq!(last["body"], format!("{form}&sig={sig}"), "signed alike");
    assert_eq!(header(&last, "content-type").as_deref(), Some("application/x-www-form-urlencoded"));
}

#[test]
fn a_request_line_of_exactly_get_limit_bytes_is_the_longest_get() {
    let sandbox = Sandbox::start();
    for limit in [200_usize, 4096, 20_000] {
        let options = if limit == 4096 { json!({}) } else { json!({ "get_limit": limit }) };
        let session = server(&sandbox.options(options));
        session.call("sandbox.echo", r#"{"t":"x"}"#).expect_ok();
        let shortest = request_line(&sandbox.last()).len();
        let room = (limit + 1).saturating_sub(shortest).max(1);
        for (length, method) in [(room, "GET"), (room + 1, "POST"), (room + 1000, "POST")] {
            // Each of these letters takes one byte in the address.
            let text = "x".repeat(length);
            session.call("sandbox.echo", &*json!({ "t": text }).to_string()).expect_ok();
            let last = sandbox.last();
            let expected = if shortest > limit { "POST" } else { method };
            assert_eq!(last["http_method"], expected, "{length} letters, limit {limit}");
            assert_eq!(last["params"]["t"], text);
            assert_eq!(last["params"]["secure"], "1", "every signed parameter is in the request");
            if last["http_method"] == "GET" {
                assert_eq!(request_line(&last).len(), limit, "the limit is reached");
            } else {
                assert_eq!(last["target"], "/platform/api", "a POST has no query");
            }
        }
        // A letter of two bytes takes six in the address, which count.
        let text = "ё".repeat(room.div_ceil(6) + 1);
        session.call("sandbox.echo", &*json!({ "t": text }).to_string()).expect_ok();
        assert_eq!(sandbox.last()["http_method"], "POST");
    }
}

#[test]
fn a_get_limit_beyond_the_longest_address_still_works() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({ "get_limit": 1_000_000 })));
    for (length, method) in [(30_000, "GET"), (200_000, "POST")] {
        let text = "x".repeat(length);
        session.call("sandbox.echo", &*json!({ "t": text }).to_string()).expect_ok();
        let last = sandbox.last();
        assert_eq!((&last["http_method"], last["params"]["t"].as_str()), (&json!(method), Some(&*text)));
    }
}

#[test]
fn the_circuit_is_inferred_and_marked() {
    let sandbox = Sandbox::start();
    let options = sandbox.options(json!({}));
    for (given, secure, expected) in [
        (vec![], None, "MAILRU_OK"),
        (vec![("secret_key", "")], None, "MAILRU_OK"),
        (vec![("uid", "")], Some("1"), "MAILRU_OK"),
        (vec![("private_key", "")], Some("1"), "MAILRU_OK"),
        (vec![("private_key", ""), ("uid", "")], Some("1"), "MAILRU_OK"),
        (vec![("secret_key", ""), ("uid", "")], None, "MAILRU_SIGNATURE_UNDEFINED"),
        (vec![("secret_key", ""), ("private_key", "")], None, "MAILRU_SIGNATURE_UNDEFINED"),
    ] {
        let before = sandbox.requests().len();
        session("token", &given, &options).call("friends.get", None).expect(expected);
        let requests = sandbox.requests();
        assert_eq!(requests.len() - before, usize::from(expected == "MAILRU_OK"), "{given:?}");
        if expected == "MAILRU_OK" {
            assert_eq!(requests[before]["params"]["secure"].as_str(), secure, "{given:?}");
        }
    }
    session("client", &[("uid", "")], &options).call("friends.get", None).expect("MAILRU_SIGNATURE_UNDEFINED");
}

#[test]
fn a_call_without_an_access_token_names_its_user_itself() {
    let sandbox = Sandbox::start();
    let options = sandbox.options(json!({}));
    let server = session("server", &[("access_token", "")], &options);
    server.call("users.getInfo", &*json!({ "uid": UID }).to_string()).expect_ok();
    let params = sandbox.last()["params"].clone();
    assert_eq!(
        (params.get("session_key"), &params["uid"], &params["secure"]),
        (None, &json!(UID), &json!("1")),
        "{params}"
    );
    // The caller's own uid is a normal parameter: it is not the uid that is hashed before the parameters.
    let other = "15410773191172635989";
    client(&options).call("sandbox.echo", &*json!({ "uid": other }).to_string()).expect_ok();
    assert_eq!(sandbox.last()["params"]["uid"], other);
}

#[test]
fn the_library_sends_its_name_and_version() {
    let sandbox = Sandbox::start();
    client(&sandbox.options(json!({}))).call("friends.get", None).expect_ok();
    let last = sandbox.last();
    assert_eq!(header(&last, "user-agent"), Some(format!("mailru/{}", env!("CARGO_PKG_VERSION"))));
    assert_eq!(header(&last, "host"), Some(sandbox.base().trim_start_matches("http://").to_owned()));
    let shown: Vec<_> = last["headers"].as_array().unwrap().iter().map(|header| header[0].clone()).collect();
    for unwanted in ["cookie", "referer", "authorization"] {
        assert!(!shown.contains(&json!(unwanted)), "{shown:?}");
    }
}

#[test]
fn public_pages_are_read_unsigned_and_reserve_no_name() {
    let sandbox = Sandbox::start();
    let options = sandbox.options(json!({}));
    let grant = session("code", &[("code", "unused")], &options);
    for session in [session("public", &[], &options), client(&options), grant] {
        let page = session.public("mail/demo", None);
        assert_eq!(page.value()["uid"], UID, "{}", page.json);
        assert_eq!(sandbox.last()["target"], "/platform/mail/demo", "no query, no signature");
        let params = r#"{"method":"m","sig":"s","cb":"c","format":"xml","имя":"a b","n":null}"#;
        session.public("mail/demo", params).expect_ok();
        assert_eq!(
            sandbox.last()["target"],
            "/platform/mail/demo?method=m&sig=s&cb=c&format=xml&%D0%B8%D0%BC%D1%8F=a%20b"
        );
    }
    assert_eq!(sandbox.token_requests(), 0, "a public page needs no token");
    let session = session("public", &[], &options);
    let before = sandbox.requests().len();
    for path in [
        "",
        "/",
        "mail/",
        "/mail/demo",
        "mail//demo",
        ".",
        "..",
        "mail/..",
        "mail/../api",
        "mail/./demo",
        "a b",
        "ma%69l",
    ] {
        assert_eq!(session.public(path, None).expect("MAILRU_INVALID_ARGUMENT").error("argument"), "path", "{path:?}");
    }
    for path in ["mail?x=1", "mail#x", "почта/demo", "mail\\demo", "mail/demo;x", "mail/de:mo", "mail/demo\n"] {
        assert_eq!(session.public(path, None).expect("MAILRU_INVALID_ARGUMENT").error("argument"), "path", "{path:?}");
    }
    session.public("mail/demo", r#"{"a":1,"a":2}"#).expect("MAILRU_INVALID_ARGUMENT");
    assert_eq!(sandbox.requests().len(), before, "a refused call is not sent");
    for path in ["mail/no_such-person.1", "x", "..."] {
        assert_eq!(session.public(path, None).expect("MAILRU_HTTP_ERROR").error("http_status"), 404);
    }
    session.call("friends.get", None).expect("MAILRU_SIGNATURE_UNDEFINED");
    session.sign("friends.get", None).expect("MAILRU_SIGNATURE_UNDEFINED");
    session.upload("photos.upload", None, "img_file", "a.png", b"x").expect("MAILRU_SIGNATURE_UNDEFINED");
    assert_eq!(session.authorize().expect("MAILRU_INVALID_ARGUMENT").error("argument"), "session");
}

#[test]
fn a_file_is_sent_unsigned() {
    let sandbox = Sandbox::start();
    let options = sandbox.options(json!({}));
    let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    for session in [client(&options), server(&options)] {
        let params = json!({ "aid": "_myphoto", "name": "Имя \"&\"\r\nX: y", "ids": [1, "2"], "no": null });
        let name = "кот \"1\"\r\n.png";
        session.upload("photos.upload", &*params.to_string(), "img_file", name, &bytes).expect_ok();
        let last = sandbox.last();
        assert_eq!((&last["http_method"], &last["target"]), (&json!("POST"), &json!("/platform/api")));
        let file = &last["files"][0];
        assert_eq!(file["name"], "img_file");
        assert_eq!(file["size"], bytes.len());
        assert_eq!(file["md5"], format!("{:x}", md5::compute(&bytes)), "byte for byte");
        assert_eq!(last["params"]["name"], "Имя \"&\"\r\nX: y");
        assert_eq!(last["params"]["ids"], "1,2");
        assert_eq!(last["params"].get("no"), None);
    }
    let session = client(&options);
    let before = sandbox.requests().len();
    for (params, field) in [("{}", ""), ("{}", "sig"), ("{}", "method"), (r#"{"aid":"x"}"#, "aid")] {
        let refused = session.upload("photos.upload", params, field, "a", b"x").expect("MAILRU_INVALID_ARGUMENT");
        assert_eq!(refused.error("argument"), "field", "{field}");
    }
    let refused = session.upload("photos.upload", r#"{"sig":"x"}"#, "img_file", "a", b"x");
    assert_eq!(refused.expect("MAILRU_INVALID_ARGUMENT").error("argument"), "sig");
    assert_eq!(sandbox.requests().len(), before);
    session.upload("photos.upload", r#"{"aid":"_myphoto"}"#, "img_file", "empty.png", b"").expect_ok();
    assert_eq!(sandbox.last()["files"][0]["size"], 0);
}

/// Two sessions of one application share its rate; a session of another application does not; none waits beyond its
/// time limit.
#[test]
fn calls_of_one_application_share_the_rate_limit() {
    let sandbox = Sandbox::start();
    let limited = sandbox.options(json!({ "max_calls_per_second": 10 }));
    let (one, other) = (client(&limited), server(&sandbox.options(json!({}))));
    let begun = std::time::Instant::now();
    let before = sandbox.requests().len();
    std::thread::scope(|scope| {
        for session in [&one, &other, &one, &other, &one] {
            scope.spawn(move || {
                for _ in 0..5 {
                    session.call("sandbox.echo", None).expect_ok();
                }
            });
        }
    });
    let took = begun.elapsed();
    assert!(took >= std::time::Duration::from_millis(1900), "25 calls at 10 a second took {took:?}");
    let times: Vec<_> =
        sandbox.requests()[before..].iter().map(|request| request["at_ms"].as_u64().expect("a time")).collect();
    // The sandbox receives them slightly later or earlier than they began.
    assert!(times.windows(12).all(|window| window[11] - window[0] >= 850), "{times:?}");
    // Public pages do not count as calls of the application.
    let begun = std::time::Instant::now();
    for _ in 0..20 {
        one.public("mail/demo", None).expect_ok();
    }
    assert!(begun.elapsed() < std::time::Duration::from_millis(1500), "{:?}", begun.elapsed());
    // All calls allowed in a second begin at once; on a busy machine that may need more than one try.
    loop {
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let begun = std::time::Instant::now();
        for _ in 0..10 {
            one.call("sandbox.echo", None).expect_ok();
        }
        if begun.elapsed() < std::time::Duration::from_millis(700) {
            break;
        }
    }
    let before = sandbox.requests().len();
    let answer = one.call_within("sandbox.echo", None, 100, 0).expect("MAILRU_TIMEOUT");
    assert_eq!(answer.error("sent"), false);
    assert!(
        answer.error("error_msg").as_str().is_some_and(|text| text.contains("max_calls_per_second")),
        "{}",
        answer.json
    );
    assert_eq!(sandbox.requests().len(), before);
    // This wait can be cancelled like any other.
    let cancel = mailru::ffi::mailru_cancel_new();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| (0..30).fold("", |_, _| one.call_within("sandbox.echo", None, 0, cancel).name()));
        std::thread::sleep(std::time::Duration::from_millis(300));
        let fired = std::time::Instant::now();
        mailru::ffi::mailru_cancel_fire(cancel);
        assert_eq!(waiting.join().expect("no panic"), "MAILRU_CANCELLED");
        assert!(fired.elapsed() < std::time::Duration::from_millis(500), "{:?}", fired.elapsed());
    });
    mailru::ffi::mailru_cancel_free(cancel);
    drop(one);
    let begun = std::time::Instant::now();
    for _ in 0..30 {
        other.call("sandbox.echo", None).expect_ok();
    }
    assert!(begun.elapsed() < std::time::Duration::from_millis(1500), "the rate ended with its session");
}
