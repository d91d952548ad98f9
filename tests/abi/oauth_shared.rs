//! Tokens that outlive a session or are shared: the restart, newer tokens from the host, the renewal callback, and
//! the file.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::*;

fn grants() -> Value {
    json!({ "path": "/oauth" })
}

/// A new set of tokens of the guide's user, as `mailru_tokens` would show it.
fn stored_tokens(sandbox: &Sandbox, seconds_left: i64) -> Value {
    let tokens = sandbox.post("tokens", json!({}));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("now").as_secs() as i64;
    json!({
        "access_token": tokens["access_token"], "refresh_token": tokens["refresh_token"], "uid": UID,
        "expires_in": 86400, "expires_at": now + seconds_left, "token_type": "bearer", "circuit": "client-server",
    })
}

fn stored(sandbox: &Sandbox, tokens: &Value, more: Value) -> Session {
    session("stored", &[("tokens_json", &tokens.to_string())], &sandbox.options(more))
}

#[test]
fn a_restart_goes_on_with_what_was_stored() {
    let sandbox = Sandbox::start();
    // After an hour: no request is made. After a day off: one, before the token is used.
    for (seconds_left, requests) in [(80_000, 1), (30, 2), (0, 2), (-86_400, 2)] {
        let tokens = stored_tokens(&sandbox, seconds_left);
        let before = sandbox.requests().len();
        let session = stored(&sandbox, &tokens, json!({}));
        assert_eq!(session.tokens().value(), tokens);
        session.call("friends.get", None).expect_ok();
        await_that("it is renewed", || sandbox.requests().len() == before + requests);
        let first = &sandbox.requests()[before];
        let renews = seconds_left <= 0;
        // Ahead of time it is renewed beside the call.
        assert!(seconds_left == 30 || first["grant"].is_string() == renews, "{seconds_left}");
    }
    // What the callback told is as good; half a set will do; a token of unknown end is tried first.
    let first = session("password", &[], &sandbox.options(json!({})));
    let recorder = Recorder::new();
    assert_eq!(recorder.listen(&first), 0);
    first.authorize().expect_ok();
    let told = recorder.told()[0].clone();
    for tokens in [
        told.clone(),
        json!({ "refresh_token": first.tokens().value()["refresh_token"], "access_token": null }),
        json!({ "access_token": told["access_token"], "uid": UID, "anything": [{}] }),
    ] {
        let session = stored(&sandbox, &tokens, json!({}));
        session.call("friends.get", None).expect_ok();
        assert_eq!(session.tokens().value()["uid"], UID);
    }
    assert_eq!(sandbox.get("stats")["spent_refresh_tokens_seen"], 0);
}

#[test]
fn what_was_stored_is_checked() {
    let make = |tokens: Option<&str>| Constructor::of("stored").make(&[("tokens_json", tokens)], None);
    for wrong in [
        None,
        Some(""),
        Some("[]"),
        Some("{}"),
        Some(r#"{"access_token":"hunter2-hunter2""#),
        Some(r#"{"access_token":null,"refresh_token":null}"#),
        Some(r#"{"access_token":["hunter2-hunter2"]}"#),
        Some(r#"{"access_token":"hunter2-hunter2","uid":"me"}"#),
        Some(r#"{"access_token":"hunter2-hunter2","expires_at":"soon"}"#),
        Some(r#"{"access_token":"a","access_token":"b"}"#),
    ] {
        let error = make(wrong).expect_err("refused");
        let value: Value = serde_json::from_str(&error).expect("JSON");
        let is_repeated = wrong.is_some_and(|text| text.contains("\"a\""));
        assert_eq!(value["error"]["argument"], if is_repeated { "access_token" } else { "tokens_json" }, "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_living_session_takes_newer_tokens() {
    let sandbox = Sandbox::start();
    let session = refreshing(&sandbox, json!({ "expires_in": 0 }));
    // A remembered refusal is lifted.
    sandbox.fault(grants(), json!(1), json!({ "kind": "oauth_error", "error": "invalid_grant" }));
    session.call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
    let newer = stored_tokens(&sandbox, 80_000);
    let recorder = Recorder::new();
    assert_eq!(recorder.listen(&session), 0);
    session.set_tokens(&newer.to_string()).expect_ok();
    assert_eq!(session.tokens().value(), newer);
    session.call("friends.get", None).expect_ok();
    assert_eq!(sandbox.last()["params"]["session_key"], newer["access_token"]);
    assert_eq!((recorder.told().len(), sandbox.token_requests()), (0, 1), "the host knows them");
    // A refresh token alone, and the next renewal uses it.
    let refresh_token = sandbox.post("tokens", json!({}))["refresh_token"].clone();
    session.set_tokens(&json!({ "refresh_token": refresh_token }).to_string()).expect_ok();
    session.authorize().expect_ok();
    assert_eq!(sandbox.last()["params"]["refresh_token"], refresh_token);
    // What is wrong is refused, and nothing changes.
    let before = session.tokens();
    let other = json!({ "access_token": "x", "uid": "15410773191172635989" }).to_string();
    for wrong in ["", "[]", "{}", r#"{"access_token":1.5e}"#, r#"{"access_token":"x","uid":"me"}"#, &other] {
        let failure = session.set_tokens(wrong).expect("MAILRU_INVALID_ARGUMENT");
        assert_eq!(failure.error("argument"), "tokens_json", "{wrong}");
    }
    assert_eq!(session.tokens(), before);
    let public = Session(Constructor::of("public").make_raw(&[], std::ptr::null()));
    assert_eq!(public.set_tokens(&newer.to_string()).expect("MAILRU_INVALID_ARGUMENT").error("argument"), "session");
    Session(0).set_tokens("{}").expect("MAILRU_INVALID_HANDLE");
}

#[test]
fn calls_that_wait_take_newer_tokens_at_once() {
    let sandbox = Sandbox::start();
    let session = refreshing(&sandbox, json!({ "expires_in": 0 }));
    sandbox.fault(grants(), json!(1), json!({ "kind": "delay", "ms": 3000, "phase": "before" }));
    std::thread::scope(|scope| {
        let begun = Instant::now();
        let calls: Vec<_> = (0..4).map(|_| scope.spawn(|| session.call("friends.get", None).expect_ok())).collect();
        await_that("the renewal is under way", || sandbox.token_requests() == 1);
        session.set_tokens(&stored_tokens(&sandbox, 80_000).to_string()).expect_ok();
        calls.into_iter().for_each(|call| drop(call.join().expect("no panic")));
        assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());
    });
}

#[test]
fn the_renewal_callback_stands_around_each_renewal() {
    let sandbox = Sandbox::start();
    let events: Arc<Mutex<Vec<String>>> = Arc::default();
    let note = |events: &Arc<Mutex<Vec<String>>>| {
        let events = Arc::clone(events);
        move |what: String| events.lock().unwrap().push(what)
    };
    let (phases, tokens) = (note(&events), note(&events));
    let recorder = Recorder::acting(move |_| tokens("tokens".into()));
    let session = session("password", &[], &sandbox.options(json!({ "retries": 0, "retry_delay_ms": 100 })));
    session.on_renewal(move |phase| phases(format!("phase {phase}")));
    assert_eq!(recorder.listen(&session), 0);
    let taken = || std::mem::take(&mut *events.lock().unwrap());
    session.call("friends.get", None).expect_ok();
    assert_eq!(taken(), ["tokens"], "a first login is no renewal");
    session.authorize().expect_ok();
    assert_eq!(taken(), ["phase 1", "tokens", "phase 0"]);
    // Whatever comes of it.
    for fault in [
        json!({ "kind": "reset" }),
        json!({ "kind": "status", "status": 503 }),
        json!({ "kind": "answer", "body": "{}" }),
    ] {
        sandbox.fault(grants(), json!(1), fault);
        session.authorize();
        assert_eq!(taken(), ["phase 1", "phase 0"]);
        session.authorize().expect_ok();
        assert_eq!(taken(), ["phase 1", "tokens", "phase 0"]);
    }
    // Removed, it is called no more.
    // SAFETY: NULL removes the callback.
    let code = unsafe { mailru::ffi::mailru_session_on_renewal(session.0, None, std::ptr::null_mut(), None) };
    assert_eq!(code, 0);
    session.authorize().expect_ok();
    assert_eq!(taken(), ["tokens"]);
}

#[test]
fn tokens_that_the_renewal_callback_loads_serve_instead_of_a_request() {
    let sandbox = Sandbox::start();
    let session = refreshing(&sandbox, json!({ "expires_in": 0 }));
    let number = session.0;
    let loaded = Arc::new(Mutex::new(stored_tokens(&sandbox, 80_000)));
    let inside = Arc::clone(&loaded);
    session.on_renewal(move |phase| {
        if phase == 1 {
            let session = std::mem::ManuallyDrop::new(Session(number));
            session.set_tokens(&inside.lock().unwrap().to_string()).expect_ok();
            session.call("friends.get", None).expect("MAILRU_REENTERED");
        }
    });
    session.call("friends.get", None).expect_ok();
    assert_eq!((sandbox.token_requests(), sandbox.requests().len()), (0, 1));
    // Old ones do not serve, but their refresh token is the one to use.
    let old = stored_tokens(&sandbox, -5);
    *loaded.lock().unwrap() = old.clone();
    session.authorize().expect_ok();
    assert_eq!(sandbox.last()["params"]["refresh_token"], old["refresh_token"]);
}

#[test]
fn tokens_that_the_renewal_callback_loads_go_into_the_file() {
    let sandbox = Sandbox::start();
    let (_folder, path) = token_file();
    let session = stored(&sandbox, &stored_tokens(&sandbox, -5), json!({ "token_file": path }));
    let (number, loaded) = (session.0, stored_tokens(&sandbox, 80_000));
    let inside = loaded.clone();
    session.on_renewal(move |phase| {
        if phase == 1 {
            std::mem::ManuallyDrop::new(Session(number)).set_tokens(&inside.to_string()).expect_ok();
        }
    });
    session.call("friends.get", None).expect_ok();
    assert_eq!((sandbox.token_requests(), &filed(&path)["access_token"]), (0, &loaded["access_token"]));
}

/// A folder, and the path of a file of tokens in it.
fn token_file() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tokens.json").to_str().expect("UTF-8").to_owned();
    (folder, path)
}

fn filed(path: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("a file")).expect("JSON")
}

#[test]
fn each_set_goes_into_the_file_before_it_is_used() {
    let sandbox = Arc::new(Sandbox::start());
    let (folder, path) = token_file();
    let session = session("password", &[], &sandbox.options(json!({ "token_file": path })));
    assert!(!Path::new(&path).exists(), "nothing to write yet");
    let (inside, server) = (path.clone(), Arc::clone(&sandbox));
    let recorder = Recorder::acting(move |tokens| {
        assert_eq!(filed(&inside)["access_token"], tokens["access_token"]);
        assert!(server.requests().iter().all(|it| it["params"]["session_key"] != tokens["access_token"]));
    });
    assert_eq!(recorder.listen(&session), 0);
    session.call("friends.get", None).expect_ok();
    session.authorize().expect_ok();
    let (in_file, tokens) = (filed(&path), session.tokens().value());
    for name in ["access_token", "refresh_token", "expires_in", "uid", "token_type"] {
        assert_eq!(in_file[name], tokens[name], "{name}");
    }
    assert_eq!(in_file["app_id"], APP_ID);
    use std::os::unix::fs::PermissionsExt;
    let mut names = Vec::new();
    for file in fs::read_dir(folder.path()).expect("a folder") {
        let file = file.expect("a file");
        assert_eq!(file.metadata().expect("metadata").permissions().mode() & 0o777, 0o600, "{file:?}");
        names.push(file.file_name().into_string().expect("UTF-8"));
    }
    names.sort();
    assert_eq!(names, ["tokens.json", "tokens.json.lock"]);
    // It is what a stored session reads, and what the next session begins with.
    let next =
        crate::support::session("password", &[("password", "wrong")], &sandbox.options(json!({ "token_file": path })));
    assert_eq!(next.tokens().value()["access_token"], tokens["access_token"]);
    next.call("friends.get", None).expect_ok();
    let restart = stored(&sandbox, &in_file, json!({}));
    restart.call("friends.get", None).expect_ok();
    let restart =
        crate::support::session("stored", &[("tokens_json", "")], &sandbox.options(json!({ "token_file": path })));
    restart.call("friends.get", None).expect_ok();
    assert_eq!(sandbox.token_requests(), 2);
}

#[test]
fn sessions_with_one_file_make_one_renewal() {
    let sandbox = Sandbox::start();
    sandbox.post("settings", json!({ "detect_reuse": true, "end_former": true }));
    let (_folder, path) = token_file();
    let tokens = stored_tokens(&sandbox, -5);
    let options = json!({ "token_file": path });
    let sessions: Vec<_> = (0..4).map(|_| stored(&sandbox, &tokens, options.clone())).collect();
    for round in 1..=5 {
        for answer in on_threads(8, |number| sessions[number % 4].call("friends.get", None)) {
            answer.expect_ok();
        }
        assert_eq!(sandbox.token_requests(), round);
        sandbox.post("expire", json!({}));
    }
    // One is told of newer tokens, and all have them; a refusal is lifted for all.
    sandbox.fault(grants(), Value::Null, json!({ "kind": "oauth_error", "error": "invalid_grant" }));
    sessions[0].authorize().expect("MAILRU_OAUTH_ERROR");
    sessions[1].authorize().expect("MAILRU_OAUTH_ERROR");
    let newer = stored_tokens(&sandbox, 80_000);
    sessions[0].set_tokens(&newer.to_string()).expect_ok();
    assert_eq!(filed(&path)["refresh_token"], newer["refresh_token"]);
    let before = sandbox.token_requests();
    for session in &sessions {
        session.call("friends.get", None).expect_ok();
        assert_eq!(session.tokens().value()["access_token"], newer["access_token"]);
    }
    assert_eq!(sandbox.token_requests(), before);
    assert_eq!(sandbox.get("stats")["families_ended"], 0);
}

#[test]
fn who_does_not_renew_follows_the_file() {
    let sandbox = Sandbox::start();
    let (_folder, path) = token_file();
    let tokens = stored_tokens(&sandbox, -5);
    let leader = stored(&sandbox, &tokens, json!({ "token_file": path }));
    let follower = stored(&sandbox, &tokens, json!({ "token_file": path, "auto_refresh": false }));
    leader.call("friends.get", None).expect_ok();
    follower.call("friends.get", None).expect_ok();
    assert_eq!(follower.tokens().value()["access_token"], leader.tokens().value()["access_token"]);
    sandbox.post("expire", json!({}));
    follower.call("friends.get", None).expect("MAILRU_API_ERROR");
    leader.call("friends.get", None).expect_ok();
    follower.call("friends.get", None).expect_ok();
    assert_eq!(sandbox.token_requests(), 2);
}

#[test]
fn of_two_sets_the_newer_is_used() {
    let sandbox = Sandbox::start();
    let (_folder, path) = token_file();
    let (older, newer) = (stored_tokens(&sandbox, 1000), stored_tokens(&sandbox, 2000));
    let unknown = json!({ "access_token": "x", "refresh_token": "y" });
    let options = json!({ "token_file": path });
    for (in_file, given, used) in [(&older, &newer, &newer), (&newer, &older, &newer), (&older, &unknown, &older)] {
        let _ = fs::remove_file(&path);
        let first = stored(&sandbox, in_file, options.clone());
        assert_eq!(filed(&path)["access_token"], in_file["access_token"], "the first set is shared, too");
        let session = stored(&sandbox, given, options.clone());
        assert_eq!(session.tokens().value()["access_token"], used["access_token"]);
        assert_eq!(filed(&path)["access_token"], used["access_token"]);
        drop(first);
    }
}

#[test]
fn a_file_that_is_not_ours_is_left_alone() {
    let sandbox = Sandbox::start();
    let (folder, path) = token_file();
    let refused = |path: &str| {
        let options = sandbox.options(json!({ "token_file": path }));
        let error = Constructor::of("password").make(&[], Some(&options)).expect_err("refused");
        let error: Value = serde_json::from_str(&error).expect("JSON");
        assert_eq!(error["error"]["argument"], "token_file", "{error}");
        error["error"]["error_msg"].as_str().expect("a message").to_owned()
    };
    for (content, told) in [
        (r#"{"app_id":"777","access_token":"hunter2","refresh_token":"hunter2"}"#, "application 777, not of 423004"),
        (r#"{"access_token":"hunter2"}"#, "is not a token file"),
        ("[]", "is not a token file"),
        ("hunter2 = 1\n", "is not a token file"),
        (r#"{"app_id":"423004","access_token":["hunter2"]}"#, "is not a token file"),
    ] {
        fs::write(&path, content).expect("written");
        let message = refused(&path);
        assert!(message.contains(told) && message.contains("tokens.json") && !message.contains("hunter2"), "{message}");
        assert_eq!(fs::read_to_string(&path).expect("still there"), content);
    }
    // Another user's, where the constructor says whose the session is.
    fs::write(&path, r#"{"app_id":"423004","access_token":"a","uid":"15410773191172635989"}"#).expect("written");
    let options = sandbox.options(json!({ "token_file": path }));
    let error = Constructor::of("token").make(&[], Some(&options)).expect_err("refused");
    assert!(error.contains("another user") && error.contains(r#""argument":"token_file""#), "{error}");
    // An empty file is no tokens yet.
    fs::write(&path, "\n").expect("written");
    session("password", &[], &options).call("friends.get", None).expect_ok();
    // Folders that cannot be written, and what is no file.
    for path in ["/proc/tokens.json", "/no/such/folder/tokens.json", folder.path().to_str().expect("UTF-8")] {
        let message = refused(path);
        assert!(message.contains(path), "{message}");
    }
    assert_eq!(session_error(r#"{"token_file":""}"#), "token_file");
    assert_eq!(session_error(r#"{"token_file":1}"#), "token_file");
}

/// The option that is refused.
fn session_error(options: &str) -> String {
    let error = Constructor::of("password").make(&[], Some(options)).expect_err("refused");
    let error: Value = serde_json::from_str(&error).expect("JSON");
    error["error"]["argument"].as_str().expect("a name").to_owned()
}

#[test]
fn a_session_of_a_link_writes_the_file_and_one_in_another_folder_finds_it() {
    let sandbox = Sandbox::start();
    let (folder, path) = token_file();
    fs::write(&path, "").expect("written");
    let link = folder.path().join("link.json");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    let session = session("password", &[], &sandbox.options(json!({ "token_file": link })));
    session.authorize().expect_ok();
    assert!(fs::symlink_metadata(&link).expect("metadata").is_symlink());
    assert_eq!(filed(&path)["access_token"], session.tokens().value()["access_token"]);
}

#[test]
fn a_file_that_cannot_be_written_for_a_while_costs_no_tokens() {
    let sandbox = Sandbox::start();
    let (folder, path) = token_file();
    let session = session("password", &[], &sandbox.options(json!({ "token_file": path })));
    let away = folder.path().with_extension("away");
    fs::rename(folder.path(), &away).expect("moved");
    session.call("friends.get", None).expect_ok();
    fs::rename(&away, folder.path()).expect("moved back");
    assert!(!Path::new(&path).exists());
    // Written as soon as it can be.
    session.authorize().expect_ok();
    assert_eq!(filed(&path)["refresh_token"], session.tokens().value()["refresh_token"]);
    assert_eq!(sandbox.get("stats")["spent_refresh_tokens_seen"], 0);
}

#[test]
fn whoever_keeps_the_lock_is_told_of_in_the_error() {
    let sandbox = Sandbox::start();
    let (_folder, path) = token_file();
    let session = stored(&sandbox, &stored_tokens(&sandbox, -5), json!({ "token_file": path }));
    let lock = fs::File::options().write(true).open(format!("{path}.lock")).expect("the lock");
    lock.lock().expect("locked");
    let failure = session.call_within("friends.get", None, 200, 0).expect("MAILRU_TIMEOUT");
    assert!(failure.error("error_msg").as_str().unwrap().contains("token_file"), "{}", failure.json);
    lock.unlock().expect("unlocked");
    session.call("friends.get", None).expect_ok();
}
