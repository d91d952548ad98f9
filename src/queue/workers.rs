//! Performs a queue's requests on systems without an engine: on threads, each with one request at a time.
#![forbid(unsafe_code)]

use std::sync::{Arc, Condvar, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Shared, State};
use crate::background;
use crate::error::Outcome;
use crate::fork::lock;

/// The most threads of a queue.
const MAX_WORKERS: usize = 64;
/// A worker without work ends after this time.
const IDLE_LIMIT: Duration = Duration::from_secs(5);

/// The number of threads, and of those without work.
#[derive(Default)]
pub struct Performer {
    workers: usize,
    idle: usize,
}

/// Workers wait here for work.
#[derive(Default)]
pub struct Resources {
    submitted: Condvar,
}

impl Shared {
    /// Starts a worker if no existing one is free.
    pub fn prepare_to_perform(self: &Arc<Self>, state: &mut MutexGuard<'_, State>) -> Outcome<()> {
        let Performer { workers, idle } = state.performer;
        if state.submissions.waiting() < idle || workers >= self.in_flight.min(MAX_WORKERS) {
            return Ok(());
        }
        let shared = Arc::clone(self);
        match background::spawn("queue", move || shared.work()) {
            Ok(()) => state.performer.workers += 1,
            // The existing workers will perform it later.
            Err(_) if workers > 0 => {}
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    /// Notifies the workers of a submission.
    pub fn submitted(&self, state: MutexGuard<'_, State>) {
        let idle = state.performer.idle > 0;
        drop(state);
        // A wake-up needs a system call even if no worker sleeps.
        if idle {
            self.work.submitted.notify_one();
        }
    }

    /// Notifies the workers that the queue was freed.
    pub fn freed(&self) {
        self.work.submitted.notify_all();
    }

    fn work(&self) {
        let mut state = lock(&self.state);
        while !state.submissions.is_freed() {
            let expired = self.expire(&mut state);
            if !expired.is_empty() {
                drop(state);
                drop(expired);
                state = lock(&self.state);
                continue;
            }
            if let Some(submission) = state.submissions.start() {
                submission.prepared.call().unblocked();
                drop(state);
                let outcome = submission.perform();
                state = lock(&self.state);
                self.finish(&mut state, &submission, outcome);
                drop(state);
                // Dropped outside of the lock, because it may hold the last reference to the session.
                drop(submission);
                state = lock(&self.state);
                continue;
            }
            state.performer.idle += 1;
            let (woken, wait) =
                self.work.submitted.wait_timeout(state, IDLE_LIMIT).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.performer.idle -= 1;
            if wait.timed_out() && state.submissions.waiting() == 0 {
                break;
            }
        }
        state.performer.workers -= 1;
    }
}
