//! Forks: what a child may use of its parent's memory.
//!
//! `fork` copies the memory, with every lock in its current state, but only the calling thread. This has two
//! consequences:
//!
//! - A lock that another thread holds stays locked in the child forever. So state that outlives a fork is in a
//!   [`ForkMutex`], whose short sections pass a gate common to all. [`before`] closes the gate and waits for the running
//!   sections; [`after_in_parent`] and [`after_in_child`] open it.
//! - Connections, queues and running calls belong to the process that made them. They are in an [`OfThisProcess`],
//!   which only that process can access.
//!
//! A process is identified by a number that the kernel wipes in a child, or by its process id. So forks without
//! `pthread_atfork` hooks (`_Fork`, `clone`, a fork by a second C library) are noticed too.
#![forbid(unsafe_code)]
// Without forks the gate is never closed.
#![cfg_attr(not(unix), allow(dead_code, unused_imports))]

mod gate;

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use self::gate::{GATE, Passage};
pub use self::gate::{after_in_child, after_in_parent, before, wait_for_others};

/// A number that differs between a process and its child; 0 means none.
type Process = u32;

/// The last number given to this process or to one of its ancestors.
static LAST: AtomicU32 = AtomicU32::new(0);
/// Memory that the kernel fills with zeros in a child (`MADV_WIPEONFORK`), where the system has that.
static WIPED: OnceLock<&'static AtomicU32> = OnceLock::new();
/// On other systems: the number, and the process id for which it was given.
static NUMBERED: AtomicU64 = AtomicU64::new(0);

/// Uses this memory, which the kernel fills with zeros in a child, to identify the process.
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

/// Makes a child a new process even if its memory was not wiped: some emulators accept MADV_WIPEONFORK and ignore it.
fn forget_process() {
    if let Some(number) = WIPED.get() {
        number.store(0, Ordering::Relaxed);
    }
    NUMBERED.store(0, Ordering::Relaxed);
}

/// A value that only the process that made it may use. A child can neither access nor drop it, because a thread that
/// does not exist in the child may hold a lock within it.
pub struct OfThisProcess<T> {
    process: Process,
    /// `None` only while it is dropped.
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

    /// The value, whichever process made it; for values that a child can drop, to close its descriptors.
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
    /// The value; in a child it is replaced by the default first.
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

/// State that is shared by threads and outlives a fork.
///
/// Sections are short, do no I/O, and never nest.
#[derive(Default)]
pub struct ForkMutex<T>(Mutex<T>);

impl<T> ForkMutex<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> ForkMutex<T> {
        ForkMutex(Mutex::new(value))
    }

    /// Runs a section with exclusive access to the value.
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

/// Locks, also after a panic in another section: every section keeps its value consistent at each step.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_belong_to_the_process_that_made_them() {
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
        struct PanicOnDrop;
        impl Drop for PanicOnDrop {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        let mut foreign = OfThisProcess::new(PanicOnDrop);
        foreign.process += 1;
        drop(foreign);
    }

    #[test]
    fn a_process_keeps_its_number() {
        assert_eq!(this_process(), this_process());
        assert_eq!(by_process_id(), by_process_id());
    }
}
