//! Threads on their way through the library: those of the host's cannot be cancelled inside it, and callbacks return.
//!
//! Whatever unwinds through Rust's functions from outside, or jumps over them, skips the clean-up on which the rest of
//! the process relies. A cancellation can wait; for the rest, ending the process is the only safe outcome.

/// Until dropped, a cancellation (pthread_cancel) of this thread waits. Bionic and Windows have none.
pub struct Uncancellable {
    #[cfg(all(unix, not(target_os = "android")))]
    former: std::ffi::c_int,
}

impl Uncancellable {
    pub fn new() -> Uncancellable {
        Uncancellable {
            #[cfg(all(unix, not(target_os = "android")))]
            former: cancellation::set(cancellation::DISABLED),
        }
    }
}

impl Drop for Uncancellable {
    fn drop(&mut self) {
        #[cfg(all(unix, not(target_os = "android")))]
        cancellation::set(self.former);
    }
}

/// Where this thread's stack has come to, roughly.
pub fn stack_place() -> usize {
    let here = 0_u8;
    std::hint::black_box(std::ptr::from_ref(&here)).addr()
}

/// Calls a function of the host's.
///
/// An exception ends the process by itself, since Rust lets none pass. What the C library tells of besides (longjmp and
/// pthread_exit with glibc, pthread_exit with musl) ends it here.
pub fn call_host(call: impl FnOnce()) {
    crate::engine::on_thread_stack(|| {
        #[cfg(all(target_os = "linux", any(target_env = "gnu", target_env = "musl")))]
        unwinding::end_process_unless_returned(call);
        #[cfg(not(all(target_os = "linux", any(target_env = "gnu", target_env = "musl"))))]
        call();
        // The host may have allowed cancellation, and on a thread of the library's it may know the thread only now.
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
        fn pthread_setcancelstate(state: c_int, former: *mut c_int) -> c_int;
    }

    /// Sets this thread's state; the former one.
    pub fn set(state: c_int) -> c_int {
        let mut former = state;
        // SAFETY: `former` is a local variable; a wrong state would be refused.
        unsafe { pthread_setcancelstate(state, &mut former) };
        former
    }
}

#[cfg(all(target_os = "linux", any(target_env = "gnu", target_env = "musl")))]
mod unwinding {
    use std::ffi::c_void;
    use std::mem::MaybeUninit;
    use std::ptr::null_mut;

    /// The C library's record of a clean-up handler: four words with glibc, three with musl.
    type Record = MaybeUninit<[usize; 4]>;

    // What `pthread_cleanup_push` of <pthread.h> stands for; with glibc what it stood for before C had exceptions.
    unsafe extern "C" {
        fn _pthread_cleanup_push(record: *mut Record, handler: extern "C" fn(*mut c_void), argument: *mut c_void);
        fn _pthread_cleanup_pop(record: *mut Record, execute: std::ffi::c_int);
    }

    pub fn end_process_unless_returned(call: impl FnOnce()) {
        let mut record = Record::uninit();
        // SAFETY: the record outlives the call, after which it is taken back; both in this function, as POSIX wants.
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
        // SAFETY: a constant's bytes. Nobody is left to be told of a failure.
        unsafe {
            libc::write(libc::STDERR_FILENO, WHY.as_ptr().cast(), WHY.len());
            libc::abort();
        }
    }
}
