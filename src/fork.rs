//! Fork: no lock of the library may be held by a thread that the child does not have.
//!
//! `fork` copies the memory with every lock in the state it had, but only the calling thread. A lock
//! that another thread held stays locked in the child for ever. So all long-lived state stands in
//! [`ForkMutex`], whose short sections first pass one gate. The boundary calls [`before`] and
//! [`after_in_parent`] or [`after_in_child`] around each fork of the host: the gate is shut while
//! the memory is copied, and no section can be under way then.
//!
//! State of a single call (its time limit, its socket, what it waits for) needs no such care: the
//! threads of the calls do not exist in the child. What refers to such state is recognised by its
//! [`generation`] and left alone.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};

static GATE: RwLock<()> = RwLock::new(());
static GENERATION: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static SHUT: RefCell<Option<RwLockWriteGuard<'static, ()>>> = const { RefCell::new(None) };
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// How many forks lie between the first process and this one; a change says "made before the fork".
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Before the host forks, on the forking thread: waits for the sections under way, lets none begin.
pub fn before() {
    let shut = GATE.write().unwrap_or_else(PoisonError::into_inner);
    // Fails only in a thread that has all but ended; then the gate opens again at once.
    let _ = SHUT.try_with(|slot| *slot.borrow_mut() = Some(shut));
}

/// After the fork, in the parent, on the same thread.
pub fn after_in_parent() {
    let _ = SHUT.try_with(|slot| drop(slot.borrow_mut().take()));
}

/// After the fork, in the child, on its only thread.
pub fn after_in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    let _ = SHUT.try_with(|slot| drop(slot.borrow_mut().take()));
}

/// State that many threads share and that outlives a fork.
///
/// Sections are short, do no I/O, and never nest: inside one, a second could wait for a fork that
/// waits for the first.
#[derive(Default)]
pub struct ForkMutex<T>(Mutex<T>);

impl<T> ForkMutex<T> {
    /// Puts a value under guard.
    pub const fn new(value: T) -> ForkMutex<T> {
        ForkMutex(Mutex::new(value))
    }

    /// Runs a section with the value to itself.
    pub fn with<R>(&self, section: impl FnOnce(&mut T) -> R) -> R {
        struct Inside;
        impl Drop for Inside {
            fn drop(&mut self) {
                INSIDE.with(|inside| inside.set(false));
            }
        }
        debug_assert!(!INSIDE.with(|inside| inside.replace(true)), "guarded sections do not nest");
        let _inside = Inside;
        let _open = GATE.read().unwrap_or_else(PoisonError::into_inner);
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
