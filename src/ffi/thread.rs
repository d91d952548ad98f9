//! The host's threads inside the library: they cannot be cancelled there, and callbacks must return.
//!
//! A foreign unwinding or jump through Rust's functions skips their clean-up, on which the rest of the
//! process relies. A cancellation is delayed; in all other cases ending the process is the only safe
//! outcome.

/// Delays a cancellation (pthread_cancel) of this thread until dropped. Bionic and Windows have no
/// cancellation.
pub struct Uncancellable {
    #[cfg(all(unix, not(target_os = "android")))]
    previous: std::ffi::c_int,
}

impl Uncancellable {
    pub fn new() -> Uncancellable {
        Uncancellable {
            #[cfg(all(unix, not(target_os = "android")))]
            previous: cancellation::set(cancellation::DISABLED),
        }
    }
}

impl Drop for Uncancellable {
    fn drop(&mut self) {
        #[cfg(all(unix, not(target_os = "android")))]
        cancellation::set(self.previous);
    }
}

/// The current stack position of this thread, roughly.
pub fn stack_position() -> usize {
    let here = 0_u8;
    std::hint::black_box(std::ptr::from_ref(&here)).addr()
}

/// Calls a function of the host.
///
/// An exception ends the process, because Rust lets none pass. Other ways out that the C library
/// reports (longjmp and pthread_exit with glibc, pthread_exit with musl) end it here.
pub fn call_host(call: impl FnOnce()) {
    crate::engine::on_thread_stack(|| {
        #[cfg(all(target_os = "linux", any(target_env = "gnu", target_env = "musl")))]
        unwinding::end_process_unless_returned(call);
        #[cfg(not(all(target_os = "linux", any(target_env = "gnu", target_env = "musl"))))]
        call();
        // The host may have enabled cancellation, also on a thread of the library.
        #[cfg(all(unix, not(target_os = "android")))]
        cancellation::set(cancellation::DISABLED);
    });
}

#[cfg(all(unix, not(target_os = "android")))]
mod cancellation {
    use std::ffi::c_int;

    /// `PTHREAD_CANCEL_DISABLE`, which the libc crate has for few systems.
    pub const DISABLED: c_int = if cfg!(target_vendor = "apple") { 0 } else { 1 };

    unsafe extern "C" {
        fn pthread_setcancelstate(state: c_int, previous: *mut c_int) -> c_int;
    }

    /// Sets this thread's cancellation state and returns the previous one.
    pub fn set(state: c_int) -> c_int {
        let mut previous = state;
        // SAFETY: `previous` is a local variable; a wrong state would be refused.
        unsafe { pthread_setcancelstate(state, &mut previous) };
        previous
    }
}

#[cfg(all(target_os = "linux", any(target_env = "gnu", target_env = "musl")))]
mod unwinding {
    use std::ffi::c_void;
    use std::mem::MaybeUninit;
    use std::ptr::null_mut;

    /// The C library's record of a clean-up handler: four words with glibc, three with musl.
    type Record = MaybeUninit<[usize; 4]>;

    // The functions behind the macro `pthread_cleanup_push` of <pthread.h>; with glibc those of the
    // variant without exceptions.
    unsafe extern "C" {
        fn _pthread_cleanup_push(record: *mut Record, handler: extern "C" fn(*mut c_void), argument: *mut c_void);
        fn _pthread_cleanup_pop(record: *mut Record, execute: std::ffi::c_int);
    }

    pub fn end_process_unless_returned(call: impl FnOnce()) {
        let mut record = Record::uninit();
        // SAFETY: the record outlives the call, after which it is removed; both happen in this
        // function, as POSIX requires.
        unsafe {
            _pthread_cleanup_push(&mut record, left_without_returning, null_mut());
            call();
            _pthread_cleanup_pop(&mut record, 0);
        }
    }

    extern "C" fn left_without_returning(_: *mut c_void) {
        const WHY: &[u8] =
            b"libmailru: a callback was left by longjmp, pthread_exit or the like instead of returning; \
            this process ends\n";
        // SAFETY: a constant's bytes. A failure cannot be reported to anyone.
        unsafe {
            libc::write(libc::STDERR_FILENO, WHY.as_ptr().cast(), WHY.len());
            libc::abort();
        }
    }
}
