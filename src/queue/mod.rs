//! A queue of requests: a host with an event loop submits requests, the library performs them, the host takes
//! completions.
//!
//! Every accepted submission is handed out exactly once, in the order of completion. A queue belongs to the process
//! that made it: the thread that performs its requests does not exist in a forked child.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
mod engine;
mod signal;
mod submissions;
#[cfg(not(target_os = "linux"))]
mod workers;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use self::engine::{Performer, Resources};
use self::signal::Signal;
use self::submissions::{Id, Readable, Submissions};
#[cfg(not(target_os = "linux"))]
use self::workers::{Performer, Resources};
use crate::call::{Call, CallGroup, Interrupt};
use crate::error::{Code, Failure, Outcome};
use crate::fork::{OfThisProcess, lock};
use crate::host_thread::{HostThread, Wait};
use crate::json::Json;
use crate::memory::room_for_call;
use crate::request::Request;
use crate::session::{PreparedRequest, Session};

/// The default maximum of requests in flight at once.
const DEFAULT_IN_FLIGHT: u32 = 64;
/// The largest allowed maximum of requests in flight at once.
const MAX_IN_FLIGHT: u32 = 65_536;
/// The default capacity; it is larger if more requests can be in flight.
const DEFAULT_CAPACITY: u32 = 1024;

/// The outcome of a submission: its tag, and the outcome of its request.
pub type Completion = submissions::Completion<Outcome<Json>>;

/// A queue; any number of threads may use it at once.
pub struct Queue(OfThisProcess<Arc<Shared>>);

impl Queue {
    /// A queue with at most `in_flight` requests in flight and `capacity` submissions not yet handed out; 0 means the
    /// default. No thread is started yet.
    pub fn new(in_flight: u32, capacity: u32) -> Outcome<Queue> {
        if in_flight > MAX_IN_FLIGHT {
            let problem = format!("must be at most {MAX_IN_FLIGHT}, or 0 for {DEFAULT_IN_FLIGHT}");
            return Err(Failure::argument("workers", problem));
        }
        room_for_call()?;
        let or_default = |number, default| if number == 0 { default } else { number } as usize;
        let in_flight = or_default(in_flight, DEFAULT_IN_FLIGHT);
        let capacity = or_default(capacity, DEFAULT_CAPACITY.max(2 * in_flight as u32));
        Ok(Queue(OfThisProcess::new(Arc::new(Shared {
            in_flight,
            state: Mutex::new(State {
                submissions: Submissions::new(capacity),
                performer: Performer::default(),
                waiting_threads: 0,
                signal: None,
                threads: Vec::new(),
                callbacks_wait: false,
            }),
            completed: Condvar::new(),
            work: Resources::default(),
        }))))
    }

    /// Accepts or refuses a request; `data` is the file of an upload. The request's own time limit starts now, the
    /// session's when the request comes into flight.
    pub fn submit(
        &self,
        session: Arc<Session>,
        request: Request<'_>,
        data: Vec<u8>,
        cancel: Option<&CallGroup>,
        tag: u64,
    ) -> Outcome<()> {
        let shared = self.shared()?;
        let counts_from_now = request.limit.is_some();
        let prepared = session.prepare(request, data, cancel)?;
        if counts_from_now {
            prepared.call().begin();
        }
        let deadline = counts_from_now.then(|| prepared.call().deadline());
        shared.submit(session, prepared, deadline, tag)
    }

    /// Takes the next completion; `None` waits without a limit.
    pub fn next(&self, wait: Option<Duration>) -> Outcome<Completion> {
        self.shared()?.next(wait)
    }

    /// Completes every submission with this tag as cancelled.
    pub fn cancel(&self, tag: u64) -> Outcome<()> {
        self.shared()?.cancel(tag);
        Ok(())
    }

    /// The descriptor. It is made on first use, because many hosts do not need it.
    pub fn descriptor(&self) -> Outcome<i32> {
        self.shared()?.descriptor()
    }

    /// Frees the queue: cancels pending submissions without handing them out, and wakes waiting threads.
    pub fn free(&self) {
        if let Some(shared) = self.0.get() {
            shared.free();
        }
    }

    fn shared(&self) -> Outcome<&Arc<Shared>> {
        self.0.get().ok_or_else(|| {
            let message = "queue: was made before a fork, by the parent process; make a new queue in this process";
            Failure::new(Code::InvalidHandle, message).for_argument("queue")
        })
    }
}

/// The state shared by the host's threads and those that perform a queue's requests.
struct Shared {
    /// The maximum of requests in flight at once.
    in_flight: usize,
    state: Mutex<State>,
    /// The host's threads wait here for completions.
    completed: Condvar,
    work: Resources,
}

struct State {
    submissions: Submissions<Arc<Submission>, Outcome<Json>>,
    performer: Performer,
    waiting_threads: usize,
    signal: Option<Signal>,
    /// The threads of the host that may wait for the descriptor, and whether any of them has callbacks to run.
    threads: Vec<HostThread>,
    callbacks_wait: bool,
}

/// An accepted request that is not completed yet.
struct Submission {
    queue: Weak<Shared>,
    id: Id,
    tag: u64,
    session: Arc<Session>,
    prepared: PreparedRequest,
}

impl Interrupt for Submission {
    /// Completes a submission that has not begun to run; a running one notices the cancellation itself.
    fn interrupt(&self, _: &Call) {
        let Some(queue) = self.queue.upgrade() else { return };
        let mut state = lock(&queue.state);
        let withdrawn = state.submissions.withdraw(self.id);
        if withdrawn.is_some() {
            queue.complete(&mut state, self.tag, Err(cancelled()));
        }
        drop(state);
        // Dropped outside of the lock, because it may hold the last reference to the session.
        drop(withdrawn);
    }
}

impl Shared {
    fn submit(
        self: &Arc<Self>,
        session: Arc<Session>,
        prepared: PreparedRequest,
        deadline: Option<Instant>,
        tag: u64,
    ) -> Outcome<()> {
        let mut state = lock(&self.state);
        state.submissions.check_room()?;
        self.prepare_to_perform(&mut state)?;
        let owner = Arc::as_ptr(&session) as usize as u64;
        let submission = state.submissions.accept(owner, deadline, |id| {
            Arc::new(Submission { queue: Arc::downgrade(self), id, tag, session, prepared })
        });
        let waits: Weak<Submission> = Arc::downgrade(&submission);
        submission.prepared.call().blocked_in(waits);
        self.submitted(state);
        // A cancellation before the acceptance had no effect on the submission.
        if submission.prepared.call().is_cancelled() {
            submission.interrupt(submission.prepared.call());
        }
        Ok(())
    }

    fn next(self: &Arc<Self>, wait: Option<Duration>) -> Outcome<Completion> {
        let until = wait.map(|wait| Instant::now() + wait);
        let thread = HostThread::present();
        let this: Weak<Shared> = Arc::downgrade(self);
        let _blocked = thread.as_ref().map(|thread| thread.blocked_in(this));
        let mut state = lock(&self.state);
        loop {
            if let Some((completion, readable)) = state.submissions.hand_out()? {
                state.update_signal(readable);
                return Ok(completion);
            }
            if let Some(thread) = thread.as_ref().filter(|thread| thread.has_jobs()) {
                drop(state);
                thread.run_jobs();
                state = lock(&self.state);
                continue;
            }
            state.waiting_threads += 1;
            state = match until {
                None => self.completed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        state.waiting_threads -= 1;
                        return Err(Failure::new(Code::QueueEmpty, "no submission completed within timeout_ms"));
                    }
                    self.completed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.waiting_threads -= 1;
        }
    }

    fn cancel(&self, tag: u64) {
        let tagged: Vec<_> = lock(&self.state).submissions.pending().filter(|it| it.tag == tag).cloned().collect();
        tagged.iter().for_each(|submission| submission.prepared.call().cancel());
    }

    fn free(&self) {
        let freed = lock(&self.state).submissions.free();
        freed.running.iter().for_each(|submission| submission.prepared.call().cancel());
        self.freed();
        self.completed.notify_all();
    }

    fn descriptor(self: &Arc<Self>) -> Outcome<i32> {
        let this: Weak<Shared> = Arc::downgrade(self);
        let thread = HostThread::waits_for_descriptor(this);
        let mut state = lock(&self.state);
        if state.signal.is_none() {
            let signal = Signal::new()?;
            if state.submissions.done() > 0 {
                signal.raise();
            }
            state.signal = Some(signal);
        }
        if !state.threads.iter().any(|known| known.is(&thread)) {
            state.threads.push(thread);
        }
        state.note_callbacks();
        Ok(state.signal.as_ref().map_or(-1, Signal::descriptor))
    }

    /// Completes the submissions whose time limit passed while they waited. The caller drops them outside of the lock,
    /// because one may hold the last reference to its session.
    fn expire(&self, state: &mut MutexGuard<'_, State>) -> Vec<Arc<Submission>> {
        if state.submissions.first_deadline().is_none() {
            return Vec::new();
        }
        let expired = state.submissions.expire(Instant::now());
        for submission in &expired {
            self.complete(state, submission.tag, Err(submission.prepared.call().timed_out()));
        }
        expired
    }

    /// Completes a request that ran.
    fn finish(&self, state: &mut MutexGuard<'_, State>, submission: &Submission, outcome: Outcome<Json>) {
        state.submissions.stop(submission.id);
        self.complete(state, submission.tag, outcome);
    }

    fn complete(&self, state: &mut MutexGuard<'_, State>, tag: u64, outcome: Outcome<Json>) {
        let readable = state.submissions.complete(tag, outcome);
        state.update_signal(readable);
        // Skip the wake-up, a system call, if each waiting thread has one pending.
        if state.waiting_threads >= state.submissions.done() {
            self.completed.notify_one();
        }
    }
}

impl Wait for Shared {
    fn wake(&self) {
        // A thread between its check and its sleep holds the lock.
        drop(lock(&self.state));
        self.completed.notify_all();
    }

    fn jobs_changed(&self) {
        lock(&self.state).note_callbacks();
    }
}

impl State {
    /// Makes the descriptor readable while callbacks wait, too: by a byte of their own.
    fn note_callbacks(&mut self) {
        let wait = self.threads.iter().any(HostThread::has_jobs);
        if std::mem::replace(&mut self.callbacks_wait, wait) != wait
            && let Some(signal) = &self.signal
        {
            if wait { signal.raise() } else { signal.lower() }
        }
    }

    fn update_signal(&self, readable: Readable) {
        match (&self.signal, readable) {
            (Some(signal), Readable::Begins) => signal.raise(),
            (Some(signal), Readable::Ends) => signal.lower(),
            _ => {}
        }
    }
}

impl Submission {
    /// Performs the request; a panic becomes a failure.
    fn perform(&self) -> Outcome<Json> {
        crate::panics::catch(|| {
            crate::panics::planted("queue");
            self.prepared.call().begin();
            self.session.perform_prepared(&self.prepared)
        })
    }
}

fn cancelled() -> Failure {
    Failure::new(Code::Cancelled, "the queued call was cancelled")
}
