//! Tokens: getting, showing and announcing them.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use super::callbacks::{HostData, mailru_release_callback, mailru_token_callback};
use super::{handles, mailru_session, return_code, return_json};
use crate::request::Action;

/// Gets the tokens of a code, password or refresh session, if it has none yet; renews those of a
/// session that holds a refresh token; else answers with the tokens as they are. One request is made
/// however many threads ask, and all get its outcome. Calls do this by themselves.
///
/// code: receives the outcome's code; may be NULL.
/// Returns the JSON of mailru_tokens, or the error's; release either with mailru_string_free.
/// Blocks until the outcome is there, at most for the option timeout_ms. A cancellation ends only the
/// waiting. A remembered refusal is tried again, except for a code, which is sent once.
/// Codes: MAILRU_OK, MAILRU_INVALID_ARGUMENT (a public session), MAILRU_INVALID_HANDLE,
/// MAILRU_REENTERED, MAILRU_OAUTH_ERROR, and those of mailru_call for the network and the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_authorize(session: mailru_session, code: *mut i32) -> *mut c_char {
    // SAFETY: the header makes the pointer the caller's promise.
    unsafe { return_json(code, || handles::session(session)?.request(&Action::Authorize.into(), &[], None)) }
}

/// Shows the tokens of a session at once, without network, for the host to store.
///
/// code: receives the outcome's code; may be NULL.
/// Returns {"access_token","refresh_token","expires_in","expires_at","uid","token_type","circuit"},
/// null where unknown; expires_in is the whole lifetime in seconds as it was given, expires_at the
/// end in seconds since 1970. Or the error's JSON. Release either with mailru_string_free.
/// Codes: MAILRU_OK, MAILRU_INVALID_HANDLE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_tokens(session: mailru_session, code: *mut i32) -> *mut c_char {
    // SAFETY: the header makes the pointer the caller's promise.
    unsafe { return_json(code, || Ok(handles::session(session)?.tokens())) }
}

/// Has a function called for every new set of tokens, before any of them is used, on a thread of
/// the library's; also for a grant that outlived its callers or its session. A long stay in it harms
/// no other session.
///
/// callback: replaces the one set before; NULL removes it.
/// user_data: handed to the callback, and never looked at.
/// release: called once, when user_data will not be used again: at once, or on the thread that used
/// it last; may be NULL. On failure it is called, too. A host that ends foreign threads when it shuts
/// down, such as Python, removes the callback and waits for the release first.
/// Returns MAILRU_OK, MAILRU_INVALID_HANDLE, or MAILRU_INVALID_ARGUMENT for a public session. Does
/// not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_session_on_token(
    session: mailru_session,
    callback: mailru_token_callback,
    user_data: *mut c_void,
    release: mailru_release_callback,
) -> i32 {
    let data = HostData::new(user_data, release);
    return_code(move || {
        let session = handles::session(session)?;
        let Some(callback) = callback else {
            drop(data);
            return session.on_token(None);
        };
        session.on_token(Some(Arc::new(move |tokens: &str| {
            // SAFETY: the host gave the function for this data, which lives as long as this closure.
            data.tell(tokens, |user_data, tokens| unsafe { callback(user_data, tokens) });
        })))
    })
}
