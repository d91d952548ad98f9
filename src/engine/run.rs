//! The event loop of an engine: starts tasks, waits for their events, resumes them.
#![forbid(unsafe_code)]

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use slab::Slab;

use super::poller::Poller;
use super::task::{End, Stacks, Step, Task};

/// How long tasks are resumed before the engine polls again.
const ROUND: Duration = Duration::from_millis(4);
/// A task suspended for longer has its stack trimmed; one that waits for less time would touch the memory again at once.
const REST: Duration = Duration::from_millis(20);
/// The maximum number of stacks trimmed before the engine polls again.
const TRIMMED_AT_ONCE: usize = 64;
/// If more tasks are suspended with untrimmed stacks, those suspended first have theirs trimmed at once: among so many,
/// each waits for long.
const UNTRIMMED: usize = 512;

/// The next step of an engine.
pub enum Turn<J> {
    /// Continues with these new tasks, and asks again at the given time at the latest.
    Continue(Vec<J>, Option<Instant>),
    /// Ends. There are no tasks.
    End,
}

/// The source of an engine's tasks, and their work.
pub trait Work: 'static {
    /// The work of one task.
    type Job: 'static;

    /// Called in each iteration; `in_flight` is the number of tasks that have started and not ended.
    fn turn(&self, in_flight: usize) -> Turn<Self::Job>;

    /// Does a task's work, in its coroutine. It must not panic.
    fn perform(&self, job: Self::Job) -> End;

    /// Called for a task without a stack: none could be allocated, and no running task will free one.
    fn refuse(&self, job: Self::Job);
}

/// An engine. It stays on the thread that runs it.
pub struct Engine<W: Work> {
    work: Arc<W>,
    poller: Arc<Poller>,
    stacks: Stacks,
    tasks: Slab<Waiting>,
    /// The tasks to resume, with their numbers.
    ready: VecDeque<usize>,
    /// The jobs that wait for a stack.
    postponed: VecDeque<W::Job>,
    deadlines: BTreeSet<(Instant, usize)>,
    /// The task that waits for a socket's events.
    watchers: HashMap<u64, usize>,
    /// The number of suspensions so far.
    suspensions: u64,
    /// The suspended tasks whose stacks are not trimmed yet, with the suspension and its time.
    resting: VecDeque<(usize, u64, Instant)>,
    /// Their number. `resting` has others, too, which have been resumed or have ended.
    untrimmed: usize,
}

/// A suspended task; the task is absent while it runs.
#[derive(Default)]
struct Waiting {
    task: Option<Task>,
    until: Option<Instant>,
    keys: Vec<u64>,
    is_ready: bool,
    /// Counted in [`Engine::untrimmed`].
    is_untrimmed: bool,
    suspension: u64,
}

impl<W: Work> Engine<W> {
    /// Makes an engine with this poller.
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
            suspensions: 0,
            resting: VecDeque::new(),
            untrimmed: 0,
        }
    }

    /// Runs until [`Work::turn`] returns [`Turn::End`].
    pub fn run(mut self) {
        let mut keys = Vec::new();
        loop {
            // Set before asking for work: work that arrives afterwards must wake the engine.
            self.poller.prepare_sleep();
            let ask_again = match self.work.turn(self.tasks.len() + self.postponed.len()) {
                Turn::End => return,
                Turn::Continue(jobs, ask_again) => {
                    self.postponed.extend(jobs);
                    ask_again
                }
            };
            self.begin();
            for number in self.poller.take_woken() {
                self.make_ready(number, true);
            }
            let tidy_again = self.tidy();
            self.poller.poll(self.limit([ask_again, tidy_again]), &mut keys);
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
                // It waits until a running task frees its stack.
                Err(_) if !self.tasks.is_empty() => {
                    self.postponed.push_front(job);
                    return;
                }
                Err(_) => self.work.refuse(job),
            }
        }
    }

    /// A wake-up may be meant for a task that has ended, and reach a new one with its number; the woken code checks
    /// again.
    fn make_ready(&mut self, number: usize, first: bool) {
        let Some(waiting) = self.tasks.get_mut(number).filter(|waiting| !waiting.is_ready) else { return };
        waiting.is_ready = true;
        if first {
            self.ready.push_front(number);
        } else {
            self.ready.push_back(number);
        }
    }

    /// The maximum time that the engine may sleep.
    fn limit(&self, others: [Option<Instant>; 2]) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let first = self.deadlines.first().map(|(until, _)| *until);
        let until = others.into_iter().chain([first]).flatten().min()?;
        Some(until.saturating_duration_since(Instant::now()))
    }

    /// Reduces memory; returns when to do so again.
    fn tidy(&mut self) -> Option<Instant> {
        if self.ready.is_empty() && self.stacks.free_some() {
            return Some(Instant::now());
        }
        self.trim()
    }

    /// Trims the stacks of tasks that have been suspended for long; returns when to do so again.
    fn trim(&mut self) -> Option<Instant> {
        let mut trimmed = 0;
        loop {
            let (number, suspension, since) = *self.resting.front()?;
            // Others have been resumed since, or will be at once, or have ended.
            let waiting = self.tasks.get_mut(number).filter(|waiting| waiting.suspension == suspension);
            if let Some(Waiting { task: Some(task), is_ready: false, is_untrimmed, .. }) = waiting {
                let are_few = self.untrimmed <= UNTRIMMED;
                if are_few && (trimmed == TRIMMED_AT_ONCE || since.elapsed() < REST) {
                    return Some(since + REST);
                }
                task.trim();
                trimmed += 1;
                self.untrimmed -= usize::from(std::mem::take(is_untrimmed));
            }
            self.resting.pop_front();
        }
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

    /// Resumes the ready tasks, at most for [`ROUND`].
    fn resume_round(&mut self) {
        let begun = Instant::now();
        for turn in 0..self.ready.len() {
            let Some(number) = self.ready.pop_front() else { return };
            self.resume(number, begun);
            // Reading the clock for each task would be slow.
            if turn % 8 == 7 && begun.elapsed() > ROUND {
                return;
            }
        }
    }

    fn resume(&mut self, number: usize, now: Instant) {
        let Some(waiting) = self.tasks.get_mut(number) else { return };
        waiting.is_ready = false;
        for key in waiting.keys.drain(..) {
            self.watchers.remove(&key);
        }
        if let Some(until) = waiting.until.take() {
            self.deadlines.remove(&(until, number));
        }
        let Some(task) = waiting.task.take() else { return };
        self.untrimmed -= usize::from(std::mem::take(&mut waiting.is_untrimmed));
        match task.resume(&mut self.stacks) {
            Step::Finished => drop(self.tasks.remove(number)),
            Step::Suspended(task, wait) => {
                for key in &wait.keys {
                    self.watchers.insert(*key, number);
                }
                if let Some(until) = wait.until {
                    self.deadlines.insert((until, number));
                }
                self.suspensions += 1;
                let suspension = self.suspensions;
                self.resting.push_back((number, suspension, now));
                self.untrimmed += 1;
                let (task, until, keys) = (Some(task), wait.until, wait.keys);
                self.tasks[number] = Waiting { task, until, keys, is_ready: false, is_untrimmed: true, suspension };
            }
        }
    }
}
