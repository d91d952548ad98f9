//! Session statistics.

use std::ffi::c_char;

use super::{handles, mailru_session, return_json};

/// The statistics of a session since it was made, for a program's monitoring: at once, without network.
///
/// code: receives the outcome's code; may be NULL.
/// Returns a JSON object, or the error's; release either with mailru_string_free. Does not block. All
/// numbers except in_flight only grow. Its members, none of which is secret; more may be added:
///
///     "calls"               requests of the session that began: mailru_call, mailru_call_within,
///                           mailru_upload, mailru_public, mailru_request, mailru_authorize, and
///                           queued ones once they come into flight. A request refused for a bad
///                           argument does not count.
///     "in_flight"           those of them that have not ended
///     "failures"            an object: how many failed with each code, such as {"MAILRU_TIMEOUT":2}.
///                           Codes that did not occur are absent. All others succeeded; with
///                           pass_error, these include answers with a platform error.
///     "latency"             the durations of ended requests, with retries and the wait for tokens:
///                           "calls", "sum_ms" (a fraction), and "buckets", an array of
///                           {"le_ms","calls"}: how many took le_ms milliseconds or less, with those
///                           of lower buckets. The bounds are 5, 10, 25, 50, 100, 250, 500, 1000,
///                           2500, 5000, 10000, 30000 and null, which means no bound.
///     "attempts"            attempted HTTP requests, with those for tokens
///     "retries"             attempts after a failed one
///     "grants"              sets of tokens received for a code or a password
///     "renewals"            sets of tokens received for a refresh token
///     "token_failures"      token requests that brought no tokens
///     "connections_opened"  attempts that made a new connection, proxy and TLS included
///     "connections_reused"  attempts that used a kept connection
///     "bytes_out"           bytes written to connections, with those of TLS and proxies
///     "bytes_in"            bytes read from connections
///
/// Attempts are counted when they end, calls when they begin. After a fork the child's numbers begin at
/// zero, so that the numbers of all processes can be added.
/// Codes: MAILRU_OK, MAILRU_INVALID_HANDLE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_stats(session: mailru_session, code: *mut i32) -> *mut c_char {
    // SAFETY: the header makes the pointer the caller's promise.
    unsafe { return_json(code, || Ok(handles::session(session)?.stats())) }
}
