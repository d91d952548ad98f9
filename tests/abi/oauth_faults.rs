//! A thousand random faults at every step of getting and renewing tokens. After each the session works, or its error
//! says what the host must do; no call hangs, and no received token is lost.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use mailru::ffi::*;
use serde_json::{Value, json};

use crate::support::*;

const ROUNDS: u64 = 1000;
/// The number of threads that run rounds in parallel, each with its own sandbox.
const ROWS: u64 = 4;
/// The action of one thread of a round.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Call,
    HurriedCall(i64),
    CancellableCall,
    Upload,
    Authorize,
}

/// The disturbance of the session meanwhile.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Disturbance {
    Nothing,
    CancelSession,
    FireHandle,
    Free,
    ReplaceCallback,
}

#[derive(Debug)]
struct Plan {
    kind: &'static str,
    /// For token requests: the fault, how often, and whether the request takes effect nevertheless.
    mishap: Option<(Value, u64, bool)>,
    /// For calls, once.
    call_fault: Option<Value>,
    omit: Option<&'static str>,
    rotate: bool,
    acts: Vec<Act>,
    disturbance: Disturbance,
    after: Duration,
}

fn random_fault(random: &mut Rng) -> Value {
    let phase = *random.choice(&["before", "after", "head", "body"]).unwrap();
    match random.u8(..13) {
        0 | 1 => json!({ "kind": "reset", "phase": phase }),
        2 => json!({ "kind": "close", "phase": phase }),
        3 => json!({ "kind": "status", "status": *random.choice(&[404, 500, 502, 503]).unwrap() }),
        4 => {
            json!({ "kind": "answer", "body": *random.choice(&["<html>", "{\"access_token\":", "[]", "null"]).unwrap() })
        }
        5 => json!({ "kind": "oauth_error", "error": "invalid_grant" }),
        6 => json!({ "kind": "oauth_error", "error": "server_error", "status": 500 }),
        7 => json!({ "kind": "truncate", "chunked": random.bool() }),
        8 => json!({ "kind": "bad_utf8" }),
        9 => json!({ "kind": "empty" }),
        // Longer than the session's calls wait.
        10 => json!({ "kind": "delay", "ms": 400, "phase": "before" }),
        _ => {
            json!({ "kind": "delay", "ms": random.u64(..60), "phase": *random.choice(&["before", "head", "body"]).unwrap() })
        }
    }
}

impl Plan {
    fn new(random: &mut Rng) -> Plan {
        let act = |random: &mut Rng| match random.u8(..10) {
            0..=4 => Act::Call,
            5 => Act::HurriedCall(random.i64(1..40)),
            6 | 7 => Act::CancellableCall,
            8 => Act::Upload,
            _ => Act::Authorize,
        };
        let call_fault = match random.u8(..5) {
            0 => Some(json!({ "kind": "expire_token" })),
            1 => Some(json!({ "kind": "delay", "ms": random.u64(..30) })),
            2 => Some(json!({ "kind": "reset" })),
            _ => None,
        };
        Plan {
            kind: random.choice(&["token", "token", "token", "token", "refresh", "password", "code"]).unwrap(),
            mishap: (random.u8(..5) > 0).then(|| (random_fault(random), random.u64(1..3), random.bool())),
            call_fault,
            omit: (random.u8(..6) == 0)
                .then(|| *random.choice(&["access_token", "refresh_token", "x_mailru_vid", "expires_in"]).unwrap()),
            rotate: random.u8(..4) > 0,
            acts: (0..random.usize(1..6)).map(|_| act(random)).collect(),
            disturbance: *random
                .choice(&[
                    Disturbance::Nothing,
                    Disturbance::Nothing,
                    Disturbance::CancelSession,
                    Disturbance::FireHandle,
                    Disturbance::Free,
                    Disturbance::ReplaceCallback,
                ])
                .unwrap(),
            after: Duration::from_micros(random.u64(..12_000)),
        }
    }

    /// Whether every token answer arrives complete, though perhaps late.
    fn is_benign(&self) -> bool {
        let delivered = self.mishap.as_ref().is_none_or(|(fault, ..)| fault["kind"] == "delay");
        delivered && !matches!(self.omit, Some("access_token" | "x_mailru_vid"))
    }

    /// The session's time limit, which some grants outlive.
    fn limit(&self) -> Duration {
        let is_slow = self.mishap.as_ref().is_some_and(|(fault, ..)| fault["ms"] == 400);
        Duration::from_millis(if is_slow { 250 } else { 10_000 })
    }

    fn session(&self, sandbox: &Sandbox) -> Session {
        let options = |more: Value| {
            let mut options =
                json!({ "timeout_ms": self.limit().as_millis() as u64, "retries": 1, "retry_delay_ms": 1 });
            options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            sandbox.options(options)
        };
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let (tokens, code) = (sandbox.post("tokens", json!({})), sandbox.post("codes", json!({})));
        let (access, refresh, code) =
            (text(&tokens["access_token"]), text(&tokens["refresh_token"]), text(&code["code"]));
        match self.kind {
            "token" => {
                sandbox.post("expire", json!({ "access_token": access }));
                session("token", &[("access_token", &access)], &options(json!({ "refresh_token": refresh })))
            }
            "refresh" => session("refresh", &[("refresh_token", &refresh)], &options(json!({}))),
            "code" => session("code", &[("code", &code)], &options(json!({}))),
            _ => session("password", &[], &options(json!({}))),
        }
    }

    /// Every action ends within its time limit, with an allowed code.
    fn act(&self, act: Act, session: &Session, cancel: mailru_cancel) {
        let begun = Instant::now();
        let answer = match act {
            Act::Call => session.call("friends.get", None),
            Act::HurriedCall(ms) => session.call_within("friends.get", None, ms, 0),
            Act::CancellableCall => session.call_within("friends.get", None, 0, cancel),
            Act::Upload => session.upload("photos.upload", r#"{"aid":"a"}"#, "img_file", "a", b"x"),
            Act::Authorize => session.authorize(),
        };
        assert!(
            begun.elapsed() < self.limit() + Duration::from_secs(3),
            "{act:?} took {:?}: {}",
            begun.elapsed(),
            answer.json
        );
        let expected = [
            "MAILRU_OK",
            "MAILRU_API_ERROR",
            "MAILRU_OAUTH_ERROR",
            "MAILRU_EMPTY_RESPONSE",
            "MAILRU_MALFORMED_RESPONSE",
            "MAILRU_HTTP_ERROR",
            "MAILRU_NETWORK_ERROR",
            "MAILRU_TIMEOUT",
            "MAILRU_CANCELLED",
            "MAILRU_INVALID_HANDLE",
        ];
        assert!(expected.contains(&answer.name()), "{act:?}: {}", answer.json);
        let freed = self.disturbance == Disturbance::Free;
        assert!(freed || answer.name() != "MAILRU_INVALID_HANDLE", "{act:?}: {}", answer.json);
    }

    fn disturb(&self, session: &Session, cancel: mailru_cancel) {
        std::thread::sleep(self.after);
        match self.disturbance {
            Disturbance::Nothing => {}
            Disturbance::CancelSession => assert_eq!(mailru_session_cancel(session.0), 0),
            Disturbance::FireHandle => assert_eq!(mailru_cancel_fire(cancel), 0),
            Disturbance::Free => mailru_session_free(session.0),
            Disturbance::ReplaceCallback => assert_eq!(Recorder::new().listen(session), 0),
        }
    }

    fn run(&self, sandbox: &Sandbox) {
        sandbox.post("reset", json!({}));
        sandbox.post(
            "settings",
            json!({ "record": false, "rotate": self.rotate, "omit": self.omit.iter().collect::<Vec<_>>() }),
        );
        let session = self.session(sandbox);
        let recorder = Recorder::new();
        assert_eq!(recorder.listen(&session), 0);
        if let Some((fault, times, applied)) = &self.mishap {
            sandbox.post(
                "faults",
                json!({ "on": { "path": "/oauth" }, "times": times, "fault": fault, "applied": applied }),
            );
        }
        if let Some(fault) = &self.call_fault {
            sandbox.fault(json!({ "path": "/platform" }), json!(1), fault.clone());
        }
        let cancel = mailru_cancel_new();
        std::thread::scope(|scope| {
            for act in &self.acts {
                let session = &session;
                scope.spawn(move || self.act(*act, session, cancel));
            }
            self.disturb(&session, cancel);
        });
        mailru_cancel_free(cancel);
        sandbox.behave();
        sandbox.post("settings", json!({ "omit": [] }));
        match self.disturbance {
            Disturbance::Free => {
                assert_eq!(session.call("friends.get", None).name(), "MAILRU_INVALID_HANDLE");
                recorder.await_releases(1);
            }
            _ => self.check_afterwards(sandbox, &session),
        }
        // No token is lost: each set that the server issued reached the callback.
        if self.is_benign() && self.disturbance != Disturbance::ReplaceCallback {
            let issued = sandbox.get("stats")["tokens_issued"].as_u64().expect("a number");
            assert_eq!(recorder.received().len() as u64, issued);
        }
        if self.disturbance != Disturbance::Free {
            drop(session);
            recorder.await_releases(1);
        }
    }

    /// The session works, or its error says correctly what to do.
    fn check_afterwards(&self, sandbox: &Sandbox, session: &Session) {
        let mut answer = session.call_within("friends.get", None, 10_000, 0);
        let mut asked = self.acts.iter().filter(|act| **act == Act::Authorize).count() as u64;
        // After a transient failure, or a 102 that was kept without another token, `mailru_authorize` gets tokens or a
        // refusal, perhaps after a short pause.
        for _ in 0..10 {
            let is_transient = answer.name() != "MAILRU_OK" && answer.error("transient") == true;
            if !is_transient && (answer.name() != "MAILRU_API_ERROR" || self.has_nothing_to_renew_with(session)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
            asked += 1;
            answer = session.authorize();
            if answer.name() == "MAILRU_OK" {
                answer = session.call_within("friends.get", None, 10_000, 0);
            }
        }
        let spent = || sandbox.get("stats")["spent_refresh_tokens_seen"].as_u64().expect("a number");
        // Only a lost or incomplete answer leaves the session with a used refresh token; its refusal is final, except
        // for `mailru_authorize`.
        let lost = self.mishap.as_ref().map_or(0, |mishap| mishap.1) + u64::from(self.omit == Some("refresh_token"));
        assert!(spent() <= lost + asked, "a spent refresh token was sent {} times", spent());
        assert_eq!(sandbox.get("stats")["spent_codes_seen"], 0);
        match answer.name() {
            "MAILRU_OK" => return,
            "MAILRU_API_ERROR" => {
                // The token has expired, and the server issued no refresh token.
                assert_eq!(answer.error("error_code"), 102, "{}", answer.json);
                return;
            }
            _ => assert_eq!(answer.error("transient"), false, "{}", answer.json),
        }
        // A remembered refusal causes no token request, and is returned unchanged.
        let before = sandbox.token_requests();
        assert_eq!(session.call("friends.get", None), answer);
        assert_eq!(sandbox.token_requests(), before);
        let message = answer.error("error_msg").as_str().expect("a message").to_owned();
        if message.contains("get a new one") {
            assert_eq!(self.kind, "code", "{}", answer.json);
            assert_eq!(session.authorize(), answer);
            return;
        }
        assert_eq!(answer.name(), "MAILRU_OAUTH_ERROR", "{}", answer.json);
        assert!(message.contains("mailru_authorize"), "{message}");
        let again = session.authorize();
        match again.name() {
            "MAILRU_OK" => drop(session.call("friends.get", None).expect_ok()),
            // The refresh token was used for an answer that was lost: only a new login helps.
            _ => {
                let again = again.expect("MAILRU_OAUTH_ERROR");
                assert_eq!(again.error("oauth")["error"], "invalid_grant", "{}", again.json);
                let was_lost = self.mishap.is_some() || self.omit == Some("refresh_token");
                assert!(self.rotate && was_lost && self.kind != "password", "{}", again.json);
            }
        }
    }

    fn has_nothing_to_renew_with(&self, session: &Session) -> bool {
        self.omit == Some("refresh_token") && session.tokens().value()["refresh_token"].is_null()
    }
}

/// Prints how to repeat a failed round.
struct Named(u64, Plan);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("MAILRU_TEST_SEED={} begins with this round: {:?}", self.0, self.1);
        }
    }
}

#[test]
fn after_each_of_a_thousand_faults_the_session_works_or_says_what_to_do() {
    let given = std::env::var("MAILRU_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..1 << 40));
    println!("MAILRU_TEST_SEED={seed} repeats this run");
    let (ended, watched) = mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        if let Err(mpsc::RecvTimeoutError::Timeout) = watched.recv_timeout(Duration::from_secs(120)) {
            eprintln!("a thread hangs (MAILRU_TEST_SEED={seed})");
            std::process::abort();
        }
    });
    std::thread::scope(|scope| {
        for row in 0..ROWS {
            scope.spawn(move || {
                let sandbox = Sandbox::start();
                for round in (row..rounds(ROUNDS)).step_by(ROWS as usize) {
                    let seed = seed + round;
                    let round = Named(seed, Plan::new(&mut Rng::with_seed(seed)));
                    round.1.run(&sandbox);
                }
            });
        }
    });
    drop(ended);
    watchdog.join().expect("no panic");
}
