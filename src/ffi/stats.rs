//! What a session has done.

use std::ffi::c_char;

use super::{handles, mailru_session, return_json};

/// What a session has done since it was made, for a program's monitoring: at once, without network.
///
/// code: receives the outcome's code; may be NULL.
/// Returns a JSON object, or the error's; release either with mailru_string_free. Does not block. Numbers only grow,
/// but for in_flight. Its members, to which more may join, and none of which tells a secret:
///
///     "calls"               requests of the session that began: mailru_call, mailru_call_within, mailru_upload,
///                           mailru_public, mailru_request, mailru_authorize, and queued ones once they come into
///                           flight. What an argument's error refuses is none.
///     "in_flight"           those of them that are not over
///     "failures"            an object: how many of them ended with which code, such as {"MAILRU_TIMEOUT":2};
///                           codes that did not occur are absent. All others succeeded: with pass_error,
///                           also those that the platform answered with an error.
///     "latency"             how long those that are over took, retries and the wait for tokens included:
///                           "calls", "sum_ms" (a fraction), and "buckets", an array of {"le_ms","calls"}: so many
///                           took le_ms milliseconds or less, those of the buckets before included. The bounds are 5,
///                           10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000 and null, which is none
///     "attempts"            HTTP requests that were tried, those for tokens included
///     "retries"             attempts that repeated one that failed
///     "grants"              sets of tokens that the authorization server gave for a code or a password
///     "renewals"            sets of tokens that it gave for a refresh token
///     "token_failures"      requests for tokens that brought none
///     "connections_opened"  attempts that made a new connection, proxy and TLS included
///     "connections_reused"  attempts that used a kept one
///     "bytes_out"           bytes that attempts wrote to their connections, TLS and proxies included
///     "bytes_in"            bytes that they read
///
/// Attempts are counted when they end, calls when they begin. After a fork the child's numbers begin at zero, so that
/// those of all processes add up.
/// Codes: MAILRU_OK, MAILRU_INVALID_HANDLE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_stats(session: mailru_session, code: *mut i32) -> *mut c_char {
    // SAFETY: the header makes the pointer the caller's promise.
    unsafe { return_json(code, || Ok(handles::session(session)?.stats())) }
}
