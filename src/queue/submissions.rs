//! The state of a queue's submissions: accepted, running, or completed and not yet handed out. It uses no threads.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::mem;
use std::time::Instant;

use crate::error::{Code, Failure, Outcome};

/// The number of a submission in its queue.
pub type Id = u64;

/// The outcome of a submission.
#[derive(Debug, PartialEq)]
pub struct Completion<R> {
    /// The tag that the host gave it.
    pub tag: u64,
    /// Its result.
    pub result: R,
}

/// How the readiness of the queue's descriptor changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readable {
    /// It becomes readable: a first completion waits.
    Begins,
    /// It is no longer readable: the last completion was handed out.
    Ends,
    /// No change.
    Unchanged,
}

/// Each submission is in exactly one state: waiting, running, done, or handed out.
///
/// Owners take turns, so that an owner with many waiting submissions does not delay one with few.
pub struct Submissions<S, R> {
    capacity: usize,
    last: Id,
    waiting: HashMap<Id, Waiting<S>>,
    /// The waiting submissions of each owner, in order.
    by_owner: HashMap<u64, BTreeSet<Id>>,
    /// The owners with waiting submissions, in the order of their turns.
    turns: VecDeque<u64>,
    deadlines: BTreeMap<(Instant, Id), ()>,
    running: HashMap<Id, S>,
    done: VecDeque<Completion<R>>,
    freed: bool,
}

struct Waiting<S> {
    submission: S,
    owner: u64,
    deadline: Option<Instant>,
}

impl<S: Clone, R> Submissions<S, R> {
    /// No submissions, and room for `capacity` of them.
    pub fn new(capacity: usize) -> Submissions<S, R> {
        Submissions {
            capacity,
            last: 0,
            waiting: HashMap::new(),
            by_owner: HashMap::new(),
            turns: VecDeque::new(),
            deadlines: BTreeMap::new(),
            running: HashMap::new(),
            done: VecDeque::new(),
            freed: false,
        }
    }

    /// Whether the queue was freed: then nothing more is accepted, completed or handed out.
    pub fn is_freed(&self) -> bool {
        self.freed
    }

    /// The number of submissions that wait to run.
    #[cfg(any(test, not(target_os = "linux")))]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The number of completions that wait to be handed out.
    pub fn done(&self) -> usize {
        self.done.len()
    }

    /// Fails if a submission would be refused now.
    pub fn check_room(&self) -> Outcome<()> {
        if self.freed {
            return Err(freed());
        }
        if self.waiting.len() + self.running.len() + self.done.len() >= self.capacity {
            let message = format!("the queue is full with its capacity of {}; take completions first", self.capacity);
            return Err(Failure::new(Code::QueueFull, message));
        }
        Ok(())
    }

    /// Accepts a submission under the next number, after [`Self::check_room`]. One with a deadline may expire before it
    /// runs.
    pub fn accept(&mut self, owner: u64, deadline: Option<Instant>, make: impl FnOnce(Id) -> S) -> S {
        self.last += 1;
        let id = self.last;
        let submission = make(id);
        self.waiting.insert(id, Waiting { submission: submission.clone(), owner, deadline });
        let own = self.by_owner.entry(owner).or_default();
        if own.is_empty() {
            self.turns.push_back(owner);
        }
        own.insert(id);
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, id), ());
        }
        submission
    }

    /// Starts the next submission: the first of the owner whose turn it is.
    pub fn start(&mut self) -> Option<S> {
        if self.freed {
            return None;
        }
        loop {
            let owner = self.turns.pop_front()?;
            // Skip owners whose submissions were all withdrawn.
            let Some(own) = self.by_owner.get_mut(&owner) else { continue };
            let Some(id) = own.pop_first() else { continue };
            if own.is_empty() {
                self.by_owner.remove(&owner);
            } else {
                self.turns.push_back(owner);
            }
            let waiting = self.waiting.remove(&id)?;
            self.forget_deadline(id, waiting.deadline);
            self.running.insert(id, waiting.submission.clone());
            return Some(waiting.submission);
        }
    }

    /// Removes a submission that has not begun to run; `None` if it has begun.
    pub fn withdraw(&mut self, id: Id) -> Option<S> {
        let waiting = self.waiting.remove(&id)?;
        self.forget_deadline(id, waiting.deadline);
        if let Some(own) = self.by_owner.get_mut(&waiting.owner) {
            own.remove(&id);
            if own.is_empty() {
                self.by_owner.remove(&waiting.owner);
                self.turns.retain(|owner| *owner != waiting.owner);
            }
        }
        Some(waiting.submission)
    }

    fn forget_deadline(&mut self, id: Id, deadline: Option<Instant>) {
        if let Some(deadline) = deadline {
            self.deadlines.remove(&(deadline, id));
        }
    }

    /// The time at which the first waiting submission expires.
    pub fn first_deadline(&self) -> Option<Instant> {
        self.deadlines.first_key_value().map(|((deadline, _), ())| *deadline)
    }

    /// Removes the waiting submissions whose time limit has passed.
    pub fn expire(&mut self, now: Instant) -> Vec<S> {
        let mut expired = Vec::new();
        while let Some(((_, id), ())) = self.deadlines.first_key_value().filter(|((deadline, _), ())| *deadline <= now)
        {
            expired.extend(self.withdraw(*id));
        }
        expired
    }

    /// Notes that a submission no longer runs.
    pub fn stop(&mut self, id: Id) {
        self.running.remove(&id);
    }

    /// Stores a result to be handed out.
    pub fn complete(&mut self, tag: u64, result: R) -> Readable {
        if self.freed {
            return Readable::Unchanged;
        }
        self.done.push_back(Completion { tag, result });
        if self.done.len() == 1 { Readable::Begins } else { Readable::Unchanged }
    }

    /// Hands out the oldest completion.
    pub fn hand_out(&mut self) -> Outcome<Option<(Completion<R>, Readable)>> {
        if self.freed {
            return Err(freed());
        }
        let Some(completion) = self.done.pop_front() else { return Ok(None) };
        let readable = if self.done.is_empty() { Readable::Ends } else { Readable::Unchanged };
        Ok(Some((completion, readable)))
    }

    /// The submissions that wait or run.
    pub fn pending(&self) -> impl Iterator<Item = &S> {
        self.waiting.values().map(|waiting| &waiting.submission).chain(self.running.values())
    }

    /// Frees the queue: the caller drops the waiting submissions and cancels the running ones.
    #[must_use]
    pub fn free(&mut self) -> Freed<S, R> {
        self.freed = true;
        self.by_owner.clear();
        self.turns.clear();
        self.deadlines.clear();
        Freed {
            _waiting: mem::take(&mut self.waiting).into_values().map(|waiting| waiting.submission).collect(),
            _done: mem::take(&mut self.done),
            running: self.running.values().cloned().collect(),
        }
    }
}

/// The contents of a freed queue. Dropped outside of its lock, because it may hold the last reference to a session.
pub struct Freed<S, R> {
    _waiting: Vec<S>,
    _done: VecDeque<Completion<R>>,
    /// The submissions that still run.
    pub running: Vec<S>,
}

fn freed() -> Failure {
    Failure::new(Code::InvalidHandle, "queue: the queue was freed").for_argument("queue")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Submissions represented by their numbers, one for each owner in the list.
    fn submissions(capacity: usize, owners: &[u64]) -> Submissions<Id, &'static str> {
        let mut submissions = Submissions::new(capacity);
        for owner in owners {
            submissions.check_room().expect("room");
            submissions.accept(*owner, None, |id| id);
        }
        submissions
    }

    #[test]
    fn completions_are_handed_out_in_order_of_completion() {
        let mut submissions = submissions(3, &[1, 1]);
        assert_eq!([submissions.start(), submissions.start(), submissions.start()], [Some(1), Some(2), None]);
        submissions.stop(2);
        assert_eq!(submissions.complete(2, "b"), Readable::Begins);
        submissions.stop(1);
        assert_eq!(submissions.complete(1, "a"), Readable::Unchanged);
        let out =
            [submissions.hand_out(), submissions.hand_out()].map(|it| it.expect("not freed").expect("a completion"));
        assert_eq!(out[0], (Completion { tag: 2, result: "b" }, Readable::Unchanged));
        assert_eq!(out[1], (Completion { tag: 1, result: "a" }, Readable::Ends));
        assert_eq!(submissions.hand_out().expect("not freed"), None);
    }

    #[test]
    fn owners_take_turns_and_each_keeps_its_order() {
        let mut submissions = submissions(9, &[1, 1, 1, 1, 2, 3, 3]);
        let order: Vec<_> = std::iter::from_fn(|| submissions.start()).collect();
        assert_eq!(order, [1, 5, 6, 2, 7, 3, 4]);
        assert!(submissions.by_owner.is_empty() && submissions.turns.is_empty() && submissions.waiting() == 0);
    }

    #[test]
    fn capacity_counts_what_was_accepted_and_not_handed_out() {
        let mut submissions = submissions(2, &[1, 1]);
        assert_eq!(submissions.check_room().expect_err("full").code(), Code::QueueFull);
        submissions.start().expect("one");
        assert!(submissions.check_room().is_err(), "running ones count");
        submissions.stop(1);
        submissions.complete(1, "a");
        assert!(submissions.check_room().is_err(), "completions count");
        submissions.hand_out().expect("not freed");
        assert!(submissions.check_room().is_ok());
    }

    #[test]
    fn a_submission_that_runs_cannot_be_withdrawn() {
        let mut submissions = submissions(9, &[1, 1, 2]);
        submissions.start().expect("one");
        assert_eq!([submissions.withdraw(1), submissions.withdraw(2), submissions.withdraw(2)], [None, Some(2), None]);
        assert_eq!(submissions.pending().count(), 2);
        assert_eq!([submissions.start(), submissions.start()], [Some(3), None]);
        assert!(submissions.by_owner.is_empty() && submissions.turns.is_empty());
    }

    #[test]
    fn a_submission_that_waits_too_long_expires() {
        let now = Instant::now();
        let mut submissions: Submissions<Id, &str> = submissions(9, &[1]);
        for seconds in [3, 1, 2] {
            submissions.accept(1, Some(now + Duration::from_secs(seconds)), |id| id);
        }
        assert_eq!(submissions.first_deadline(), Some(now + Duration::from_secs(1)));
        assert!(submissions.expire(now).is_empty());
        assert_eq!(submissions.expire(now + Duration::from_secs(2)), [3, 4]);
        assert_eq!([submissions.start(), submissions.start(), submissions.start()], [Some(1), Some(2), None]);
        assert_eq!(submissions.first_deadline(), None, "a running call checks its own time limit");
    }

    #[test]
    fn a_freed_queue_hands_out_nothing() {
        let mut submissions = submissions(9, &[1, 1, 2]);
        submissions.start().expect("one");
        submissions.complete(7, "a");
        assert_eq!(submissions.free().running, [1]);
        assert_eq!(submissions.complete(1, "b"), Readable::Unchanged);
        assert_eq!(submissions.start(), None);
        assert_eq!(submissions.hand_out().expect_err("freed").code(), Code::InvalidHandle);
        assert_eq!(submissions.check_room().expect_err("freed").code(), Code::InvalidHandle);
    }
}
