//! Functions without a session.

use std::ffi::{CStr, c_char, c_void};
use std::sync::Arc;

use super::callbacks::{HostData, mailru_log_callback, mailru_release_callback};
use super::strings::{optional, take_back, text};
use super::thread::stack_position;
use super::version::MAILRU_ABI_VERSION;
use super::{MAILRU_LOG_IN_CALLS, return_code, return_json};
use crate::error::{Code, Failure, Outcome};
use crate::host_thread::HostThread;
use crate::oauth::redirect;
use crate::secret::Secret;
use crate::{catalogue, log, verify};

/// Releases a string that a function of this library returned. Never release such a string with free(),
/// nor another string with this function. NULL is allowed. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_string_free(json: *mut c_char) {
    // SAFETY: the header makes it the caller's promise that the string is ours and released once.
    unsafe { take_back(json) }
}

/// The library's version, such as "0.1.0". Static: not to be released.
#[unsafe(no_mangle)]
pub extern "C" fn mailru_version() -> *const c_char {
    const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => panic!("the version contains NUL"),
    };
    VERSION.as_ptr()
}

/// The number of the library's binary interface. A program may check that it equals MAILRU_ABI_VERSION
/// in the header with which it was compiled.
#[unsafe(no_mangle)]
pub extern "C" fn mailru_abi_version() -> u32 {
    MAILRU_ABI_VERSION
}

/// The name of a code, such as "MAILRU_OK"; "MAILRU_UNKNOWN_CODE" for any other number.
/// Static: not to be released; never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn mailru_code_name(code: i32) -> *const c_char {
    Code::from_number(code).map_or(c"MAILRU_UNKNOWN_CODE", Code::c_name).as_ptr()
}

/// The catalogue of the platform's methods: a JSON array of {name, summary, write, privilege, params}.
/// Other methods can be called too; they count as writing.
///
/// code: receives MAILRU_OK; may be NULL. Release the string with mailru_string_free. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_methods(code: *mut i32) -> *mut c_char {
    // SAFETY: the header makes the pointer the caller's promise.
    unsafe { return_json(code, || Ok(catalogue::JSON.trim_end().to_owned())) }
}

/// Makes the address at which a user grants the application access; the browser is then redirected to
/// redirect_uri.
///
/// app_id, redirect_uri: required and not empty.
/// response_type: "code" for sites and servers, "token" for desktop programs; NULL is "code".
/// scope: privileges separated by spaces; NULL or empty leaves it out.
/// state: returned with the redirect, to show that it belongs to this login; NULL leaves it out.
/// Returns {"url"} or the error's JSON; release either with mailru_string_free. Does not block.
/// Codes: MAILRU_OK, MAILRU_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_authorize_url(
    app_id: *const c_char,
    redirect_uri: *const c_char,
    response_type: *const c_char,
    scope: *const c_char,
    state: *const c_char,
    code: *mut i32,
) -> *mut c_char {
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe {
        return_json(code, || {
            redirect::authorize_url(
                None,
                text("app_id", app_id)?,
                text("redirect_uri", redirect_uri)?,
                optional("response_type", response_type)?,
                optional("scope", scope)?,
                optional("state", state)?,
            )
        })
    }
}

/// As mailru_authorize_url, for an authorization server other than the platform's, such as the
/// sandbox's in tests.
///
/// address: the server's login page, such as "http://127.0.0.1:8080/oauth/authorize", without a query;
/// https, or plain http to this machine. NULL means the platform's. The session for this login needs
/// the option token_url of the same server. app_id, redirect_uri, response_type, scope, state, code,
/// the result and the codes: as for mailru_authorize_url.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_authorize_url_at(
    address: *const c_char,
    app_id: *const c_char,
    redirect_uri: *const c_char,
    response_type: *const c_char,
    scope: *const c_char,
    state: *const c_char,
    code: *mut i32,
) -> *mut c_char {
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe {
        return_json(code, || {
            redirect::authorize_url(
                optional("address", address)?,
                text("app_id", app_id)?,
                text("redirect_uri", redirect_uri)?,
                optional("response_type", response_type)?,
                optional("scope", scope)?,
                optional("state", state)?,
            )
        })
    }
}

/// Reads the address to which the browser was redirected after mailru_authorize_url.
///
/// url: the whole address, with its query or fragment; required. Everything is read from the part that
/// has state or, if neither has, from the part that has code, access_token or error.
/// expected_state: the state that was sent, compared in constant time. It may not be empty. NULL skips
/// the comparison, and with it the protection against forged logins.
/// The attack: an attacker begins a login and makes the victim's browser open its redirect; the victim
/// then works in the attacker's account, or the two accounts are joined. The attacker does not know the
/// state of the victim's login: keep it in the victim's session until the redirect comes.
/// Returns {"code"} for mailru_code_session_new, or the tokens in the shape of mailru_tokens for
/// mailru_token_session_new, or the error's JSON. Release it with mailru_string_free. Does not block.
/// Codes: MAILRU_OK, MAILRU_INVALID_ARGUMENT, MAILRU_OAUTH_ERROR (the user or the server refused, the
/// state is missing or wrong, an OAuth name is repeated, x_mailru_vid is not digits only, or there is
/// neither code nor token).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_parse_redirect(
    url: *const c_char,
    expected_state: *const c_char,
    code: *mut i32,
) -> *mut c_char {
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe {
        return_json(code, || redirect::parse_redirect(text("url", url)?, optional("expected_state", expected_state)?))
    }
}

/// Checks a payment callback of the platform: sig over all other parameters with the secret key, in
/// constant time. mailru_verify_query does the same for the query string as received, which is safer.
///
/// secret_key: required and not empty.
/// params_json: a JSON object of every parameter that was received; required, with sig in it. A payment
/// has app_id, transaction_id, service_id, uid and a price (mailiki_price, other_price or sms_price),
/// each of digits only. Names are letters, digits and _; values are strings or numbers. Refused even
/// with a correct signature: a name of a launch, a cookie or a call; a value with = after a letter,
/// digit or _; and an unknown name after a value that could be the beginning of that name.
/// The attack: the hashed text has no separators, so the signature of a launch whose referer_type is
/// "service_id=10sms_price=500..." would be correct for a payment with these parameters. The host must
/// compare app_id with its own, compare service_id and the price with its list, and serve each
/// transaction_id once.
/// Returns {"verified":true}, or the error's JSON; release either with mailru_string_free. Does not
/// block. Codes: MAILRU_OK, MAILRU_SIGNATURE_MISMATCH (with argument if a parameter is refused even
/// with a correct signature), MAILRU_INVALID_ARGUMENT (also without sig).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_verify(
    secret_key: *const c_char,
    params_json: *const c_char,
    code: *mut i32,
) -> *mut c_char {
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe { verified(verify::payment, secret_key, params_json, code) }
}

/// Checks the launch parameters of an embedded application: sig over the platform's own parameters, and
/// authentication_key if it is present, in constant time. mailru_verify_query does the same for the
/// query string as received, which is safer.
///
/// secret_key: required and not empty.
/// params_json: a JSON object of the parameters of the application's address; required, with app_id,
/// vid and sig in it. The application's own parameters may stay in it; they are not checked. Refused
/// even with a correct signature: app_id, vid, oid, session_expire or is_app_user that is not digits
/// only; a value that contains one of the platform's names followed by =; and a name that some servers
/// read as one of the platform's, such as VID or vid[].
/// The attack: the hashed text has no separators, so a user can move session_expire into the value of
/// referer_type without changing the signature, and the launch never expires.
/// The host must compare app_id with its own and session_expire with the current time, and trust no
/// parameters other than the platform's. Until it expires, anyone who saw its address can replay a
/// launch.
/// Returns {"verified":true}, or the error's JSON; release either with mailru_string_free. Does not
/// block. Codes: MAILRU_OK, MAILRU_SIGNATURE_MISMATCH (with argument if a parameter is refused even
/// with a correct signature), MAILRU_INVALID_ARGUMENT (also without sig, app_id or vid).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_verify_launch(
    secret_key: *const c_char,
    params_json: *const c_char,
    code: *mut i32,
) -> *mut c_char {
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe { verified(verify::launch, secret_key, params_json, code) }
}

/// Checks a query string as received, before a server's own parser reads it.
///
/// kind: the expected kind of query; required:
///     "payment"        a payment callback, checked as by mailru_verify
///     "launch"         launch parameters, checked as by mailru_verify_launch
///     "cookie"         the value of the JavaScript library's cookie mrc, which has app_id and exp
///     "launch_by_key"  launch parameters of early applications, without sig: authentication_key
///                      alone, which proves app_id and vid and never expires
/// secret_key: required and not empty.
/// query: the part of the address after the "?", still percent-encoded; required. It is decoded
/// strictly, and a repeated name is an error.
/// Returns {"verified":true,"params","checked"}, and with session_expire or exp also "expires_at" (unix
/// time) and "expired" (true or false); or the error's JSON. Release either with mailru_string_free.
/// Does not block. params has the decoded parameters that were checked and no others; checked names the
/// signatures that were checked: "sig", "authentication_key".
/// Use only these params, and nothing else of the query. Compare app_id with your own. Serve each
/// transaction_id once, because a payment can be sent again. Refuse an expired launch or cookie: until
/// it expires, it can be replayed.
/// The attack: in "vid=1&vid%5B%5D=2" only vid=1 is signed, but PHP reads vid=2.
/// Codes: MAILRU_OK, MAILRU_SIGNATURE_MISMATCH (with argument if a parameter is refused even with a
/// correct signature), MAILRU_INVALID_ARGUMENT (also if a required parameter is missing).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_verify_query(
    kind: *const c_char,
    secret_key: *const c_char,
    query: *const c_char,
    code: *mut i32,
) -> *mut c_char {
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe {
        return_json(code, || {
            let (kind, secret_key) = (text("kind", kind)?, Secret::new(text("secret_key", secret_key)?));
            verify::query(kind, &secret_key, text("query", query)?)
        })
    }
}

/// # Safety
/// As for the two exports that call it.
unsafe fn verified(
    check: fn(&Secret, Option<&str>) -> Outcome<()>,
    secret_key: *const c_char,
    params_json: *const c_char,
    code: *mut i32,
) -> *mut c_char {
    // SAFETY: the caller's promise.
    unsafe {
        return_json(code, || {
            check(&Secret::new(text("secret_key", secret_key)?), optional("params_json", params_json)?)?;
            Ok(r#"{"verified":true}"#.to_owned())
        })
    }
}

/// Sets the callback for the library's log, for the whole process. A line is one event in the form
/// "event=answer session=1048741 call=3 method=friends.get attempt=1 ms=12 status=200 bytes=2048":
/// session is the handle, call is the call's number in this process. Values with characters other than
/// letters, digits and "-_.:/" are quoted and escaped as in JSON, so that no server can forge a line.
/// The events are answer and failure (of an attempt), retry, new_tokens, no_tokens, ignored_options
/// and dropped_lines; more events and values may be added. No line contains a secret.
///
/// callback: replaces the one set before; NULL ends logging.
/// user_data: passed to the callback, never accessed by the library.
/// release: called once, when user_data will not be used again, also on failure; may be NULL. A host
/// that ends foreign threads when it shuts down, such as Python, must first remove the callback and
/// wait for the release.
/// level: 0 off, 1 error, 2 warning, 3 info, 4 debug; lines up to this level are logged. Off by
/// default. MAILRU_LOG_IN_CALLS may be added to it.
/// Returns MAILRU_OK, or MAILRU_INVALID_ARGUMENT for another level. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_set_log(
    callback: mailru_log_callback,
    user_data: *mut c_void,
    release: mailru_release_callback,
    level: i32,
) -> i32 {
    let mut data = HostData::new(user_data, release);
    return_code(move || {
        let (level, in_calls) = (level & !MAILRU_LOG_IN_CALLS, level & MAILRU_LOG_IN_CALLS != 0);
        if !(0..=4).contains(&level) {
            let problem = "must be from 0 (off) to 4 (debug), with or without MAILRU_LOG_IN_CALLS";
            return Err(Failure::argument("level", problem));
        }
        let Some(callback) = callback.filter(|_| level > 0) else {
            log::set(None, 0, None);
            return Ok(());
        };
        let thread = in_calls.then(HostThread::own);
        data.run_only_on(thread.clone());
        let sink = move |level: log::Level, message: &str| {
            data.call_with_text(message, |user_data, message| {
                log::sink_runs_from(stack_position());
                // SAFETY: the host gave the function for this data, which lives as long as this closure.
                unsafe { callback(user_data, level as i32, message) }
            });
        };
        log::set(Some(Arc::new(sink)), level, thread);
        Ok(())
    })
}
