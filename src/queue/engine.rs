//! Performs a queue's requests on one thread with an engine, which suspends each request that waits.
#![forbid(unsafe_code)]

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::{Shared, State, Submission};
use crate::background;
use crate::engine::{self, End, Engine, Poller, Turn, Work};
use crate::error::{Code, Failure, Outcome};
use crate::fork::lock;
use crate::json::Json;

/// An engine without work ends after this time; the next submission starts another.
const IDLE_LIMIT: Duration = Duration::from_secs(5);

/// The engine's thread, for the host's threads.
#[derive(Default)]
pub struct Performer {
    poller: Option<Arc<Poller>>,
    idle_since: Option<Instant>,
}

/// Requests that have ended; the engine drops them in its next iteration.
#[derive(Default)]
pub struct Resources {
    finished: Mutex<Vec<(Arc<Submission>, Outcome<Json>)>>,
}

impl Shared {
    /// Starts the engine unless it runs.
    pub fn prepare_to_perform(self: &Arc<Self>, state: &mut MutexGuard<'_, State>) -> Outcome<()> {
        if state.performer.poller.is_some() {
            return Ok(());
        }
        let poller = Arc::new(Poller::new()?);
        let engine_poller = Arc::clone(&poller);
        let shared = Arc::clone(self);
        background::spawn("queue", move || Engine::new(shared, engine_poller).run())?;
        state.performer = Performer { poller: Some(poller), idle_since: None };
        Ok(())
    }

    /// Notifies the engine of a submission.
    pub fn submitted(&self, state: MutexGuard<'_, State>) {
        let poller = state.performer.poller.clone();
        drop(state);
        poller.inspect(|poller| poller.notify());
    }

    /// Notifies the engine that the queue was freed.
    pub fn freed(&self) {
        self.submitted(lock(&self.state));
    }
}

impl Work for Shared {
    type Job = Arc<Submission>;

    fn turn(&self, in_flight: usize) -> Turn<Arc<Submission>> {
        let finished = mem::take(&mut *lock(&self.work.finished));
        let mut state = lock(&self.state);
        let mut over = Vec::with_capacity(finished.len());
        for (submission, outcome) in finished {
            self.finish(&mut state, &submission, outcome);
            over.push(submission);
        }
        over.extend(self.expire(&mut state));
        let mut jobs = Vec::new();
        while in_flight + jobs.len() < self.in_flight {
            let Some(submission) = state.submissions.start() else { break };
            submission.prepared.call().unblocked();
            jobs.push(submission);
        }
        let turn = self.go_on(&mut state, in_flight + jobs.len(), jobs);
        drop(state);
        // Dropped outside of the lock, because one may hold the last reference to its session.
        drop(over);
        turn
    }

    fn perform(&self, submission: Arc<Submission>) -> End {
        if let Some(waker) = engine::waker() {
            submission.prepared.call().performed_by(waker);
        }
        let outcome = submission.perform();
        let is_cancelled = outcome.as_ref().is_err_and(|failure| failure.code() == Code::Cancelled);
        lock(&self.work.finished).push((submission, outcome));
        if is_cancelled { End::Hurried } else { End::Usual }
    }

    fn refuse(&self, submission: Arc<Submission>) {
        let failure = Failure::new(Code::OutOfMemory, "there is not enough memory for the stack of the queued call");
        lock(&self.work.finished).push((submission, Err(failure)));
    }
}

impl Shared {
    /// Whether the engine continues.
    fn go_on(
        &self,
        state: &mut MutexGuard<'_, State>,
        in_flight: usize,
        jobs: Vec<Arc<Submission>>,
    ) -> Turn<Arc<Submission>> {
        if in_flight > 0 {
            state.performer.idle_since = None;
            return Turn::Continue(jobs, state.submissions.first_deadline());
        }
        let now = Instant::now();
        let idle_since = *state.performer.idle_since.get_or_insert(now);
        if state.submissions.is_freed() || now.duration_since(idle_since) >= IDLE_LIMIT {
            state.performer = Performer::default();
            return Turn::End;
        }
        Turn::Continue(jobs, Some(idle_since + IDLE_LIMIT))
    }
}
