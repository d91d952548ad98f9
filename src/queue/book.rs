//! The bookkeeping of a queue: what was accepted, what runs, what waits to be handed out. It knows no threads.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::mem;
use std::time::Instant;

use crate::error::{Code, Failure, Outcome};

/// The number of a submission in its queue.
pub type Id = u64;

/// What became of a submission.
#[derive(Debug, PartialEq)]
pub struct Completion<R> {
    /// The number that the host gave it.
    pub tag: u64,
    /// Its result.
    pub result: R,
}

/// What changed for those who watch the queue's descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readable {
    /// A first completion waits.
    Begins,
    /// The last completion was handed out.
    Ends,
    /// As before.
    Unchanged,
}

/// Each submission is in exactly one place: waiting, running, done, or handed out.
///
/// Waiting ones are taken by turns from their owners, so that an owner with many does not hold up one with few.
pub struct Book<S, R> {
    capacity: usize,
    last: Id,
    waiting: HashMap<Id, Waiting<S>>,
    /// The waiting submissions of each owner, in order.
    by_owner: HashMap<u64, BTreeSet<Id>>,
    /// The owners that have some, in the order of their turns.
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

impl<S: Clone, R> Book<S, R> {
    /// An empty book of a queue that holds at most so many submissions.
    pub fn new(capacity: usize) -> Book<S, R> {
        Book {
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

    /// Whether the queue was freed: then nothing is accepted, completed or handed out any more.
    pub fn is_freed(&self) -> bool {
        self.freed
    }

    /// How many submissions wait to run.
    #[cfg(any(test, not(target_os = "linux")))]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many completions wait to be handed out.
    pub fn done(&self) -> usize {
        self.done.len()
    }

    /// Fails if a submission would be refused now.
    pub fn check_room(&self) -> Outcome<()> {
        if self.freed {
            return Err(freed());
        }
        if self.waiting.len() + self.running.len() + self.done.len() >= self.capacity {
            let message = format!("the queue holds its capacity of {}; take completions first", self.capacity);
            return Err(Failure::new(Code::QueueFull, message));
        }
        Ok(())
    }

    /// Accepts a submission for which there is room, under the next number. One with a deadline may expire before it
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

    /// The submission that runs next: the first of the owner whose turn it is.
    pub fn start(&mut self) -> Option<S> {
        if self.freed {
            return None;
        }
        loop {
            let owner = self.turns.pop_front()?;
            // An owner whose submissions were all withdrawn has no turn.
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

    /// Takes out a submission that has not begun to run; `None` if it has.
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

    /// When the first waiting submission expires.
    pub fn first_deadline(&self) -> Option<Instant> {
        self.deadlines.first_key_value().map(|((deadline, _), ())| *deadline)
    }

    /// Takes out the waiting submissions whose time is over.
    pub fn expire(&mut self, now: Instant) -> Vec<S> {
        let mut expired = Vec::new();
        while let Some(((_, id), ())) = self.deadlines.first_key_value().filter(|((deadline, _), ())| *deadline <= now)
        {
            expired.extend(self.withdraw(*id));
        }
        expired
    }

    /// Notes that a submission runs no more.
    pub fn stop(&mut self, id: Id) {
        self.running.remove(&id);
    }

    /// Puts a result where it is handed out.
    pub fn complete(&mut self, tag: u64, result: R) -> Readable {
        if self.freed {
            return Readable::Unchanged;
        }
        self.done.push_back(Completion { tag, result });
        if self.done.len() == 1 { Readable::Begins } else { Readable::Unchanged }
    }

    /// Hands out the completion that came first.
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

    /// Ends the queue: what waits is dropped by the caller, what runs is to be cancelled.
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

/// What a freed queue held; dropped outside of its lock, since it may be the last to hold a session.
pub struct Freed<S, R> {
    _waiting: Vec<S>,
    _done: VecDeque<Completion<R>>,
    /// Submissions that still run.
    pub running: Vec<S>,
}

fn freed() -> Failure {
    Failure::new(Code::InvalidHandle, "queue: the queue was freed").for_argument("queue")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Submissions that are their numbers, each of an owner.
    fn book(capacity: usize, owners: &[u64]) -> Book<Id, &'static str> {
        let mut book = Book::new(capacity);
        for owner in owners {
            book.check_room().expect("room");
            book.accept(*owner, None, |id| id);
        }
        book
    }

    #[test]
    fn completions_are_handed_out_in_order_of_completion() {
        let mut book = book(3, &[1, 1]);
        assert_eq!([book.start(), book.start(), book.start()], [Some(1), Some(2), None]);
        book.stop(2);
        assert_eq!(book.complete(2, "b"), Readable::Begins);
        book.stop(1);
        assert_eq!(book.complete(1, "a"), Readable::Unchanged);
        let out = [book.hand_out(), book.hand_out()].map(|it| it.expect("not freed").expect("a completion"));
        assert_eq!(out[0], (Completion { tag: 2, result: "b" }, Readable::Unchanged));
        assert_eq!(out[1], (Completion { tag: 1, result: "a" }, Readable::Ends));
        assert_eq!(book.hand_out().expect("not freed"), None);
    }

    #[test]
    fn owners_take_turns_and_each_keeps_its_order() {
        let mut book = book(9, &[1, 1, 1, 1, 2, 3, 3]);
        let order: Vec<_> = std::iter::from_fn(|| book.start()).collect();
        assert_eq!(order, [1, 5, 6, 2, 7, 3, 4]);
        assert!(book.by_owner.is_empty() && book.turns.is_empty() && book.waiting() == 0);
    }

    #[test]
    fn capacity_counts_what_was_accepted_and_not_handed_out() {
        let mut book = book(2, &[1, 1]);
        assert_eq!(book.check_room().expect_err("full").code(), Code::QueueFull);
        book.start().expect("one");
        assert!(book.check_room().is_err(), "running ones count");
        book.stop(1);
        book.complete(1, "a");
        assert!(book.check_room().is_err(), "completions count");
        book.hand_out().expect("not freed");
        assert!(book.check_room().is_ok());
    }

    #[test]
    fn only_what_has_not_begun_can_be_withdrawn() {
        let mut book = book(9, &[1, 1, 2]);
        book.start().expect("one");
        assert_eq!([book.withdraw(1), book.withdraw(2), book.withdraw(2)], [None, Some(2), None]);
        assert_eq!(book.pending().count(), 2);
        assert_eq!([book.start(), book.start()], [Some(3), None]);
        assert!(book.by_owner.is_empty() && book.turns.is_empty());
    }

    #[test]
    fn what_waits_too_long_expires() {
        let now = Instant::now();
        let mut book: Book<Id, &str> = book(9, &[1]);
        for seconds in [3, 1, 2] {
            book.accept(1, Some(now + Duration::from_secs(seconds)), |id| id);
        }
        assert_eq!(book.first_deadline(), Some(now + Duration::from_secs(1)));
        assert!(book.expire(now).is_empty());
        assert_eq!(book.expire(now + Duration::from_secs(2)), [3, 4]);
        assert_eq!([book.start(), book.start(), book.start()], [Some(1), Some(2), None]);
        assert_eq!(book.first_deadline(), None, "a running call looks at its own time");
    }

    #[test]
    fn a_freed_queue_hands_out_nothing() {
        let mut book = book(9, &[1, 1, 2]);
        book.start().expect("one");
        book.complete(7, "a");
        assert_eq!(book.free().running, [1]);
        assert_eq!(book.complete(1, "b"), Readable::Unchanged);
        assert_eq!(book.start(), None);
        assert_eq!(book.hand_out().expect_err("freed").code(), Code::InvalidHandle);
        assert_eq!(book.check_room().expect_err("freed").code(), Code::InvalidHandle);
    }
}
