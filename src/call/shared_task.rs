//! Work that several calls wait for.
#![forbid(unsafe_code)]

use std::mem;
use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use super::Call;
use crate::engine;
use crate::error::Outcome;
use crate::fork::{self, OfThisProcess, lock};
use crate::host_thread::{HostThread, Wait};

/// Work that several calls wait for: a name look-up, a token request.
///
/// The working thread completes it once. A waiting call gets the outcome, or stops waiting at its own time limit or
/// cancellation, which does not affect the work.
pub struct SharedTask<T>(OfThisProcess<Mutex<TaskState<T>>>);

struct TaskState<T> {
    outcome: Option<T>,
    waiting: Vec<Arc<Call>>,
}

impl<T: Clone> SharedTask<T> {
    /// A task that has just begun.
    pub fn new() -> Arc<SharedTask<T>> {
        let state = TaskState { outcome: None, waiting: Vec::new() };
        Arc::new(SharedTask(OfThisProcess::new(Mutex::new(state))))
    }

    /// Stores the outcome and wakes the waiting calls.
    pub fn complete(&self, outcome: T) {
        let Some(state) = self.0.get() else { return };
        let waiting = {
            let mut state = lock(state);
            state.outcome = Some(outcome);
            mem::take(&mut state.waiting)
        };
        waiting.iter().for_each(|call| call.wake());
    }

    /// Waits for the outcome on behalf of a call; `None` if there is none at `until`.
    pub fn wait(&self, call: &Arc<Call>, until: Instant) -> Outcome<Option<T>> {
        let Some(state) = self.0.get() else { return Ok(None) };
        lock(state).waiting.push(Arc::clone(call));
        fork::wait_for_others(|| call.wait(until, || lock(state).outcome.clone()))
    }

    /// As [`Self::wait`], for work that may need the callbacks of the waiting thread of the host: they run meanwhile.
    pub fn wait_with_callbacks(&self, call: &Arc<Call>, until: Instant) -> Outcome<Option<T>> {
        let present = HostThread::present().filter(|_| !engine::is_task());
        let Some(thread) = present else { return self.wait(call, until) };
        let Some(state) = self.0.get() else { return Ok(None) };
        lock(state).waiting.push(Arc::clone(call));
        let this: Weak<Call> = Arc::downgrade(call);
        let _blocked = thread.blocked_in(this);
        let next = || match lock(state).outcome.clone() {
            None => thread.has_jobs().then_some(None),
            outcome => Some(outcome),
        };
        loop {
            match fork::wait_for_others(|| call.wait(until, next))? {
                Some(None) => thread.run_jobs(),
                Some(outcome) => return Ok(outcome),
                None => return Ok(None),
            }
        }
    }
}

impl Wait for Call {
    fn wake(&self) {
        Call::wake(self);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::error::Code;

    #[test]
    fn an_outcome_reaches_calls_that_waited_before_and_after() {
        let task = SharedTask::new();
        let call = Call::new(Duration::from_secs(60));
        thread::scope(|scope| {
            let early = scope.spawn(|| task.wait(&call, call.deadline()).expect("completed"));
            task.complete(7);
            assert_eq!(early.join().expect("no panic"), Some(7));
        });
        assert_eq!(task.wait(&call, call.deadline()).expect("completed"), Some(7));
        let short = Call::new(Duration::from_millis(5));
        assert_eq!(
            SharedTask::<()>::new().wait(&short, call.deadline()).expect_err("out of time").code(),
            Code::Timeout
        );
    }
}
