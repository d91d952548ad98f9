//! Wrappers of the C functions with Rust strings.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::null_mut;

use mailru::ffi::*;
use serde_json::Value;

use super::{APP_ID, PRIVATE_KEY, SECRET_KEY, SESSION_KEY, UID, watch};

/// A text for C.
pub fn c(text: &str) -> CString {
    CString::new(text).expect("no NUL in a test's text")
}

/// A pointer to a text, or NULL.
pub fn pointer(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr())
}

/// Copies a string of the library and releases it.
pub fn taken(json: *mut c_char) -> String {
    assert!(!json.is_null(), "an answer is never NULL");
    // SAFETY: a string of the library, not NULL, released only here.
    unsafe {
        let text = CStr::from_ptr(json).to_str().expect("answers are UTF-8").to_owned();
        mailru_string_free(json);
        text
    }
}

/// The name of a code.
pub fn name(code: i32) -> &'static str {
    // SAFETY: static and never NULL.
    unsafe { CStr::from_ptr(mailru_code_name(code)) }.to_str().expect("ASCII")
}

/// A code and its JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub code: i32,
    pub json: String,
}

impl Answer {
    /// Runs a function that returns JSON and a code.
    pub fn of(function: impl FnOnce(*mut i32) -> *mut c_char) -> Answer {
        watch::begin();
        let mut code = -1;
        let json = taken(function(&mut code));
        // The platform's own error is passed on unchanged.
        if code != MAILRU_OK && code != MAILRU_API_ERROR {
            watch::check(&json);
        }
        Answer { code, json }
    }

    /// The name of the code.
    pub fn name(&self) -> &'static str {
        name(self.code)
    }

    /// The JSON as a tree.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.json).unwrap_or_else(|error| panic!("{error}: {}", self.json))
    }

    /// A member of the error object; null if it is absent.
    pub fn error(&self, member: &str) -> Value {
        self.value()["error"][member].clone()
    }

    /// The JSON of success; fails the test otherwise.
    #[track_caller]
    pub fn expect_ok(self) -> String {
        assert_eq!(self.name(), "MAILRU_OK", "{}", self.json);
        self.json
    }

    /// Checks the code and the shape of the failure.
    #[track_caller]
    pub fn expect(self, name: &str) -> Answer {
        assert_eq!(self.name(), name, "{}", self.json);
        if self.code != MAILRU_OK && self.code != MAILRU_API_ERROR {
            assert_eq!(self.error("error_code"), -self.code, "{}", self.json);
            assert!(self.error("error_msg").is_string() && self.error("transient").is_boolean(), "{}", self.json);
        }
        self
    }
}

pub const MAILRU_OK: i32 = 0;
pub const MAILRU_API_ERROR: i32 = 10;

/// A session that is freed when dropped.
#[derive(Debug)]
pub struct Session(pub mailru_session);

impl Drop for Session {
    fn drop(&mut self) {
        mailru_session_free(self.0);
    }
}

/// Runs a constructor; returns the session, or its error's JSON.
pub fn made(constructor: impl FnOnce(*mut *mut c_char) -> mailru_session) -> Result<Session, String> {
    watch::begin();
    // Not the address of a string: the constructor must always overwrite it.
    let mut error = null_mut::<c_char>().wrapping_add(1);
    match constructor(&mut error) {
        0 => {
            let error = taken(error);
            watch::check(&error);
            Err(error)
        }
        session => {
            assert!(error.is_null(), "no error on success");
            Ok(Session(session))
        }
    }
}

/// The guide's user with the guide's session key, in the client-server circuit.
pub fn client(options: &str) -> Session {
    let [app, key, token, uid, options] = [APP_ID, PRIVATE_KEY, SESSION_KEY, UID, options].map(c);
    // SAFETY: the strings outlive the call.
    let session = made(|error| unsafe {
        mailru_client_session_new(app.as_ptr(), key.as_ptr(), token.as_ptr(), uid.as_ptr(), options.as_ptr(), error)
    });
    session.expect("the constructor accepts the guide's credentials")
}

/// The guide's application with the guide's session key, in the server-server circuit.
pub fn server(options: &str) -> Session {
    let [app, key, token, options] = [APP_ID, SECRET_KEY, SESSION_KEY, options].map(c);
    // SAFETY: the strings outlive the call.
    let session = made(|error| unsafe {
        mailru_server_session_new(app.as_ptr(), key.as_ptr(), token.as_ptr(), options.as_ptr(), error)
    });
    session.expect("the constructor accepts the guide's credentials")
}

impl Session {
    /// `mailru_call`; `None` is NULL. If `MAILRU_TEST_QUEUE` is set, the call goes through a queue, which must make no
    /// difference.
    pub fn call<'a>(&self, method: &str, params_json: impl Into<Option<&'a str>>) -> Answer {
        let params_json = params_json.into();
        if std::env::var_os("MAILRU_TEST_QUEUE").is_some() {
            return self.call_queued(method, params_json);
        }
        let (method, params_json) = (c(method), params_json.map(c));
        // SAFETY: the strings outlive the call.
        Answer::of(|code| unsafe { mailru_call(self.0, method.as_ptr(), pointer(&params_json), code) })
    }

    fn call_queued(&self, method: &str, params_json: Option<&str>) -> Answer {
        static QUEUE: std::sync::Mutex<Vec<Queue>> = std::sync::Mutex::new(Vec::new());
        let spare = || QUEUE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        watch::begin();
        let queue = spare().pop().unwrap_or_else(|| Queue::new(0, 0));
        let submitted = queue.submit(self, method, params_json, 1);
        let answer = if submitted.code == MAILRU_OK { queue.next(-1).expect("a completion").1 } else { submitted };
        spare().push(queue);
        if answer.code != MAILRU_OK && answer.code != MAILRU_API_ERROR {
            watch::check(&answer.json);
        }
        answer
    }

    /// `mailru_call_within`.
    pub fn call_within<'a>(
        &self,
        method: &str,
        params_json: impl Into<Option<&'a str>>,
        timeout_ms: i64,
        cancel: mailru_cancel,
    ) -> Answer {
        let (method, params_json) = (c(method), params_json.into().map(c));
        // SAFETY: the strings outlive the call.
        Answer::of(|code| unsafe {
            mailru_call_within(self.0, method.as_ptr(), pointer(&params_json), timeout_ms, cancel, code)
        })
    }

    /// `mailru_sign`.
    pub fn sign<'a>(&self, method: &str, params_json: impl Into<Option<&'a str>>) -> Answer {
        let (method, params_json) = (c(method), params_json.into().map(c));
        // SAFETY: the strings outlive the call.
        Answer::of(|code| unsafe { mailru_sign(self.0, method.as_ptr(), pointer(&params_json), code) })
    }

    /// `mailru_public`.
    pub fn public<'a>(&self, path: &str, params_json: impl Into<Option<&'a str>>) -> Answer {
        let (path, params_json) = (c(path), params_json.into().map(c));
        // SAFETY: the strings outlive the call.
        Answer::of(|code| unsafe { mailru_public(self.0, path.as_ptr(), pointer(&params_json), code) })
    }

    /// `mailru_upload`.
    pub fn upload<'a>(
        &self,
        method: &str,
        params_json: impl Into<Option<&'a str>>,
        field: &str,
        file_name: &str,
        data: &[u8],
    ) -> Answer {
        let (method, params_json) = (c(method), params_json.into().map(c));
        let (field, file_name) = (c(field), c(file_name));
        // SAFETY: the strings and the data outlive the call.
        Answer::of(|code| unsafe {
            mailru_upload(
                self.0,
                method.as_ptr(),
                pointer(&params_json),
                field.as_ptr(),
                file_name.as_ptr(),
                data.as_ptr(),
                data.len(),
                code,
            )
        })
    }

    /// `mailru_request`.
    pub fn request(&self, request_json: &str, data: Option<&[u8]>, cancel: mailru_cancel) -> Answer {
        let request_json = c(request_json);
        let (data, size) = data.map_or((std::ptr::null(), 0), |data| (data.as_ptr(), data.len()));
        // SAFETY: the string and the data outlive the call.
        Answer::of(|code| unsafe { mailru_request(self.0, request_json.as_ptr(), data, size, cancel, code) })
    }

    /// `mailru_authorize`.
    pub fn authorize(&self) -> Answer {
        // SAFETY: the code is a local variable.
        Answer::of(|code| unsafe { mailru_authorize(self.0, code) })
    }

    /// `mailru_session_set_tokens`.
    pub fn set_tokens(&self, tokens_json: &str) -> Answer {
        let (tokens_json, mut error) = (c(tokens_json), null_mut());
        // SAFETY: the string outlives the call; the error is a local variable.
        let code = unsafe { mailru_session_set_tokens(self.0, tokens_json.as_ptr(), &mut error) };
        assert_eq!(error.is_null(), code == MAILRU_OK, "an error exactly if it was refused");
        Answer { code, json: if error.is_null() { String::new() } else { taken(error) } }
    }

    /// `mailru_session_on_renewal`, with a function that lives as long as the session.
    pub fn on_renewal(&self, on_phase: impl Fn(i32) + Send + Sync + 'static) {
        type OnPhase = Box<dyn Fn(i32) + Send + Sync>;
        unsafe extern "C" fn call_back(user_data: *mut c_void, phase: i32) {
            // SAFETY: the data is a function until it is released.
            unsafe { (*user_data.cast::<OnPhase>())(phase) };
        }
        unsafe extern "C" fn release(user_data: *mut c_void) {
            // SAFETY: the data came from `Box::into_raw`, and the library promises that this is the only release.
            drop(unsafe { Box::from_raw(user_data.cast::<OnPhase>()) });
        }
        let on_phase: OnPhase = Box::new(on_phase);
        let data = Box::into_raw(Box::new(on_phase)).cast();
        // SAFETY: the functions are for this data, which lives until the second is called.
        let code = unsafe { mailru_session_on_renewal(self.0, Some(call_back), data, Some(release)) };
        assert_eq!(name(code), "MAILRU_OK");
    }

    /// `mailru_session_hold`.
    pub fn hold(&self, hold: i32) -> &'static str {
        name(mailru_session_hold(self.0, hold))
    }

    /// `mailru_tokens`.
    pub fn tokens(&self) -> Answer {
        // SAFETY: the code is a local variable.
        Answer::of(|code| unsafe { mailru_tokens(self.0, code) })
    }
}

/// A queue that is freed when dropped.
pub struct Queue(pub mailru_queue);

impl Drop for Queue {
    fn drop(&mut self) {
        mailru_queue_free(self.0);
    }
}

impl Queue {
    /// `mailru_queue_new`.
    pub fn new(workers: u32, capacity: u32) -> Queue {
        let mut error = null_mut();
        // SAFETY: the error is a local variable.
        let queue = unsafe { mailru_queue_new(workers, capacity, &mut error) };
        assert!(queue != 0 && error.is_null());
        Queue(queue)
    }

    /// `mailru_queue_submit`.
    pub fn submit<'a>(
        &self,
        session: &Session,
        method: &str,
        params_json: impl Into<Option<&'a str>>,
        tag: u64,
    ) -> Answer {
        let (method, params_json) = (c(method), params_json.into().map(c));
        let mut error = null_mut();
        // SAFETY: the strings outlive the call; the error is a local variable.
        let code =
            unsafe { mailru_queue_submit(self.0, session.0, method.as_ptr(), pointer(&params_json), tag, &mut error) };
        assert_eq!(error.is_null(), code == MAILRU_OK, "an error exactly if it was refused");
        Answer { code, json: if error.is_null() { String::new() } else { taken(error) } }
    }

    /// `mailru_queue_request`.
    pub fn request(
        &self,
        session: &Session,
        request_json: &str,
        data: Option<&[u8]>,
        cancel: mailru_cancel,
        tag: u64,
    ) -> Answer {
        let request_json = c(request_json);
        let (data, size) = data.map_or((std::ptr::null(), 0), |data| (data.as_ptr(), data.len()));
        let (queue, mut error) = (self.0, null_mut());
        // SAFETY: the string and the data outlive the call; the error is a local variable.
        let code = unsafe {
            mailru_queue_request(queue, session.0, request_json.as_ptr(), data, size, cancel, tag, &mut error)
        };
        assert_eq!(error.is_null(), code == MAILRU_OK, "an error exactly if it was refused");
        Answer { code, json: if error.is_null() { String::new() } else { taken(error) } }
    }

    /// `mailru_queue_next`; `None` is an empty queue.
    pub fn next(&self, timeout_ms: i32) -> Option<(u64, Answer)> {
        let (mut tag, mut code) = (u64::MAX, -1);
        // SAFETY: both are local variables.
        let json = unsafe { mailru_queue_next(self.0, timeout_ms, &mut tag, &mut code) };
        if json.is_null() {
            assert_eq!((name(code), tag), ("MAILRU_QUEUE_EMPTY", 0));
            return None;
        }
        Some((tag, Answer { code, json: taken(json) }))
    }
}
