//! Reads errors for hosts without a JSON parser, and lists the platform's errors.

use std::borrow::Cow;
use std::ffi::{CStr, c_char};

use super::{return_json, run};
use crate::error::Failure;
use crate::{catalogue, error_json};

/// A text that may be NULL. What is no UTF-8 in it is replaced, since an error is told in any case.
///
/// # Safety
/// `pointer` is NULL or points to a NUL-terminated string that outlives the result.
unsafe fn lossy<'a>(pointer: *const c_char) -> Option<Cow<'a, str>> {
    // SAFETY: not NULL, and the caller's promise.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_string_lossy())
}

/// The number in an error's JSON: the platform's own, or minus this library's code, such as -21 for
/// MAILRU_TIMEOUT. 0 if there is none: for NULL, for JSON that is not an error, for an error of another
/// shape.
///
/// error_json: the JSON that a function returned with a code other than MAILRU_OK, or stored in an
/// error parameter. It is not released. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_error_number(error_json: *const c_char) -> i64 {
    // SAFETY: the header makes the pointer the caller's promise.
    let json = unsafe { lossy(error_json) };
    run(|| Ok(json.map_or(0, |json| error_json::number(&json)))).unwrap_or(0)
}

/// Whether the same call may succeed later: 1 or 0. For a platform error this is looked up in the list
/// of mailru_errors. For an error that is not in the list, and for NULL, the result is 0.
///
/// It does not say that a write may be retried: that is safe only if "sent" is false, see the top of
/// this file.
/// error_json: as for mailru_error_number. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_error_transient(error_json: *const c_char) -> i32 {
    // SAFETY: the header makes the pointer the caller's promise.
    let json = unsafe { lossy(error_json) };
    run(|| Ok(i32::from(json.is_some_and(|json| error_json::is_transient(&json))))).unwrap_or(0)
}

/// The message of an error as plain text, for a log or for display. For a platform error without a
/// message it is the meaning from mailru_errors.
///
/// error_json: as for mailru_error_number.
/// code: receives MAILRU_OK, or MAILRU_INVALID_ARGUMENT for NULL and for JSON without an error; may be
/// NULL.
/// Returns the text, or on failure the error's JSON; release either with mailru_string_free. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_error_message(error_json: *const c_char, code: *mut i32) -> *mut c_char {
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe {
        let json = lossy(error_json);
        return_json(code, || {
            let given = json.ok_or_else(|| Failure::argument("error_json", "is NULL; it must be an error's JSON"))?;
            error_json::message(&given)
        })
    }
}

/// The known errors of the platform: a JSON array of {code, meaning, transient, advice}, sorted by
/// code.
///
/// code: receives MAILRU_OK; may be NULL. Release the string with mailru_string_free. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_errors(code: *mut i32) -> *mut c_char {
    // SAFETY: the header makes the pointer the caller's promise.
    unsafe { return_json(code, || Ok(catalogue::ERRORS_JSON.trim_end().to_owned())) }
}
