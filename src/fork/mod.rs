//! Forks: what a child may use of the memory that it got from its parent.
//!
//! `fork` copies the memory with every lock in the state that it had, but only the calling thread. Two things follow,
//! and each has one answer here.
//!
//! - A lock that another thread held stays locked in the child for ever. So state that outlives a fork stands in a
//!   [`ForkMutex`], whose short sections first pass one gate. [`before`] shuts the gate and waits for the sections
//!   under way; [`after_in_parent`] and [`after_in_child`] open it.
//! - Connections, queues and calls under way belong to the process that made them. They stand in an
//!   [`OfThisProcess`], which shows them to that process alone.
//!
//! A process is known by a number that the kernel wipes in a child, or by its process id, so that forks which run no
//! `pthread_atfork` hooks (`_Fork`, `clone`, a second C library's) are noticed too.
#![forbid(unsafe_code)]
// Without a fork nobody shuts the gate.
#![cfg_attr(not(unix), allow(dead_code, unused_imports))]

mod gate;

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use self::gate::{GATE, Passage};
pub use self::gate::{after_in_child, after_in_parent, before, wait_for_others};

/// A number that differs between a process and its child; 0 is none.
type Process = u32;

/// The last number given to a process in this line of descent.
static LAST: AtomicU32 = AtomicU32::new(0);
/// Memory that the kernel fills with zeros in a child (`MADV_WIPEONFORK`), where the system has that.
static WIPED: OnceLock<&'static AtomicU32> = OnceLock::new();
/// What stands in for it elsewhere: the number, and the process id for which it was given.
static NUMBERED: AtomicU64 = AtomicU64::new(0);

/// Uses this memory, which the kernel fills with zeros in a child, to know one process from another.
#[cfg(target_os = "linux")]
pub fn use_wiped_memory(number: &'static AtomicU32) {
    let _ = WIPED.set(number);
}

/// The number of this process.
fn this_process() -> Process {
    let Some(number) = WIPED.get() else { return by_process_id() };
    match number.load(Ordering::Relaxed) {
        0 => {
            let new = LAST.fetch_add(1, Ordering::Relaxed) + 1;
            match number.compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => new,
                Err(given) => given,
            }
        }
        given => given,
    }
}

fn by_process_id() -> Process {
    let id = std::process::id();
    let numbered = NUMBERED.load(Ordering::Relaxed);
    if numbered >> 32 == u64::from(id) && numbered as u32 != 0 {
        return numbered as u32;
    }
    let new = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    let renumbered = u64::from(id) << 32 | u64::from(new);
    match NUMBERED.compare_exchange(numbered, renumbered, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => new,
        Err(given) => given as u32,
    }
}

/// Has a child count as a new process, also where its memory was not wiped: some emulators only say that they do.
fn forget_process() {
    if let Some(number) = WIPED.get() {
        number.store(0, Ordering::Relaxed);
    }
    NUMBERED.store(0, Ordering::Relaxed);
}

/// A value that only the process which made it may use: a child neither sees it nor drops it, since a lock within
/// it may be held by a thread that the child does not have.
pub struct OfThisProcess<T> {
    process: Process,
    /// Absent only while it is dropped.
    value: Option<T>,
}

impl<T> OfThisProcess<T> {
    /// A value of this process.
    pub fn new(value: T) -> OfThisProcess<T> {
        OfThisProcess { process: this_process(), value: Some(value) }
    }

    /// The value, or `None` in a child of the process that made it.
    pub fn get(&self) -> Option<&T> {
        self.value.as_ref().filter(|_| self.is_here())
    }

    /// As [`Self::get`], to change it.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        let is_here = self.is_here();
        self.value.as_mut().filter(|_| is_here)
    }

    /// Whether this process made it.
    pub fn is_here(&self) -> bool {
        self.process == this_process()
    }

    /// The value, whichever process made it: for one that a child can drop, and so close its descriptors.
    pub fn into_inner(mut self) -> Option<T> {
        self.value.take()
    }
}

impl<T: Default> Default for OfThisProcess<T> {
    fn default() -> Self {
        OfThisProcess::new(T::default())
    }
}

impl<T: Default> OfThisProcess<T> {
    /// The value to change; in a child it begins anew.
    pub fn get_or_renew(&mut self) -> &mut T {
        if !self.is_here() {
            *self = OfThisProcess::default();
        }
        self.value.get_or_insert_default()
    }
}

impl<T> Drop for OfThisProcess<T> {
    fn drop(&mut self) {
        if !self.is_here() {
            std::mem::forget(self.value.take());
        }
    }
}

/// State that many threads share and that outlives a fork.
///
/// Sections are short, do no I/O, and never nest.
#[derive(Default)]
pub struct ForkMutex<T>(Mutex<T>);

impl<T> ForkMutex<T> {
    /// Takes a value into its care.
    pub const fn new(value: T) -> ForkMutex<T> {
        ForkMutex(Mutex::new(value))
    }

    /// Runs a section with the value to itself.
    pub fn with<R>(&self, section: impl FnOnce(&mut T) -> R) -> R {
        let _passage = Passage::enter(&GATE);
        section(&mut lock(&self.0))
    }
}

impl<T> fmt::Debug for ForkMutex<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ForkMutex(…)")
    }
}

/// Locks, going on after a panic elsewhere: every section leaves its value whole at each step.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_of_the_process_that_made_them() {
        let mut own = OfThisProcess::new(vec![7]);
        assert!(own.is_here());
        assert_eq!(own.get(), Some(&vec![7]));
        own.process += 1;
        assert_eq!(own.get(), None);
        assert_eq!(own.get_mut(), None);
        assert_eq!(own.get_or_renew(), &Vec::<i32>::new());
        assert!(own.is_here());
    }

    #[test]
    fn a_foreign_value_is_not_dropped() {
        struct Loud;
        impl Drop for Loud {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        let mut foreign = OfThisProcess::new(Loud);
        foreign.process += 1;
        drop(foreign);
    }

    #[test]
    fn a_process_keeps_its_number() {
        assert_eq!(this_process(), this_process());
        assert_eq!(by_process_id(), by_process_id());
    }
}
