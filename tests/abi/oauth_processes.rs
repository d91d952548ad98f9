//! Processes that share a file of tokens, and are killed at any moment.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::oauth_bad_days::length;
use crate::support::*;

const PROCESSES: usize = 8;
/// The life of a token in seconds; it is renewed in the last tenth of it.
const LIFE: u64 = 2;

/// A first set of tokens in a file of a new folder.
fn first_login(sandbox: &Sandbox) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tokens.json").to_str().expect("UTF-8").to_owned();
    let session = session("password", &[], &sandbox.options(json!({ "token_file": path })));
    session.authorize().expect_ok();
    (folder, path)
}

/// What a worker is told by its mark: what to do, and its options.
fn worker_options(work: &str) -> Option<String> {
    mark()?.strip_prefix(work).map(str::to_owned)
}

/// A session that goes on with the file.
fn of_file(options: &str) -> Session {
    session("stored", &[("tokens_json", "")], options)
}

/// A worker that calls on and on, and leaves a note beside the file when a call fails.
#[test]
fn work_of_calling() {
    let Some(options) = worker_options("calling ") else { return };
    let path =
        serde_json::from_str::<Value>(&options).expect("JSON")["token_file"].as_str().expect("a path").to_owned();
    let session = of_file(&options);
    loop {
        let answer = session.call("friends.get", None);
        if answer.name() != "MAILRU_OK" {
            fs::write(format!("{path}.failed.{}", std::process::id()), answer.json).expect("a note");
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One run; whether the login was lost, which a kill between the server's answer and its arrival can do.
fn eight_processes(time: Duration) -> Result<(), String> {
    let sandbox = Sandbox::start();
    sandbox.post("settings", json!({ "record": false, "expires_in": LIFE, "detect_reuse": true, "end_former": false }));
    let (folder, path) = first_login(&sandbox);
    let mark = format!("calling {}", sandbox.options(json!({ "token_file": path })));
    let start = || Worker::start("oauth_processes::work_of_calling", &mark);
    let mut workers: Vec<_> = (0..PROCESSES).map(|_| start()).collect();
    let begun = Instant::now();
    let mut kills = 0;
    while begun.elapsed() < time {
        std::thread::sleep(Duration::from_millis(fastrand::u64(50..500)));
        // Dropped: killed, and waited for.
        workers[fastrand::usize(..PROCESSES)] = start();
        kills += 1;
    }
    let taken = begun.elapsed();
    drop(workers);
    let stats = sandbox.get("stats");
    let notes: Vec<_> = fs::read_dir(folder.path())
        .expect("a folder")
        .filter_map(|file| {
            let path = file.ok()?.path();
            path.to_str()?.contains(".failed.").then(|| fs::read_to_string(&path).expect("a note"))
        })
        .collect();
    let renewals = stats["token_requests"]["refresh_token"].as_u64().unwrap_or(0);
    println!(
        "measured: {PROCESSES} processes, {:.0} s, {kills} kills: {renewals} renewals of tokens of {LIFE} s",
        taken.as_secs_f64()
    );
    if stats["families_ended"] != 0 || !notes.is_empty() {
        return Err(format!("{notes:?} {stats}"));
    }
    assert_eq!(stats["spent_refresh_tokens_seen"], 0);
    assert!(stats["requests"].as_u64().expect("a number") > taken.as_secs() * 10, "{stats}");
    // One for each expiry, the renewal being due in the last tenth.
    let most = (taken.as_secs_f64() / (LIFE as f64 * 0.9)).ceil() as u64 + 1;
    assert!(renewals <= most, "{renewals} renewals in {taken:?}");
    Ok(())
}

#[test]
fn eight_processes_share_one_file_and_lose_no_login() {
    let time = length(Duration::from_secs(6), Duration::from_secs(60));
    // A process that is killed when the server has answered and nothing has arrived takes the login with it: that is
    // nobody's fault, but does not happen twice.
    if let Err(lost) = eight_processes(time) {
        println!("a login was lost, once more: {lost}");
        eight_processes(time).expect("no login is lost");
    }
}

/// A worker that renews on and on, and notes each set that it is told of.
#[test]
fn work_of_renewing() {
    let Some(options) = worker_options("renewing ") else { return };
    let path =
        serde_json::from_str::<Value>(&options).expect("JSON")["token_file"].as_str().expect("a path").to_owned();
    let session = of_file(&options);
    let recorder = Recorder::acting(move |tokens| {
        let mut told = fs::File::options().create(true).append(true).open(format!("{path}.told")).expect("a file");
        writeln!(told, "{}", tokens["access_token"].as_str().expect("a token")).expect("written");
    });
    assert_eq!(recorder.listen(&session), 0);
    loop {
        session.authorize();
    }
}

#[test]
fn a_process_that_is_killed_leaves_the_file_whole() {
    let sandbox = Sandbox::start();
    // So that what was lost on the way costs no new login: the file is what is looked at.
    sandbox.post("settings", json!({ "record": false, "rotate": false }));
    let (_folder, path) = first_login(&sandbox);
    let mark = format!("renewing {}", sandbox.options(json!({ "token_file": path })));
    let wanted = if length(Duration::ZERO, Duration::MAX).is_zero() { 100 } else { 1000 };
    let (mut kills, mut behind) = (0, 0);
    while sandbox.get("stats")["token_requests"]["refresh_token"].as_u64().unwrap_or(0) < wanted {
        let before = sandbox.token_requests();
        let mut worker = Worker::start("oauth_processes::work_of_renewing", &mark);
        await_that("it renews", || sandbox.token_requests() > before);
        std::thread::sleep(Duration::from_micros(fastrand::u64(..40_000)));
        worker.0.kill().expect("killed");
        worker.0.wait().expect("waited for");
        kills += 1;
        // Who locks next puts in place what was written and not renamed.
        drop(of_file(&sandbox.options(json!({ "token_file": path }))));
        let text = fs::read_to_string(&path).expect("the file is there");
        let tokens: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(tokens["app_id"], APP_ID);
        // What a host was told of is in the file; so may be what it was not told of any more.
        let told = fs::read_to_string(format!("{path}.told")).unwrap_or_default();
        let newest = sandbox.get("tokens")["newest"].clone();
        let in_file = &tokens["access_token"];
        let is_last_told = told.lines().last().is_some_and(|token| in_file == token);
        let is_newer =
            told.lines().all(|token| in_file != token) && newest.as_array().expect("an array").contains(in_file);
        assert!(is_last_told || is_newer, "{in_file} of {newest}, told\n{told}");
        behind += usize::from(newest[0] != *in_file);
        assert!(!Path::new(&format!("{path}.tmp")).exists());
    }
    println!("measured: {kills} kills in {wanted} renewals; {behind} times the newest tokens had not arrived");
    of_file(&sandbox.options(json!({ "token_file": path }))).call("friends.get", None).expect_ok();
}
