//! A queue of calls: hosts with an event loop submit, workers perform, the host takes completions.
//!
//! Every accepted submission is handed out exactly once, in the order of completion. A queue belongs
//! to the process that made it: after a fork the child has neither its workers nor a use for it.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::call::{Call, Interrupt, Membership};
use crate::error::{Code, Failure, Outcome};
use crate::fork::{self, lock};
use crate::json::Json;
use crate::session::Session;

/// The workers of a queue for which none were asked.
const DEFAULT_WORKERS: u32 = 8;
/// The most workers: each is a thread.
const MOST_WORKERS: u32 = 1024;
/// The capacity of a queue for which none was asked.
const DEFAULT_CAPACITY: u32 = 1024;
/// A worker that had nothing to do for so long ends.
const IDLE_LIMIT: Duration = Duration::from_secs(5);

/// A queue; any number of threads may use it at once.
pub struct Queue {
    workers: usize,
    capacity: usize,
    generation: u32,
    state: Mutex<State>,
    /// Workers wait here for work.
    submitted: Condvar,
    /// The host's threads wait here for completions.
    completed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Arc<Submission>>,
    running: Vec<Arc<Submission>>,
    done: VecDeque<Completion>,
    workers: usize,
    idle: usize,
    takers: usize,
    signal: Option<Signal>,
    freed: bool,
}

impl State {
    /// The next submission, which runs from now on.
    fn take(&mut self) -> Option<Arc<Submission>> {
        let submission = self.waiting.pop_front()?;
        submission.call.unblocked();
        self.running.push(Arc::clone(&submission));
        Some(submission)
    }
}

/// A call that was accepted and is not completed.
struct Submission {
    queue: Weak<Queue>,
    tag: u64,
    session: Arc<Session>,
    method: String,
    params_json: Option<String>,
    call: Arc<Call>,
    _membership: Membership,
}

/// What became of a submission.
pub struct Completion {
    /// The number that the host gave it.
    pub tag: u64,
    /// What the call would have returned.
    pub outcome: Outcome<Json>,
}

impl Interrupt for Submission {
    /// Completes a submission that no worker has taken yet; a running call ends by itself.
    fn interrupt(&self, _: &Call) {
        let Some(queue) = self.queue.upgrade() else { return };
        let mut state = lock(&queue.state);
        let place = state.waiting.iter().position(|submission| std::ptr::eq(Arc::as_ptr(submission), self));
        let taken = place.and_then(|place| state.waiting.remove(place));
        if let Some(submission) = &taken {
            queue.complete(&mut state, submission.tag, Err(cancelled()));
        }
        drop(state);
        drop(taken);
    }
}

impl Queue {
    /// A queue with at most so many workers and so many submissions not yet handed out; 0 is the
    /// default. No thread is started yet.
    pub fn new(workers: u32, capacity: u32) -> Outcome<Arc<Queue>> {
        if workers > MOST_WORKERS {
            return Err(Failure::argument(
                "workers",
                format!("must be at most {MOST_WORKERS}, or 0 for {DEFAULT_WORKERS}"),
            ));
        }
        let or_default = |number, default| if number == 0 { default } else { number } as usize;
        Ok(Arc::new(Queue {
            workers: or_default(workers, DEFAULT_WORKERS),
            capacity: or_default(capacity, DEFAULT_CAPACITY),
            generation: fork::generation(),
            state: Mutex::default(),
            submitted: Condvar::new(),
            completed: Condvar::new(),
        }))
    }

    /// Whether the queue was made in this process, rather than before a fork.
    pub fn is_here(&self) -> bool {
        self.generation == fork::generation()
    }

    /// Accepts a call, or refuses it at once.
    pub fn submit(
        self: &Arc<Self>,
        session: Arc<Session>,
        method: &str,
        params_json: Option<&str>,
        tag: u64,
    ) -> Outcome<()> {
        let (call, membership) = session.prepare(method, params_json)?;
        let submission = Arc::new(Submission {
            queue: Arc::downgrade(self),
            tag,
            session,
            method: method.to_owned(),
            params_json: params_json.map(str::to_owned),
            call,
            _membership: membership,
        });
        let waits: Weak<Submission> = Arc::downgrade(&submission);
        submission.call.blocked_in(waits);
        let mut state = lock(&self.state);
        if state.freed {
            return Err(freed());
        }
        if state.waiting.len() + state.running.len() + state.done.len() >= self.capacity {
            return Err(Failure::new(
                Code::QueueFull,
                format!("the queue holds its capacity of {}; take completions first", self.capacity),
            ));
        }
        if state.waiting.len() >= state.idle && state.workers < self.workers {
            self.start_worker(&mut state)?;
        }
        state.waiting.push_back(Arc::clone(&submission));
        let idle = state.idle > 0;
        drop(state);
        // Waking is a system call, also if nobody sleeps.
        if idle {
            self.submitted.notify_one();
        }
        // A cancellation between the admission and the push did not find it.
        if submission.call.is_cancelled() {
            submission.interrupt(&submission.call);
        }
        Ok(())
    }

    /// Takes the next completion; `None` waits without end.
    pub fn next(&self, wait: Option<Duration>) -> Outcome<Completion> {
        let until = wait.map(|wait| Instant::now() + wait);
        let mut state = lock(&self.state);
        loop {
            if state.freed {
                return Err(freed());
            }
            if let Some(completion) = state.done.pop_front() {
                if state.done.is_empty() {
                    state.signal.iter().for_each(Signal::lower);
                }
                return Ok(completion);
            }
            state.takers += 1;
            state = match until {
                None => self.completed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        state.takers -= 1;
                        return Err(Failure::new(Code::QueueEmpty, "nothing completed within the wait"));
                    }
                    self.completed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.takers -= 1;
        }
    }

    /// Completes every submission with this tag as cancelled.
    pub fn cancel(&self, tag: u64) {
        let state = lock(&self.state);
        let tagged: Vec<_> = state
            .waiting
            .iter()
            .chain(&state.running)
            .filter(|it| it.tag == tag)
            .map(|it| Arc::clone(&it.call))
            .collect();
        drop(state);
        tagged.iter().for_each(|call| call.cancel());
    }

    /// Ends the queue: what is pending is cancelled and not handed out, whoever waits is woken.
    pub fn free(&self) {
        let mut state = lock(&self.state);
        state.freed = true;
        let pending = (mem::take(&mut state.waiting), mem::take(&mut state.done), state.running.clone());
        drop(state);
        pending.2.iter().for_each(|submission| submission.call.cancel());
        self.submitted.notify_all();
        self.completed.notify_all();
    }

    fn start_worker(self: &Arc<Self>, state: &mut State) -> Outcome<()> {
        let queue = Arc::clone(self);
        let spawned = thread::Builder::new().name("mailru-worker".into()).spawn(move || queue.work());
        match spawned {
            Ok(_) => state.workers += 1,
            // Those that exist will come to it.
            Err(_) if state.workers > 0 => {}
            Err(error) => {
                return Err(Failure::new(
                    Code::NetworkError,
                    format!("no thread could be started for the queue: {}", error.kind()),
                ));
            }
        }
        Ok(())
    }

    fn work(&self) {
        let mut completed = None;
        while let Some(submission) = self.next_turn(completed.take()) {
            let Submission { session, method, params_json, call, .. } = &*submission;
            call.begin();
            let performed = catch_unwind(AssertUnwindSafe(|| session.perform(method, params_json.as_deref(), call)));
            let outcome = performed
                .unwrap_or_else(|_| Err(Failure::new(Code::InternalError, "a bug in a queued call; please report it")));
            completed = Some((submission, outcome));
        }
    }

    /// Takes over a completed call and gives out the next submission, or `None` when the worker should end.
    fn next_turn(&self, completed: Option<(Arc<Submission>, Outcome<Json>)>) -> Option<Arc<Submission>> {
        let mut state = lock(&self.state);
        if let Some((submission, outcome)) = completed {
            if let Some(place) = state.running.iter().position(|running| Arc::ptr_eq(running, &submission)) {
                state.running.swap_remove(place);
            }
            self.complete(&mut state, submission.tag, outcome);
            let next = state.take();
            drop(state);
            // It may be the last to hold the session: let go of outside the lock, and before a long wait.
            drop(submission);
            if next.is_some() {
                return next;
            }
            state = lock(&self.state);
        }
        loop {
            if !state.freed {
                if let Some(submission) = state.take() {
                    return Some(submission);
                }
                state.idle += 1;
                let (woken, wait) =
                    self.submitted.wait_timeout(state, IDLE_LIMIT).unwrap_or_else(PoisonError::into_inner);
                state = woken;
                state.idle -= 1;
                if !wait.timed_out() || !state.waiting.is_empty() {
                    continue;
                }
            }
            state.workers -= 1;
            return None;
        }
    }

    fn complete(&self, state: &mut State, tag: u64, outcome: Outcome<Json>) {
        if state.freed {
            return;
        }
        state.done.push_back(Completion { tag, outcome });
        if state.done.len() == 1 {
            state.signal.iter().for_each(Signal::raise);
        }
        // As many sleepers were woken already as completions wait, if not all were.
        if state.takers >= state.done.len() {
            self.completed.notify_one();
        }
    }
}

fn cancelled() -> Failure {
    Failure::new(Code::Cancelled, "the queued call was cancelled")
}

fn freed() -> Failure {
    Failure::new(Code::InvalidHandle, "the queue was freed").for_argument("queue")
}

#[cfg(unix)]
pub use self::unix::Signal;

/// The descriptor that is readable exactly while a completion waits: a pair of sockets that holds one
/// byte then, and none else.
#[cfg(unix)]
mod unix {
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use super::{Queue, lock};
    use crate::error::{Code, Failure, Outcome};

    /// The two ends of the pair.
    pub struct Signal {
        readable: UnixStream,
        writable: UnixStream,
    }

    impl Signal {
        fn new() -> std::io::Result<Signal> {
            let (readable, writable) = UnixStream::pair()?;
            // A host that reads the byte itself must not make us wait for it.
            readable.set_nonblocking(true)?;
            writable.set_nonblocking(true)?;
            Ok(Signal { readable, writable })
        }

        /// A completion waits now.
        pub(super) fn raise(&self) {
            let _ = (&self.writable).write(&[1]);
        }

        /// None waits any more.
        pub(super) fn lower(&self) {
            let _ = (&self.readable).read(&mut [0]);
        }
    }

    impl Queue {
        /// The descriptor; it is made when first asked for, so that others do not pay for it.
        pub fn descriptor(&self) -> Outcome<i32> {
            let mut state = lock(&self.state);
            if state.signal.is_none() {
                let signal = Signal::new().map_err(|error| {
                    Failure::new(Code::NetworkError, format!("no descriptor could be made: {}", error.kind()))
                })?;
                if !state.done.is_empty() {
                    signal.raise();
                }
                state.signal = Some(signal);
            }
            Ok(state.signal.as_ref().map_or(-1, |signal| signal.readable.as_raw_fd()))
        }
    }
}

#[cfg(not(unix))]
pub use self::elsewhere::Signal;

/// Where there are no descriptors to wait for: hosts take completions with a thread of theirs.
#[cfg(not(unix))]
mod elsewhere {
    use super::Queue;
    use crate::error::{Code, Failure, Outcome};

    /// Never made.
    pub enum Signal {}

    impl Signal {
        pub(super) fn raise(&self) {}
        pub(super) fn lower(&self) {}
    }

    impl Queue {
        /// Always refused.
        pub fn descriptor(&self) -> Outcome<i32> {
            Err(Failure::new(Code::InternalError, "this system has no descriptors; use mailru_queue_next with a wait"))
        }
    }
}
