//! The gate that every section of a [`super::ForkMutex`] passes, and that a fork closes.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Process, forget_process, this_process};

/// The one gate of the library.
pub(super) static GATE: Gate = Gate(AtomicU64::new(0));

const CLOSED: u64 = 1 << 31;
const SECTIONS: u64 = CLOSED - 1;

/// How long a fork in a signal handler waits for a section that its own thread may be in. No section takes that long.
const SECTION_LIMIT: Duration = Duration::from_millis(1);

/// One word: the process in the upper half, then a bit that says whether the gate is closed, then the number of running
/// sections. A fork without hooks leaves the word of the parent, whose threads do not exist in the child.
pub(super) struct Gate(AtomicU64);

/// The state of a thread at the gate. It is set before each step, because a signal handler that forks reads it.
#[derive(Clone, Copy, PartialEq)]
enum Own {
    Outside,
    /// About to be counted, or about to be no longer counted.
    Uncertain,
    /// Counted as a section of this process.
    Inside(Process),
}

/// Whether this thread closed the gate.
#[derive(Clone, Copy, PartialEq)]
enum Closer {
    No,
    Yes,
    /// It is about to open the gate, or has just opened it.
    Opening,
}

thread_local! {
    static OWN: Cell<Own> = const { Cell::new(Own::Outside) };
    static CLOSER: Cell<Closer> = const { Cell::new(Closer::No) };
    /// The number of this thread's running forks: more than one if a handler forks during a fork.
    static FORKS: Cell<u32> = const { Cell::new(0) };
}

/// The number of sections interrupted by signal handlers that fork; they end only after those forks.
static INTERRUPTED: AtomicU64 = AtomicU64::new(0);

impl Gate {
    /// The word as stored, and as it applies to this process.
    fn read(&self, process: Process) -> (u64, u64) {
        let found = self.0.load(Ordering::Acquire);
        let own = u64::from(process) << 32;
        (found, if found >> 32 == u64::from(process) { found } else { own })
    }

    fn replace(&self, found: u64, new: u64) -> bool {
        self.0.compare_exchange_weak(found, new, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Closes the gate and waits for the sections of other threads.
    ///
    /// A signal handler may fork while its own thread is in a section or in a fork. It waits neither for these nor for
    /// the end of another thread's fork, which itself waits for these.
    fn close(&self) {
        let process = this_process();
        let interrupts_section = interrupts_section(process);
        let interrupts_fork = FORKS.with(Cell::get) > 1 || CLOSER.with(Cell::get) != Closer::No;
        let mut turn = 0;
        loop {
            let (found, current) = self.read(process);
            match current & CLOSED {
                0 if self.replace(found, current | CLOSED) => {
                    CLOSER.with(|closer| closer.set(Closer::Yes));
                    break;
                }
                0 => {}
                _ if interrupts_section || interrupts_fork => break,
                _ => wait_a_moment(&mut turn),
            }
            // A signal handler may have forked meanwhile and left the gate to this fork.
            if CLOSER.with(Cell::get) == Closer::Yes {
                break;
            }
        }
        if !interrupts_section {
            while self.sections(process) > 0 && !(interrupts_fork && self.sections(process) <= interrupted()) {
                wait_a_moment(&mut turn);
            }
            return;
        }
        INTERRUPTED.fetch_add(1, Ordering::AcqRel);
        let begun = Instant::now();
        while self.sections(process) > interrupted()
            || (OWN.with(Cell::get) == Own::Uncertain && self.sections(process) > 0 && begun.elapsed() < SECTION_LIMIT)
        {
            wait_a_moment(&mut turn);
        }
    }

    fn sections(&self, process: Process) -> u64 {
        self.read(process).1 & SECTIONS
    }

    /// Undoes [`Self::close`].
    fn reopen(&self) {
        if interrupts_section(this_process()) {
            INTERRUPTED.fetch_sub(1, Ordering::AcqRel);
        }
        if FORKS.with(Cell::get) == 0 && CLOSER.with(Cell::get) == Closer::Yes {
            CLOSER.with(|closer| closer.set(Closer::Opening));
            self.0.fetch_and(!CLOSED, Ordering::AcqRel);
            CLOSER.with(|closer| closer.set(Closer::No));
        }
    }
}

/// Whether this thread is, or may be, in a section: then a fork on it comes from a signal handler.
fn interrupts_section(process: Process) -> bool {
    OWN.with(|own| own.get() == Own::Uncertain || own.get() == Own::Inside(process))
}

fn interrupted() -> u64 {
    INTERRUPTED.load(Ordering::Acquire)
}

/// A section's entry into the gate, until dropped.
pub(super) struct Passage<'a> {
    gate: &'a Gate,
    /// The process in which it is counted; `None` in an atfork handler of this thread's fork, which closed the gate
    /// itself.
    counted: Option<Process>,
}

impl<'a> Passage<'a> {
    pub(super) fn enter(gate: &'a Gate) -> Passage<'a> {
        if FORKS.with(Cell::get) > 0 {
            return Passage { gate, counted: None };
        }
        debug_assert!(OWN.with(Cell::get) == Own::Outside, "sections do not nest");
        let mut turn = 0;
        loop {
            OWN.with(|own| own.set(Own::Uncertain));
            // Read in each iteration: a signal handler may fork in between.
            let process = this_process();
            let (found, current) = gate.read(process);
            let is_open = current & CLOSED == 0;
            if is_open && gate.replace(found, current + 1) {
                OWN.with(|own| own.set(Own::Inside(process)));
                return Passage { gate, counted: Some(process) };
            }
            OWN.with(|own| own.set(Own::Outside));
            if !is_open {
                wait_a_moment(&mut turn);
            }
        }
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        let Some(process) = self.counted else { return };
        OWN.with(|own| own.set(Own::Uncertain));
        // In a child the end of a parent's section is not counted.
        let _ = self.gate.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |current| {
            (current >> 32 == u64::from(process)).then(|| current - 1)
        });
        OWN.with(|own| own.set(Own::Outside));
    }
}

/// Waits a short time for another thread: for the end of a section or of a fork.
fn wait_a_moment(turn: &mut u32) {
    *turn += 1;
    if *turn < 64 { thread::yield_now() } else { thread::sleep(Duration::from_micros(50)) }
}

/// Called before the host forks, on the forking thread: waits for the running sections and prevents new ones.
pub fn before() {
    FORKS.with(|forks| forks.set(forks.get() + 1));
    GATE.close();
}

/// Called after the fork, in the parent, on the same thread.
pub fn after_in_parent() {
    FORKS.with(|forks| forks.set(forks.get().saturating_sub(1)));
    GATE.reopen();
}

/// Called after the fork, in the child, on its only thread.
pub fn after_in_child() {
    forget_process();
    INTERRUPTED.store(0, Ordering::Release);
    GATE.0.store(u64::from(this_process()) << 32, Ordering::Release);
    FORKS.with(|forks| forks.set(0));
    CLOSER.with(|closer| closer.set(Closer::No));
}

/// Waits for another thread of the library. An atfork handler that calls the library may wait here: the gate is opened
/// meanwhile, because otherwise the other thread could never continue.
pub fn wait_for_others<R>(wait: impl FnOnce() -> R) -> R {
    if CLOSER.with(Cell::get) != Closer::Yes {
        return wait();
    }
    let forks = FORKS.with(|forks| forks.replace(0));
    GATE.reopen();
    let result = wait();
    FORKS.with(|own| own.set(forks));
    GATE.close();
    result
}

#[cfg(test)]
mod tests {
    use super::super::ForkMutex;
    use super::*;

    #[test]
    fn a_handler_of_the_own_fork_uses_the_library_and_forks() {
        let state = ForkMutex::new(0);
        before();
        state.with(|value| *value += 1);
        before();
        after_in_parent();
        state.with(|value| *value += 1);
        after_in_parent();
        assert_eq!(state.with(|value| *value), 2);
    }

    #[test]
    fn a_wait_for_another_thread_opens_the_gate() {
        let state = ForkMutex::new(0);
        before();
        thread::scope(|scope| {
            let other = scope.spawn(|| state.with(|value| *value += 1));
            wait_for_others(|| other.join().expect("no panic"));
        });
        after_in_parent();
        assert_eq!(state.with(|value| *value), 1);
    }

    #[test]
    fn a_fork_in_a_signal_handler_does_not_wait_for_its_own_section() {
        let state = ForkMutex::new(0);
        state.with(|value| {
            before();
            after_in_parent();
            *value += 1;
        });
        OWN.with(|own| own.set(Own::Uncertain));
        before();
        after_in_parent();
        OWN.with(|own| own.set(Own::Outside));
        assert_eq!(state.with(|value| *value), 1);
    }

    #[test]
    fn two_forks_in_signal_handlers_do_not_wait_for_each_other() {
        let gate = Gate(AtomicU64::new(0));
        let inside = std::sync::Barrier::new(2);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let _passage = Passage::enter(&gate);
                    inside.wait();
                    gate.close();
                    gate.reopen();
                });
            }
        });
        assert_eq!(gate.read(this_process()).1 & (SECTIONS | CLOSED), 0);
    }

    #[test]
    fn sections_of_threads_that_exist_only_in_the_parent_do_not_count() {
        let gate = Gate(AtomicU64::new(u64::from(this_process() + 1) << 32 | CLOSED | 5));
        drop(Passage::enter(&gate));
        gate.close();
        gate.reopen();
        assert_eq!(gate.read(this_process()).1 & (SECTIONS | CLOSED), 0);
    }
}
