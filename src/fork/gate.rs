//! The gate that every section of a [`super::ForkMutex`] passes, and that a fork shuts.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Process, forget_process, this_process};

/// The one gate of the library.
pub(super) static GATE: Gate = Gate(AtomicU64::new(0));

const SHUT: u64 = 1 << 31;
const SECTIONS: u64 = SHUT - 1;

/// How long a fork in a signal handler waits for a section that may be its own thread's. No section takes so long.
const SECTION_LIMIT: Duration = Duration::from_millis(1);

/// One word: the process whose gate it is in the upper half, then whether it is shut, then how many sections are under
/// way. A word of another process was left by a fork without hooks: the threads that it counts do not exist here.
pub(super) struct Gate(AtomicU64);

/// What a thread has to do with the gate. A signal handler that forks reads it, so each step is announced.
#[derive(Clone, Copy, PartialEq)]
enum Own {
    Outside,
    /// About to be counted, or to be counted no more.
    Uncertain,
    /// Counted as a section of this process.
    Inside(Process),
}

/// Whether this thread shut the gate.
#[derive(Clone, Copy, PartialEq)]
enum Shutter {
    No,
    Yes,
    /// It is about to open it, or did so just now.
    Opening,
}

thread_local! {
    static OWN: Cell<Own> = const { Cell::new(Own::Outside) };
    static SHUTTER: Cell<Shutter> = const { Cell::new(Shutter::No) };
    /// How many forks of this thread are under way: more than one if a handler forks in the middle of a fork.
    static FORKS: Cell<u32> = const { Cell::new(0) };
}

/// How many sections are interrupted by signal handlers that fork: they end only after those forks.
static INTERRUPTED: AtomicU64 = AtomicU64::new(0);

impl Gate {
    /// The word as it was found, and as it counts for this process.
    fn read(&self, process: Process) -> (u64, u64) {
        let found = self.0.load(Ordering::Acquire);
        let own = u64::from(process) << 32;
        (found, if found >> 32 == u64::from(process) { found } else { own })
    }

    fn replace(&self, found: u64, new: u64) -> bool {
        self.0.compare_exchange_weak(found, new, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Shuts the gate and waits for the sections of other threads.
    ///
    /// A signal handler may fork while its own thread is in a section, or in the middle of a fork. It waits neither
    /// for those, nor for the end of another thread's fork, which waits for them.
    fn shut(&self) {
        let process = this_process();
        let interrupts_section = interrupts_section(process);
        let interrupts_fork = FORKS.with(Cell::get) > 1 || SHUTTER.with(Cell::get) != Shutter::No;
        let mut turn = 0;
        loop {
            let (found, current) = self.read(process);
            match current & SHUT {
                0 if self.replace(found, current | SHUT) => {
                    SHUTTER.with(|shutter| shutter.set(Shutter::Yes));
                    break;
                }
                0 => {}
                _ if interrupts_section || interrupts_fork => break,
                _ => wait_a_moment(&mut turn),
            }
            // A signal handler may have forked in between, and left the gate to this fork.
            if SHUTTER.with(Cell::get) == Shutter::Yes {
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

    /// Ends what [`Self::shut`] began.
    fn reopen(&self) {
        if interrupts_section(this_process()) {
            INTERRUPTED.fetch_sub(1, Ordering::AcqRel);
        }
        if FORKS.with(Cell::get) == 0 && SHUTTER.with(Cell::get) == Shutter::Yes {
            SHUTTER.with(|shutter| shutter.set(Shutter::Opening));
            self.0.fetch_and(!SHUT, Ordering::AcqRel);
            SHUTTER.with(|shutter| shutter.set(Shutter::No));
        }
    }
}

/// Whether this thread is, or may be, in a section: then its fork is a signal handler's.
fn interrupts_section(process: Process) -> bool {
    OWN.with(|own| own.get() == Own::Uncertain || own.get() == Own::Inside(process))
}

fn interrupted() -> u64 {
    INTERRUPTED.load(Ordering::Acquire)
}

/// A section's passage through the gate, until dropped.
pub(super) struct Passage<'a> {
    gate: &'a Gate,
    /// The process in which it is counted; none for a handler of this thread's fork, which shut the gate itself.
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
            // Asked at each turn: a signal handler may fork in between.
            let process = this_process();
            let (found, current) = gate.read(process);
            let is_open = current & SHUT == 0;
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
        // A child in which a section of the parent ends does not count it.
        let _ = self.gate.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |current| {
            (current >> 32 == u64::from(process)).then(|| current - 1)
        });
        OWN.with(|own| own.set(Own::Outside));
    }
}

/// Waits for what another thread does in less than a moment, or for the length of a fork.
fn wait_a_moment(turn: &mut u32) {
    *turn += 1;
    if *turn < 64 { thread::yield_now() } else { thread::sleep(Duration::from_micros(50)) }
}

/// Before the host forks, on the forking thread: waits for the sections under way, lets none begin.
pub fn before() {
    FORKS.with(|forks| forks.set(forks.get() + 1));
    GATE.shut();
}

/// After the fork, in the parent, on the same thread.
pub fn after_in_parent() {
    FORKS.with(|forks| forks.set(forks.get().saturating_sub(1)));
    GATE.reopen();
}

/// After the fork, in the child, on its only thread.
pub fn after_in_child() {
    forget_process();
    INTERRUPTED.store(0, Ordering::Release);
    GATE.0.store(u64::from(this_process()) << 32, Ordering::Release);
    FORKS.with(|forks| forks.set(0));
    SHUTTER.with(|shutter| shutter.set(Shutter::No));
}

/// Waits for what another thread of the library does. A fork's handler that calls the library may come to such a
/// wait: the gate is open meanwhile, or the other thread could never do it.
pub fn wait_for_others<R>(wait: impl FnOnce() -> R) -> R {
    if SHUTTER.with(Cell::get) != Shutter::Yes {
        return wait();
    }
    let forks = FORKS.with(|forks| forks.replace(0));
    GATE.reopen();
    let result = wait();
    FORKS.with(|own| own.set(forks));
    GATE.shut();
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
                    gate.shut();
                    gate.reopen();
                });
            }
        });
        assert_eq!(gate.read(this_process()).1 & (SECTIONS | SHUT), 0);
    }

    #[test]
    fn sections_of_threads_that_a_fork_left_behind_do_not_count() {
        let gate = Gate(AtomicU64::new(u64::from(this_process() + 1) << 32 | SHUT | 5));
        drop(Passage::enter(&gate));
        gate.shut();
        gate.reopen();
        assert_eq!(gate.read(this_process()).1 & (SECTIONS | SHUT), 0);
    }
}
