//! The library's changes to the process: hooks for forks and for its own panics.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::panics;

static PREPARED: AtomicBool = AtomicBool::new(false);

/// Prepares the process when the library is loaded. No thread can be in the library yet, so no fork can
/// interrupt this half-way.
#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".init_array")]
static AT_LOAD: extern "C" fn() = {
    extern "C" fn at_load() {
        prepare();
    }
    at_load
};

/// Prepares the process once. The first export does it if nothing did when the library was loaded.
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
    #[cfg(any(windows, target_vendor = "apple"))]
    stay_loaded();
}

/// Keeps the library loaded, because its threads and hooks outlive the host's handle to it. On other
/// systems `-z nodelete` does this (build.rs).
#[cfg(windows)]
fn stay_loaded() {
    use windows_sys::Win32::System::LibraryLoader::{
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW,
    };
    let (flags, mut module) =
        (GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN, std::ptr::null_mut());
    // SAFETY: with the first flag the name is an address, here one in this library; the handle is a
    // local variable.
    unsafe { GetModuleHandleExW(flags, stay_loaded as *const u16, &mut module) };
}

/// As on Windows: the library is opened a second time and never closed.
#[cfg(target_vendor = "apple")]
fn stay_loaded() {
    let mut found = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: an address in this library, and a local variable, which is filled in if the result is not
    // 0.
    unsafe {
        if libc::dladdr(stay_loaded as *const libc::c_void, found.as_mut_ptr()) != 0 {
            libc::dlopen(found.assume_init().dli_fname, libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
        }
    }
}

/// Whether the process has more rights than the user who started it: set-uid, set-gid, file
/// capabilities.
#[cfg(unix)]
fn runs_with_foreign_rights() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: it only reads a list that the kernel provides.
    let has_more = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    // SAFETY: these only query the kernel.
    let has_more = unsafe { libc::getuid() != libc::geteuid() || libc::getgid() != libc::getegid() };
    has_more
}

/// Gives `fork` memory that the kernel wipes in each child (madvise(2), MADV_WIPEONFORK, Linux 4.14).
/// Reading it detects every fork, even without hooks, and is cheaper than the system call getpid, which
/// is used otherwise.
#[cfg(target_os = "linux")]
fn wiped_memory() {
    use std::ptr::null_mut;
    use std::sync::atomic::AtomicU32;

    const SIZE: usize = size_of::<AtomicU32>();
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping at an address chosen by the kernel; no other memory is affected.
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

/// Installs the hooks of `fork`. They stay for the life of the process, as does the library.
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
    // SAFETY: the hooks are functions of this library, which is never unloaded. After a failure (out of
    // memory) forks work without the hooks.
    unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
}
