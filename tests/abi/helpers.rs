//! The functions without a session: names, the catalogue, the browser's part of a login, checks of the platform's
//! requests, the log.

use std::collections::HashSet;
use std::ffi::{CStr, c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use mailru::ffi::*;
use serde_json::{Value, json};

use crate::support::*;

#[test]
fn every_code_has_its_name_and_other_numbers_are_unknown() {
    let codes = [
        (0, "MAILRU_OK"),
        (1, "MAILRU_INVALID_ARGUMENT"),
        (2, "MAILRU_INVALID_HANDLE"),
        (3, "MAILRU_SIGNATURE_UNDEFINED"),
        (4, "MAILRU_SIGNATURE_MISMATCH"),
        (5, "MAILRU_REENTERED"),
        (10, "MAILRU_API_ERROR"),
        (11, "MAILRU_OAUTH_ERROR"),
        (12, "MAILRU_EMPTY_RESPONSE"),
        (13, "MAILRU_MALFORMED_RESPONSE"),
        (14, "MAILRU_RESPONSE_TOO_LARGE"),
        (15, "MAILRU_HTTP_ERROR"),
        (20, "MAILRU_NETWORK_ERROR"),
        (21, "MAILRU_TIMEOUT"),
        (22, "MAILRU_TLS_ERROR"),
        (23, "MAILRU_CANCELLED"),
        (24, "MAILRU_OUT_OF_MEMORY"),
        (30, "MAILRU_QUEUE_FULL"),
        (31, "MAILRU_QUEUE_EMPTY"),
        (99, "MAILRU_INTERNAL_ERROR"),
    ];
    let header = include_str!("../../include/mailru.h");
    for (number, expected) in codes {
        assert_eq!(name(number), expected);
        assert!(header.contains(&format!("#define {expected} {number}\n")), "{expected} in the header");
    }
    let known: HashSet<i32> = codes.iter().map(|code| code.0).collect();
    for number in (-200..200).chain([i32::MIN, i32::MAX, 1 << 20]).filter(|number| !known.contains(number)) {
        assert_eq!(name(number), "MAILRU_UNKNOWN_CODE", "{number}");
    }
    assert!(std::ptr::eq(mailru_code_name(0), mailru_code_name(0)), "static");
}

#[test]
fn versions_agree() {
    // SAFETY: static and never NULL.
    let version = unsafe { CStr::from_ptr(mailru_version()) }.to_str().expect("ASCII");
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    let header = include_str!("../../include/mailru.h");
    assert!(header.contains(&format!("#define MAILRU_ABI_VERSION {}\n", mailru_abi_version())));
    assert_eq!(mailru_abi_version(), MAILRU_ABI_VERSION);
}

#[test]
fn the_catalogue_is_an_array_of_described_methods() {
    // SAFETY: the code is a local variable.
    let answer = Answer::of(|code| unsafe { mailru_methods(code) });
    let methods = answer.value();
    answer.expect_ok();
    let methods = methods.as_array().expect("an array");
    assert_eq!(methods.len(), 58);
    for method in methods {
        let members: Vec<_> = method.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(members, ["name", "params", "privilege", "summary", "write"], "{method}");
        assert!(method["name"].is_string() && method["summary"].is_string() && method["write"].is_boolean());
        assert!(method["params"].is_array() && (method["privilege"].is_null() || method["privilege"].is_string()));
    }
    let find = |name: &str| methods.iter().find(|method| method["name"] == name).expect(name);
    assert_eq!((&find("friends.get")["write"], &find("stream.post")["write"]), (&json!(false), &json!(true)));
    assert_eq!(find("messages.post")["privilege"], "messages");
    // SAFETY: NULL is allowed for the code.
    taken(unsafe { mailru_methods(null_mut()) });
}

/// `mailru_authorize_url`; `None` is NULL.
fn authorize_url(arguments: [Option<&str>; 5]) -> Answer {
    let texts = arguments.map(|text| text.map(c));
    let [app_id, redirect_uri, response_type, scope, state] = [0, 1, 2, 3, 4].map(|at| pointer(&texts[at]));
    // SAFETY: the strings outlive the call.
    Answer::of(|code| unsafe { mailru_authorize_url(app_id, redirect_uri, response_type, scope, state, code) })
}

/// `mailru_authorize_url_at` for the guide's application.
fn authorize_url_at(address: &str, kind: &str, state: &str) -> Answer {
    let [address, app_id, redirect_uri, kind, state] = [address, APP_ID, REDIRECT_URI, kind, state].map(c);
    // SAFETY: the strings outlive the call.
    Answer::of(|code| unsafe {
        let (address, app_id, redirect_uri) = (address.as_ptr(), app_id.as_ptr(), redirect_uri.as_ptr());
        mailru_authorize_url_at(address, app_id, redirect_uri, kind.as_ptr(), null(), state.as_ptr(), code)
    })
}

/// `mailru_parse_redirect`; `None` is NULL.
fn parse_redirect<'a>(url: impl Into<Option<&'a str>>, state: Option<&str>) -> Answer {
    let (url, state) = (url.into().map(c), state.map(c));
    // SAFETY: the strings outlive the call.
    Answer::of(|code| unsafe { mailru_parse_redirect(pointer(&url), pointer(&state), code) })
}

#[test]
fn the_address_to_open() {
    let front = "https://connect.mail.ru/oauth/authorize?client_id=423004";
    for (arguments, expected) in [
        (
            [Some("423004"), Some("https://x.example/back?a=b&c=d"), None, None, None],
            "&response_type=code&redirect_uri=https%3A%2F%2Fx.example%2Fback%3Fa%3Db%26c%3Dd",
        ),
        (
            [Some("423004"), Some("mm1://authorize"), Some("token"), Some("photos stream"), Some("с&т=%")],
            "&response_type=token&redirect_uri=mm1%3A%2F%2Fauthorize&scope=photos%20stream&state=%D1%81%26%D1%82%3D%25",
        ),
        ([Some("423004"), Some("u"), Some("code"), Some(""), None], "&response_type=code&redirect_uri=u"),
    ] {
        assert_eq!(authorize_url(arguments).expect_ok(), json!({ "url": format!("{front}{expected}") }).to_string());
    }
    for (arguments, named) in [
        ([None, Some("u"), None, None, None], "app_id"),
        ([Some(""), Some("u"), None, None, None], "app_id"),
        ([Some("1"), None, None, None, None], "redirect_uri"),
        ([Some("1"), Some(""), None, None, None], "redirect_uri"),
        ([Some("1"), Some("u"), Some(""), None, None], "response_type"),
        ([Some("1"), Some("u"), Some("id_token"), None, None], "response_type"),
    ] {
        assert_eq!(authorize_url(arguments).expect("MAILRU_INVALID_ARGUMENT").error("argument"), named);
    }
}

#[test]
fn another_authorization_server_is_named_by_its_address() {
    let at = |address: &str| authorize_url_at(address, "code", "s");
    let url = at("https://login.example:8443/enter").value()["url"].as_str().expect("an address").to_owned();
    assert!(url.starts_with("https://login.example:8443/enter?client_id=423004&response_type=code&"), "{url}");
    for address in ["", "connect.mail.ru", "http://login.example/", "ftp://login.example/", "https://x.example/?a=b"] {
        assert_eq!(at(address).expect("MAILRU_INVALID_ARGUMENT").error("argument"), "address", "{address}");
    }
}

/// Opens an address as a browser would; returns where it is redirected.
fn browse(sandbox: &Sandbox, answer: Answer, more: &str) -> String {
    let url = answer.value()["url"].as_str().expect("an address").to_owned();
    assert!(url.starts_with(sandbox.base()), "{url}");
    let url = url + more;
    let config = ureq::Agent::config_builder().max_redirects(0).max_redirects_will_error(false).build();
    let answer = config.new_agent().get(url).call().expect("the sandbox answers");
    answer.headers()["location"].to_str().expect("text").to_owned()
}

#[test]
fn a_login_from_the_address_to_the_call() {
    let sandbox = Sandbox::start();
    let url = |kind: &str| authorize_url_at(&format!("{}/oauth/authorize", sandbox.base()), kind, "st&ате");
    let back = browse(&sandbox, url("code"), "");
    let code = parse_redirect(&*back, Some("st&ате")).value();
    assert_eq!(code.as_object().map(|object| object.len()), Some(1), "{code}");
    let code = code["code"].as_str().expect("a code").to_owned();
    session("code", &[("code", &code)], &sandbox.options(json!({}))).call("friends.get", None).expect_ok();

    let back = browse(&sandbox, url("token"), "");
    assert!(back.contains('#'));
    let tokens = parse_redirect(&*back, Some("st&ате")).value();
    let names: Vec<_> = tokens.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(names, ["access_token", "circuit", "expires_at", "expires_in", "refresh_token", "token_type", "uid"]);
    assert_eq!(
        (&tokens["uid"], &tokens["expires_in"], &tokens["token_type"]),
        (&json!(UID), &json!(86400), &json!("bearer"))
    );
    let given = [("access_token", tokens["access_token"].as_str().expect("a token")), ("uid", UID)];
    session("token", &given, &sandbox.options(json!({}))).call("friends.get", None).expect_ok();

    let refused =
        parse_redirect(&*browse(&sandbox, url("code"), "&deny=1"), Some("st&ате")).expect("MAILRU_OAUTH_ERROR");
    assert_eq!(refused.error("oauth")["error"], "access_denied");
}

#[test]
fn redirects_are_read_from_query_and_fragment() {
    for (url, state, expected) in [
        ("https://x.example/back?code=a", None, json!({ "code": "a" })),
        ("https://x.example/back?a=b&code=%D0%B0%26+c%2B&state=s", Some("s"), json!({ "code": "а& c+" })),
        ("https://x.example/back#code=a&state=s", Some("s"), json!({ "code": "a" })),
        ("mm423004://authorize?code=a", None, json!({ "code": "a" })),
        ("/back?code=a", None, json!({ "code": "a" })),
        ("https://x.example/?state=%3D&code=a#x", Some("="), json!({ "code": "a" })),
    ] {
        assert_eq!(parse_redirect(url, state).value(), expected, "{url}");
    }
    let fragment =
        "refresh_token=r&expires_in=86400&access_token=a&token_type=bearer&x_mailru_vid=15410773191172635989";
    for url in [format!("http://connect.mail.ru/oauth/success.html#{fragment}"), format!("mm1://authorize?{fragment}")]
    {
        let tokens = parse_redirect(&*url, None).value();
        assert_eq!((&tokens["access_token"], &tokens["refresh_token"]), (&json!("a"), &json!("r")));
        assert_eq!((&tokens["uid"], &tokens["expires_in"]), (&json!("15410773191172635989"), &json!(86400)));
        assert!(tokens["expires_at"].as_u64().is_some() && tokens["circuit"].is_null(), "{tokens}");
    }
    assert_eq!(parse_redirect("x#access_token=a", None).value()["refresh_token"], Value::Null);
    for (url, state) in [
        ("https://x.example/?code=a", Some("s")),
        ("https://x.example/?code=a&state=", Some("s")),
        ("https://x.example/?code=a&state=S", Some("s")),
        ("https://x.example/?code=a&state=ss", Some("s")),
        ("https://x.example/#access_token=a", Some("s")),
        ("https://x.example/?error=access_denied", Some("s")),
        ("https://x.example/?error=access_denied", None),
        ("https://x.example/?error=access_denied&code=secret-code", None),
        ("https://x.example/#error=access_denied&error_description=no", None),
        ("https://x.example/?code=", None),
        ("https://x.example/?nothing=1", None),
        ("https://x.example/?access_token=", None),
    ] {
        let refused = parse_redirect(url, state).expect("MAILRU_OAUTH_ERROR");
        assert!(!refused.json.contains("secret-code"), "{}", refused.json);
        if state.is_none() && url.contains("error=") {
            assert_eq!(refused.error("oauth")["error"], "access_denied", "{url}");
        }
    }
    for url in [None, Some(""), Some("https://x.example/")] {
        assert_eq!(parse_redirect(url, None).expect("MAILRU_INVALID_ARGUMENT").error("argument"), "url");
    }
}

type Verify = unsafe extern "C" fn(*const c_char, *const c_char, *mut i32) -> *mut c_char;

fn verify(function: Verify, key: Option<&str>, params: Option<&str>) -> Answer {
    let (key, params) = (key.map(c), params.map(c));
    // SAFETY: the strings outlive the call.
    Answer::of(|code| unsafe { function(pointer(&key), pointer(&params), code) })
}

/// The parameters with one of them changed or removed.
fn with(params: &Value, name: &str, value: Option<&str>) -> String {
    let mut params = params.clone();
    match value {
        Some(value) => params[name] = value.into(),
        None => drop(params.as_object_mut().unwrap().remove(name)),
    }
    params.to_string()
}

#[test]
fn a_payment_callback_is_checked() {
    let params = json!({
        "app_id": 524632, "mailiki_price": "10", "other_price": 10000, "profit": 5000, "service_id": 10,
        "transaction_id": 3751, "uid": "104", "sig": "961a705e28008186d443fe211608184c",
    });
    let key = Some("secretkey");
    let good = verify(mailru_verify, key, Some(&params.to_string()));
    assert_eq!(good.expect_ok(), r#"{"verified":true}"#);
    for (name, value) in [
        ("other_price", Some("10001")),
        ("uid", None),
        ("more", Some("")),
        ("sig", Some("961a705e28008186d443fe211608184d")),
        ("sig", Some("")),
        ("sig", Some("961a705e28008186d443fe211608184c0")),
        ("sig", Some("я")),
    ] {
        verify(mailru_verify, key, Some(&with(&params, name, value))).expect("MAILRU_SIGNATURE_MISMATCH");
    }
    verify(mailru_verify, Some("Secretkey"), Some(&params.to_string())).expect("MAILRU_SIGNATURE_MISMATCH");
    for (key, params, named) in [
        (None, Some(params.to_string()), "secret_key"),
        (Some(""), Some(params.to_string()), "secret_key"),
        (key, None, "params_json"),
        (key, Some(String::new()), "params_json"),
        (key, Some("[]".into()), "params_json"),
        (key, Some("{}".into()), "sig"),
        (key, Some(with(&params, "sig", None)), "sig"),
        (key, Some(r#"{"sig":null}"#.into()), "sig"),
        (key, Some(r#"{"sig":"a","uid":1,"uid":2}"#.into()), "uid"),
    ] {
        let refused = verify(mailru_verify, key, params.as_deref()).expect("MAILRU_INVALID_ARGUMENT");
        assert_eq!(refused.error("argument"), named, "{}", refused.json);
    }
}

#[test]
fn launch_parameters_are_checked() {
    let authentication_key = "ab7d2184215c89773a36644dbec9c189";
    let names = [
        "app_id",
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
    ];
    let value = |name: &str| match name {
        "app_id" => APP_ID.to_owned(),
        "authentication_key" => authentication_key.to_owned(),
        "session_key" => SESSION_KEY.to_owned(),
        "vid" | "oid" => UID.to_owned(),
        "ext_perm" => "stream,photos".to_owned(),
        "session_expire" => "4102444800".to_owned(),
        "is_app_user" => "1".to_owned(),
        other => format!("{other} я&="),
    };
    let signed = |names: &[&str]| -> Value {
        let joined: String = names.iter().map(|name| format!("{name}={}", value(name))).collect();
        let mut params: Value =
            names.iter().map(|name| ((*name).to_owned(), json!(value(name)))).collect::<serde_json::Map<_, _>>().into();
        params["sig"] = format!("{:x}", md5::compute(joined + SECRET_KEY)).into();
        params
    };
    let check = |params: &str| verify(mailru_verify_launch, Some(SECRET_KEY), Some(params));
    // All of the platform's names, or only some; the application's own are ignored.
    for names in
        [&names[..], &["app_id", "authentication_key", "vid"], &["app_id", "authentication_key", "session_key", "vid"]]
    {
        let params = signed(names);
        assert_eq!(check(&params.to_string()).expect_ok(), r#"{"verified":true}"#);
        for own in ["page", "state", "mobile_spec", "SIG", "зима"] {
            check(&with(&params, own, Some("x"))).expect("MAILRU_OK");
        }
        for name in names {
            check(&with(&params, name, Some("other"))).expect("MAILRU_SIGNATURE_MISMATCH");
            let without = check(&with(&params, name, None));
            let needed = ["app_id", "vid"].contains(name);
            let without = without.expect(if needed { "MAILRU_INVALID_ARGUMENT" } else { "MAILRU_SIGNATURE_MISMATCH" });
            assert!(!needed || without.error("argument") == *name);
        }
        assert_eq!(check(&with(&params, "sig", None)).expect("MAILRU_INVALID_ARGUMENT").error("argument"), "sig");
        check(&with(&params, "sig", Some("0"))).expect("MAILRU_SIGNATURE_MISMATCH");
        verify(mailru_verify_launch, Some(PRIVATE_KEY), Some(&params.to_string())).expect("MAILRU_SIGNATURE_MISMATCH");
    }
    // Both sig and authentication_key must be correct.
    let mut params = signed(&["app_id", "vid"]);
    params["authentication_key"] = authentication_key.into();
    check(&params.to_string()).expect("MAILRU_SIGNATURE_MISMATCH");
    for key in [None, Some("")] {
        let refused = verify(mailru_verify_launch, key, Some("{}")).expect("MAILRU_INVALID_ARGUMENT");
        assert_eq!(refused.error("argument"), "secret_key");
    }
    let refused = verify(mailru_verify_launch, Some("k"), None).expect("MAILRU_INVALID_ARGUMENT");
    assert_eq!(refused.error("argument"), "params_json");
}

/// The lines and releases of one log callback.
#[derive(Default)]
struct Recorded {
    lines: Mutex<Vec<(i32, String)>>,
    releases: AtomicU32,
}

unsafe extern "C" fn record(user_data: *mut c_void, level: i32, message: *const c_char) {
    // SAFETY: the data is never freed; the text is valid during this call.
    let (recorded, message) = unsafe { (&*user_data.cast::<Recorded>(), CStr::from_ptr(message)) };
    recorded.lines.lock().unwrap().push((level, message.to_str().expect("UTF-8").to_owned()));
}

unsafe extern "C" fn release(user_data: *mut c_void) {
    // SAFETY: as above.
    unsafe { &*user_data.cast::<Recorded>() }.releases.fetch_add(1, Ordering::SeqCst);
}

/// Sets the log; its data is never freed, because other tests' threads may be in a callback.
fn set_log(callback: mailru_log_callback, recorded: &'static Recorded, level: i32) -> i32 {
    // SAFETY: the functions are for this data.
    unsafe { mailru_set_log(callback, std::ptr::from_ref(recorded).cast_mut().cast(), Some(release), level) }
}

#[test]
fn the_log_has_lines_up_to_its_level_and_releases_its_data_once() {
    let place = || -> &'static Recorded { Box::leak(Box::default()) };
    let sandbox = Sandbox::start();
    let session = refreshing(&sandbox, json!({ "retry_delay_ms": 1 }));
    // Only this test's own lines: other tests make calls meanwhile.
    let own = |recorded: &Recorded| -> Vec<(i32, String)> {
        let lines = recorded.lines.lock().unwrap();
        lines.iter().filter(|line| line.1.contains("sandbox.echoLogged")).cloned().collect()
    };
    let call = || session.call("sandbox.echoLogged", None);
    let fail = || sandbox.fault(json!({}), json!(1), json!({ "kind": "reset" }));
    let mut previous: Option<&'static Recorded> = None;
    for (level, calls, failures) in [(4, 1, 1), (3, 0, 1), (2, 0, 1), (1, 0, 0)] {
        let recorded = place();
        assert_eq!(set_log(Some(record), recorded, level), 0);
        if let Some(previous) = previous.replace(recorded) {
            await_that("the previous data is released", || previous.releases.load(Ordering::SeqCst) == 1);
        }
        call().expect_ok();
        fail();
        call().expect("MAILRU_NETWORK_ERROR");
        let lines = own(recorded);
        assert_eq!(lines.iter().filter(|line| line.0 == 4).count(), calls, "level {level}: {lines:?}");
        assert_eq!(lines.iter().filter(|line| line.0 == 2).count(), failures, "level {level}: {lines:?}");
        assert!(recorded.lines.lock().unwrap().iter().all(|line| (1..=level).contains(&line.0)), "level {level}");
    }
    // Renewals are logged as info, refusals as errors.
    let recorded = place();
    assert_eq!(set_log(Some(record), recorded, 4), 0);
    session.authorize().expect_ok();
    assert!(recorded.lines.lock().unwrap().iter().any(|line| line.0 == 3));
    // An invalid level only releases the given data; level 0 and NULL end logging.
    for level in [-1, 5, i32::MIN, i32::MAX] {
        let other = place();
        assert_eq!(name(set_log(Some(record), other, level)), "MAILRU_INVALID_ARGUMENT");
        assert_eq!(other.releases.load(Ordering::SeqCst), 1);
    }
    call().expect_ok();
    assert!(!own(recorded).is_empty());
    for (callback, level) in [(None, 4), (Some(record as unsafe extern "C" fn(*mut c_void, i32, *const c_char)), 0)] {
        let recorded = place();
        assert_eq!(set_log(Some(record), recorded, 4), 0);
        let other = place();
        assert_eq!(set_log(callback, other, level), 0);
        assert_eq!(other.releases.load(Ordering::SeqCst), 1, "will not be used");
        await_that("the previous data is released", || recorded.releases.load(Ordering::SeqCst) == 1);
        call().expect_ok();
        assert_eq!(own(recorded), []);
    }
    watch::resume();
    // SAFETY: no data, and NULL for both functions.
    assert_eq!(name(unsafe { mailru_set_log(None, null_mut(), None, 9) }), "MAILRU_INVALID_ARGUMENT");
}
