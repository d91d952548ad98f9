//! What the library does to the process it lives in: a fork hook, and silence.

use std::cell::{Cell, RefCell};
use std::mem::{self, ManuallyDrop};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::fork;

// Neither needs a destructor, so that both outlast those of the host's: a call may come from one.
thread_local! {
    static INSIDE: Cell<u32> = const { Cell::new(0) };
    static LAST_PANIC: RefCell<ManuallyDrop<String>> = const { RefCell::new(ManuallyDrop::new(String::new())) };
}

static PREPARED: AtomicBool = AtomicBool::new(false);

/// Marks the thread as running our code until dropped.
pub struct Inside;

/// Enters the library: what panics in it is noted, not printed to the host's streams.
pub fn enter() -> Inside {
    prepare();
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
    note_panic(String::new())
}

fn note_panic(place: String) -> String {
    let former = LAST_PANIC.with(|slot| mem::replace(&mut *slot.borrow_mut(), ManuallyDrop::new(place)));
    ManuallyDrop::into_inner(former)
}

/// Prepares the process as soon as the library is loaded: no thread can be in it yet, so that no
/// fork finds this half done.
#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".init_array")]
static AT_LOAD: extern "C" fn() = {
    extern "C" fn at_load() {
        prepare();
    }
    at_load
};

/// Does its work once. Where nothing called it when the library was loaded, the first use does.
fn prepare() {
    if PREPARED.load(Ordering::Relaxed) || PREPARED.swap(true, Ordering::SeqCst) {
        return;
    }
    let others = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let is_ours =
            INSIDE.with(Cell::get) > 0 || thread::current().name().is_some_and(|name| name.starts_with("mailru-"));
        if !is_ours {
            return others(info);
        }
        if let Some(location) = info.location() {
            note_panic(format!(" at {}:{}", location.file(), location.line()));
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

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;
    use std::process::Command;

    use super::*;

    const NAME: &str = "ffi::process::tests::a_panic_of_ours_prints_nothing_and_the_hosts_own_does";

    /// In a process of its own, whose streams are then looked at.
    #[test]
    fn a_panic_of_ours_prints_nothing_and_the_hosts_own_does() {
        if std::env::var_os("MAILRU_TEST_PANIC").is_some() {
            let inside = enter();
            catch_unwind(|| panic!("hunter2")).expect_err("it panics");
            assert!(last_panic().contains("process.rs:"));
            drop(inside);
            let ours = thread::Builder::new().name("mailru-grant".into()).spawn(|| panic!("hunter2"));
            ours.expect("a thread").join().expect_err("it panics");
            thread::spawn(|| panic!("of the host")).join().expect_err("it panics");
            return;
        }
        let program = std::env::current_exe().expect("a test knows its path");
        let output = Command::new(program)
            .args(["--exact", NAME, "--nocapture", "--test-threads=1"])
            .env("MAILRU_TEST_PANIC", "1")
            .output()
            .expect("the program runs");
        let [said, printed] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        assert!(output.status.success() && said.contains("1 passed"), "{said}{printed}");
        assert!(!said.contains("hunter2") && !printed.contains("hunter2"), "{said}{printed}");
        assert_eq!(printed.matches("panicked").count(), 1, "{printed}");
        assert!(printed.contains("of the host"), "{printed}");
    }
}
