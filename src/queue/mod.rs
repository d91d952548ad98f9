//! A queue of requests: hosts with an event loop submit, the library performs, the host takes completions.
//!
//! Every accepted submission is handed out exactly once, in the order of completion. A queue belongs to the process
//! that made it: the thread that performs its requests does not exist in a child.
#![forbid(unsafe_code)]

mod book;
#[cfg(target_os = "linux")]
mod engine;
mod signal;
#[cfg(not(target_os = "linux"))]
mod workers;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use self::book::{Book, Id, Readable};
#[cfg(target_os = "linux")]
use self::engine::{Performer, Resources};
use self::signal::Signal;
#[cfg(not(target_os = "linux"))]
use self::workers::{Performer, Resources};
use crate::call::{Call, CallGroup, Interrupt};
use crate::error::{Code, Failure, Outcome};
use crate::fork::{OfThisProcess, lock};
use crate::json::Json;
use crate::request::Request;
use crate::session::{PreparedRequest, Session};

/// How many requests are in flight at once in a queue for which no number was given.
const DEFAULT_IN_FLIGHT: u32 = 64;
/// The most requests in flight at once.
const MAX_IN_FLIGHT: u32 = 65_536;
/// The capacity of a queue for which none was given; more if more can be in flight.
const DEFAULT_CAPACITY: u32 = 1024;

/// What became of a submission: its tag, and what the request would have returned.
pub type Completion = book::Completion<Outcome<Json>>;

/// A queue; any number of threads may use it at once.
pub struct Queue(OfThisProcess<Arc<Shared>>);

impl Queue {
    /// A queue with at most so many requests in flight and so many submissions not yet handed out; 0 is the
    /// default. No thread is started yet.
    pub fn new(in_flight: u32, capacity: u32) -> Outcome<Queue> {
        if in_flight > MAX_IN_FLIGHT {
            let problem = format!("must be at most {MAX_IN_FLIGHT}, or 0 for {DEFAULT_IN_FLIGHT}");
            return Err(Failure::argument("workers", problem));
        }
        let or_default = |number, default| if number == 0 { default } else { number } as usize;
        let in_flight = or_default(in_flight, DEFAULT_IN_FLIGHT);
        let capacity = or_default(capacity, DEFAULT_CAPACITY.max(2 * in_flight as u32));
        Ok(Queue(OfThisProcess::new(Arc::new(Shared {
            in_flight,
            state: Mutex::new(State {
                book: Book::new(capacity),
                performer: Performer::default(),
                takers: 0,
                signal: None,
            }),
            completed: Condvar::new(),
            work: Resources::default(),
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
        let shared = self.shared()?;
        let counts_from_now = request.limit.is_some();
        let prepared = session.prepare(request, data, cancel)?;
        if counts_from_now {
            prepared.call().begin();
        }
        let deadline = counts_from_now.then(|| prepared.call().deadline());
        shared.submit(session, prepared, deadline, tag)
    }

    /// Takes the next completion; `None` waits without end.
    pub fn next(&self, wait: Option<Duration>) -> Outcome<Completion> {
        self.shared()?.next(wait)
    }

    /// Completes every submission with this tag as cancelled.
    pub fn cancel(&self, tag: u64) -> Outcome<()> {
        self.shared()?.cancel(tag);
        Ok(())
    }

    /// The descriptor; it is made when first asked for, so that others do not pay for it.
    pub fn descriptor(&self) -> Outcome<i32> {
        self.shared()?.descriptor()
    }

    /// Ends the queue: what is pending is cancelled and not handed out, whoever waits is woken.
    pub fn free(&self) {
        if let Some(shared) = self.0.get() {
            shared.free();
        }
    }

    fn shared(&self) -> Outcome<&Arc<Shared>> {
        self.0.get().ok_or_else(|| {
            let message = "queue: it belongs to the process that made it, and this one was forked; make a new queue";
            Failure::new(Code::InvalidHandle, message).for_argument("queue")
        })
    }
}

/// What the host's threads share with those that perform a queue's requests.
struct Shared {
    /// How many requests may be in flight at once.
    in_flight: usize,
    state: Mutex<State>,
    /// The host's threads wait here for completions.
    completed: Condvar,
    work: Resources,
}

struct State {
    book: Book<Arc<Submission>, Outcome<Json>>,
    performer: Performer,
    takers: usize,
    signal: Option<Signal>,
}

/// A request that was accepted and is not completed.
struct Submission {
    queue: Weak<Shared>,
    id: Id,
    tag: u64,
    session: Arc<Session>,
    prepared: PreparedRequest,
}

impl Interrupt for Submission {
    /// Completes a submission that has not begun to run; a running call ends by itself.
    fn interrupt(&self, _: &Call) {
        let Some(queue) = self.queue.upgrade() else { return };
        let mut state = lock(&queue.state);
        let withdrawn = state.book.withdraw(self.id);
        if withdrawn.is_some() {
            queue.complete(&mut state, self.tag, Err(cancelled()));
        }
        drop(state);
        // It may be the last to hold the session: dropped outside of the lock.
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
        state.book.check_room()?;
        self.prepare_to_perform(&mut state)?;
        let owner = Arc::as_ptr(&session) as usize as u64;
        let submission = state.book.accept(owner, deadline, |id| {
            Arc::new(Submission { queue: Arc::downgrade(self), id, tag, session, prepared })
        });
        let waits: Weak<Submission> = Arc::downgrade(&submission);
        submission.prepared.call().blocked_in(waits);
        self.submitted(state);
        // A cancellation before the acceptance did not find it.
        if submission.prepared.call().is_cancelled() {
            submission.interrupt(submission.prepared.call());
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
        self.freed();
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

    /// Completes the submissions that waited to the end of their time, and hands them over: one may be the last to hold
    /// its session, and is dropped outside of the lock.
    fn expire(&self, state: &mut MutexGuard<'_, State>) -> Vec<Arc<Submission>> {
        if state.book.first_deadline().is_none() {
            return Vec::new();
        }
        let expired = state.book.expire(Instant::now());
        for submission in &expired {
            self.complete(state, submission.tag, Err(submission.prepared.call().timed_out()));
        }
        expired
    }

    /// Takes over what became of a request that ran.
    fn finish(&self, state: &mut MutexGuard<'_, State>, submission: &Submission, outcome: Outcome<Json>) {
        state.book.stop(submission.id);
        self.complete(state, submission.tag, outcome);
    }

    fn complete(&self, state: &mut MutexGuard<'_, State>, tag: u64, outcome: Outcome<Json>) {
        let readable = state.book.complete(tag, outcome);
        state.tell(readable);
        // Skip the wake-up, a system call, if each waiting thread has one pending.
        if state.takers >= state.book.done() {
            self.completed.notify_one();
        }
    }
}

impl State {
    fn tell(&self, readable: Readable) {
        match (&self.signal, readable) {
            (Some(signal), Readable::Begins) => signal.raise(),
            (Some(signal), Readable::Ends) => signal.lower(),
            _ => {}
        }
    }
}

impl Submission {
    /// Performs the request; a panic becomes its outcome.
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
