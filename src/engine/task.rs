//! One task: a call in its own coroutine. This file has the only unsafe code of the engine.
#![allow(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn)]

use std::cell::Cell;
use std::io;
use std::ptr;
use std::sync::Arc;
use std::time::Instant;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::local;
use super::poller::Poller;
use super::suspend::Wait;

/// The size of a task's stack. Only touched pages take memory; a debug build needs more.
const STACK: usize = if cfg!(debug_assertions) { 1 << 20 } else { 256 << 10 };
/// The maximum number of unused stacks that are kept.
const SPARE_STACKS: usize = 64;

/// The running task, as its own code sees it.
pub struct Current {
    yielder: *const Yielder<(), Wait>,
    poller: Arc<Poller>,
    number: usize,
    since: Cell<Instant>,
}

impl Current {
    /// The poller of its engine.
    pub fn poller(&self) -> &Arc<Poller> {
        &self.poller
    }

    /// Its number in its engine.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Since when it has run without a suspension.
    pub fn since(&self) -> Instant {
        self.since.get()
    }
}

thread_local! {
    /// The task that runs on this thread; NULL if none does.
    static CURRENT: Cell<*const Current> = const { Cell::new(ptr::null()) };
}

/// Whether this code runs in a task.
pub fn is_task() -> bool {
    !CURRENT.with(Cell::get).is_null()
}

/// Runs a function with the task that runs on this thread, if one does.
pub fn with_current<R>(work: impl FnOnce(&Current) -> R) -> Option<R> {
    let current = CURRENT.with(Cell::get);
    // SAFETY: set only while that task runs, and the value is on the task's stack.
    unsafe { current.as_ref() }.map(work)
}

/// Suspends the task on this thread; does nothing on a thread of the host.
pub fn suspend(wait: Wait) {
    let current = CURRENT.with(Cell::get);
    // SAFETY: as in `with_current`.
    let Some(task) = (unsafe { current.as_ref() }) else { return };
    let own = local::replace(None);
    CURRENT.with(|slot| slot.set(ptr::null()));
    // SAFETY: the yielder belongs to the running coroutine and lives as long as it.
    unsafe { &*task.yielder }.suspend(wait);
    CURRENT.with(|slot| slot.set(current));
    task.since.set(Instant::now());
    local::replace(own);
}

/// Runs code of the host on the thread's own stack.
pub fn on_thread_stack<R>(work: impl FnOnce() -> R) -> R {
    let current = CURRENT.with(Cell::get);
    // SAFETY: as in `with_current`.
    let Some(task) = (unsafe { current.as_ref() }) else { return work() };
    // Calls that the host makes from there block the thread, because they do not run in a task.
    let own = local::replace(None);
    CURRENT.with(|slot| slot.set(ptr::null()));
    let work = SameThread(work);
    // SAFETY: as in `suspend`.
    let result = unsafe { &*task.yielder }.on_parent_stack(move || SameThread(work.into_inner()()));
    let result = result.into_inner();
    CURRENT.with(|slot| slot.set(current));
    local::replace(own);
    result
}

/// A value that never leaves its thread; the coroutine library requires `Send`.
struct SameThread<T>(T);

// SAFETY: it moves only between two stacks of the same thread.
unsafe impl<T> Send for SameThread<T> {}

impl<T> SameThread<T> {
    fn into_inner(self) -> T {
        self.0
    }
}

/// A call that has started.
pub struct Task(Coroutine<(), Wait, (), DefaultStack>);

/// The state of a task after a step.
pub enum Step {
    /// It is suspended.
    Suspended(Task, Wait),
    /// It has ended.
    Finished,
}

/// Unused stacks for tasks.
#[derive(Default)]
pub struct Stacks(Vec<DefaultStack>);

impl Stacks {
    /// Returns a kept stack, or a new one.
    pub fn take(&mut self) -> io::Result<DefaultStack> {
        self.0.pop().map_or_else(|| DefaultStack::new(STACK), Ok)
    }

    fn keep(&mut self, stack: DefaultStack) {
        if self.0.len() < SPARE_STACKS {
            self.0.push(stack);
        }
    }
}

impl Task {
    /// A task that does this work; it must not panic.
    pub fn new(stack: DefaultStack, poller: Arc<Poller>, number: usize, work: Box<dyn FnOnce()>) -> Task {
        Task(Coroutine::with_stack(stack, move |yielder: &Yielder<(), Wait>, ()| {
            let current = Current { yielder, poller, number, since: Cell::new(Instant::now()) };
            CURRENT.with(|slot| slot.set(&current));
            work();
            CURRENT.with(|slot| slot.set(ptr::null()));
        }))
    }

    /// Runs it until it waits again or ends.
    pub fn resume(mut self, stacks: &mut Stacks) -> Step {
        match self.0.resume(()) {
            CoroutineResult::Yield(wait) => Step::Suspended(self, wait),
            CoroutineResult::Return(()) => {
                stacks.keep(self.0.into_stack());
                Step::Finished
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(work: impl FnOnce() + 'static) -> usize {
        let mut stacks = Stacks::default();
        let poller = Arc::new(Poller::new().expect("descriptors"));
        let mut task = Task::new(stacks.take().expect("memory"), poller, 7, Box::new(work));
        let mut steps = 0;
        loop {
            assert!(!is_task(), "the engine does not run in a task");
            match task.resume(&mut stacks) {
                Step::Suspended(suspended, _) => task = suspended,
                Step::Finished => return steps,
            }
            steps += 1;
        }
    }

    fn pause() {
        suspend(Wait { until: None, keys: Vec::new() });
    }

    #[test]
    fn a_suspension_saves_the_value_of_the_call() {
        let steps = run(|| {
            local::replace(Some(std::rc::Rc::new(5)));
            pause();
            assert_eq!(local::get().and_then(|value| value.downcast_ref::<i32>().copied()), Some(5));
            on_thread_stack(|| {
                assert!(!is_task() && local::get().is_none());
                pause();
            });
            assert!(is_task());
            assert_eq!(with_current(Current::number), Some(7));
            pause();
            local::replace(None);
        });
        assert_eq!(steps, 2, "code of the host is not suspended");
    }

    #[test]
    fn a_panic_after_a_suspension_is_caught() {
        run(|| {
            let outcome = crate::panics::catch::<()>(|| {
                pause();
                panic!("hunter2")
            });
            let failure = outcome.expect_err("it panics");
            assert!(failure.message().contains("src/engine/task.rs:"), "{}", failure.message());
        });
    }
}
