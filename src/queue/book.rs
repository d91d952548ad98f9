//! The bookkeeping of a queue: what was accepted, what runs, what waits to be handed out. It knows no threads.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;

use crate::error::{Code, Failure, Outcome};

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
pub struct Book<S, R> {
    capacity: usize,
    waiting: VecDeque<Arc<S>>,
    running: Vec<Arc<S>>,
    done: VecDeque<Completion<R>>,
    freed: bool,
}

impl<S, R> Book<S, R> {
    /// An empty book of a queue that holds at most so many submissions.
    pub fn new(capacity: usize) -> Book<S, R> {
        Book { capacity, waiting: VecDeque::new(), running: Vec::new(), done: VecDeque::new(), freed: false }
    }

    /// Whether the queue was freed: then nothing is accepted, completed or handed out any more.
    pub fn is_freed(&self) -> bool {
        self.freed
    }

    /// How many submissions wait to run.
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

    /// Accepts a submission for which there is room.
    pub fn accept(&mut self, submission: Arc<S>) {
        self.waiting.push_back(submission);
    }

    /// The submission that runs next.
    pub fn start(&mut self) -> Option<Arc<S>> {
        let submission = self.waiting.pop_front().filter(|_| !self.freed)?;
        self.running.push(Arc::clone(&submission));
        Some(submission)
    }

    /// Takes out a submission that has not begun to run; `None` if it has.
    pub fn withdraw(&mut self, submission: &S) -> Option<Arc<S>> {
        let place = self.waiting.iter().position(|waiting| std::ptr::eq(Arc::as_ptr(waiting), submission))?;
        self.waiting.remove(place)
    }

    /// Notes that a submission runs no more.
    pub fn stop(&mut self, submission: &Arc<S>) {
        if let Some(place) = self.running.iter().position(|running| Arc::ptr_eq(running, submission)) {
            self.running.swap_remove(place);
        }
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
    pub fn pending(&self) -> impl Iterator<Item = &Arc<S>> {
        self.waiting.iter().chain(&self.running)
    }

    /// Ends the queue: what waits is dropped by the caller, what runs is to be cancelled.
    #[must_use]
    pub fn free(&mut self) -> Freed<S, R> {
        self.freed = true;
        Freed {
            _waiting: std::mem::take(&mut self.waiting),
            _done: std::mem::take(&mut self.done),
            running: self.running.clone(),
        }
    }
}

/// What a freed queue held; dropped outside of its lock, since it may be the last to hold a session.
pub struct Freed<S, R> {
    _waiting: VecDeque<Arc<S>>,
    _done: VecDeque<Completion<R>>,
    /// Submissions that still run.
    pub running: Vec<Arc<S>>,
}

fn freed() -> Failure {
    Failure::new(Code::InvalidHandle, "queue: the queue was freed").for_argument("queue")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(capacity: usize, submissions: &[u64]) -> Book<u64, &'static str> {
        let mut book = Book::new(capacity);
        for tag in submissions {
            book.check_room().expect("room");
            book.accept(Arc::new(*tag));
        }
        book
    }

    #[test]
    fn submissions_run_in_order_and_are_handed_out_in_order_of_completion() {
        let mut book = book(3, &[1, 2]);
        let (first, second) = (book.start().expect("one"), book.start().expect("two"));
        assert_eq!((*first, *second, book.start()), (1, 2, None));
        book.stop(&second);
        assert_eq!(book.complete(2, "b"), Readable::Begins);
        book.stop(&first);
        assert_eq!(book.complete(1, "a"), Readable::Unchanged);
        let out = [book.hand_out(), book.hand_out()].map(|it| it.expect("not freed").expect("a completion"));
        assert_eq!(out[0], (Completion { tag: 2, result: "b" }, Readable::Unchanged));
        assert_eq!(out[1], (Completion { tag: 1, result: "a" }, Readable::Ends));
        assert_eq!(book.hand_out().expect("not freed"), None);
    }

    #[test]
    fn capacity_counts_what_was_accepted_and_not_handed_out() {
        let mut book = book(2, &[1, 2]);
        assert_eq!(book.check_room().expect_err("full").code(), Code::QueueFull);
        let running = book.start().expect("one");
        assert!(book.check_room().is_err(), "running ones count");
        book.stop(&running);
        book.complete(1, "a");
        assert!(book.check_room().is_err(), "completions count");
        book.hand_out().expect("not freed");
        assert!(book.check_room().is_ok());
    }

    #[test]
    fn only_what_has_not_begun_can_be_withdrawn() {
        let mut book = book(9, &[1, 2]);
        let running = book.start().expect("one");
        assert!(book.withdraw(&running).is_none());
        let waiting = Arc::clone(book.pending().next().expect("the second"));
        assert_eq!(book.withdraw(&waiting).as_deref(), Some(&2));
        assert!(book.withdraw(&waiting).is_none(), "once");
        assert_eq!(book.pending().count(), 1);
    }

    #[test]
    fn a_freed_queue_hands_out_nothing() {
        let mut book = book(9, &[1, 2, 3]);
        let running = book.start().expect("one");
        book.complete(7, "a");
        assert_eq!(book.free().running, [running]);
        assert_eq!(book.complete(1, "b"), Readable::Unchanged);
        assert_eq!(book.start(), None);
        assert_eq!(book.hand_out().expect_err("freed").code(), Code::InvalidHandle);
        assert_eq!(book.check_room().expect_err("freed").code(), Code::InvalidHandle);
    }
}
