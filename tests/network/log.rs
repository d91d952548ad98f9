//! The log: a line for each request, retry and renewal, never a secret, and no harm from anything its callback does.
//! The log is common to the process, so each test runs in a separate one.

use std::collections::HashSet;
use std::ffi::{CStr, c_char, c_void};
use std::ptr::null_mut;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mailru::ffi::*;
use serde_json::{Value, json};

use crate::support::*;
use crate::tools::*;

static LINES: Mutex<Vec<(i32, String)>> = Mutex::new(Vec::new());
static RELEASED: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn keep(user_data: *mut c_void, level: i32, message: *const c_char) {
    assert_eq!(user_data as usize, 7, "the host's own data");
    // SAFETY: the string is valid during the call.
    let line = unsafe { CStr::from_ptr(message) }.to_str().expect("UTF-8").to_owned();
    LINES.lock().expect("no panic").push((level, line));
}

unsafe extern "C" fn release(_: *mut c_void) {
    RELEASED.fetch_add(1, Ordering::SeqCst);
}

fn log_to(callback: mailru_log_callback, level: i32) {
    // SAFETY: the callbacks take any data.
    assert_eq!(unsafe { mailru_set_log(callback, 7 as *mut c_void, Some(release), level) }, MAILRU_OK);
}

/// An unquoted value of a line.
fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(' ').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn lines() -> Vec<(i32, String)> {
    std::mem::take(&mut LINES.lock().expect("no panic"))
}

#[test]
fn each_request_retry_and_renewal_has_its_line() {
    alone("log::each_request_retry_and_renewal_has_its_line", &[], || {
        let sandbox = Sandbox::start();
        let tokens = sandbox.post("tokens", json!({}));
        let refresh = tokens["refresh_token"].as_str().expect("a token");
        let options = json!({ "refresh_token": refresh, "retry_delay_ms": 10, "client_secret": SECRET_KEY });
        let session = client(&sandbox.options(options));
        session.call("friends.get", None).expect_ok();
        assert_eq!(lines(), []);
        log_to(Some(keep), 4);

        session.call("friends.get", r#"{"ext":1}"#).expect_ok();
        let logged = lines();
        assert_eq!(logged.len(), 1, "{logged:?}");
        let (level, line) = &logged[0];
        assert_eq!(*level, 4);
        let of = |name: &str| value(line, name).unwrap_or_else(|| panic!("no {name}: {line}"));
        assert_eq!(of("event"), "answer");
        assert_eq!(of("session"), session.0.to_string(), "the handle");
        assert_eq!((of("method"), of("attempt"), of("status")), ("friends.get", "1", "200"));
        let number = |name: &str| of(name).parse::<u64>().unwrap_or_else(|_| panic!("{name}: {line}"));
        assert!(number("call") > 0 && number("bytes") > 100 && number("ms") < 60_000, "{line}");

        sandbox.fault(json!({}), json!(2), json!({"kind":"platform_error","code":3}));
        session.call("stream.post", r#"{"text":"hunter2"}"#);
        let logged = lines();
        let levels: Vec<_> = logged.iter().map(|(level, _)| *level).collect();
        assert_eq!(levels, [4, 2, 4, 2, 4], "attempt, retry, attempt, retry, attempt: {logged:?}");
        assert_eq!(logged.iter().map(|(_, line)| value(line, "call")).collect::<HashSet<_>>().len(), 1, "{logged:?}");
        let retry = &logged[1].1;
        assert_eq!(
            ["event", "attempt", "most"].map(|name| value(retry, name)),
            ["retry", "2", "3"].map(Some),
            "{retry}"
        );
        assert!(value(retry, "pause_ms").is_some(), "{retry}");
        let second = &logged[2].1;
        let expected = ["answer", "2", "503", "3"].map(Some);
        assert_eq!(["event", "attempt", "status", "error"].map(|name| value(second, name)), expected, "{second}");

        sandbox.fault(json!({}), json!(1), json!({"kind":"reset"}));
        session.call("stream.post", "{}").expect("MAILRU_NETWORK_ERROR");
        let logged = lines();
        assert_eq!(logged.len(), 1, "{logged:?}");
        let (level, line) = &logged[0];
        let expected = ["failure", "MAILRU_NETWORK_ERROR", "true"].map(Some);
        assert_eq!((*level, ["event", "code", "sent"].map(|name| value(line, name))), (2, expected), "{line}");
        assert!(line.contains("reset"), "{line}");

        sandbox.fault(json!({"method":"friends.get"}), json!(1), json!({"kind":"expire_token"}));
        session.call("friends.get", None).expect_ok();
        let logged = lines();
        assert!(
            logged.iter().any(|(level, line)| *level == 4 && line.contains("method=refresh_token attempt=1")),
            "{logged:?}"
        );
        assert!(
            logged.iter().any(|(level, line)| *level == 3 && line.starts_with("event=new_tokens session=")),
            "{logged:?}"
        );

        sandbox.fault(
            json!({"path":"/oauth/token"}),
            json!(1),
            json!({"kind":"oauth_error","error":"invalid_grant","description":SECRET_KEY}),
        );
        session.authorize().expect("MAILRU_OAUTH_ERROR");
        let logged = lines();
        assert!(
            logged.iter().any(|(level, line)| *level == 1
                && line.starts_with("event=no_tokens session=")
                && line.contains("invalid_grant")),
            "{logged:?}"
        );
        assert!(!format!("{logged:?}").contains(SECRET_KEY), "{logged:?}");

        for (level, most) in [(3, 0), (2, 0), (1, 0), (0, 0)] {
            log_to(Some(keep), level);
            session.public("mail/demo", None).expect_ok();
            assert_eq!(lines().len(), most, "level {level}");
        }
        log_to(None, 4);
        session.public("mail/demo", None).expect_ok();
        assert_eq!(lines(), []);
        assert_eq!(RELEASED.load(Ordering::SeqCst), 6, "each replaced or refused callback, once");
        for level in [-1, 5, i32::MIN, i32::MAX] {
            // SAFETY: the callbacks take any data.
            let code = unsafe { mailru_set_log(Some(keep), null_mut(), Some(release), level) };
            assert_eq!(name(code), "MAILRU_INVALID_ARGUMENT");
        }
        assert_eq!(RELEASED.load(Ordering::SeqCst), 10);
    });
}

/// Text from a server stays within quotation marks, whatever it contains.
#[test]
fn no_server_can_forge_a_line() {
    alone("log::no_server_can_forge_a_line", &[], || {
        let sandbox = Sandbox::start();
        log_to(Some(keep), 4);
        let session = session("refresh", &[("refresh_token", "r")], &sandbox.options(json!({})));
        let forged = "x\nevent=answer session=1\r\0\u{1b}[2K\"\\ \u{2028}\u{202e}";
        sandbox.fault(
            json!({"path":"/oauth/token"}),
            json!(1),
            json!({"kind":"oauth_error","error":"invalid_grant","description":forged}),
        );
        session.call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
        let logged = lines();
        let (_, line) = logged.iter().find(|(level, _)| *level == 1).expect("a line");
        assert!(line.contains(r#"x\nevent=answer session=1\r\u0000\u001b[2K\"\\ \u2028\u202e"#), "{line}");
        assert!(logged.iter().all(|(_, line)| !line.chars().any(char::is_control)), "{logged:?}");
    });
}

/// The level and the callback of one caller are never combined with those of another.
#[test]
fn level_and_callback_change_together() {
    unsafe extern "C" fn coarse(_: *mut c_void, level: i32, _: *const c_char) {
        assert_eq!(level, 1, "this callback asked for errors only");
    }
    unsafe extern "C" fn fine(_: *mut c_void, _: i32, _: *const c_char) {
        LINES_RECEIVED.fetch_add(1, Ordering::SeqCst);
    }
    alone("log::level_and_callback_change_together", &[], || {
        let sandbox = Sandbox::start();
        let session = client(&sandbox.options(json!({})));
        let ended = AtomicUsize::new(0);
        thread::scope(|scope| {
            for (callback, level) in [(coarse as unsafe extern "C" fn(_, _, _), 1), (fine, 4)] {
                let ended = &ended;
                scope.spawn(move || {
                    for _ in 0..2000 {
                        log_to(Some(callback), level);
                    }
                    ended.fetch_add(1, Ordering::SeqCst);
                });
            }
            // A callback that panics here would end the process.
            while ended.load(Ordering::SeqCst) < 2 {
                session.call("friends.get", None).expect_ok();
            }
        });
        log_to(None, 0);
    });
}

/// All kinds of failures, with secrets in every place where a secret can be.
#[test]
fn no_line_and_no_error_shows_a_secret() {
    if !takes_long("secrets in every line of the log") {
        return;
    }
    alone("log::no_line_and_no_error_shows_a_secret", &[], || {
        let sandbox = Sandbox::start();
        log_to(Some(keep), 4);
        let tls = TlsSandbox::start(&["--tls-name", "other.example"]);
        let mut answers = Vec::new();
        let proxies =
            [Value::Null, json!("http://u:proxypassword@127.0.0.1:9"), json!("socks5://u:proxypassword@127.0.0.1:9")];
        for proxy in proxies {
            let more = json!({ "proxy": proxy, "timeout_ms": 300, "retry_delay_ms": 1, "refresh_token": "refreshsecret",
                "client_secret": "clientsecret", "max_response_bytes": 1000 });
            for options in [sandbox.options(more.clone()), tls.options(more.clone())] {
                let session = client(&options);
                for fault in [
                    json!({"kind":"silent"}),
                    json!({"kind":"reset"}),
                    json!({"kind":"garbage"}),
                    json!({"kind":"endless_headers"}),
                    json!({"kind":"huge","bytes":100_000}),
                    json!({"kind":"redirect","location":"/?session_key=x"}),
                    json!({"kind":"platform_error","code":102}),
                    json!({"kind":"status","status":500,"body":"oops"}),
                ] {
                    sandbox.fault(json!({}), Value::Null, fault);
                    answers.push(session.call("friends.get", r#"{"password":"parametersecret"}"#));
                    answers.push(session.upload("photos.upload", "{}", "img_file", "a.jpg", b"filesecret"));
                    answers.push(session.authorize());
                    sandbox.behave();
                }
            }
        }
        let logged = lines();
        assert!(logged.len() >= answers.len(), "{} lines", logged.len());
        let text = format!("{logged:?} {answers:?}");
        for secret in [
            SESSION_KEY,
            PRIVATE_KEY,
            SECRET_KEY,
            "proxypassword",
            "refreshsecret",
            "clientsecret",
            "parametersecret",
            "filesecret",
            "sig=",
            "session_key=b",
        ] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    });
}

static SESSION: AtomicUsize = AtomicUsize::new(0);
static LINES_RECEIVED: AtomicUsize = AtomicUsize::new(0);

/// Calls the library on the thread that logs.
unsafe extern "C" fn call_the_library(_: *mut c_void, _: i32, _: *const c_char) {
    let received = LINES_RECEIVED.fetch_add(1, Ordering::SeqCst);
    let session = SESSION.load(Ordering::SeqCst) as mailru_session;
    let (method, mut code) = (c("friends.get"), 0);
    // SAFETY: a valid string and a local variable; the answer is freed once.
    unsafe { mailru_string_free(mailru_call(session, method.as_ptr(), std::ptr::null(), &mut code)) };
    assert!(matches!(name(code), "MAILRU_OK" | "MAILRU_CANCELLED"), "{}", name(code));
    match received % 4 {
        0 => log_to(Some(call_the_library), 4),
        1 => drop(mailru_session_cancel(session)),
        2 => mailru_cancel_free(mailru_cancel_new()),
        _ => {}
    }
}

#[test]
fn a_callback_may_use_the_library_and_replace_itself() {
    alone("log::a_callback_may_use_the_library_and_replace_itself", &[], || {
        let sandbox = Sandbox::start();
        let session = client(&sandbox.options(json!({})));
        SESSION.store(session.0 as usize, Ordering::SeqCst);
        log_to(Some(call_the_library), 4);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let answer = session.call("friends.get", None);
                        assert!(matches!(answer.name(), "MAILRU_OK" | "MAILRU_CANCELLED"), "{}", answer.json);
                    }
                });
            }
        });
        let received = LINES_RECEIVED.load(Ordering::SeqCst);
        // A call that is cancelled while it waits in a queue never ran, and has no line.
        let all_ran = std::env::var_os("MAILRU_TEST_QUEUE").is_none();
        let is_right = if all_ran { received == 200 } else { (1..=200).contains(&received) };
        assert!(is_right, "{received}: a line for each call of the host; calls made in the callback are not logged");
        log_to(None, 0);
        assert_eq!(RELEASED.load(Ordering::SeqCst), 2 + received.div_ceil(4), "each of the callbacks that were set");
    });
}

/// Many threads log at once while others set and reset the log: each callback's data is released once, after its last
/// use.
#[test]
fn the_log_is_replaced_while_it_is_used() {
    static USERS: [AtomicUsize; 200] = [const { AtomicUsize::new(0) }; 200];
    const GONE: usize = 1 << 32;
    unsafe extern "C" fn used(user_data: *mut c_void, _: i32, _: *const c_char) {
        let previous = USERS[user_data as usize].fetch_add(1, Ordering::SeqCst);
        assert!(previous < GONE, "used after its release");
        thread::yield_now();
        assert!(USERS[user_data as usize].load(Ordering::SeqCst) < GONE, "released while in use");
    }
    unsafe extern "C" fn gone(user_data: *mut c_void) {
        let previous = USERS[user_data as usize].fetch_add(GONE, Ordering::SeqCst);
        assert!(previous < GONE, "released twice");
    }
    alone("log::the_log_is_replaced_while_it_is_used", &[], || {
        let sandbox = Sandbox::start();
        let session = client(&sandbox.options(json!({})));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..300 {
                        session.call("friends.get", None).expect_ok();
                    }
                });
            }
            for number in 0..200 {
                // SAFETY: the callbacks take the number of a user.
                let code = unsafe { mailru_set_log(Some(used), number as *mut c_void, Some(gone), 4) };
                assert_eq!(code, MAILRU_OK);
                thread::sleep(ms(2));
            }
        });
        log_to(None, 0);
        assert!(USERS.iter().all(|user| user.load(Ordering::SeqCst) >= GONE), "each is released");
        assert!(USERS.iter().any(|user| user.load(Ordering::SeqCst) > GONE), "some were used");
    });
}
