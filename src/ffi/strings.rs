//! Text across the boundary: UTF-8 and NUL-terminated in both directions.

use std::ffi::{CStr, CString, c_char};

use zeroize::Zeroize;

use crate::error::{Code, Failure, Outcome};
use crate::json::Json;

/// A required text.
///
/// # Safety
/// `pointer` is NULL or points to a NUL-terminated string that outlives the result.
pub unsafe fn text<'a>(name: &str, pointer: *const c_char) -> Outcome<&'a str> {
    // SAFETY: the caller's promise.
    match unsafe { optional(name, pointer) }? {
        Some(text) => Ok(text),
        None => Err(Failure::argument(name, "is NULL; it must be a string")),
    }
}

/// A text that may be left out.
///
/// # Safety
/// As for [`text`].
pub unsafe fn optional<'a>(name: &str, pointer: *const c_char) -> Outcome<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and the caller's promise.
    let bytes = unsafe { CStr::from_ptr(pointer) };
    let text = bytes.to_str().map_err(|error| {
        Failure::argument(name, format!("is not UTF-8 after {} bytes; convert it first", error.valid_up_to()))
    })?;
    Ok(Some(text))
}

/// A text for which NULL means the same as the empty string.
///
/// # Safety
/// As for [`text`].
pub unsafe fn or_empty<'a>(name: &str, pointer: *const c_char) -> Outcome<&'a str> {
    // SAFETY: the caller's promise.
    Ok(unsafe { optional(name, pointer) }?.unwrap_or_default())
}

/// Hands JSON over to the host, which gives it back to `mailru_string_free`.
pub fn to_c(json: Json) -> *mut c_char {
    let bytes = json.into_bytes();
    debug_assert!(!bytes.contains(&0), "JSON holds no NUL");
    // SAFETY: a `Json` holds no NUL byte. An answer may be large: it is not searched again.
    unsafe { CString::from_vec_unchecked(bytes) }.into_raw()
}

/// A text for C; should it hold a NUL byte, that is a bug, told as such.
pub fn c_string(text: String) -> CString {
    CString::new(text).unwrap_or_else(|_| {
        let bug = Failure::new(Code::InternalError, "a text with a NUL byte; please report it").into_json();
        CString::new(bug).unwrap_or_default()
    })
}

/// A longer text is an answer of the platform's, and wiping it would take time.
const LONGEST_WIPED: usize = 64 * 1024;

/// Takes back what [`to_c`] handed over, and wipes it: it may hold tokens.
///
/// # Safety
/// `pointer` is NULL or came from [`to_c`] and was not given back before.
pub unsafe fn take_back(pointer: *mut c_char) {
    if !pointer.is_null() {
        // SAFETY: the caller's promise.
        let mut bytes = unsafe { CString::from_raw(pointer) }.into_bytes();
        if bytes.len() <= LONGEST_WIPED {
            bytes.zeroize();
        }
    }
}
