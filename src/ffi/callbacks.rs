//! The host's functions that the library calls, with their data.

use std::ffi::{c_char, c_void};

use zeroize::Zeroize;

use super::strings::c_string;
use super::thread::call_host;

/// Told of each new set of tokens, as the JSON of mailru_tokens, before any of them is used: the
/// place to store them. A member is null if the answer lacked it. tokens_json is valid until the
/// function returns. Runs on a thread of the library's; mailru_tokens may be called in it, while a call
/// that needs the session's token, and its submission to a queue, is MAILRU_REENTERED. That is noticed
/// on this thread only, where the log, renewal and release callbacks of the same renewal run, too: a
/// call on another thread waits for this function to return, so do not wait for it here.
/// It must return: an exception, longjmp, pthread_exit or another way out of it ends the process.
#[allow(non_camel_case_types)]
pub type mailru_token_callback = Option<unsafe extern "C" fn(user_data: *mut c_void, tokens_json: *const c_char)>;

/// Told of a renewal: phase is 1 before its request and 0 when it is over. Runs on a thread of the
/// library's; the same rules hold as for mailru_token_callback, and mailru_session_set_tokens may be
/// called in it.
#[allow(non_camel_case_types)]
pub type mailru_renewal_callback = Option<unsafe extern "C" fn(user_data: *mut c_void, phase: i32)>;

/// Given one line of the log, with its level: 1 error, 2 warning, 3 info, 4 debug. message is valid
/// until the function returns. Runs on whichever thread the line comes from, the library's own among
/// them, several at once. What it does itself by way of the library is not logged. It must return: an
/// exception, longjmp, pthread_exit or another way out of it ends the process.
#[allow(non_camel_case_types)]
pub type mailru_log_callback = Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, message: *const c_char)>;

/// Called once, when user_data will not be used again; may be NULL. Runs on the thread that used
/// user_data last, which may be one of the library's. It must return: an exception, longjmp,
/// pthread_exit or another way out of it ends the process.
#[allow(non_camel_case_types)]
pub type mailru_release_callback = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// A host's data, released when nothing can use it any more.
pub struct HostData {
    user_data: *mut c_void,
    release: mailru_release_callback,
}

// SAFETY: the header says that callbacks come on threads of the library's, several at once for the
// log; the host promises that its data bears it. The library itself never looks at the data.
unsafe impl Send for HostData {}
// SAFETY: as above.
unsafe impl Sync for HostData {}

impl HostData {
    pub fn new(user_data: *mut c_void, release: mailru_release_callback) -> HostData {
        HostData { user_data, release }
    }

    /// Calls the host with a text, which is wiped afterwards: it may hold tokens.
    pub fn tell(&self, text: &str, call: impl FnOnce(*mut c_void, *const c_char)) {
        // Room for the NUL, so that the text is not moved for it.
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
        if let Some(release) = self.release {
            // SAFETY: the host gave the function for this data; this is its only call.
            call_host(|| unsafe { release(self.user_data) });
        }
    }
}
