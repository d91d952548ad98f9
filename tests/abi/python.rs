//! Signing, encoding and reading against Python's hashlib, json and urllib: `programs/judge.py`.
//!
//! `MAILRU_RANDOM_CASES` says how many random cases of each kind; `MAILRU_TEST_SEED` repeats a run.

use std::io::Write;
use std::process::{Command, Stdio};

use fastrand::Rng;
use mailru::ffi::*;
use serde_json::{Value, json};

use crate::header::root;
use crate::parameters_random::{parameters, text};
use crate::support::*;

fn cases() -> u64 {
    std::env::var("MAILRU_RANDOM_CASES").map_or(1500, |text| text.parse().expect("a number"))
}

fn random() -> (u64, Rng) {
    let seed = std::env::var("MAILRU_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(fastrand::u64(..));
    println!("MAILRU_TEST_SEED={seed} repeats this run");
    (seed, Rng::with_seed(seed))
}

/// Runs the other reader; returns what it prints.
#[track_caller]
fn python(arguments: &[&str], input: String) -> String {
    let mut process = Command::new("python3")
        .arg(root().join("tests/abi/programs/judge.py"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut stdin = process.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || {
        // It ends before it has read everything if it finds something.
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = process.wait_with_output().expect("it ends");
    writer.join().expect("no panic");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn hashlib_and_urllib_sign_and_encode_alike() {
    let (_, mut random) = random();
    let sessions = [client("{}"), server("{}")];
    let mut lines = String::new();
    for number in 0..cases() {
        let (given, _) = parameters(&mut random);
        let is_server = number % 2 == 1;
        let answer = sessions[usize::from(is_server)].sign("sandbox.echo", &*given);
        assert_eq!(answer.name(), "MAILRU_OK", "{given}: {}", answer.json);
        let mut own = json!({ "app_id": APP_ID, "method": "sandbox.echo", "session_key": SESSION_KEY });
        if is_server {
            own["secure"] = json!("1");
        }
        let (uid, key) = if is_server { ("", SECRET_KEY) } else { (UID, PRIVATE_KEY) };
        let address = "https://appsmail.ru/platform/api";
        let case = json!({
            "given": given, "answer": answer.value(), "own": own, "uid": uid, "key": key, "address": address,
        });
        lines.push_str(&format!("{case}\n"));
        // Texts for C end at NUL.
        let mut word = |front: &str| format!("{front}{}", text(&mut random, 20).replace('\0', ""));
        let (redirect, scope, state) = (format!("https://example.org/{}", number), word("s"), word("s"));
        let texts = [APP_ID, &redirect, "code", &scope, &state].map(c);
        let [app_id, redirect_uri, kind, wanted, mark] = texts.each_ref().map(|text| text.as_ptr());
        // SAFETY: the texts outlive the call.
        let answer = Answer::of(|code| unsafe { mailru_authorize_url(app_id, redirect_uri, kind, wanted, mark, code) });
        if answer.name() == "MAILRU_OK" {
            let given = json!({
                "client_id": APP_ID, "redirect_uri": redirect, "response_type": "code", "scope": scope, "state": state,
            });
            lines.push_str(&format!("{}\n", json!({ "url": answer.value()["url"], "given": given })));
        }
    }
    let judged: u64 = python(&["judge"], lines).trim().parse().expect("a number");
    println!("measured: {judged} signatures and addresses agree with Python's");
    assert!(judged > cases() * 3 / 2, "{judged} were judged");
}

#[test]
fn what_python_encodes_and_signs_is_read() {
    let (seed, _) = random();
    let (mut passed, mut refused) = (0, 0);
    let made = python(&["make", &seed.to_string(), &cases().to_string()], String::new());
    for line in made.lines() {
        let case: Value = serde_json::from_str(line).expect("JSON");
        let text = |name: &str| c(case[name].as_str().expect("a text"));
        let expected = &case["expected"];
        let (answer, member, refusal) = if case["query"].is_string() {
            let (query, kind, key) = (text("query"), c("payment"), c(SECRET_KEY));
            // SAFETY: the texts outlive the call.
            let answer =
                unsafe { Answer::of(|code| mailru_verify_query(kind.as_ptr(), key.as_ptr(), query.as_ptr(), code)) };
            (answer, "params", "MAILRU_SIGNATURE_MISMATCH")
        } else {
            let (url, state) = (text("url"), text("state"));
            // SAFETY: the texts outlive the call.
            let answer = unsafe { Answer::of(|code| mailru_parse_redirect(url.as_ptr(), state.as_ptr(), code)) };
            (answer, "code", "MAILRU_OAUTH_ERROR")
        };
        if expected.is_null() {
            assert_eq!(answer.name(), refusal, "{line}\n{}", answer.json);
            refused += 1;
        } else {
            assert_eq!(answer.name(), "MAILRU_OK", "{line}\n{}", answer.json);
            assert_eq!(&answer.value()[member], expected, "{line}\n{}", answer.json);
            passed += 1;
        }
    }
    println!("measured: {passed} of Python's redirects and payments pass, {refused} changed ones are refused");
    assert!(passed > cases() / 2 && refused > cases() / 10);
}
