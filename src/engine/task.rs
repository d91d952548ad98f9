//! One task: a call in its own coroutine. This file has the only unsafe code of the engine.
#![allow(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn)]

use std::cell::Cell;
use std::io;
use std::ops::Range;
use std::ptr;
use std::sync::Arc;
use std::time::Instant;

use corosensei::stack::{DefaultStack, Stack};
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::local;
use super::poller::Poller;
use super::suspend::Wait;

/// The size of a task's stack. Only touched pages take memory; a debug build needs more.
const STACK: usize = if cfg!(debug_assertions) { 1 << 20 } else { 256 << 10 };
/// The number of unused stacks that are kept while there is nothing to do.
const SPARE_STACKS: usize = 64;
/// The maximum number of unused stacks that are freed at once.
const FREED_AT_ONCE: usize = 16;
/// More than what the frames of a suspension take below [`stack_pointer`].
const FRAMES: usize = if cfg!(debug_assertions) { 8 << 10 } else { 1 << 10 };

/// The running task, as its own code sees it.
pub struct Current {
    yielder: *const Yielder<(), Suspension>,
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
    unsafe { &*task.yielder }.suspend(Suspension { wait, pointer: stack_pointer() });
    CURRENT.with(|slot| slot.set(current));
    task.since.set(Instant::now());
    local::replace(own);
}

/// An address below the caller's frame.
#[inline(never)]
fn stack_pointer() -> usize {
    let here = 0_u8;
    std::hint::black_box(&raw const here).addr()
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

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its stack is freed at once, so that many calls that end need no more memory than those in flight.
    Usual,
    /// Many may end together, such as cancelled ones, whose outcomes are awaited: stacks are freed afterwards, because
    /// to free one takes as long as to close a connection.
    Hurried,
}

/// A call that has started.
pub struct Task {
    coroutine: Coroutine<(), Suspension, End, DefaultStack>,
    /// The lowest address of its stack, the guard page included, and the highest.
    stack: Range<usize>,
    /// Where its frames ended when it was suspended last.
    pointer: usize,
}

/// What a task waits for, and where its frames end.
struct Suspension {
    wait: Wait,
    pointer: usize,
}

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

    /// Frees some of the unused stacks; returns whether there are more to free.
    pub fn free_some(&mut self) -> bool {
        self.0.truncate(self.0.len().saturating_sub(FREED_AT_ONCE).max(SPARE_STACKS));
        self.0.len() > SPARE_STACKS
    }

    fn keep(&mut self, stack: DefaultStack, end: End) {
        if self.0.len() < SPARE_STACKS || end == End::Hurried {
            self.0.push(stack);
        }
    }
}

impl Task {
    /// A task that does this work; it must not panic.
    pub fn new(stack: DefaultStack, poller: Arc<Poller>, number: usize, work: Box<dyn FnOnce() -> End>) -> Task {
        let addresses = stack.limit().get()..stack.base().get();
        let coroutine = Coroutine::with_stack(stack, move |yielder: &Yielder<(), Suspension>, ()| {
            let current = Current { yielder, poller, number, since: Cell::new(Instant::now()) };
            CURRENT.with(|slot| slot.set(&current));
            let end = work();
            CURRENT.with(|slot| slot.set(ptr::null()));
            end
        });
        Task { coroutine, pointer: addresses.start, stack: addresses }
    }

    /// Runs it until it waits again or ends.
    pub fn resume(mut self, stacks: &mut Stacks) -> Step {
        match self.coroutine.resume(()) {
            CoroutineResult::Yield(Suspension { wait, pointer }) => {
                self.pointer = pointer;
                Step::Suspended(self, wait)
            }
            CoroutineResult::Return(end) => {
                stacks.keep(self.coroutine.into_stack(), end);
                Step::Finished
            }
        }
    }

    /// Returns the memory of the stack below its frames to the system. A call waits with less stack than it needed
    /// before, for example for a TLS handshake.
    pub fn trim(&mut self) {
        // SAFETY: it only returns a number.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(64 << 10);
        // Under some tools, the address is not one of the stack.
        let end = if self.stack.contains(&self.pointer) { self.pointer.saturating_sub(FRAMES) } else { 0 };
        let unused = self.stack.start + page..end - end % page;
        if unused.is_empty() {
            return;
        }
        let begin = ptr::without_provenance_mut(unused.start);
        // SAFETY: whole pages of this task's stack, without the guard page. The task does not run, and its frames are
        // above. The kernel provides new pages when they are touched; an error changes nothing.
        unsafe { libc::madvise(begin, unused.len(), libc::MADV_DONTNEED) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(work: impl FnOnce() + 'static) -> Box<dyn FnOnce() -> End> {
        Box::new(|| {
            work();
            End::Usual
        })
    }

    fn run(work: impl FnOnce() + 'static) -> usize {
        let mut stacks = Stacks::default();
        let poller = Arc::new(Poller::new().expect("descriptors"));
        let mut task = Task::new(stacks.take().expect("memory"), poller, 7, ended(work));
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

    /// Touches much of the stack, and returns.
    #[inline(never)]
    fn use_stack() {
        std::hint::black_box([1_u8; 100 << 10]);
    }

    #[test]
    fn stacks_of_cancelled_calls_are_freed_afterwards() {
        let mut stacks = Stacks::default();
        let taken: Vec<_> = (0..100).map(|_| stacks.take().expect("memory")).collect();
        taken.into_iter().for_each(|stack| stacks.keep(stack, End::Hurried));
        assert_eq!(stacks.0.len(), 100);
        let more = [stacks.free_some(), stacks.free_some(), stacks.free_some()];
        assert_eq!((more, stacks.0.len()), ([true, true, false], SPARE_STACKS));
        let another = DefaultStack::new(STACK).expect("memory");
        stacks.keep(another, End::Usual);
        assert_eq!(stacks.0.len(), SPARE_STACKS);
    }

    #[test]
    fn a_trimmed_task_goes_on_with_less_memory() {
        let poller = Arc::new(Poller::new().expect("descriptors"));
        let mut stacks = Stacks::default();
        let work = || {
            let own = std::hint::black_box([7_u64; 1000]);
            for _ in 0..3 {
                use_stack();
                pause();
                assert!(own.iter().all(|word| *word == 7));
            }
        };
        let mut task = Task::new(stacks.take().expect("memory"), poller, 1, ended(work));
        while let Step::Suspended(mut suspended, _) = task.resume(&mut stacks) {
            let before = resident(&suspended.stack);
            suspended.trim();
            let after = resident(&suspended.stack);
            assert!(before > 100 << 10 && after < 40 << 10, "{before} bytes, then {after}");
            task = suspended;
        }
    }

    /// How much of a stack is in memory. The kernel may count a neighbouring mapping to the same area, so pages are asked.
    fn resident(stack: &Range<usize>) -> usize {
        // SAFETY: a question without memory.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).expect("a size");
        let mut pages = vec![0_u8; stack.len() / page];
        let start = ptr::with_exposed_provenance_mut(stack.start);
        // SAFETY: the stack is mapped, and there is a byte for each of its pages.
        assert_eq!(unsafe { libc::mincore(start, stack.len(), pages.as_mut_ptr()) }, 0);
        pages.iter().filter(|&&page| page & 1 != 0).count() * page
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
