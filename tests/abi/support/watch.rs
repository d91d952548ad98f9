//! A watch over the whole test program: no failure's JSON and no log line may hold a secret.
//!
//! The service's keys, tokens and signatures are 32 hexadecimal digits, which nothing else in these
//! texts is; other secrets are made known by [`secret`].

use std::ffi::{CStr, c_char, c_void};
use std::ptr::null_mut;
use std::sync::{Mutex, Once};

use mailru::ffi::*;

static SECRETS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LEAKS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Makes a secret known, and hands it back. Its encoded form is watched for, too.
pub fn secret(text: &str) -> &str {
    let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    SECRETS.lock().expect("no panic").extend([text.to_owned(), encoded]);
    text
}

/// The secret that stands in a text, if any does.
pub fn leak(text: &str) -> Option<String> {
    let hexadecimal = text.split(|character: char| !character.is_ascii_hexdigit()).find(|run| run.len() >= 32);
    let known = SECRETS.lock().expect("no panic");
    hexadecimal.map(str::to_owned).or_else(|| known.iter().find(|secret| text.contains(secret.as_str())).cloned())
}

/// Checks a failure's JSON, and that no log line so far held a secret.
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

/// Has every log line watched, once; not in the other program that uses this harness, whose tests of
/// the log run each in a process of its own.
pub fn begin() {
    static BEGUN: Once = Once::new();
    if env!("CARGO_CRATE_NAME") == "abi" {
        BEGUN.call_once(resume);
    }
}

/// Has every log line watched again, after a test of the log itself.
pub fn resume() {
    unsafe extern "C" fn note(_: *mut c_void, level: i32, message: *const c_char) {
        // SAFETY: the text lives as long as this call.
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
