//! Text across the boundary: UTF-8 and NUL-terminated in both directions.

use std::ffi::{CStr, CString, c_char};

use crate::error::{Code, Failure, Outcome};

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
pub fn to_c(json: String) -> *mut c_char {
    debug_assert!(!json.contains('\0'), "JSON holds no NUL");
    // SAFETY: what gets here was checked to be JSON or was written as JSON, which has NUL as an
    // escape only. An answer may be large: it is not searched again.
    unsafe { CString::from_vec_unchecked(json.into_bytes()) }.into_raw()
}

/// A text for C. JSON holds no NUL; should one appear, it is a bug, told as such.
pub fn c_string(text: String) -> CString {
    CString::new(text).unwrap_or_else(|_| {
        let bug = Failure::new(Code::InternalError, "a text with a NUL byte; please report it").into_json();
        CString::new(bug).unwrap_or_default()
    })
}

/// Takes back what [`to_c`] handed over.
///
/// # Safety
/// `pointer` is NULL or came from [`to_c`] and was not given back before.
pub unsafe fn take_back(pointer: *mut c_char) {
    if !pointer.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { CString::from_raw(pointer) });
    }
}
