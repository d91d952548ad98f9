//! Calls of the platform's methods, uploads, and public pages.

use std::ffi::c_char;
use std::time::{Duration, Instant};

use super::strings::{optional, text};
use super::{handles, mailru_cancel, mailru_session, return_code, return_json};
use crate::error::{Failure, Outcome};
use crate::params;
use crate::request::{self, Action, Call, FilePart, Request, UNKNOWN_MEDIA_TYPE};

/// Calls a method of the platform and waits for its answer.
///
/// session: a handle from one of the constructors.
/// method: any name of dotted letters, digits and underscores, such as "friends.get".
/// params_json: a JSON object of the method's parameters; NULL or empty for none. A string is sent as it
/// is, a number exactly as written, true and false as 1 and 0; null leaves the parameter out; an
/// array of these is joined by commas; anything else is sent as compact JSON. Names are letters,
/// digits, _, -, ., [ and ]. The names method, app_id, session_key, secure, sig and cb are the
/// library's own and refused, in any case and before a [ or . as well; format may only be "json".
/// A parameter's name must come from the program and never from a user.
/// The attack: a user who may choose a name adds uid and so decides for whom the call is made.
/// code: receives the outcome's code; may be NULL.
/// Returns the platform's own JSON, byte for byte, or on failure the error's JSON: in both cases to
/// be released with mailru_string_free; never NULL.
///
/// Blocks until the answer is there, at most for the option timeout_ms, retries and the renewal of
/// the token included. mailru_session_cancel and mailru_session_free from another thread end it.
/// Codes: MAILRU_OK, MAILRU_INVALID_ARGUMENT, MAILRU_INVALID_HANDLE, MAILRU_SIGNATURE_UNDEFINED,
/// MAILRU_REENTERED, and all from MAILRU_API_ERROR to MAILRU_CANCELLED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_call(
    session: mailru_session,
    method: *const c_char,
    params_json: *const c_char,
    code: *mut i32,
) -> *mut c_char {
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe {
        return_json(code, || {
            let received = Instant::now();
            let session = handles::session(session)?;
            let call = Call::new(text("method", method)?, optional("params_json", params_json)?)?;
            session.request(&Request { received, ..Action::Call(call).into() }, &[], None)
        })
    }
}

/// As mailru_call, with a time limit and a cancel handle for this call: for a Go context, an abort
/// signal or a task that can be cancelled.
///
/// timeout_ms: the time limit of this call in milliseconds; 0 for the session's.
/// cancel: a handle from mailru_cancel_new that may end this call, or 0 for none. Everything else is as
/// for mailru_call. A negative timeout_ms is MAILRU_INVALID_ARGUMENT. If the cancel handle was fired,
/// the call is MAILRU_CANCELLED at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_call_within(
    session: mailru_session,
    method: *const c_char,
    params_json: *const c_char,
    timeout_ms: i64,
    cancel: mailru_cancel,
    code: *mut i32,
) -> *mut c_char {
    let work = || {
        let received = Instant::now();
        let session = handles::session(session)?;
        // SAFETY: the header makes the pointers the caller's promise.
        let (method, params_json) = unsafe { (text("method", method)?, optional("params_json", params_json)?) };
        let cancel = handles::optional_cancel(cancel)?;
        let request =
            Request { limit: limit(timeout_ms)?, received, ..Action::Call(Call::new(method, params_json)?).into() };
        session.request(&request, &[], cancel.as_deref())
    };
    // SAFETY: as above.
    unsafe { return_json(code, work) }
}

fn limit(timeout_ms: i64) -> Outcome<Option<Duration>> {
    match u64::try_from(timeout_ms) {
        Ok(0) => Ok(None),
        Ok(milliseconds) => Ok(Some(Duration::from_millis(milliseconds))),
        Err(_) => Err(Failure::argument("timeout_ms", "is negative; give milliseconds, or 0 for the session's limit")),
    }
}

/// Calls a method with a file, as multipart/form-data: photos.upload, guestbook.post.
///
/// session, method, params_json, code, the result and the codes: as for mailru_call.
/// field: the form field of the file, such as "img_file"; it is not signed. It may not have the name
/// of a parameter.
/// file_name: the file's name. Quotation marks, backslashes and control characters in it and in field
/// are percent-encoded.
/// data, size: the file, read in place and not kept; data may not be NULL.
/// Blocks as mailru_call does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_upload(
    session: mailru_session,
    method: *const c_char,
    params_json: *const c_char,
    field: *const c_char,
    file_name: *const c_char,
    data: *const u8,
    size: usize,
    code: *mut i32,
) -> *mut c_char {
    let work = || {
        let received = Instant::now();
        let session = handles::session(session)?;
        // SAFETY: the header makes the pointers and the size the caller's promise.
        let data = unsafe { bytes(data, size) }?
            .ok_or_else(|| Failure::argument("data", "is NULL; it must point to the file's bytes"))?;
        // SAFETY: as above.
        let (call, field, name) = unsafe {
            let call = Call::new(text("method", method)?, optional("params_json", params_json)?)?;
            (call, text("field", field)?.into(), text("file_name", file_name)?.into())
        };
        let file = FilePart { field, name, media_type: UNKNOWN_MEDIA_TYPE.into() };
        file.with(data).check(&call.parameters)?;
        session.request(&Request { received, ..Action::Upload(call, file).into() }, data, None)
    };
    // SAFETY: as above.
    unsafe { return_json(code, work) }
}

/// Performs any request, described as JSON, with settings that the other functions do not have.
///
/// session: a handle from one of the constructors.
/// request_json: an object with exactly one of "method" (with "params", an object, and for an upload
/// "file": {"field", "name", "type"}), "public" (a path, with "params") and "authorize": true. Optional
/// members timeout_ms, retries and pass_error replace the session's options. type is
/// "application/octet-stream" if it is left out. An unknown member is an error that names it.
/// data, size: the file of an upload, read in place and not kept; else NULL and 0.
/// cancel: a handle from mailru_cancel_new that may end the request, or 0 for none.
/// Returns the result and the codes of mailru_call, mailru_upload, mailru_public or mailru_authorize.
/// Release it with mailru_string_free. Blocks as they do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_request(
    session: mailru_session,
    request_json: *const c_char,
    data: *const u8,
    size: usize,
    cancel: mailru_cancel,
    code: *mut i32,
) -> *mut c_char {
    let work = || {
        let session = handles::session(session)?;
        // SAFETY: the header makes the pointers and the size the caller's promise.
        let (request_json, data) = unsafe { (text("request_json", request_json)?, bytes(data, size)?) };
        let request = request::parse(request_json, data.is_some())?;
        let cancel = handles::optional_cancel(cancel)?;
        session.request(&request, data.unwrap_or_default(), cancel.as_deref())
    };
    // SAFETY: as above.
    unsafe { return_json(code, work) }
}

/// The bytes of a file; `None` if the host gave none.
///
/// # Safety
/// `data` is NULL or points to `size` readable bytes that outlive the result.
pub unsafe fn bytes<'a>(data: *const u8, size: usize) -> Outcome<Option<&'a [u8]>> {
    if size > isize::MAX as usize {
        return Err(Failure::argument("data", "is too large: size is greater than the address space allows"));
    }
    match (data.is_null(), size) {
        (true, 0) => Ok(None),
        (true, _) => {
            Err(Failure::argument("data", "is NULL although size is not 0; it must point to the file's bytes"))
        }
        // SAFETY: not NULL, no larger than memory, and the caller's promise.
        (false, _) => Ok(Some(unsafe { std::slice::from_raw_parts(data, size) })),
    }
}

/// Reads a public page's JSON, such as "mail/nick", which turns a page's address into a user's id.
///
/// session: any session; nothing is signed.
/// path: segments of letters, digits, '.', '_' and '-' joined by '/'; none may be "." or "..".
/// params_json: a JSON object of query parameters, none of them reserved, or NULL.
/// code, the result and the time limit: as for mailru_call.
/// Codes: those of mailru_call except MAILRU_SIGNATURE_UNDEFINED and MAILRU_REENTERED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_public(
    session: mailru_session,
    path: *const c_char,
    params_json: *const c_char,
    code: *mut i32,
) -> *mut c_char {
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe {
        return_json(code, || {
            let session = handles::session(session)?;
            let (path, parameters) = (text("path", path)?, optional("params_json", params_json)?);
            params::check_path(path)?;
            let parameters = params::plain_parameters(parameters)?;
            session.request(&Action::Public { path: path.into(), parameters }.into(), &[], None)
        })
    }
}

/// Returns a call as it would be sent now as GET, for finding the cause of an "Incorrect signature"
/// error.
///
/// session, method, params_json: as for mailru_call.
/// Returns {"url","sig","circuit","base","params"}, where base is the text that was hashed, with
/// <private_key> or <secret_key> in place of the key at its end; or the error's JSON. Release either
/// with mailru_string_free. url and params contain the access token: do not log them. In the
/// server-server circuit do not give url, sig or params to a browser or to a user's program.
/// The attack: {"text":"hiuid=999"} has the signature of {"text":"hi","uid":"999"}. A user who chooses
/// the text and gets the signature can act for user 999, and can call another method in the same way.
/// Uses no network and does not block. For a session that gets its token by a grant and has none yet
/// the code is MAILRU_SIGNATURE_UNDEFINED. Other codes: MAILRU_OK, MAILRU_INVALID_ARGUMENT,
/// MAILRU_INVALID_HANDLE, MAILRU_REENTERED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_sign(
    session: mailru_session,
    method: *const c_char,
    params_json: *const c_char,
    code: *mut i32,
) -> *mut c_char {
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe {
        return_json(code, || {
            handles::session(session)?.sign(text("method", method)?, optional("params_json", params_json)?)
        })
    }
}

/// Ends the running calls of a session, in any phase, within 50 ms, as MAILRU_CANCELLED. Later calls
/// work. A token request continues, so that no token is lost; only the waiting for it ends.
///
/// Returns MAILRU_OK or MAILRU_INVALID_HANDLE. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn mailru_session_cancel(session: mailru_session) -> i32 {
    return_code(|| {
        handles::session(session)?.cancel();
        Ok(())
    })
}

/// Frees a session. Running calls on other threads end with their answer or as MAILRU_CANCELLED; later
/// uses of the handle are MAILRU_INVALID_HANDLE. A token request that was sent continues, and its
/// tokens still reach the token callback.
///
/// 0, a freed handle and a handle of another kind are ignored. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn mailru_session_free(session: mailru_session) {
    return_code(|| {
        if let Some(handles::Entry::Session(session)) =
            handles::remove(session, |entry| matches!(entry, handles::Entry::Session(_)))
        {
            session.end();
        }
        Ok(())
    });
}
