//! Text across the boundary: UTF-8 and NUL-terminated in both directions.

use std::alloc::{self, Layout};
use std::ffi::{CStr, CString, c_char};
use std::mem::ManuallyDrop;

use crate::error::{Code, Failure, Outcome};
use crate::json::Json;
use crate::memory;

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
    let bytes = unsafe { CStr::from_ptr(pointer) }.to_bytes();
    let text = simdutf8::compat::from_utf8(bytes).map_err(|error| {
        Failure::argument(name, format!("is not UTF-8 after {} bytes; convert it first", error.valid_up_to()))
    })?;
    memory::room_for_text(name, text)?;
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

/// An outcome for the host: its code, and its JSON as a string to be released by `mailru_string_free`.
pub fn to_c(outcome: Outcome<Json>) -> (i32, *mut c_char) {
    let failure = match outcome.and_then(hand_over) {
        Ok(json) => return (Code::Ok.number(), json),
        Err(failure) => failure,
    };
    let number = failure.code().number();
    match hand_over(failure.into_json().into()) {
        Ok(json) => (number, json),
        // The answer was too large for the available memory; the failure's own JSON is short.
        Err(failure) => (failure.code().number(), c_string(failure.into_json()).into_raw()),
    }
}

/// Turns JSON into a C string for the host, in a block of exactly its size, because `CString` releases
/// that size.
fn hand_over(json: Json) -> Outcome<*mut c_char> {
    let mut bytes = json.into_bytes();
    debug_assert!(!bytes.contains(&0), "JSON contains no NUL");
    let size = bytes.len() + 1;
    bytes.try_reserve_exact(1).map_err(|_| no_room(size))?;
    bytes.push(0);
    let mut bytes = ManuallyDrop::new(bytes);
    if bytes.capacity() == size {
        return Ok(bytes.as_mut_ptr().cast());
    }
    // Not `shrink_to_fit`, which ends the process if the C library cannot shrink a block in place.
    // SAFETY: the block belongs to the vector, which is used again only if the reallocation fails.
    let block = unsafe {
        let layout = Layout::from_size_align_unchecked(bytes.capacity(), align_of::<u8>());
        alloc::realloc(bytes.as_mut_ptr(), layout, size)
    };
    if block.is_null() {
        drop(ManuallyDrop::into_inner(bytes));
        return Err(no_room(size));
    }
    Ok(block.cast())
}

fn no_room(size: usize) -> Failure {
    Failure::out_of_memory(&format!("the outcome, {size} bytes"))
}

/// A text for C. A NUL byte in it is a bug, which the result reports.
pub fn c_string(text: String) -> CString {
    CString::new(text).unwrap_or_else(|_| {
        let bug = Failure::new(Code::InternalError, "a text with a NUL byte; please report it").into_json();
        CString::new(bug).unwrap_or_default()
    })
}

/// Releases a string made by [`to_c`], and wipes it because it may contain tokens.
///
/// # Safety
/// `pointer` is NULL or came from [`to_c`] and was not released before.
pub unsafe fn take_back(pointer: *mut c_char) {
    if !pointer.is_null() {
        // SAFETY: the caller's promise.
        let mut bytes = unsafe { CString::from_raw(pointer) }.into_bytes();
        // zeroize writes byte by byte, which takes ten times as long: 0.2 ms for an answer of 800 KB. black_box keeps
        // the compiler from leaving the filling out.
        bytes.fill(0);
        std::hint::black_box(&bytes);
    }
}
