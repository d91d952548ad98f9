//! Tokens: obtaining and showing them, and their callbacks.

use std::ffi::{c_char, c_void};

use super::callbacks::{HostData, mailru_release_callback, mailru_renewal_callback, mailru_token_callback};
use super::strings::text;
use super::{handles, mailru_session, return_code, return_code_and_error, return_json};
use crate::error::Failure;
use crate::request::Action;

/// Obtains the tokens of a code, password or refresh session if it has none yet, and renews those of a
/// session with a refresh token. A session with a password and expired tokens obtains new ones.
/// Otherwise it returns the current tokens. Concurrent threads share one token request and its outcome.
/// Calls do all this by themselves.
///
/// code: receives the outcome's code; may be NULL.
/// Returns the JSON of mailru_tokens, or the error's; release either with mailru_string_free.
/// Blocks until the outcome is there, at most for the option timeout_ms. A token request that was sent
/// continues after that for 30 seconds, or timeout_ms if that is longer, and its tokens reach the token
/// callback. One of which no byte was sent ends with the session, or when the last call that waits for
/// it is cancelled. After a remembered refusal the request is made again, except with a code, which is
/// sent once. After a transient failure (429 or 503, for example) no request is made until the server's
/// Retry-After has passed, or else a growing pause; until then the result is that failure.
/// Codes: MAILRU_OK, MAILRU_INVALID_ARGUMENT (a public session), MAILRU_INVALID_HANDLE,
/// MAILRU_REENTERED, MAILRU_OAUTH_ERROR, and those of mailru_call for the network and the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_authorize(session: mailru_session, code: *mut i32) -> *mut c_char {
    // SAFETY: the header makes the pointer the caller's promise.
    unsafe { return_json(code, || handles::session(session)?.request(&Action::Authorize.into(), &[], None)) }
}

/// Returns the current tokens of a session at once, without network, for the host to store.
///
/// code: receives the outcome's code; may be NULL.
/// Returns {"access_token","refresh_token","expires_in","expires_at","uid","token_type","circuit"},
/// null where unknown; expires_in is the lifetime in seconds as the server gave it, expires_at the end
/// in seconds since 1970. Or the error's JSON. Release either with mailru_string_free.
/// Codes: MAILRU_OK, MAILRU_INVALID_HANDLE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_tokens(session: mailru_session, code: *mut i32) -> *mut c_char {
    // SAFETY: the header makes the pointer the caller's promise.
    unsafe { return_json(code, || Ok(handles::session(session)?.tokens())) }
}

/// Gives a session newer tokens, for example obtained by another process. Later calls use them, and a
/// remembered refusal of the authorization server is forgotten. A renewal that waits, such as in the
/// renewal callback, uses them instead of making a request.
///
/// tokens_json: as for mailru_stored_session_new; required. Without access_token only the refresh token
/// is replaced. Tokens of a user other than the session's are refused.
/// error: receives NULL, or on failure the error's JSON, to be released with mailru_string_free. It
/// may be NULL.
/// The token callback is not called. With the option token_file the tokens are written into the file.
/// Returns MAILRU_OK, MAILRU_INVALID_ARGUMENT or MAILRU_INVALID_HANDLE. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_session_set_tokens(
    session: mailru_session,
    tokens_json: *const c_char,
    error: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe { return_code_and_error(error, || handles::session(session)?.set_tokens(text("tokens_json", tokens_json)?)) }
}

/// Sets the callback that receives every new set of tokens, before any of them is used, on a thread of
/// the library or, with callbacks_in_calls, on this thread. It is also called for a grant that outlived
/// its callers or its session, and for tokens in an answer that lacks another field. A slow callback
/// delays only its own session: a call that waits too long for it is MAILRU_TIMEOUT with a message that
/// says so.
///
/// callback: replaces the one set before; NULL removes it.
/// user_data: passed to the callback, never accessed by the library.
/// release: called once, when user_data will not be used again: at once, or on the thread that used it
/// last; also on failure; may be NULL. A host that ends foreign threads when it shuts down, such as
/// Python, must first remove the callback and wait for the release.
/// Returns MAILRU_OK, MAILRU_INVALID_HANDLE, or MAILRU_INVALID_ARGUMENT for a public session. Does
/// not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_session_on_token(
    session: mailru_session,
    callback: mailru_token_callback,
    user_data: *mut c_void,
    release: mailru_release_callback,
) -> i32 {
    let mut data = HostData::new(user_data, release);
    return_code(move || {
        let session = handles::session(session)?;
        let Some(callback) = callback else {
            drop(data);
            return session.forget_on_token();
        };
        data.run_only_on(session.callbacks_thread());
        session.on_token(move |tokens: &str| {
            // SAFETY: the host gave the function for this data, which lives as long as this closure.
            data.call_with_text(tokens, |user_data, tokens| unsafe { callback(user_data, tokens) });
        })
    })
}

/// Sets the callback for renewals, with which processes that share tokens in a database or a keyring
/// renew one at a time. It is called with phase 1 before the request, and always with phase 0 when the
/// renewal has ended, after the token callback. In phase 1 the host takes its own lock, loads the
/// stored tokens and passes them to mailru_session_set_tokens: if they are newer, no request is made.
/// In phase 0 it releases the lock. A first grant by code or password is not a renewal.
///
/// callback: replaces the one set before; NULL removes it. It runs on a thread of the library or, with
/// callbacks_in_calls, on this thread.
/// user_data, release, the result and the codes: as for mailru_session_on_token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_session_on_renewal(
    session: mailru_session,
    callback: mailru_renewal_callback,
    user_data: *mut c_void,
    release: mailru_release_callback,
) -> i32 {
    let mut data = HostData::new(user_data, release);
    return_code(move || {
        let session = handles::session(session)?;
        let Some(callback) = callback else {
            drop(data);
            return session.forget_on_renewal();
        };
        data.run_only_on(session.callbacks_thread());
        session.on_renewal(move |phase: i32| {
            // SAFETY: the host gave the function for this data, which lives as long as this closure.
            data.call(|user_data| unsafe { callback(user_data, phase) });
        })
    })
}

/// Has a token or renewal callback count as running after it has returned, for a host whose callbacks
/// cannot wait: one that stores tokens by an event loop, or runs no code of its users in a callback.
///
/// hold: 1 while a callback of this session runs, on any thread. What waits for the callback continues
/// to wait: new tokens are not used, a renewal makes no request. Then 0, on any thread, when the host is
/// ready; also if nothing is held. mailru_session_free ends it, too.
/// A call that needs the tokens waits meanwhile, within its time limit: do not wait for one before the
/// 0, which the library does not notice.
/// Returns MAILRU_OK, MAILRU_INVALID_HANDLE, or MAILRU_INVALID_ARGUMENT for another number, for 1
/// outside of a callback, and for a public session. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn mailru_session_hold(session: mailru_session, hold: i32) -> i32 {
    return_code(|| {
        let session = handles::session(session)?;
        if !(0..=1).contains(&hold) {
            return Err(Failure::argument("hold", "must be 1, or 0 to go on"));
        }
        session.hold(hold == 1)
    })
}
