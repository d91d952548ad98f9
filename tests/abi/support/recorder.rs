//! What the library tells its host by callbacks, kept for the tests.

use std::ffi::{CStr, c_char, c_void};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use mailru::ffi::*;
use serde_json::Value;

use super::Session;

/// What a token callback does with the tokens it is told.
type Act = Box<dyn Fn(&Value) + Send + Sync>;

/// What a token callback was told, and how often its data was released.
#[derive(Default)]
pub struct Recorder {
    told: Mutex<Vec<Value>>,
    news: Condvar,
    releases: AtomicU32,
    act: Option<Act>,
}

impl Recorder {
    /// A recorder that only records.
    pub fn new() -> Arc<Recorder> {
        Arc::default()
    }

    /// A recorder that does something in each callback, before it counts as told.
    pub fn acting(act: impl Fn(&Value) + Send + Sync + 'static) -> Arc<Recorder> {
        Arc::new(Recorder { act: Some(Box::new(act)), ..Recorder::default() })
    }

    /// Sets it as a session's token callback; the code of `mailru_session_on_token`.
    pub fn listen(self: &Arc<Recorder>, session: &Session) -> i32 {
        self.listen_to(session.0)
    }

    /// As [`Self::listen`], for whatever number.
    pub fn listen_to(self: &Arc<Recorder>, session: mailru_session) -> i32 {
        unsafe extern "C" fn tell(user_data: *mut c_void, tokens_json: *const c_char) {
            // SAFETY: the data is a recorder until it is released; the text lives as long as this call.
            let (recorder, json) = unsafe { (&*user_data.cast::<Recorder>(), CStr::from_ptr(tokens_json)) };
            let tokens = serde_json::from_slice(json.to_bytes()).unwrap_or(Value::Null);
            if let Some(act) = &recorder.act {
                act(&tokens);
            }
            recorder.told.lock().expect("no panic").push(tokens);
            recorder.news.notify_all();
        }
        let data = Arc::into_raw(Arc::clone(self)).cast_mut().cast();
        // SAFETY: the functions are for this data, which lives until the second is called.
        unsafe { mailru_session_on_token(session, Some(tell), data, Some(release)) }
    }

    /// Every set of tokens that was told, so far.
    pub fn told(&self) -> Vec<Value> {
        self.told.lock().expect("no panic").clone()
    }

    /// Waits until so many sets were told.
    #[track_caller]
    pub fn await_told(&self, sets: usize) -> Vec<Value> {
        let told = self.told.lock().expect("no panic");
        let wait = self.news.wait_timeout_while(told, PATIENCE, |told| told.len() < sets);
        let told = wait.expect("no panic").0.clone();
        assert_eq!(told.len(), sets, "{told:?}");
        told
    }

    /// How often the data was released.
    pub fn releases(&self) -> u32 {
        self.releases.load(Ordering::SeqCst)
    }

    /// Waits until the data was released so often.
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

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until something is so.
#[track_caller]
pub fn await_that(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs something on so many threads at once and collects what each brought.
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
