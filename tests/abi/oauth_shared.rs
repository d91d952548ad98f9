//! Tokens that outlive a session or are shared: the restart, newer tokens from the host, the renewal callback, the
//! token file.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::*;

fn grants() -> Value {
    json!({ "path": "/oauth" })
}

/// A new set of tokens of the guide's user, as `mailru_tokens` returns it.
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
fn a_restart_continues_with_the_stored_tokens() {
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
        // An early renewal runs during the call.
        assert!(seconds_left == 30 || first["grant"].is_string() == renews, "{seconds_left}");
    }
    // The callback's JSON works too; one of the two tokens is enough; a token with unknown expiry is used first.
    let first = session("password", &[], &sandbox.options(json!({})));
    let recorder = Recorder::new();
    assert_eq!(recorder.listen(&first), 0);
    first.authorize().expect_ok();
    let received = recorder.received()[0].clone();
    for tokens in [
        received.clone(),
        json!({ "refresh_token": first.tokens().value()["refresh_token"], "access_token": null }),
        json!({ "access_token": received["access_token"], "uid": UID, "anything": [{}] }),
    ] {
        let session = stored(&sandbox, &tokens, json!({}));
        session.call("friends.get", None).expect_ok();
        assert_eq!(session.tokens().value()["uid"], UID);
    }
    assert_eq!(sandbox.get("stats")["spent_refresh_tokens_seen"], 0);
}

#[test]
fn stored_tokens_are_checked() {
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
fn a_session_accepts_newer_tokens() {
    let sandbox = Sandbox::start();
    let session = refreshing(&sandbox, json!({ "expires_in": 0 }));
    // A remembered refusal is cleared.
    sandbox.fault(grants(), json!(1), json!({ "kind": "oauth_error", "error": "invalid_grant" }));
    session.call("friends.get", None).expect("MAILRU_OAUTH_ERROR");
    let newer = stored_tokens(&sandbox, 80_000);
    let recorder = Recorder::new();
    assert_eq!(recorder.listen(&session), 0);
    session.set_tokens(&newer.to_string()).expect_ok();
    assert_eq!(session.tokens().value(), newer);
    session.call("friends.get", None).expect_ok();
    assert_eq!(sandbox.last()["params"]["session_key"], newer["access_token"]);
    assert_eq!((recorder.received().len(), sandbox.token_requests()), (0, 1), "the host already has them");
    // Only a refresh token, which the next renewal uses.
    let refresh_token = sandbox.post("tokens", json!({}))["refresh_token"].clone();
    session.set_tokens(&json!({ "refresh_token": refresh_token }).to_string()).expect_ok();
    session.authorize().expect_ok();
    assert_eq!(sandbox.last()["params"]["refresh_token"], refresh_token);
    // Invalid tokens are refused and change nothing.
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
fn waiting_calls_use_newer_tokens_at_once() {
    let sandbox = Sandbox::start();
    let session = refreshing(&sandbox, json!({ "expires_in": 0 }));
    sandbox.fault(grants(), json!(1), json!({ "kind": "delay", "ms": 3000, "phase": "before" }));
    std::thread::scope(|scope| {
        let begun = Instant::now();
        let calls: Vec<_> = (0..4).map(|_| scope.spawn(|| session.call("friends.get", None).expect_ok())).collect();
        await_that("the renewal is running", || sandbox.token_requests() == 1);
        session.set_tokens(&stored_tokens(&sandbox, 80_000).to_string()).expect_ok();
        calls.into_iter().for_each(|call| drop(call.join().expect("no panic")));
        assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());
    });
}

#[test]
fn the_renewal_callback_runs_before_and_after_each_renewal() {
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
    assert_eq!(taken(), ["tokens"], "a first login is not a renewal");
    session.authorize().expect_ok();
    assert_eq!(taken(), ["phase 1", "tokens", "phase 0"]);
    // Whatever the outcome.
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
    // After its removal it is not called. SAFETY: NULL removes the callback.
    let code = unsafe { mailru::ffi::mailru_session_on_renewal(session.0, None, std::ptr::null_mut(), None) };
    assert_eq!(code, 0);
    session.authorize().expect_ok();
    assert_eq!(taken(), ["tokens"]);
}

#[test]
fn tokens_that_the_renewal_callback_loads_replace_a_request() {
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
    // Expired ones do not, but their refresh token is used.
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
    assert_eq!((sandbox.token_requests(), &tokens_in_file(&path)["access_token"]), (0, &loaded["access_token"]));
}

/// A folder, and the path of a token file in it.
fn token_file() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tokens.json").to_str().expect("UTF-8").to_owned();
    (folder, path)
}

fn tokens_in_file(path: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("a file")).expect("JSON")
}

#[test]
fn each_set_is_written_to_the_file_before_it_is_used() {
    let sandbox = Arc::new(Sandbox::start());
    let (folder, path) = token_file();
    let session = session("password", &[], &sandbox.options(json!({ "token_file": path })));
    assert!(!Path::new(&path).exists(), "nothing to write yet");
    let (inside, server) = (path.clone(), Arc::clone(&sandbox));
    let recorder = Recorder::acting(move |tokens| {
        assert_eq!(tokens_in_file(&inside)["access_token"], tokens["access_token"]);
        assert!(server.requests().iter().all(|it| it["params"]["session_key"] != tokens["access_token"]));
    });
    assert_eq!(recorder.listen(&session), 0);
    session.call("friends.get", None).expect_ok();
    session.authorize().expect_ok();
    let (in_file, tokens) = (tokens_in_file(&path), session.tokens().value());
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
    // A stored session reads it, and the next session starts with it.
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
    // If one gets newer tokens, all have them; a refusal is cleared for all.
    sandbox.fault(grants(), Value::Null, json!({ "kind": "oauth_error", "error": "invalid_grant" }));
    sessions[0].authorize().expect("MAILRU_OAUTH_ERROR");
    sessions[1].authorize().expect("MAILRU_OAUTH_ERROR");
    let newer = stored_tokens(&sandbox, 80_000);
    sessions[0].set_tokens(&newer.to_string()).expect_ok();
    assert_eq!(tokens_in_file(&path)["refresh_token"], newer["refresh_token"]);
    let before = sandbox.token_requests();
    for session in &sessions {
        session.call("friends.get", None).expect_ok();
        assert_eq!(session.tokens().value()["access_token"], newer["access_token"]);
    }
    assert_eq!(sandbox.token_requests(), before);
    assert_eq!(sandbox.get("stats")["families_ended"], 0);
}

#[test]
fn a_session_that_does_not_renew_follows_the_file() {
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
fn the_newer_of_two_sets_is_used() {
    let sandbox = Sandbox::start();
    let (_folder, path) = token_file();
    let (older, newer) = (stored_tokens(&sandbox, 1000), stored_tokens(&sandbox, 2000));
    let unknown = json!({ "access_token": "x", "refresh_token": "y" });
    let options = json!({ "token_file": path });
    for (in_file, given, used) in [(&older, &newer, &newer), (&newer, &older, &newer), (&older, &unknown, &older)] {
        let _ = fs::remove_file(&path);
        let first = stored(&sandbox, in_file, options.clone());
        assert_eq!(tokens_in_file(&path)["access_token"], in_file["access_token"], "the first set is shared too");
        let session = stored(&sandbox, given, options.clone());
        assert_eq!(session.tokens().value()["access_token"], used["access_token"]);
        assert_eq!(tokens_in_file(&path)["access_token"], used["access_token"]);
        drop(first);
    }
}

#[test]
fn a_file_of_another_kind_is_not_changed() {
    let sandbox = Sandbox::start();
    let (folder, path) = token_file();
    let refused = |path: &str| {
        let options = sandbox.options(json!({ "token_file": path }));
        let error = Constructor::of("password").make(&[], Some(&options)).expect_err("refused");
        let error: Value = serde_json::from_str(&error).expect("JSON");
        assert_eq!(error["error"]["argument"], "token_file", "{error}");
        error["error"]["error_msg"].as_str().expect("a message").to_owned()
    };
    for (content, expected) in [
        (r#"{"app_id":"777","access_token":"hunter2","refresh_token":"hunter2"}"#, "application 777, not of 423004"),
        (r#"{"access_token":"hunter2"}"#, "is not a token file"),
        ("[]", "is not a token file"),
        ("hunter2 = 1\n", "is not a token file"),
        (r#"{"app_id":"423004","access_token":["hunter2"]}"#, "is not a token file"),
    ] {
        fs::write(&path, content).expect("written");
        let message = refused(&path);
        assert!(
            message.contains(expected) && message.contains("tokens.json") && !message.contains("hunter2"),
            "{message}"
        );
        assert_eq!(fs::read_to_string(&path).expect("still there"), content);
    }
    // Another user's, if the constructor names the user.
    fs::write(&path, r#"{"app_id":"423004","access_token":"a","uid":"15410773191172635989"}"#).expect("written");
    let options = sandbox.options(json!({ "token_file": path }));
    let error = Constructor::of("token").make(&[], Some(&options)).expect_err("refused");
    assert!(error.contains("of a user other than") && error.contains(r#""argument":"token_file""#), "{error}");
    // An empty file has no tokens yet.
    fs::write(&path, "\n").expect("written");
    session("password", &[], &options).call("friends.get", None).expect_ok();
    // Folders that are not writable, and paths that are not files.
    for path in ["/proc/tokens.json", "/no/such/folder/tokens.json", folder.path().to_str().expect("UTF-8")] {
        let message = refused(path);
        assert!(message.contains(path), "{message}");
    }
    assert_eq!(session_error(r#"{"token_file":""}"#), "token_file");
    assert_eq!(session_error(r#"{"token_file":1}"#), "token_file");
}

/// The message of the refused option.
fn session_error(options: &str) -> String {
    let error = Constructor::of("password").make(&[], Some(options)).expect_err("refused");
    let error: Value = serde_json::from_str(&error).expect("JSON");
    error["error"]["argument"].as_str().expect("a name").to_owned()
}

#[test]
fn links_and_relative_paths_lead_to_the_same_file() {
    let sandbox = Sandbox::start();
    let (folder, path) = token_file();
    fs::write(&path, "").expect("written");
    let link = folder.path().join("link.json");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    let session = session("password", &[], &sandbox.options(json!({ "token_file": link })));
    session.authorize().expect_ok();
    assert!(fs::symlink_metadata(&link).expect("metadata").is_symlink());
    assert_eq!(tokens_in_file(&path)["access_token"], session.tokens().value()["access_token"]);
}

#[test]
fn a_file_that_cannot_be_written_for_a_while_loses_no_tokens() {
    let sandbox = Sandbox::start();
    let (folder, path) = token_file();
    let session = session("password", &[], &sandbox.options(json!({ "token_file": path })));
    let away = folder.path().with_extension("away");
    fs::rename(folder.path(), &away).expect("moved");
    session.call("friends.get", None).expect_ok();
    fs::rename(&away, folder.path()).expect("moved back");
    assert!(!Path::new(&path).exists());
    // Written as soon as possible.
    session.authorize().expect_ok();
    assert_eq!(tokens_in_file(&path)["refresh_token"], session.tokens().value()["refresh_token"]);
    assert_eq!(sandbox.get("stats")["spent_refresh_tokens_seen"], 0);
}

#[test]
fn the_error_names_the_lock_that_another_process_holds() {
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
