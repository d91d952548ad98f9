//! Calls that can be cancelled together, and the progress of their request bodies.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use slab::Slab;

use super::{Call, cancelled};
use crate::error::Outcome;
use crate::fork::{ForkMutex, OfThisProcess};

/// How much of the request bodies of some calls was sent.
#[derive(Debug, Default)]
pub struct Progress {
    /// The bytes that were sent.
    pub sent: AtomicU64,
    /// The bytes to send in total.
    pub total: AtomicU64,
}

/// One call's share in the progress of its group.
#[derive(Debug)]
pub struct BodyProgress {
    group: Arc<Progress>,
    sent: AtomicU64,
    total: AtomicU64,
}

impl BodyProgress {
    /// An attempt begins to send a body of `total` bytes; bytes sent by an earlier attempt no longer count.
    pub fn begin(&self, total: u64) {
        self.group.total.fetch_add(total, Ordering::Relaxed);
        self.group.total.fetch_sub(self.total.swap(total, Ordering::Relaxed), Ordering::Relaxed);
        self.group.sent.fetch_sub(self.sent.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Counts `sent` more bytes.
    pub fn add(&self, sent: u64) {
        self.sent.fetch_add(sent, Ordering::Relaxed);
        self.group.sent.fetch_add(sent, Ordering::Relaxed);
    }
}

/// The calls that can be ended together: those of a session, of a cancel handle, of a queue.
#[derive(Default, Clone)]
pub struct CallGroup {
    calls: Arc<ForkMutex<Calls>>,
    progress: Arc<Progress>,
}

#[derive(Default)]
struct Calls {
    ended: bool,
    /// The calls of this process: a call from before a fork runs in the parent only.
    running: OfThisProcess<Slab<Arc<Call>>>,
}

impl CallGroup {
    /// Adds a call to the group until the membership is dropped.
    pub fn join(&self, call: &Arc<Call>) -> Outcome<Membership> {
        self.calls.with(|calls| {
            if calls.ended {
                return Err(cancelled());
            }
            let key = calls.running.get_or_renew().insert(Arc::clone(call));
            Ok(Membership { group: self.clone(), key: OfThisProcess::new(key) })
        })
    }

    /// Counts the progress of this call's request body in the group's.
    pub fn count_progress(&self, call: &Call) {
        let progress = BodyProgress { group: Arc::clone(&self.progress), sent: 0.into(), total: 0.into() };
        let _ = call.progress.set(progress);
    }

    /// How much of the request bodies of all calls was sent.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Cancels the running calls; later ones may begin.
    pub fn cancel(&self) {
        let running: Vec<_> = self.calls.with(|calls| {
            let running = calls.running.get().into_iter().flatten();
            running.map(|(_, call)| Arc::clone(call)).collect()
        });
        running.iter().for_each(|call| call.cancel());
    }

    /// Cancels the running calls and refuses later ones.
    pub fn end(&self) {
        self.calls.with(|calls| calls.ended = true);
        self.cancel();
    }
}

/// A call's membership in a [`CallGroup`], until dropped.
pub struct Membership {
    group: CallGroup,
    key: OfThisProcess<usize>,
}

impl Drop for Membership {
    fn drop(&mut self) {
        let own = self.key.get().and_then(|key| {
            self.group.calls.with(|calls| calls.running.get_mut().and_then(|running| running.try_remove(*key)))
        });
        drop(own);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn progress_counts_each_body_once() {
        let group = CallGroup::default();
        let calls = [Call::new(Duration::from_secs(60)), Call::new(Duration::from_secs(60))];
        calls.iter().for_each(|call| group.count_progress(call));
        let told = || [&group.progress().sent, &group.progress().total].map(|count| count.load(Ordering::Relaxed));
        let progress = calls.each_ref().map(|call| call.progress().expect("asked for"));
        progress.iter().for_each(|progress| progress.begin(10));
        progress[0].add(10);
        progress[1].add(4);
        assert_eq!(told(), [14, 20]);
        progress[1].begin(10);
        assert_eq!(told(), [10, 20], "a second attempt");
    }
}
