//! The C functions as a host calls them, and what holds for each of their answers.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use mailru::ffi::*;
use md_5::{Digest, Md5};

use super::json;

pub const APP_ID: &CStr = c"423004";
pub const PRIVATE_KEY: &CStr = c"7815696ecbf1c96e6894b779456d330e";
pub const SECRET_KEY: &CStr = c"3dad9cbf9baaa0360c0f2ba372d25716";
pub const TOKEN: &CStr = c"be6ef89965d58e56dec21acb9b62bdaa";
pub const UID: &CStr = c"1324730981306483817";

/// The codes by their numbers.
pub const INVALID_ARGUMENT: i32 = 1;
pub const CANCELLED: i32 = 23;

/// A text for C; `None` if it has a NUL.
pub fn c(bytes: impl Into<Vec<u8>>) -> Option<CString> {
    CString::new(bytes).ok()
}

/// A string of the library, released.
pub fn taken(json: *mut c_char) -> String {
    assert!(!json.is_null());
    // SAFETY: a string of the library, released once.
    unsafe {
        let text = CStr::from_ptr(json).to_str().expect("UTF-8").to_owned();
        mailru_string_free(json);
        text
    }
}

/// A code and its JSON.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub json: String,
}

/// Runs a function with a JSON result, and checks that a failure has the contract's shape.
pub fn answer(function: impl FnOnce(*mut i32) -> *mut c_char) -> Answer {
    let mut code = -1;
    let json = taken(function(&mut code));
    if code != 0 && code != 10 {
        check_failure(&json, code);
    }
    Answer { code, json }
}

/// Runs a constructor; `Err` has the code and JSON of the failure.
pub fn made(constructor: impl FnOnce(*mut *mut c_char) -> u64) -> Result<Session, Answer> {
    // It has to be overwritten.
    let mut error = ptr::null_mut::<c_char>().wrapping_add(1);
    let session = constructor(&mut error);
    assert_eq!(session == 0, !error.is_null());
    match session {
        0 => Err(failure(error)),
        session => Ok(Session(session)),
    }
}

/// Runs a function with a code and an error.
pub fn done(function: impl FnOnce(*mut *mut c_char) -> i32) -> Result<(), Answer> {
    let mut error = ptr::null_mut::<c_char>().wrapping_add(1);
    let code = function(&mut error);
    assert_eq!(code == 0, error.is_null());
    if code == 0 {
        return Ok(());
    }
    let failure = failure(error);
    assert_eq!(failure.code, code);
    Err(failure)
}

fn failure(error: *mut c_char) -> Answer {
    let json = taken(error);
    let node = json::read(&json).expect("a failure is JSON");
    let number = node.last("error").and_then(|error| error.last("error_code")).expect("a number");
    let code = -number.raw.parse::<i32>().expect("a small number");
    check_failure(&json, code);
    Answer { code, json }
}

/// The shape of a failure, by the second reader and by the library's own functions.
fn check_failure(json: &str, code: i32) {
    let node = json::read(json).unwrap_or_else(|| panic!("{code} {json}"));
    let error = node.last("error").expect("an error");
    assert_eq!(error.last("error_code").expect("a number").raw, (-code).to_string(), "{json}");
    let message = error.last("error_msg").and_then(json::Node::text).expect("a message");
    let transient = &error.last("transient").expect("transient").value;
    let json::Value::Bool(transient) = transient else { panic!("{json}") };
    assert_ne!(code, 99, "{json}");
    assert!(code != INVALID_ARGUMENT || error.last("argument").is_some(), "{json}");
    let text = c(json).expect("no NUL");
    // SAFETY: the text outlives the calls.
    unsafe {
        assert_eq!(mailru_error_number(text.as_ptr()), i64::from(-code), "{json}");
        assert_eq!(mailru_error_transient(text.as_ptr()), i32::from(*transient), "{json}");
        let mut outcome = -1;
        let told = taken(mailru_error_message(text.as_ptr(), &mut outcome));
        assert!(outcome == 0 && (told == message || message.contains('\0')), "{json} {told}");
    }
}

/// A session that is freed when dropped.
#[derive(Debug)]
pub struct Session(pub u64);

impl Drop for Session {
    fn drop(&mut self) {
        mailru_session_free(self.0);
    }
}

/// `mailru_tokens`.
pub fn tokens(session: u64) -> Answer {
    // SAFETY: the code's place is a local variable.
    answer(|code| unsafe { mailru_tokens(session, code) })
}

/// `mailru_authorize`.
pub fn authorize(session: u64) -> Answer {
    // SAFETY: as above.
    answer(|code| unsafe { mailru_authorize(session, code) })
}

/// `mailru_stats`.
pub fn stats(session: u64) -> Answer {
    // SAFETY: as above.
    answer(|code| unsafe { mailru_stats(session, code) })
}

/// A session of the client-server circuit, with a token.
pub fn client_session(options: &CStr) -> Result<Session, Answer> {
    // SAFETY: the strings outlive the call.
    made(|error| unsafe {
        let [app_id, key, token, uid] = [APP_ID, PRIVATE_KEY, TOKEN, UID].map(CStr::as_ptr);
        mailru_client_session_new(app_id, key, token, uid, options.as_ptr(), error)
    })
}

/// A session of the server-server circuit, with a token.
pub fn server_session(options: &CStr) -> Result<Session, Answer> {
    // SAFETY: the strings outlive the call.
    made(|error| unsafe {
        let [app_id, key, token] = [APP_ID, SECRET_KEY, TOKEN].map(CStr::as_ptr);
        mailru_server_session_new(app_id, key, token, options.as_ptr(), error)
    })
}

/// A session with stored tokens, which signs in both circuits.
pub fn stored_session(tokens: Option<&CStr>, options: &CStr) -> Result<Session, Answer> {
    let tokens = tokens.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: the strings outlive the call.
    made(|error| unsafe {
        let [app_id, private, secret] = [APP_ID, PRIVATE_KEY, SECRET_KEY].map(CStr::as_ptr);
        mailru_stored_session_new(app_id, private, secret, tokens, options.as_ptr(), error)
    })
}

/// A cancel handle that was fired: a request with it is checked and goes no further.
pub fn fired() -> u64 {
    static FIRED: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    *FIRED.get_or_init(|| {
        let cancel = mailru_cancel_new();
        assert_eq!(mailru_cancel_fire(cancel), 0);
        cancel
    })
}

/// MD5 as another library than the tested one computes it.
pub fn md5(parts: &[&str]) -> String {
    let mut hash = Md5::new();
    parts.iter().for_each(|part| hash.update(part.as_bytes()));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
