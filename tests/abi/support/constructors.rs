//! The constructors as a table, so that a test can go through all of them.

use std::ffi::{CString, c_char};

use mailru::ffi::*;
use serde_json::{Value, json};

use super::{APP_ID, PRIVATE_KEY, SECRET_KEY, SESSION_KEY, Sandbox, Session, UID, made, pointer};

/// The redirect address of the tests' codes.
pub const REDIRECT_URI: &str = "http://localhost:8/back?a=1&b=2";

/// A constructor, with the names of its leading arguments.
pub struct Constructor {
    pub name: &'static str,
    pub arguments: &'static [&'static str],
    make: unsafe fn(&[*const c_char], *const c_char, *mut *mut c_char) -> mailru_session,
}

macro_rules! constructors {
    ($($function:ident($($argument:ident),*);)*) => {
        /// All of them, in the order of the manual.
        pub const CONSTRUCTORS: &[Constructor] = &[$(Constructor {
            name: stringify!($function),
            arguments: &[$(stringify!($argument)),*],
            make: {
                unsafe fn make(
                    given: &[*const c_char],
                    options: *const c_char,
                    error: *mut *mut c_char,
                ) -> mailru_session {
                    let &[$($argument),*] = given else { panic!("another number of arguments") };
                    // SAFETY: passed on to the caller.
                    unsafe { $function($($argument,)* options, error) }
                }
                make
            },
        }),*];
    };
}
constructors! {
    mailru_public_session_new();
    mailru_token_session_new(app_id, private_key, secret_key, access_token, uid);
    mailru_client_session_new(app_id, private_key, access_token, uid);
    mailru_server_session_new(app_id, secret_key, access_token);
    mailru_code_session_new(app_id, private_key, secret_key, code, redirect_uri);
    mailru_code_client_session_new(app_id, private_key, code, redirect_uri);
    mailru_code_server_session_new(app_id, secret_key, code, redirect_uri);
    mailru_password_session_new(app_id, private_key, secret_key, email, password, scope);
    mailru_password_client_session_new(app_id, private_key, email, password, scope);
    mailru_password_server_session_new(app_id, secret_key, email, password, scope);
    mailru_refresh_session_new(app_id, private_key, secret_key, refresh_token);
    mailru_refresh_client_session_new(app_id, private_key, refresh_token);
    mailru_refresh_server_session_new(app_id, secret_key, refresh_token);
    mailru_stored_session_new(app_id, private_key, secret_key, tokens_json);
}

/// The default value of an argument: the guide's user, known to the sandbox.
pub fn usual(argument: &str) -> &'static str {
    match argument {
        "app_id" => APP_ID,
        "private_key" => PRIVATE_KEY,
        "secret_key" => SECRET_KEY,
        "access_token" => SESSION_KEY,
        "uid" => UID,
        "redirect_uri" => REDIRECT_URI,
        "email" => "demo@mail.ru",
        "password" => "demo",
        "scope" => "",
        "tokens_json" => r#"{"access_token":"be6ef89965d58e56dec21acb9b62bdaa","uid":"1324730981306483817"}"#,
        _ => "to-be-given-by-the-test",
    }
}

impl Constructor {
    /// The constructor of this kind: "token", "code_client".
    pub fn of(kind: &str) -> &'static Constructor {
        let name = format!("mailru_{kind}_session_new");
        CONSTRUCTORS.iter().find(|constructor| constructor.name == name).unwrap_or_else(|| panic!("no {name}"))
    }

    /// Calls it with the usual arguments, except those given; `None` is NULL.
    pub fn make(&self, given: &[(&str, Option<&str>)], options: Option<&str>) -> Result<Session, String> {
        let given = |argument: &&'static str| {
            let own = given.iter().find(|given| given.0 == *argument);
            own.map_or(Some(usual(argument)), |own| own.1).map(|text| CString::new(text).expect("no NUL"))
        };
        let texts: Vec<_> = self.arguments.iter().map(given).collect();
        let pointers: Vec<_> = texts.iter().map(pointer).collect();
        let options = options.map(|text| CString::new(text).expect("no NUL"));
        // SAFETY: the strings outlive the call.
        made(|error| unsafe { (self.make)(&pointers, pointer(&options), error) })
    }

    /// Calls it with these pointers, which it must refuse; returns the members of the error.
    #[track_caller]
    pub fn refusal(&self, pointers: &[*const c_char], options: *const c_char) -> Value {
        // SAFETY: the tests pass NULL or strings that outlive the call.
        let made = made(|error| unsafe { (self.make)(pointers, options, error) });
        let error = made.err().unwrap_or_else(|| panic!("{} accepts it", self.name));
        let error: Value = serde_json::from_str(&error).expect("the error is JSON");
        error["error"].clone()
    }

    /// Calls it with these pointers, and with NULL for the error.
    pub fn make_raw(&self, pointers: &[*const c_char], options: *const c_char) -> mailru_session {
        // SAFETY: the tests pass NULL or strings that outlive the call.
        unsafe { (self.make)(pointers, options, std::ptr::null_mut()) }
    }
}

/// A session of this kind, with the usual arguments, except those given.
#[track_caller]
pub fn session(kind: &str, given: &[(&str, &str)], options: &str) -> Session {
    let given: Vec<_> = given.iter().map(|&(argument, text)| (argument, Some(text))).collect();
    match Constructor::of(kind).make(&given, Some(options)) {
        Ok(session) => session,
        Err(error) => panic!("mailru_{kind}_session_new: {error}"),
    }
}

/// A session with new tokens of the guide's user, which renews them.
pub fn refreshing(sandbox: &Sandbox, more: Value) -> Session {
    let tokens = sandbox.post("tokens", json!({}));
    let mut options = json!({ "refresh_token": tokens["refresh_token"] });
    options.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let access_token = tokens["access_token"].as_str().expect("a token");
    session("token", &[("access_token", access_token)], &sandbox.options(options))
}
