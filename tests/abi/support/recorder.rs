//! Records the callbacks of the library.

use std::ffi::{CStr, c_char, c_void};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use mailru::ffi::*;
use serde_json::Value;

use super::Session;

/// An action of a token callback with the received tokens.
type Act = Box<dyn Fn(&Value) + Send + Sync>;

/// The tokens that a token callback received, and how often its data was released.
#[derive(Default)]
pub struct Recorder {
    received: Mutex<Vec<Value>>,
    news: Condvar,
    releases: AtomicU32,
    act: Option<Act>,
}

impl Recorder {
    /// A recorder that only records.
    pub fn new() -> Arc<Recorder> {
        Arc::default()
    }

    /// A recorder that performs an action in each callback, before it records the tokens.
    pub fn acting(act: impl Fn(&Value) + Send + Sync + 'static) -> Arc<Recorder> {
        Arc::new(Recorder { act: Some(Box::new(act)), ..Recorder::default() })
    }

    /// Sets it as a session's token callback; returns the code of `mailru_session_on_token`.
    pub fn listen(self: &Arc<Recorder>, session: &Session) -> i32 {
        self.listen_to(session.0)
    }

    /// As [`Self::listen`], for any number.
    pub fn listen_to(self: &Arc<Recorder>, session: mailru_session) -> i32 {
        unsafe extern "C" fn on_tokens(user_data: *mut c_void, tokens_json: *const c_char) {
            // SAFETY: the data is a recorder until it is released; the text is valid during this call.
            let (recorder, json) = unsafe { (&*user_data.cast::<Recorder>(), CStr::from_ptr(tokens_json)) };
            let tokens = serde_json::from_slice(json.to_bytes()).unwrap_or(Value::Null);
            if let Some(act) = &recorder.act {
                act(&tokens);
            }
            recorder.received.lock().expect("no panic").push(tokens);
            recorder.news.notify_all();
        }
        let data = Arc::into_raw(Arc::clone(self)).cast_mut().cast();
        // SAFETY: the functions are for this data, which lives until the second is called.
        unsafe { mailru_session_on_token(session, Some(on_tokens), data, Some(release)) }
    }

    /// Every set of tokens received so far.
    pub fn received(&self) -> Vec<Value> {
        self.received.lock().expect("no panic").clone()
    }

    /// Waits until this number of sets was received.
    #[track_caller]
    pub fn await_received(&self, sets: usize) -> Vec<Value> {
        let received = self.received.lock().expect("no panic");
        let wait = self.news.wait_timeout_while(received, PATIENCE, |received| received.len() < sets);
        let received = wait.expect("no panic").0.clone();
        assert_eq!(received.len(), sets, "{received:?}");
        received
    }

    /// How often the data was released.
    pub fn releases(&self) -> u32 {
        self.releases.load(Ordering::SeqCst)
    }

    /// Waits until the data was released this number of times.
    #[track_caller]
    pub fn await_releases(&self, times: u32) {
        await_that("the data is released", || self.releases() >= times);
        assert_eq!(self.releases(), times);
    }
}

unsafe extern "C" fn release(user_data: *mut c_void) {
    // SAFETY: the data came from `Arc::into_raw`, and the library promises that this is the only release.
    let recorder = unsafe { Arc::from_raw(user_data.cast_const().cast::<Recorder>()) };
    recorder.releases.fetch_add(1, Ordering::SeqCst);
}

/// How long a test waits for an expected event.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until a condition is true.
#[track_caller]
pub fn await_that(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "timed out waiting until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs a function on several threads at once and collects the results.
pub fn on_threads<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = std::sync::Barrier::new(threads);
    std::thread::scope(|scope| {
        let spawned: Vec<_> = (0..threads)
            .map(|number| {
                let (work, barrier) = (&work, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    work(number)
                })
            })
            .collect();
        spawned.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}
