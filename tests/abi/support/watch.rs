//! Checks in the whole test program that no failure's JSON and no log line contains a secret.
//!
//! The service's keys, tokens and signatures are 32 hexadecimal digits, unlike anything else in these texts; other
//! secrets are registered by [`secret`].

use std::ffi::{CStr, c_char, c_void};
use std::ptr::null_mut;
use std::sync::{Mutex, Once};

use mailru::ffi::*;

static SECRETS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LEAKS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Registers a secret and its encoded form, and returns it.
pub fn secret(text: &str) -> &str {
    let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    SECRETS.lock().expect("no panic").extend([text.to_owned(), encoded]);
    text
}

/// The secret in a text, if there is one.
pub fn leak(text: &str) -> Option<String> {
    let hexadecimal = text.split(|character: char| !character.is_ascii_hexdigit()).find(|run| run.len() >= 32);
    let known = SECRETS.lock().expect("no panic");
    hexadecimal.map(str::to_owned).or_else(|| known.iter().find(|secret| text.contains(secret.as_str())).cloned())
}

/// Checks a failure's JSON and all log lines so far.
#[track_caller]
pub fn check(failure: &str) {
    if let Some(secret) = leak(failure) {
        panic!("{secret} stands in {failure}");
    }
    let leaks = LEAKS.lock().expect("no panic").clone();
    assert!(leaks.is_empty(), "secrets in the log: {leaks:?}");
}

/// Every log line since the start, as `level message`.
pub fn lines() -> Vec<String> {
    LINES.lock().expect("no panic").clone()
}

/// Starts checking every log line. Not in the other test program with this harness, which runs each test of the log in
/// a separate process.
pub fn begin() {
    static BEGUN: Once = Once::new();
    if env!("CARGO_CRATE_NAME") == "abi" {
        BEGUN.call_once(resume);
    }
}

/// Continues checking every log line after a test of the log itself.
pub fn resume() {
    unsafe extern "C" fn note(_: *mut c_void, level: i32, message: *const c_char) {
        // SAFETY: the text is valid during this call.
        let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
        let line = format!("{level} {message}");
        if leak(&line).is_some() {
            LEAKS.lock().expect("no panic").push(line.clone());
        }
        LINES.lock().expect("no panic").push(line);
    }
    // SAFETY: the function needs no data.
    let code = unsafe { mailru_set_log(Some(note), null_mut(), None, 4) };
    assert_eq!(code, 0);
}
