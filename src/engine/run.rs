//! The loop of an engine: begins tasks, waits for what they wait for, resumes them.
#![forbid(unsafe_code)]

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use slab::Slab;

use super::poller::Poller;
use super::task::{Stacks, Step, Task};

/// How long tasks are resumed before the engine looks around again.
const ROUND: Duration = Duration::from_millis(4);

/// What an engine does next.
pub enum Turn<J> {
    /// Goes on, with these new tasks, and looks around again at the given time if nothing happens before.
    Continue(Vec<J>, Option<Instant>),
    /// Ends; it has no tasks.
    End,
}

/// Where an engine gets its tasks, and what they do.
pub trait Work: 'static {
    /// What one task does.
    type Job: 'static;

    /// Asked at each turn; `in_flight` is how many tasks have begun and are not over.
    fn turn(&self, in_flight: usize) -> Turn<Self::Job>;

    /// Does a task's work, in its coroutine. It must not panic.
    fn perform(&self, job: Self::Job);

    /// No stack could be had for a task, and none is under way that could leave one.
    fn refuse(&self, job: Self::Job);
}

/// An engine, on the thread that runs it.
pub struct Engine<W: Work> {
    work: Arc<W>,
    poller: Arc<Poller>,
    stacks: Stacks,
    tasks: Slab<Waiting>,
    /// Those to resume, each with its number.
    ready: VecDeque<usize>,
    /// Jobs for which there was no stack.
    postponed: VecDeque<W::Job>,
    deadlines: BTreeSet<(Instant, usize)>,
    /// Which task waits for a socket's events.
    watchers: HashMap<u64, usize>,
}

/// A task between two steps; absent while it runs.
#[derive(Default)]
struct Waiting {
    task: Option<Task>,
    until: Option<Instant>,
    keys: Vec<u64>,
    is_ready: bool,
}

impl<W: Work> Engine<W> {
    /// An engine with this poller.
    pub fn new(work: Arc<W>, poller: Arc<Poller>) -> Engine<W> {
        Engine {
            work,
            poller,
            stacks: Stacks::default(),
            tasks: Slab::new(),
            ready: VecDeque::new(),
            postponed: VecDeque::new(),
            deadlines: BTreeSet::new(),
            watchers: HashMap::new(),
        }
    }

    /// Runs until the work says that it ends.
    pub fn run(mut self) {
        let mut keys = Vec::new();
        loop {
            // Before it asks for work: what comes after that must wake it.
            self.poller.prepare_sleep();
            let look_again = match self.work.turn(self.tasks.len() + self.postponed.len()) {
                Turn::End => return,
                Turn::Continue(jobs, look_again) => {
                    self.postponed.extend(jobs);
                    look_again
                }
            };
            self.begin();
            for number in self.poller.take_woken() {
                self.make_ready(number, true);
            }
            self.poller.look(self.limit(look_again), &mut keys);
            for key in keys.drain(..) {
                if let Some(&number) = self.watchers.get(&key) {
                    self.make_ready(number, false);
                }
            }
            self.expire();
            self.resume_round();
        }
    }

    fn begin(&mut self) {
        while let Some(job) = self.postponed.pop_front() {
            match self.stacks.take() {
                Ok(stack) => {
                    let entry = self.tasks.vacant_entry();
                    let number = entry.key();
                    let work = Arc::clone(&self.work);
                    let perform = Box::new(move || work.perform(job));
                    let task = Task::new(stack, Arc::clone(&self.poller), number, perform);
                    entry.insert(Waiting { task: Some(task), is_ready: true, ..Waiting::default() });
                    self.ready.push_back(number);
                }
                // It waits for a stack of those that run.
                Err(_) if !self.tasks.is_empty() => {
                    self.postponed.push_front(job);
                    return;
                }
                Err(_) => self.work.refuse(job),
            }
        }
    }

    /// A wake-up may come for a task that is over, or for its successor: whoever is woken looks again.
    fn make_ready(&mut self, number: usize, first: bool) {
        let Some(waiting) = self.tasks.get_mut(number).filter(|waiting| !waiting.is_ready) else { return };
        waiting.is_ready = true;
        if first {
            self.ready.push_front(number);
        } else {
            self.ready.push_back(number);
        }
    }

    /// How long the engine may sleep.
    fn limit(&self, look_again: Option<Instant>) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let first = self.deadlines.first().map(|(until, _)| *until);
        let until = [first, look_again].into_iter().flatten().min()?;
        Some(until.saturating_duration_since(Instant::now()))
    }

    fn expire(&mut self) {
        if self.deadlines.is_empty() {
            return;
        }
        let now = Instant::now();
        while let Some(&(until, number)) = self.deadlines.first().filter(|(until, _)| *until <= now) {
            self.deadlines.remove(&(until, number));
            self.make_ready(number, false);
        }
    }

    /// Resumes those that are ready, for a while.
    fn resume_round(&mut self) {
        let begun = Instant::now();
        for turn in 0..self.ready.len() {
            let Some(number) = self.ready.pop_front() else { return };
            self.resume(number);
            // The clock is looked at now and then only.
            if turn % 8 == 7 && begun.elapsed() > ROUND {
                return;
            }
        }
    }

    fn resume(&mut self, number: usize) {
        let Some(waiting) = self.tasks.get_mut(number) else { return };
        waiting.is_ready = false;
        for key in waiting.keys.drain(..) {
            self.watchers.remove(&key);
        }
        if let Some(until) = waiting.until.take() {
            self.deadlines.remove(&(until, number));
        }
        let Some(task) = waiting.task.take() else { return };
        match task.resume(&mut self.stacks) {
            Step::Finished => drop(self.tasks.remove(number)),
            Step::Suspended(task, wait) => {
                for key in &wait.keys {
                    self.watchers.insert(*key, number);
                }
                if let Some(until) = wait.until {
                    self.deadlines.insert((until, number));
                }
                self.tasks[number] = Waiting { task: Some(task), until: wait.until, keys: wait.keys, is_ready: false };
            }
        }
    }
}
