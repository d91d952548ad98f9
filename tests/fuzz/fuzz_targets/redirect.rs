//! Any text as the address of a redirect: never a crash, and nothing without the state of the login that was begun.

#![no_main]

use std::ffi::CString;
use std::ptr;

use libfuzzer_sys::fuzz_target;
use mailru::ffi::{mailru_parse_redirect, mailru_string_free};

fuzz_target!(|text: &str| {
    let Ok(url) = CString::new(text) else { return };
    // It depends on the whole address, so the address cannot hold it.
    let state = CString::new(format!("{:x}", md5::compute(text))).expect("no NUL");
    let mut codes = [-1; 2];
    for (code, state) in codes.iter_mut().zip([ptr::null(), state.as_ptr()]) {
        // SAFETY: the strings outlive the call; the answer is released once.
        unsafe { mailru_string_free(mailru_parse_redirect(url.as_ptr(), state, code)) };
    }
    assert!(codes.iter().all(|code| matches!(code, 0 | 1 | 11)), "{codes:?}");
    assert!(codes[1] != 0, "a login that nobody began");
});
