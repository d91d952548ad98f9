//! What the library does to the process it lives in: it hooks forks and notes its own panics.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::panics;

static PREPARED: AtomicBool = AtomicBool::new(false);

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
pub fn prepare() {
    if PREPARED.load(Ordering::Relaxed) || PREPARED.swap(true, Ordering::SeqCst) {
        return;
    }
    panics::install_hook();
    #[cfg(unix)]
    if runs_with_foreign_rights() {
        crate::environment::distrust();
    }
    #[cfg(target_os = "linux")]
    wiped_memory();
    #[cfg(unix)]
    hook_fork();
}

/// Whether the process has rights that whoever started it has not: set-uid, set-gid, capabilities of the file.
#[cfg(unix)]
fn runs_with_foreign_rights() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: it only looks into a list that the kernel gave.
    let has_more = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    // SAFETY: these only ask the kernel.
    let has_more = unsafe { libc::getuid() != libc::geteuid() || libc::getgid() != libc::getegid() };
    has_more
}

/// Gives `fork` memory that the kernel wipes in each child (madvise(2), MADV_WIPEONFORK, Linux 4.14): one load shows a
/// fork, also one that runs no hooks, where getpid would be a system call. Without it the process id serves.
#[cfg(target_os = "linux")]
fn wiped_memory() {
    use std::ptr::null_mut;
    use std::sync::atomic::AtomicU32;

    const SIZE: usize = size_of::<AtomicU32>();
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping at a place of the kernel's choice; nothing else is touched.
    let memory = unsafe { libc::mmap(null_mut(), SIZE, access, kind, -1, 0) };
    if memory == libc::MAP_FAILED {
        return;
    }
    // SAFETY: the mapping was made above, and nothing refers to it yet.
    if unsafe { libc::madvise(memory, SIZE, libc::MADV_WIPEONFORK) } != 0 {
        // SAFETY: as above.
        unsafe { libc::munmap(memory, SIZE) };
        return;
    }
    // SAFETY: aligned to a page, filled with zeros, which is a valid value, and never unmapped.
    crate::fork::use_wiped_memory(unsafe { &*memory.cast::<AtomicU32>() });
}

/// See `fork` for what the hooks are good for. They stay for the life of the process, and so does
/// the library: it is linked with `-z nodelete`.
#[cfg(unix)]
fn hook_fork() {
    use crate::fork;

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
