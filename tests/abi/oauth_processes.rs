//! Processes that share a token file and are killed at any moment.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::oauth_transient::length;
use crate::support::*;

const PROCESSES: usize = 8;
/// The life of a token in seconds; it is renewed in the last tenth of it.
const LIFE: u64 = 2;

/// A first set of tokens in a new token file.
fn first_login(sandbox: &Sandbox) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tokens.json").to_str().expect("UTF-8").to_owned();
    let session = session("password", &[], &sandbox.options(json!({ "token_file": path })));
    session.authorize().expect_ok();
    (folder, path)
}

/// The options of a worker for this work, from its mark.
fn worker_options(work: &str) -> Option<String> {
    mark()?.strip_prefix(work).map(str::to_owned)
}

/// A session with the tokens of the file.
fn of_file(options: &str) -> Session {
    session("stored", &[("tokens_json", "")], options)
}

/// A worker that makes calls in a loop, and writes a note next to the file when a call fails.
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

/// Stops a process at a random point. It continues if the server has answered a renewal and the tokens have not
/// arrived, because these tokens would be lost.
fn may_be_killed(worker: &Worker, sandbox: &Sandbox, path: &str) -> bool {
    let process = libc::pid_t::try_from(worker.0.id()).expect("a process id");
    let send = |signal| {
        // SAFETY: a signal to a child process that was not waited for yet.
        assert_eq!(unsafe { libc::kill(process, signal) }, 0);
    };
    send(libc::SIGSTOP);
    // A request that was sent arrives.
    std::thread::sleep(Duration::from_millis(50));
    let newest = sandbox.get("tokens")["newest"][0].clone();
    let newest = newest.as_str().expect("a token");
    let has_arrived = |file: &str| fs::read_to_string(file).is_ok_and(|text| text.contains(newest));
    let may_be_killed = has_arrived(path) || has_arrived(&format!("{path}.tmp"));
    if !may_be_killed {
        send(libc::SIGCONT);
    }
    may_be_killed
}

#[test]
fn eight_processes_share_one_file_and_lose_no_login() {
    if !takes_long("eight processes that share tokens") {
        return;
    }
    let sandbox = Sandbox::start();
    sandbox.post("settings", json!({ "record": false, "expires_in": LIFE, "detect_reuse": true }));
    let (folder, path) = first_login(&sandbox);
    let mark = format!("calling {}", sandbox.options(json!({ "token_file": path })));
    let start = || Worker::start("oauth_processes::work_of_calling", &mark);
    let mut workers: Vec<_> = (0..PROCESSES).map(|_| start()).collect();
    let begun = Instant::now();
    let mut kills = 0;
    let time = length(Duration::from_secs(6), Duration::from_secs(60));
    while begun.elapsed() < time {
        std::thread::sleep(Duration::from_millis(fastrand::u64(50..500)));
        let worker = &mut workers[fastrand::usize(..PROCESSES)];
        if may_be_killed(worker, &sandbox, &path) {
            // Dropping the worker kills it and waits for it.
            *worker = start();
            kills += 1;
        }
    }
    let taken = begun.elapsed();
    let stats = sandbox.get("stats");
    drop(workers);
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
    assert!(notes.is_empty(), "{notes:?} {stats}");
    assert_eq!((&stats["families_ended"], &stats["spent_refresh_tokens_seen"]), (&json!(0), &json!(0)));
    assert!(stats["requests"].as_u64().expect("a number") > taken.as_secs() * 10, "{stats}");
    // One renewal for each expiry, in the last tenth of the life.
    let most = (taken.as_secs_f64() / (LIFE as f64 * 0.9)).ceil() as u64 + 1;
    assert!(renewals <= most, "{renewals} renewals in {taken:?}");
}

/// A worker that renews in a loop, and records each set that the callback receives.
#[test]
fn work_of_renewing() {
    let Some(options) = worker_options("renewing ") else { return };
    let path =
        serde_json::from_str::<Value>(&options).expect("JSON")["token_file"].as_str().expect("a path").to_owned();
    let session = of_file(&options);
    let recorder = Recorder::acting(move |tokens| {
        let mut received =
            fs::File::options().create(true).append(true).open(format!("{path}.received")).expect("a file");
        writeln!(received, "{}", tokens["access_token"].as_str().expect("a token")).expect("written");
    });
    assert_eq!(recorder.listen(&session), 0);
    loop {
        session.authorize();
    }
}

#[test]
fn a_killed_process_leaves_the_file_complete() {
    let sandbox = Sandbox::start();
    // So that a lost answer needs no new login: this test checks the file.
    sandbox.post("settings", json!({ "record": false, "rotate": false }));
    let (_folder, path) = first_login(&sandbox);
    let mark = format!("renewing {}", sandbox.options(json!({ "token_file": path })));
    let wanted = if length(Duration::ZERO, Duration::MAX).is_zero() { 100 } else { 1000 };
    let (mut kills, mut behind, mut previous) = (0, 0, (Value::Null, 0));
    while sandbox.get("stats")["token_requests"]["refresh_token"].as_u64().unwrap_or(0) < wanted {
        let before = sandbox.token_requests();
        let mut worker = Worker::start("oauth_processes::work_of_renewing", &mark);
        await_that("it renews", || sandbox.token_requests() > before);
        std::thread::sleep(Duration::from_micros(fastrand::u64(..40_000)));
        worker.0.kill().expect("killed");
        worker.0.wait().expect("waited for");
        kills += 1;
        // The next process that takes the lock completes a rename.
        drop(of_file(&sandbox.options(json!({ "token_file": path }))));
        let text = fs::read_to_string(&path).expect("the file is there");
        let tokens: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(tokens["app_id"], APP_ID);
        // The tokens that the host received are in the file, or newer ones that it did not receive.
        let received = fs::read_to_string(format!("{path}.received")).unwrap_or_default();
        let newest = sandbox.get("tokens")["newest"].clone();
        let in_file = &tokens["access_token"];
        let is_last_received = received.lines().last().is_some_and(|token| in_file == token);
        let is_newer =
            received.lines().all(|token| in_file != token) && newest.as_array().expect("an array").contains(in_file);
        // Otherwise nothing has arrived since the last check.
        let state = (in_file.clone(), received.lines().count());
        assert!(is_last_received || is_newer || state == previous, "{in_file} of {newest}, received\n{received}");
        previous = state;
        behind += usize::from(newest[0] != *in_file);
        assert!(!Path::new(&format!("{path}.tmp")).exists());
    }
    println!("measured: {kills} kills in {wanted} renewals; {behind} times the newest tokens had not arrived");
    of_file(&sandbox.options(json!({ "token_file": path }))).call("friends.get", None).expect_ok();
}
