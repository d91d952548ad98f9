//! The boundary to C: every exported function, and all `unsafe` of the library.
//!
//! An export converts, delegates, and converts back; it decides nothing. Each conversion is in one
//! place: outcomes, codes and panics here, text in `strings`, handles in `handles`, callbacks in
//! `callbacks`. The allocator is in `reserve`.
#![allow(unsafe_code)]
// The doc comments become the header, which describes pointers in C terms, not under `# Safety`. The C
// interface also fixes the number of arguments.
#![allow(clippy::missing_safety_doc, clippy::too_many_arguments)]

mod callbacks;
mod calls;
mod cancels;
mod constructors;
mod errors;
mod handles;
mod helpers;
mod process;
mod queue;
mod reserve;
mod stats;
mod strings;
mod thread;
mod tokens;
mod version;

pub use self::callbacks::{
    MAILRU_LOG_IN_CALLS, mailru_log_callback, mailru_release_callback, mailru_renewal_callback, mailru_token_callback,
};
pub use self::calls::*;
pub use self::cancels::*;
pub use self::constructors::*;
pub use self::errors::*;
pub use self::handles::{mailru_cancel, mailru_queue, mailru_session};
pub use self::helpers::*;
pub use self::queue::*;
pub use self::stats::*;
pub use self::tokens::*;
pub use self::version::MAILRU_ABI_VERSION;

use std::ffi::c_char;

use self::strings::to_c;
use self::thread::{Uncancellable, stack_position};
use crate::error::{Code, Failure, Outcome};
use crate::json::Json;
use crate::{host_thread, log, panics};

/// Runs an export that returns JSON.
///
/// # Safety
/// `code` is NULL or points to writable memory.
unsafe fn return_json<T: Into<Json>>(code: *mut i32, work: impl FnOnce() -> Outcome<T>) -> *mut c_char {
    // SAFETY: the caller's promise.
    unsafe { write_out(code, Code::InternalError.number()) };
    let (number, json) = to_c(run(work).map(Into::into));
    // SAFETY: as above.
    unsafe { write_out(code, number) };
    json
}

/// Runs an export that returns a handle.
///
/// # Safety
/// `error` is NULL or points to writable memory.
unsafe fn return_handle(error: *mut *mut c_char, work: impl FnOnce() -> Outcome<u64>) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { write_out(error, std::ptr::null_mut()) };
    match run(work) {
        Ok(handle) => handle,
        Err(failure) => {
            // SAFETY: as above.
            unsafe { write_error(error, failure) };
            0
        }
    }
}

/// Runs an export that returns a code, and on failure an error's JSON.
///
/// # Safety
/// As for [`return_handle`].
unsafe fn return_code_and_error(error: *mut *mut c_char, work: impl FnOnce() -> Outcome<()>) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { write_out(error, std::ptr::null_mut()) };
    match run(work) {
        Ok(()) => Code::Ok.number(),
        // SAFETY: as above.
        Err(failure) => unsafe { write_error(error, failure) },
    }
}

/// Stores a failure in an out-parameter, unless it is NULL; returns the failure's code.
///
/// # Safety
/// As for [`return_handle`].
unsafe fn write_error(error: *mut *mut c_char, failure: Failure) -> i32 {
    if error.is_null() {
        return failure.code().number();
    }
    let (number, json) = to_c(Err(failure));
    // SAFETY: the caller's promise.
    unsafe { write_out(error, json) };
    number
}

/// Runs an export that returns only a code.
fn return_code(work: impl FnOnce() -> Outcome<()>) -> i32 {
    match run(work) {
        Ok(()) => Code::Ok.number(),
        Err(failure) => failure.code().number(),
    }
}

/// Runs the body of an export. Every export uses it, so that no panic reaches the host, and no
/// cancellation of the host's thread takes effect inside the library. Callbacks that wait for this
/// thread run before and after the body.
fn run<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    process::prepare();
    log::entered(stack_position());
    let _uncancellable = Uncancellable::new();
    host_thread::entered_or_leaving();
    let outcome = panics::catch(|| {
        panics::planted("export");
        work()
    });
    host_thread::entered_or_leaving();
    outcome
}

/// Writes an out-parameter, which may be NULL.
///
/// # Safety
/// `slot` is NULL or points to writable memory.
unsafe fn write_out<T>(slot: *mut T, value: T) {
    if !slot.is_null() {
        // SAFETY: the caller's promise.
        unsafe { slot.write(value) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_code_and_names_its_place() {
        let mut code = 0;
        let secret = "hunter2";
        // SAFETY: `code` is a local variable; the string is freed once.
        let json = unsafe {
            let json = return_json::<String>(&mut code, || panic!("about {secret}"));
            let text = std::ffi::CStr::from_ptr(json).to_str().expect("UTF-8").to_owned();
            mailru_string_free(json);
            text
        };
        assert_eq!(code, Code::InternalError.number());
        assert!(json.contains("src/ffi/mod.rs:") && !json.contains("hunter2"), "{json}");
    }
}
