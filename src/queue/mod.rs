//! A queue of calls: hosts with an event loop submit, workers perform, the host takes completions.
//!
//! Every accepted submission is handed out exactly once, in the order of completion. A queue belongs to the process
//! that made it: its workers do not exist in a child.
#![forbid(unsafe_code)]

mod book;
mod signal;

use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use self::book::{Book, Readable};
use self::signal::Signal;
use crate::background;
use crate::call::{Call, CallGroup, Interrupt};
use crate::error::{Code, Failure, Outcome};
use crate::fork::{OfThisProcess, lock};
use crate::json::Json;
use crate::panics;
use crate::request::Request;
use crate::session::{PreparedRequest, Session};

/// The workers of a queue for which none were asked.
const DEFAULT_WORKERS: u32 = 8;
/// The most workers: each is a thread.
const MAX_WORKERS: u32 = 1024;
/// The capacity of a queue for which none was asked.
const DEFAULT_CAPACITY: u32 = 1024;
/// A worker that had nothing to do for so long ends.
const IDLE_LIMIT: Duration = Duration::from_secs(5);

/// What became of a submission: its tag, and what the call would have returned.
pub type Completion = book::Completion<Outcome<Json>>;

/// A queue; any number of threads may use it at once.
pub struct Queue(OfThisProcess<Arc<WorkerPool>>);

impl Queue {
    /// A queue with at most so many workers and so many submissions not yet handed out; 0 is the
    /// default. No thread is started yet.
    pub fn new(workers: u32, capacity: u32) -> Outcome<Queue> {
        if workers > MAX_WORKERS {
            let problem = format!("must be at most {MAX_WORKERS}, or 0 for {DEFAULT_WORKERS}");
            return Err(Failure::argument("workers", problem));
        }
        let or_default = |number, default| if number == 0 { default } else { number } as usize;
        Ok(Queue(OfThisProcess::new(Arc::new(WorkerPool {
            most: or_default(workers, DEFAULT_WORKERS),
            state: Mutex::new(State {
                book: Book::new(or_default(capacity, DEFAULT_CAPACITY)),
                workers: 0,
                idle: 0,
                takers: 0,
                signal: None,
            }),
            submitted: Condvar::new(),
            completed: Condvar::new(),
        }))))
    }

    /// Accepts a request, or refuses it at once; `data` is the file of an upload. A time limit of the request's own
    /// counts from now, the session's from when it comes into flight.
    pub fn submit(
        &self,
        session: Arc<Session>,
        request: Request<'_>,
        data: Vec<u8>,
        cancel: Option<&CallGroup>,
        tag: u64,
    ) -> Outcome<()> {
        let pool = self.pool()?;
        let counts_from_now = request.limit.is_some();
        let prepared = session.prepare(request, data, cancel)?;
        if counts_from_now {
            prepared.call().begin();
        }
        pool.submit(session, prepared, tag)
    }

    /// Takes the next completion; `None` waits without end.
    pub fn next(&self, wait: Option<Duration>) -> Outcome<Completion> {
        self.pool()?.next(wait)
    }

    /// Completes every submission with this tag as cancelled.
    pub fn cancel(&self, tag: u64) -> Outcome<()> {
        self.pool()?.cancel(tag);
        Ok(())
    }

    /// The descriptor; it is made when first asked for, so that others do not pay for it.
    pub fn descriptor(&self) -> Outcome<i32> {
        self.pool()?.descriptor()
    }

    /// Ends the queue: what is pending is cancelled and not handed out, whoever waits is woken.
    pub fn free(&self) {
        if let Some(pool) = self.0.get() {
            pool.free();
        }
    }

    fn pool(&self) -> Outcome<&Arc<WorkerPool>> {
        self.0.get().ok_or_else(|| {
            let message = "queue: it belongs to the process that made it, and this one was forked; make a new queue";
            Failure::new(Code::InvalidHandle, message).for_argument("queue")
        })
    }
}

/// The threads that perform a queue's calls, and what they share with the host's threads.
struct WorkerPool {
    most: usize,
    state: Mutex<State>,
    /// Workers wait here for work.
    submitted: Condvar,
    /// The host's threads wait here for completions.
    completed: Condvar,
}

struct State {
    book: Book<Submission, Outcome<Json>>,
    workers: usize,
    idle: usize,
    takers: usize,
    signal: Option<Signal>,
}

/// A call that was accepted and is not completed.
struct Submission {
    pool: Weak<WorkerPool>,
    tag: u64,
    session: Arc<Session>,
    prepared: PreparedRequest,
}

impl Interrupt for Submission {
    /// Completes a submission that no worker has taken yet; a running call ends by itself.
    fn interrupt(&self, _: &Call) {
        let Some(pool) = self.pool.upgrade() else { return };
        let mut state = lock(&pool.state);
        let withdrawn = state.book.withdraw(self);
        if withdrawn.is_some() {
            pool.complete(&mut state, self.tag, Err(cancelled()));
        }
        drop(state);
        // It may be the last to hold the session: dropped outside of the lock.
        drop(withdrawn);
    }
}

impl WorkerPool {
    fn submit(self: &Arc<Self>, session: Arc<Session>, prepared: PreparedRequest, tag: u64) -> Outcome<()> {
        let submission = Arc::new(Submission { pool: Arc::downgrade(self), tag, session, prepared });
        let waits: Weak<Submission> = Arc::downgrade(&submission);
        let call = submission.prepared.call();
        call.blocked_in(waits);
        let mut state = lock(&self.state);
        state.book.check_room()?;
        if state.book.waiting() >= state.idle && state.workers < self.most {
            self.start_worker(&mut state)?;
        }
        state.book.accept(Arc::clone(&submission));
        let idle = state.idle > 0;
        drop(state);
        // Waking is a system call, also if nobody sleeps.
        if idle {
            self.submitted.notify_one();
        }
        // A cancellation between the preparation and the acceptance did not find it.
        if call.is_cancelled() {
            submission.interrupt(call);
        }
        Ok(())
    }

    fn next(&self, wait: Option<Duration>) -> Outcome<Completion> {
        let until = wait.map(|wait| Instant::now() + wait);
        let mut state = lock(&self.state);
        loop {
            if let Some((completion, readable)) = state.book.hand_out()? {
                state.tell(readable);
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

    fn cancel(&self, tag: u64) {
        let tagged: Vec<_> = lock(&self.state).book.pending().filter(|it| it.tag == tag).cloned().collect();
        tagged.iter().for_each(|submission| submission.prepared.call().cancel());
    }

    fn free(&self) {
        let freed = lock(&self.state).book.free();
        freed.running.iter().for_each(|submission| submission.prepared.call().cancel());
        self.submitted.notify_all();
        self.completed.notify_all();
    }

    fn descriptor(&self) -> Outcome<i32> {
        let mut state = lock(&self.state);
        if state.signal.is_none() {
            let signal = Signal::new()?;
            if state.book.done() > 0 {
                signal.raise();
            }
            state.signal = Some(signal);
        }
        Ok(state.signal.as_ref().map_or(-1, Signal::descriptor))
    }

    fn start_worker(self: &Arc<Self>, state: &mut State) -> Outcome<()> {
        let pool = Arc::clone(self);
        match background::spawn("worker", move || pool.work()) {
            Ok(()) => state.workers += 1,
            // Those that exist will come to it.
            Err(_) if state.workers > 0 => {}
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    fn work(&self) {
        let mut completed = None;
        while let Some(submission) = self.next_turn(completed.take()) {
            let outcome = panics::catch(|| {
                panics::planted("worker");
                submission.prepared.call().begin();
                submission.session.perform_prepared(&submission.prepared)
            });
            completed = Some((submission, outcome));
        }
    }

    /// Takes over a completed call and gives out the next submission, or `None` when the worker should end.
    fn next_turn(&self, completed: Option<(Arc<Submission>, Outcome<Json>)>) -> Option<Arc<Submission>> {
        let mut state = lock(&self.state);
        if let Some((submission, outcome)) = completed {
            state.book.stop(&submission);
            self.complete(&mut state, submission.tag, outcome);
            let next = state.start();
            drop(state);
            // It may be the last to hold the session: dropped outside of the lock, and before a long wait.
            drop(submission);
            if next.is_some() {
                return next;
            }
            state = lock(&self.state);
        }
        loop {
            if !state.book.is_freed() {
                if let Some(submission) = state.start() {
                    return Some(submission);
                }
                state.idle += 1;
                let (woken, wait) =
                    self.submitted.wait_timeout(state, IDLE_LIMIT).unwrap_or_else(PoisonError::into_inner);
                state = woken;
                state.idle -= 1;
                if !wait.timed_out() || state.book.waiting() > 0 {
                    continue;
                }
            }
            state.workers -= 1;
            return None;
        }
    }

    fn complete(&self, state: &mut State, tag: u64, outcome: Outcome<Json>) {
        let readable = state.book.complete(tag, outcome);
        state.tell(readable);
        // Skip the wake-up, a system call, if each waiting thread has one pending.
        if state.takers >= state.book.done() {
            self.completed.notify_one();
        }
    }
}

impl State {
    /// The next submission, which runs from now on.
    fn start(&mut self) -> Option<Arc<Submission>> {
        let submission = self.book.start()?;
        submission.prepared.call().unblocked();
        Some(submission)
    }

    fn tell(&self, readable: Readable) {
        match (&self.signal, readable) {
            (Some(signal), Readable::Begins) => signal.raise(),
            (Some(signal), Readable::Ends) => signal.lower(),
            _ => {}
        }
    }
}

fn cancelled() -> Failure {
    Failure::new(Code::Cancelled, "the queued call was cancelled")
}
