//! Performs a queue's requests: one thread with an engine, on which each request that waits is suspended.
#![forbid(unsafe_code)]

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::{Shared, State, Submission};
use crate::background;
use crate::engine::{self, Engine, Poller, Turn, Work};
use crate::error::{Code, Failure, Outcome};
use crate::fork::lock;
use crate::json::Json;

/// An engine that had nothing to do for so long ends; the next submission starts another.
const IDLE_LIMIT: Duration = Duration::from_secs(5);

/// The engine's thread, as the host's threads see it.
#[derive(Default)]
pub struct Performer {
    poller: Option<Arc<Poller>>,
    idle_since: Option<Instant>,
}

/// Requests that are over, until the engine takes a turn.
#[derive(Default)]
pub struct Resources {
    finished: Mutex<Vec<(Arc<Submission>, Outcome<Json>)>>,
}

impl Shared {
    /// Starts the engine if it does not run.
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

    /// Tells the engine of a submission.
    pub fn submitted(&self, state: MutexGuard<'_, State>) {
        let poller = state.performer.poller.clone();
        drop(state);
        poller.inspect(|poller| poller.notify());
    }

    /// Tells the engine that the queue was freed.
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
            let Some(submission) = state.book.start() else { break };
            submission.prepared.call().unblocked();
            jobs.push(submission);
        }
        let turn = self.go_on(&mut state, in_flight + jobs.len(), jobs);
        drop(state);
        // One may be the last to hold its session: dropped outside of the lock.
        drop(over);
        turn
    }

    fn perform(&self, submission: Arc<Submission>) {
        if let Some(waker) = engine::waker() {
            submission.prepared.call().performed_by(waker);
        }
        let outcome = submission.perform();
        lock(&self.work.finished).push((submission, outcome));
    }

    fn refuse(&self, submission: Arc<Submission>) {
        let failure = Failure::new(Code::OutOfMemory, "no memory for the queued call's stack");
        lock(&self.work.finished).push((submission, Err(failure)));
    }
}

impl Shared {
    /// Whether the engine goes on.
    fn go_on(
        &self,
        state: &mut MutexGuard<'_, State>,
        in_flight: usize,
        jobs: Vec<Arc<Submission>>,
    ) -> Turn<Arc<Submission>> {
        if in_flight > 0 {
            state.performer.idle_since = None;
            return Turn::Continue(jobs, state.book.first_deadline());
        }
        let now = Instant::now();
        let idle_since = *state.performer.idle_since.get_or_insert(now);
        if state.book.is_freed() || now.duration_since(idle_since) >= IDLE_LIMIT {
            state.performer = Performer::default();
            return Turn::End;
        }
        Turn::Continue(jobs, Some(idle_since + IDLE_LIMIT))
    }
}
