//! The host's callbacks, with their data.

use std::ffi::{c_char, c_void};

use zeroize::Zeroize;

use super::strings::c_string;
use super::thread::call_host;
use crate::host_thread::HostThread;

/// Called with each new set of tokens, as the JSON of mailru_tokens, before any of them is used, so
/// that the host can store them. A member is null if the answer lacked it. tokens_json is valid until
/// the function returns.
///
/// Runs on a thread of the library, unless the session has callbacks_in_calls. mailru_tokens may be
/// called in it; a call that needs the session's token, or its submission to a queue, fails with
/// MAILRU_REENTERED. That is noticed only on this thread, which also runs the log, renewal and release
/// callbacks of the same renewal. A call on another thread waits for this function to return, so do not
/// wait for such a call here.
/// It must return: leaving it by an exception, longjmp, pthread_exit or otherwise ends the process.
#[allow(non_camel_case_types)]
pub type mailru_token_callback = Option<unsafe extern "C" fn(user_data: *mut c_void, tokens_json: *const c_char)>;

/// Called around a renewal: phase is 1 before its request and 0 when the renewal has ended. Runs on a
/// thread of the library, with the rules of mailru_token_callback; mailru_session_set_tokens may be
/// called in it.
#[allow(non_camel_case_types)]
pub type mailru_renewal_callback = Option<unsafe extern "C" fn(user_data: *mut c_void, phase: i32)>;

/// Called with one line of the log and its level: 1 error, 2 warning, 3 info, 4 debug. message is valid
/// until the function returns. Runs on the thread that logs the line, which may be one of the
/// library's, unless MAILRU_LOG_IN_CALLS is given; several threads may run it at once. Calls of the
/// library made in it are not logged. It must return: leaving it by an exception, longjmp, pthread_exit
/// or otherwise ends the process.
#[allow(non_camel_case_types)]
pub type mailru_log_callback = Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, message: *const c_char)>;

/// Added to the level of mailru_set_log: the callback runs only on the thread that sets it, inside its
/// calls of the library, see CALLBACKS. The lines of other threads are kept until then, in order, and at
/// most 1000 of them: the oldest are dropped, and counted in a line "event=dropped_lines lines=7".
pub const MAILRU_LOG_IN_CALLS: i32 = 256;

/// Called once, when user_data will not be used again; may be NULL. Runs on the thread that used
/// user_data last, which may be a thread of the library. It must return: leaving it by an exception,
/// longjmp, pthread_exit or otherwise ends the process.
#[allow(non_camel_case_types)]
pub type mailru_release_callback = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// A callback's user_data, released when nothing can use it any more.
pub struct HostData {
    user_data: *mut c_void,
    release: mailru_release_callback,
    /// The thread on which alone the callback runs.
    thread: Option<HostThread>,
}

// SAFETY: the header says that callbacks run on threads of the library, several at once for the log, so
// the host must pass data that allows this. The library itself never accesses the data.
unsafe impl Send for HostData {}
// SAFETY: as above.
unsafe impl Sync for HostData {}

impl HostData {
    pub fn new(user_data: *mut c_void, release: mailru_release_callback) -> HostData {
        HostData { user_data, release, thread: None }
    }

    /// From now on it is also released on this thread, unless the thread has ended.
    pub fn run_only_on(&mut self, thread: Option<HostThread>) {
        self.thread = thread;
    }

    /// Calls the host with a text, which is wiped afterwards because it may contain tokens.
    pub fn call_with_text(&self, text: &str, call: impl FnOnce(*mut c_void, *const c_char)) {
        // Capacity for the NUL, so that appending it does not reallocate the text.
        let mut own = String::with_capacity(text.len() + 1);
        own.push_str(text);
        let text = c_string(own);
        call_host(|| call(self.user_data, text.as_ptr()));
        text.into_bytes().zeroize();
    }

    /// Calls the host.
    pub fn call(&self, call: impl FnOnce(*mut c_void)) {
        call_host(|| call(self.user_data));
    }
}

impl Drop for HostData {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take().filter(|thread| !thread.is_current()) {
            // The job's end releases the data, whether it ran or not: a thread that ends does not run what is left.
            let data = HostData { user_data: self.user_data, release: self.release.take(), thread: None };
            drop(thread.post(move || drop(data)));
        } else if let Some(release) = self.release {
            // SAFETY: the host gave the function for this data; this is its only call.
            call_host(|| unsafe { release(self.user_data) });
        }
    }
}
