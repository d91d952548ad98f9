//! What the library does to the process it lives in: a fork hook, and silence.

use std::cell::{Cell, RefCell};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::fork;

thread_local! {
    static INSIDE: Cell<u32> = const { Cell::new(0) };
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

static PREPARED: AtomicBool = AtomicBool::new(false);

/// Marks the thread as running our code until dropped.
pub struct Inside;

/// Enters the library: what panics in it is noted, not printed to the host's streams.
pub fn enter() -> Inside {
    if !PREPARED.swap(true, Ordering::SeqCst) {
        prepare();
    }
    INSIDE.with(|depth| depth.set(depth.get() + 1));
    Inside
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.with(|depth| depth.set(depth.get() - 1));
    }
}

/// Where this thread's last panic was, as a phrase.
pub fn last_panic() -> String {
    LAST_PANIC.with(|place| std::mem::take(&mut *place.borrow_mut()))
}

fn prepare() {
    let others = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let is_ours =
            INSIDE.with(Cell::get) > 0 || thread::current().name().is_some_and(|name| name.starts_with("mailru-"));
        if !is_ours {
            return others(info);
        }
        if let Some(location) = info.location() {
            LAST_PANIC.with(|place| *place.borrow_mut() = format!(" at {}:{}", location.file(), location.line()));
        }
    }));
    #[cfg(unix)]
    hook_fork();
}

/// See `fork` for what the hooks are good for. They stay for the life of the process, and so does
/// the library: it is linked with `-z nodelete`.
#[cfg(unix)]
fn hook_fork() {
    extern "C" fn before() {
        fork::before();
    }
    extern "C" fn in_parent() {
        fork::after_in_parent();
    }
    extern "C" fn in_child() {
        fork::after_in_child();
    }
    // SAFETY: the hooks are functions of this library, which is never unloaded. A failure (out of
    // memory) leaves the process as able to fork as without the hook.
    unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
}
