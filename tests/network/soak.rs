//! Hours in short: eight threads and a queue against platforms that misbehave at random, while tokens expire, the
//! authorization server sometimes refuses, and the clock is set. Nothing is lost, done twice or left over.
//!
//! `MAILRU_SOAK_SECONDS=1800 cargo test --test network soak -- --nocapture` runs half an hour and prints the totals.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{CStr, c_char, c_void};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mailru::ffi::*;
use serde_json::{Value, json};

use crate::host::preloaded;
use crate::support::*;
use crate::tools::*;

const WORKERS: usize = 8;
/// What is written in a round is compared with what the platform did after it.
const ROUND: Duration = Duration::from_secs(4);
/// What a platform does wrong with a request, and how often.
const FAULTS: &str = r#"[
    [{"kind":"reset","phase":"before"}, 0.03], [{"kind":"reset","phase":"after"}, 0.02],
    [{"kind":"reset","phase":"head"}, 0.02], [{"kind":"reset","phase":"body"}, 0.02],
    [{"kind":"close","phase":"before"}, 0.02], [{"kind":"close","phase":"after"}, 0.02],
    [{"kind":"truncate"}, 0.02], [{"kind":"truncate","chunked":true}, 0.01], [{"kind":"close_delimited_cut"}, 0.01],
    [{"kind":"platform_error","code":3}, 0.05], [{"kind":"platform_error","code":1}, 0.02],
    [{"kind":"status","status":503}, 0.02], [{"kind":"status","status":500,"body":"oops"}, 0.01],
    [{"kind":"too_many"}, 0.01], [{"kind":"garbage"}, 0.01], [{"kind":"bad_utf8"}, 0.005], [{"kind":"empty"}, 0.005],
    [{"kind":"redirect","location":"http://127.0.0.1/"}, 0.005], [{"kind":"deep","depth":100000}, 0.005],
    [{"kind":"huge","bytes":300000}, 0.005], [{"kind":"silent"}, 0.002], [{"kind":"hang_body"}, 0.002],
    [{"kind":"delay","ms":30}, 0.05], [{"kind":"gzip"}, 0.1], [{"kind":"close_after"}, 0.3]
]"#;
/// The same of the authorization server: none of these ends a token.
const TOKEN_FAULTS: &str = r#"[
    [{"kind":"reset","phase":"before"}, 0.1], [{"kind":"status","status":503}, 0.1], [{"kind":"delay","ms":50}, 0.2],
    [{"kind":"too_many","retry_after":1}, 0.05], [{"kind":"oauth_error","error":"temporarily_unavailable"}, 0.1],
    [{"kind":"oauth_error","error":"invalid_grant"}, 0.1]
]"#;

/// Has a platform misbehave at random.
pub fn misbehave(sandbox: &Sandbox) {
    let post = |on: &Value, list: &str| {
        for rule in serde_json::from_str::<Vec<(Value, f64)>>(list).expect("JSON") {
            sandbox.post("faults", json!({ "on": on, "times": null, "probability": rule.1, "fault": rule.0 }));
        }
    };
    post(&json!({ "path": "/platform" }), FAULTS);
    post(&json!({ "path": "/oauth" }), TOKEN_FAULTS);
    let connections = r#"[[{"kind":"reset"},0.3],[{"kind":"close"},0.1],[{"kind":"garbage"},0.02],
        [{"kind":"delay","ms":20},0.05]]"#;
    post(&json!({ "connection": true }), connections);
}

/// One platform with the sessions that use it.
struct Platform<'a> {
    sandbox: &'a Sandbox,
    options: String,
    /// Used by direct calls only, so that its counters can be compared with ours.
    counted: Session,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    /// A session that renews its tokens.
    renewing: Session,
    /// The newest tokens that its callback received, and how many sets it was.
    newest: &'static Mutex<(Value, u64)>,
    /// What was written in this round: by tag, whether it must have been done.
    written: Mutex<HashMap<String, bool>>,
    /// How often each tag of this round and the last was done.
    done: Mutex<[HashMap<String, u32>; 2]>,
    /// The numbers of the writes that the platform listed after the last round.
    seen: Mutex<HashSet<u64>>,
}

unsafe extern "C" fn keep(newest: *mut c_void, tokens_json: *const c_char) {
    // SAFETY: the data lives as long as the process; the text is valid during this call.
    let (newest, json) =
        unsafe { (&*newest.cast::<Mutex<(Value, u64)>>(), CStr::from_ptr(tokens_json).to_str().expect("UTF-8")) };
    let mut newest = newest.lock().expect("no panic");
    newest.0 = serde_json::from_str(json).expect("JSON");
    newest.1 += 1;
}

impl<'a> Platform<'a> {
    fn new(sandbox: &'a Sandbox, options: String) -> Platform<'a> {
        sandbox.post("settings", json!({ "record": false }));
        let tokens = sandbox.post("tokens", json!({}));
        let text = |name: &str| tokens[name].as_str().expect("a token").to_owned();
        let newest: &'static Mutex<(Value, u64)> = Box::leak(Box::new(Mutex::new((tokens.clone(), 0))));
        let mut own: Value = serde_json::from_str(&options).expect("JSON");
        own["refresh_token"] = tokens["refresh_token"].clone();
        let renewing = session("token", &[("access_token", &text("access_token"))], &own.to_string());
        let data = std::ptr::from_ref(newest).cast_mut().cast();
        // SAFETY: the data is never released.
        assert_eq!(unsafe { mailru_session_on_token(renewing.0, Some(keep), data, None) }, MAILRU_OK);
        let counted = client(&options);
        Platform {
            sandbox,
            options,
            counted,
            counts: Mutex::default(),
            renewing,
            newest,
            written: Mutex::default(),
            done: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    /// Compares what was written with what the platform did; returns how much that was.
    fn settle(&self) -> usize {
        let applied = self.sandbox.get("applied");
        let applied = applied.as_array().expect("an array");
        let number = |write: &Value| write["number"].as_u64().expect("a number");
        let mut seen = self.seen.lock().expect("no panic");
        assert!(applied.len() < 10_000 || seen.contains(&number(&applied[0])), "a round has too many writes");
        let mut done = self.done.lock().expect("no panic");
        for write in applied.iter().filter(|write| !seen.contains(&number(write))) {
            let tag = write["params"]["tag"].as_str().expect("a tag");
            // A call that was given up may be done in the next round.
            let former = done[1].contains_key(tag);
            *done[usize::from(former)].entry(tag.to_owned()).or_default() += 1;
        }
        *seen = applied.iter().map(number).collect();
        for (tag, times) in done.iter().flatten() {
            assert_eq!(*times, 1, "{tag} was done {times} times");
        }
        let written = std::mem::take(&mut *self.written.lock().expect("no panic"));
        for (tag, _) in written.iter().filter(|(_, must)| **must) {
            assert!(done[0].contains_key(tag), "{tag} was answered with success and not done");
        }
        let count = done[0].len();
        done[1] = std::mem::take(&mut done[0]);
        count
    }
}

/// What was counted besides the outcomes.
#[derive(Default)]
struct Totals {
    outcomes: Mutex<BTreeMap<&'static str, u64>>,
    /// Writes that were not sent at first, that the host repeated, and that succeeded then.
    repeated: AtomicU64,
    handed_out: AtomicU64,
    numbers: AtomicU64,
}

impl Totals {
    fn note(&self, answer: &Answer) -> &'static str {
        let name = answer.name();
        let allowed = name == "MAILRU_OK" || name == "MAILRU_API_ERROR" || answer.error("error_code") == -answer.code;
        assert!(allowed && name != "MAILRU_INTERNAL_ERROR" && name != "MAILRU_UNKNOWN_CODE", "{}", answer.json);
        *self.outcomes.lock().expect("no panic").entry(name).or_default() += 1;
        name
    }
}

/// What all threads share in a round.
struct Round<'a> {
    platforms: &'a [Platform<'a>],
    totals: &'a Totals,
    queue: &'a Queue,
    /// What the queue has accepted and not handed out: the platform and the tag of the write.
    pending: Mutex<HashMap<u64, (usize, String)>>,
    cancels: [AtomicU64; WORKERS],
    until: Instant,
    is_over: AtomicBool,
}

impl Round<'_> {
    fn work(&self, worker: usize) {
        while Instant::now() < self.until {
            let at = fastrand::usize(0..2);
            let cancel = mailru_cancel_new();
            if fastrand::u8(0..10) == 0 {
                self.cancels[worker].store(cancel, Ordering::SeqCst);
            }
            match fastrand::u8(0..20) {
                0..6 => self.write(at, cancel),
                6..10 => self.submit(at, cancel),
                10..14 => self.read(at, cancel, &self.platforms[at].renewing, false),
                14 => {
                    let own = client(&self.platforms[at].options);
                    self.read(at, cancel, &own, false);
                }
                15 => {
                    let file = vec![7; fastrand::usize(0..100_000)];
                    let request = json!({ "method": "sandbox.echo", "file": { "field": "img_file", "name": "a" } });
                    let answer = self.platforms[at].renewing.request(&request.to_string(), Some(&file), cancel);
                    self.totals.note(&answer);
                }
                16 => drop(self.totals.note(&self.platforms[at].renewing.public("mail/demo", None))),
                _ => self.read(at, cancel, &self.platforms[at].counted, true),
            }
            self.cancels[worker].store(0, Ordering::SeqCst);
            mailru_cancel_free(cancel);
        }
    }

    fn tag(&self) -> String {
        format!("w{}", self.totals.numbers.fetch_add(1, Ordering::Relaxed))
    }

    /// A read whose answer only this caller can have.
    fn read(&self, at: usize, cancel: mailru_cancel, session: &Session, is_counted: bool) {
        let mark = self.tag();
        let answer = session.call_within("sandbox.echo", json!({ "id": mark }).to_string().as_str(), 0, cancel);
        let name = self.totals.note(&answer);
        if is_counted {
            *self.platforms[at].counts.lock().expect("no panic").entry(name).or_default() += 1;
        }
        if name == "MAILRU_OK" {
            assert_eq!(answer.value()["id"], mark.as_str(), "another call's answer");
        } else if name == "MAILRU_OAUTH_ERROR" {
            // Lifts the refusal, as a host would after its user logged in again.
            self.totals.note(&self.platforms[at].renewing.authorize());
        }
    }

    /// A write, repeated as long as it was not sent.
    fn write(&self, at: usize, cancel: mailru_cancel) {
        let (tag, platform) = (self.tag(), &self.platforms[at]);
        let params = json!({ "tag": tag }).to_string();
        let mut must = false;
        for attempt in 0..50 {
            let answer = platform.renewing.call_within("sandbox.echoWrite", params.as_str(), 0, cancel);
            must = self.totals.note(&answer) == "MAILRU_OK";
            if must && attempt > 0 {
                self.totals.repeated.fetch_add(1, Ordering::Relaxed);
            }
            if must || answer.error("sent") != false || answer.name() == "MAILRU_CANCELLED" {
                break;
            }
        }
        platform.written.lock().expect("no panic").insert(tag, must);
    }

    fn submit(&self, at: usize, cancel: mailru_cancel) {
        let tag = self.tag();
        let number = tag[1..].parse().expect("a number");
        let request = json!({ "method": "sandbox.echoWrite", "params": { "tag": tag } }).to_string();
        self.pending.lock().expect("no panic").insert(number, (at, tag));
        let answer = self.queue.request(&self.platforms[at].renewing, &request, None, cancel, number);
        if answer.name() != "MAILRU_OK" {
            self.totals.note(&answer);
            assert!(self.pending.lock().expect("no panic").remove(&number).is_some(), "refused and handed out");
        } else if fastrand::u8(0..20) == 0 {
            mailru_queue_cancel(self.queue.0, number);
        }
    }

    /// Takes completions until the round is over and nothing is pending.
    fn take(&self) {
        let over = || self.is_over.load(Ordering::SeqCst);
        while !over() || !self.pending.lock().expect("no panic").is_empty() {
            let Some((number, answer)) = self.queue.next(100) else { continue };
            let pending = self.pending.lock().expect("no panic").remove(&number);
            let (at, tag) = pending.unwrap_or_else(|| panic!("{number} was handed out twice"));
            let must = self.totals.note(&answer) == "MAILRU_OK";
            self.platforms[at].written.lock().expect("no panic").insert(tag, must);
            self.totals.handed_out.fetch_add(1, Ordering::Relaxed);
        }
        assert!(self.queue.next(0).is_none(), "nothing is handed out twice");
    }

    /// Ends calls, and tokens, and sets the clock, at random moments.
    fn disturb(&self, clock: &Clock) {
        while Instant::now() < self.until {
            thread::sleep(ms(fastrand::u64(1..20)));
            mailru_cancel_fire(self.cancels[fastrand::usize(0..WORKERS)].load(Ordering::SeqCst));
            let platform = &self.platforms[fastrand::usize(0..self.platforms.len())];
            match fastrand::u16(0..1000) {
                0 => {
                    let token = platform.newest.lock().expect("no panic").0["access_token"].clone();
                    platform.sandbox.post("expire", json!({ "access_token": token }));
                }
                1..10 => {
                    let life = fastrand::choice([1, 2, 60, 86_400]);
                    platform.sandbox.post("settings", json!({ "expires_in": life }));
                }
                10..20 => assert_eq!(mailru_session_cancel(platform.renewing.0), MAILRU_OK),
                20..24 => clock.jump(),
                _ => {}
            }
        }
    }
}

/// This process's wall clock, which clock.c lets the test set.
#[derive(Default)]
struct Clock {
    jumps: AtomicU64,
}

impl Clock {
    fn jump(&self) {
        let ahead = fastrand::choice([0, 1, -1, 60, -60, 3_600, -3_600, 90_000, -90_000]).expect("one of them");
        // SAFETY: the function of clock.c, which takes a number.
        unsafe {
            let set = libc::dlsym(libc::RTLD_DEFAULT, c"clock_set_ahead".as_ptr());
            assert!(!set.is_null(), "clock.c is loaded");
            std::mem::transmute::<*mut c_void, unsafe extern "C" fn(libc::c_long)>(set)(ahead);
        }
        self.jumps.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn nothing_is_lost_done_twice_or_left_over() {
    if !takes_long("the soak test") {
        return;
    }
    let Some(library) = preloaded("clock.c") else { return };
    let preload = format!("LD_PRELOAD={}", library.path().display());
    alone("soak::nothing_is_lost_done_twice_or_left_over", &["env", &preload], || {
        let seconds = std::env::var("MAILRU_SOAK_SECONDS").map_or(25, |text| text.parse().expect("a number"));
        let until = Instant::now() + Duration::from_secs(seconds);
        let (plain, tls) = (Sandbox::start(), TlsSandbox::start(&[]));
        let limits = json!({ "timeout_ms": 1500, "retries": 1, "retry_delay_ms": 1, "max_response_bytes": 200_000 });
        let empty = (threads().len(), descriptors());
        let (totals, clock) = (Totals::default(), Clock::default());
        let (mut rounds, mut writes, mut base) = (0, 0, None);
        {
            let platforms = [
                Platform::new(&plain, plain.options(limits.clone())),
                Platform::new(&tls.sandbox, tls.options(limits)),
            ];
            platforms.iter().for_each(|platform| misbehave(platform.sandbox));
            let queue = Queue::new(8, 64);
            while rounds < 3 || Instant::now() < until {
                let round = Round {
                    platforms: &platforms,
                    totals: &totals,
                    queue: &queue,
                    pending: Mutex::default(),
                    cancels: Default::default(),
                    until: Instant::now() + ROUND,
                    is_over: AtomicBool::new(false),
                };
                thread::scope(|scope| {
                    let taker = scope.spawn(|| round.take());
                    let round = &round;
                    let mut workers: Vec<_> =
                        (0..WORKERS).map(|number| scope.spawn(move || round.work(number))).collect();
                    workers.push(scope.spawn(|| round.disturb(&clock)));
                    workers.into_iter().for_each(|worker| worker.join().expect("no panic"));
                    round.is_over.store(true, Ordering::SeqCst);
                    taker.join().expect("no panic");
                });
                rounds += 1;
                writes += platforms.iter().map(Platform::settle).sum::<usize>();
                // After the first rounds everything that is made on first use is there.
                let now = (in_use(), threads().len(), descriptors());
                base = base.or((rounds == 3).then_some(now));
                if rounds % 50 == 0 {
                    println!("after {rounds} rounds: {now:?}, {writes} writes");
                }
            }
            for platform in &platforms {
                finish(platform);
            }
        }
        let outcomes = totals.outcomes.into_inner().expect("no panic");
        let (memory_then, ..) = base.expect("three rounds");
        let grown = in_use().saturating_sub(memory_then);
        println!(
            "measured: {seconds} s, {} outcomes {outcomes:?}; {writes} writes done, none twice, {} of them after the host \
             repeated what was not sent; {} of the queue, each once; memory grew by {grown} KiB of {memory_then}; the clock was set {} times",
            outcomes.values().sum::<u64>(),
            totals.repeated.into_inner(),
            totals.handed_out.into_inner(),
            clock.jumps.into_inner(),
        );
        // A token request whose callers are gone has up to 30 s.
        let patience = Instant::now() + Duration::from_secs(40);
        let left = || (threads().len(), descriptors());
        // What the library makes once and keeps.
        let is_back = |left: (usize, usize)| left.0 <= empty.0 + 2 && left.1 <= empty.1 + 4;
        while !is_back(left()) && Instant::now() < patience {
            thread::sleep(ms(50));
        }
        println!("measured: threads and descriptors {:?}, first {empty:?}", left());
        assert!(is_back(left()), "{:?} threads and descriptors, first {empty:?}", left());
        assert!(grown < 2_000, "{grown} KiB");
        for outcome in ["MAILRU_OK", "MAILRU_API_ERROR", "MAILRU_NETWORK_ERROR", "MAILRU_TIMEOUT", "MAILRU_CANCELLED"] {
            assert!(outcomes.contains_key(outcome), "no outcome was {outcome}: {outcomes:?}");
        }
    });
}

/// KiB that were allocated and not released. The size of the process would also tell what the comparison with ten thousand
/// writes of a platform needed at a time.
fn in_use() -> usize {
    // SAFETY: the function has no arguments and cannot fail.
    unsafe { libc::mallinfo2() }.uordblks / 1024
}

/// The library's counters are ours, and the newest tokens that it handed out are the newest that the server gave.
fn finish(platform: &Platform<'_>) {
    platform.sandbox.behave();
    // SAFETY: the code is a local variable.
    let stats = Answer::of(|code| unsafe { mailru_stats(platform.counted.0, code) }).value();
    let counts = platform.counts.lock().expect("no panic").clone();
    assert_eq!(stats["in_flight"], 0);
    let mut sum = counts.get("MAILRU_OK").copied().unwrap_or_default();
    for (name, count) in counts.iter().filter(|(name, _)| **name != "MAILRU_OK") {
        let theirs = stats["failures"][name].as_u64().unwrap_or_default();
        // A call whose handle was cancelled before it began is not counted by the library.
        let fits = if *name == "MAILRU_CANCELLED" { theirs <= *count } else { theirs == *count };
        assert!(fits, "{name}: {theirs} by the library's count, {count} by ours");
        sum += theirs;
    }
    assert_eq!(stats["calls"], sum, "{stats} {counts:?}");

    let stored = || platform.newest.lock().expect("no panic").clone();
    eventually("the newest tokens are the host's", || {
        stored().0["access_token"] == platform.sandbox.get("tokens")["newest"][0]
    });
    let (tokens, sets) = stored();
    println!("measured: {sets} sets of tokens, the newest of them valid");
    let token = tokens["refresh_token"].as_str().expect("a token");
    session("refresh_client", &[("refresh_token", token)], &platform.options).authorize().expect_ok();
}
