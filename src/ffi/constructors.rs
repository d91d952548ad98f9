//! The constructors: each converts its arguments and calls one common function.

use std::ffi::c_char;
use std::sync::Arc;

use super::handles::{self, Entry};
use super::strings::{optional, or_empty, text};
use super::{mailru_session, return_handle};
use crate::error::Outcome;
use crate::oauth::grant::Grant;
use crate::options::Options;
use crate::secret::Secret;
use crate::session::{Keys, Session, Source};
use crate::signature::Circuit;

/// The arguments common to all signing sessions; a key that a constructor does not take is NULL.
struct Common {
    app_id: *const c_char,
    private_key: *const c_char,
    secret_key: *const c_char,
    circuit: Option<Circuit>,
    options_json: *const c_char,
}

impl Common {
    /// For a session whose circuit is inferred at each call from its keys and its user.
    fn inferred(
        app_id: *const c_char,
        private_key: *const c_char,
        secret_key: *const c_char,
        options_json: *const c_char,
    ) -> Common {
        Common { app_id, private_key, secret_key, circuit: None, options_json }
    }

    /// For a session of the client-server circuit.
    fn client(app_id: *const c_char, private_key: *const c_char, options_json: *const c_char) -> Common {
        let circuit = Some(Circuit::ClientServer);
        Common { circuit, ..Common::inferred(app_id, private_key, std::ptr::null(), options_json) }
    }

    /// For a session of the server-server circuit.
    fn server(app_id: *const c_char, secret_key: *const c_char, options_json: *const c_char) -> Common {
        let circuit = Some(Circuit::ServerServer);
        Common { circuit, ..Common::inferred(app_id, std::ptr::null(), secret_key, options_json) }
    }
}

/// Makes a signing session.
///
/// # Safety
/// The pointers are NULL or point to NUL-terminated strings; `error` is NULL or writable.
unsafe fn construct(
    common: Common,
    source: impl FnOnce() -> Outcome<Source>,
    error: *mut *mut c_char,
) -> mailru_session {
    let work = || {
        // SAFETY: the caller's promise.
        let (keys, options) = unsafe {
            let keys = Keys {
                app_id: text("app_id", common.app_id)?.to_owned(),
                private_key: Secret::new(or_empty("private_key", common.private_key)?),
                secret_key: Secret::new(or_empty("secret_key", common.secret_key)?),
                circuit: common.circuit,
            };
            (keys, optional("options_json", common.options_json)?)
        };
        let source = source()?;
        let session = Session::new(keys, source, Options::parse(options)?)?;
        handles::insert(Entry::Session(Arc::new(session)))
    };
    // SAFETY: the caller's promise.
    unsafe { return_handle(error, work) }
}

/// # Safety
/// As for [`construct`].
unsafe fn host(access_token: *const c_char, uid: *const c_char) -> Outcome<Source> {
    // SAFETY: the caller's promise.
    let (access_token, uid) = unsafe { (text("access_token", access_token)?, or_empty("uid", uid)?) };
    Ok(Source::Host { access_token: Secret::new(access_token), uid: uid.to_owned() })
}

/// # Safety
/// As for [`construct`].
unsafe fn code_grant(code: *const c_char, redirect_uri: *const c_char) -> Outcome<Source> {
    // SAFETY: the caller's promise.
    let (code, redirect_uri) = unsafe { (text("code", code)?, text("redirect_uri", redirect_uri)?) };
    Ok(Source::Grant(Grant::Code { code: Secret::new(code), redirect_uri: redirect_uri.to_owned() }))
}

/// # Safety
/// As for [`construct`].
unsafe fn password_grant(email: *const c_char, password: *const c_char, scope: *const c_char) -> Outcome<Source> {
    // SAFETY: the caller's promise.
    let (email, password, scope) =
        unsafe { (text("email", email)?, text("password", password)?, or_empty("scope", scope)?) };
    let (email, scope) = (email.to_owned(), scope.to_owned());
    Ok(Source::Grant(Grant::Password { email, password: Secret::new(password), scope }))
}

/// # Safety
/// As for [`construct`].
unsafe fn refresh_grant(refresh_token: *const c_char) -> Outcome<Source> {
    // SAFETY: the caller's promise.
    let refresh_token = unsafe { text("refresh_token", refresh_token)? };
    Ok(Source::Grant(Grant::Refresh(Secret::new(refresh_token))))
}

/// # Safety
/// As for [`construct`].
unsafe fn stored(tokens_json: *const c_char) -> Outcome<Source> {
    // SAFETY: the caller's promise.
    Ok(Source::Stored(Secret::new(unsafe { or_empty("tokens_json", tokens_json) }?)))
}

/// Makes a session for mailru_public only: signed calls are MAILRU_SIGNATURE_UNDEFINED.
///
/// options_json: a JSON object of options; NULL or empty for the defaults. An unknown name or a wrong
/// value is an error that names it.
/// error: receives NULL, or on failure the error's JSON, to be released with mailru_string_free. It may
/// be NULL.
/// Returns a handle to be released with mailru_session_free, or 0 on failure. No constructor uses the
/// network or blocks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_public_session_new(
    options_json: *const c_char,
    error: *mut *mut c_char,
) -> mailru_session {
    let work = || {
        // SAFETY: the header makes the pointers the caller's promise.
        let options = unsafe { optional("options_json", options_json) }?;
        handles::insert(Entry::Session(Arc::new(Session::public(Options::parse(options)?)?)))
    };
    // SAFETY: as above.
    unsafe { return_handle(error, work) }
}

/// Makes a session with an existing access token. Its circuit is chosen at each call: client-server if
/// uid and private_key are given, else server-server if secret_key is given, else the call is
/// MAILRU_SIGNATURE_UNDEFINED.
///
/// app_id: the application's id; required.
/// private_key, secret_key, uid: NULL means the same as empty, not given.
/// access_token: required; empty for calls that need no session_key.
/// With the options refresh_token and expires_in the session renews the token by itself. on_token
/// (mailru_session_on_token): with the option refresh_token each renewal brings tokens that replace
/// those of the program; without it the callback is not called.
/// options_json, error and the result: as for mailru_public_session_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_token_session_new(
    app_id: *const c_char,
    private_key: *const c_char,
    secret_key: *const c_char,
    access_token: *const c_char,
    uid: *const c_char,
    options_json: *const c_char,
    error: *mut *mut c_char,
) -> mailru_session {
    let common = Common::inferred(app_id, private_key, secret_key, options_json);
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe { construct(common, || host(access_token, uid), error) }
}

/// Makes a session with an existing access token, for the client-server circuit and the user uid.
///
/// app_id, private_key: required and not empty.
/// access_token: required; empty for calls that need no session_key.
/// uid: the session user's id; NULL or empty makes calls MAILRU_SIGNATURE_UNDEFINED.
/// on_token: as for mailru_token_session_new.
/// options_json, error and the result: as for mailru_public_session_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_client_session_new(
    app_id: *const c_char,
    private_key: *const c_char,
    access_token: *const c_char,
    uid: *const c_char,
    options_json: *const c_char,
    error: *mut *mut c_char,
) -> mailru_session {
    let common = Common::client(app_id, private_key, options_json);
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe { construct(common, || host(access_token, uid), error) }
}

/// Makes a session for the server-server circuit. secret_key must never leave the application's server.
///
/// app_id, secret_key: required and not empty.
/// access_token: required; empty if calls name their user by the parameter uid, or need no user.
/// on_token: as for mailru_token_session_new.
/// options_json, error and the result: as for mailru_public_session_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_server_session_new(
    app_id: *const c_char,
    secret_key: *const c_char,
    access_token: *const c_char,
    options_json: *const c_char,
    error: *mut *mut c_char,
) -> mailru_session {
    let common = Common::server(app_id, secret_key, options_json);
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe { construct(common, || host(access_token, std::ptr::null()), error) }
}

/// Makes a session that exchanges the code of a redirect for tokens, on the first call that needs them
/// or in mailru_authorize. The code is sent once. The circuit is chosen as for
/// mailru_token_session_new, with the uid that the tokens bring.
///
/// app_id: required. private_key, secret_key: NULL means the same as empty, not given.
/// code: from mailru_parse_redirect; required and not empty.
/// redirect_uri: the same as was given to mailru_authorize_url; required and not empty. on_token
/// (mailru_session_on_token): set it before the first call. The code works once: a program that neither
/// stores its tokens nor has a token_file needs a new login after a restart.
/// options_json, error and the result: as for mailru_public_session_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_code_session_new(
    app_id: *const c_char,
    private_key: *const c_char,
    secret_key: *const c_char,
    code: *const c_char,
    redirect_uri: *const c_char,
    options_json: *const c_char,
    error: *mut *mut c_char,
) -> mailru_session {
    let common = Common::inferred(app_id, private_key, secret_key, options_json);
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe { construct(common, || code_grant(code, redirect_uri), error) }
}

/// As mailru_code_session_new, for the client-server circuit.
///
/// app_id, private_key, code, redirect_uri: required and not empty.
/// on_token: as for mailru_code_session_new.
/// options_json, error and the result: as for mailru_public_session_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_code_client_session_new(
    app_id: *const c_char,
    private_key: *const c_char,
    code: *const c_char,
    redirect_uri: *const c_char,
    options_json: *const c_char,
    error: *mut *mut c_char,
) -> mailru_session {
    let common = Common::client(app_id, private_key, options_json);
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe { construct(common, || code_grant(code, redirect_uri), error) }
}

/// As mailru_code_session_new, for the server-server circuit.
///
/// app_id, secret_key, code, redirect_uri: required and not empty.
/// on_token: as for mailru_code_session_new.
/// options_json, error and the result: as for mailru_public_session_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_code_server_session_new(
    app_id: *const c_char,
    secret_key: *const c_char,
    code: *const c_char,
    redirect_uri: *const c_char,
    options_json: *const c_char,
    error: *mut *mut c_char,
) -> mailru_session {
    let common = Common::server(app_id, secret_key, options_json);
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe { construct(common, || code_grant(code, redirect_uri), error) }
}

/// Makes a session that exchanges the user's e-mail and password for tokens, on the first call that
/// needs them or in mailru_authorize. The platform allows this only for native applications approved by
/// a moderator. The circuit is chosen as for mailru_token_session_new.
///
/// app_id: required. private_key, secret_key: NULL means the same as empty, not given.
/// email, password: required and not empty.
/// scope: privileges separated by spaces; NULL or empty is the full scope,
/// "photos guestbook stream messages events".
/// on_token (mailru_session_on_token): called with the first tokens and with each renewal's. A program that stores
/// them need not keep the password, and begins with mailru_stored_session_new after a restart.
/// options_json, error and the result: as for mailru_public_session_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_password_session_new(
    app_id: *const c_char,
    private_key: *const c_char,
    secret_key: *const c_char,
    email: *const c_char,
    password: *const c_char,
    scope: *const c_char,
    options_json: *const c_char,
    error: *mut *mut c_char,
) -> mailru_session {
    let common = Common::inferred(app_id, private_key, secret_key, options_json);
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe { construct(common, || password_grant(email, password, scope), error) }
}

/// As mailru_password_session_new, for the client-server circuit.
///
/// app_id, private_key, email, password: required and not empty. scope: may be NULL.
/// on_token: as for mailru_password_session_new.
/// options_json, error and the result: as for mailru_public_session_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_password_client_session_new(
    app_id: *const c_char,
    private_key: *const c_char,
    email: *const c_char,
    password: *const c_char,
    scope: *const c_char,
    options_json: *const c_char,
    error: *mut *mut c_char,
) -> mailru_session {
    let common = Common::client(app_id, private_key, options_json);
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe { construct(common, || password_grant(email, password, scope), error) }
}

/// As mailru_password_session_new, for the server-server circuit.
///
/// app_id, secret_key, email, password: required and not empty. scope: may be NULL.
/// on_token: as for mailru_password_session_new.
/// options_json, error and the result: as for mailru_public_session_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_password_server_session_new(
    app_id: *const c_char,
    secret_key: *const c_char,
    email: *const c_char,
    password: *const c_char,
    scope: *const c_char,
    options_json: *const c_char,
    error: *mut *mut c_char,
) -> mailru_session {
    let common = Common::server(app_id, secret_key, options_json);
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe { construct(common, || password_grant(email, password, scope), error) }
}

/// Makes a session that exchanges a stored refresh token for new tokens, on the first call that needs
/// them or in mailru_authorize. The circuit is chosen as for mailru_token_session_new.
///
/// app_id: required. private_key, secret_key: NULL means the same as empty, not given.
/// refresh_token: required and not empty.
/// on_token (mailru_session_on_token): set it before the first call. The server may end a refresh token when it is
/// used, so the one given here is worthless from then on, and the new one has to be stored in its place.
/// options_json, error and the result: as for mailru_public_session_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_refresh_session_new(
    app_id: *const c_char,
    private_key: *const c_char,
    secret_key: *const c_char,
    refresh_token: *const c_char,
    options_json: *const c_char,
    error: *mut *mut c_char,
) -> mailru_session {
    let common = Common::inferred(app_id, private_key, secret_key, options_json);
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe { construct(common, || refresh_grant(refresh_token), error) }
}

/// As mailru_refresh_session_new, for the client-server circuit.
///
/// app_id, private_key, refresh_token: required and not empty.
/// on_token: as for mailru_refresh_session_new.
/// options_json, error and the result: as for mailru_public_session_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_refresh_client_session_new(
    app_id: *const c_char,
    private_key: *const c_char,
    refresh_token: *const c_char,
    options_json: *const c_char,
    error: *mut *mut c_char,
) -> mailru_session {
    let common = Common::client(app_id, private_key, options_json);
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe { construct(common, || refresh_grant(refresh_token), error) }
}

/// As mailru_refresh_session_new, for the server-server circuit.
///
/// app_id, secret_key, refresh_token: required and not empty.
/// on_token: as for mailru_refresh_session_new.
/// options_json, error and the result: as for mailru_public_session_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_refresh_server_session_new(
    app_id: *const c_char,
    secret_key: *const c_char,
    refresh_token: *const c_char,
    options_json: *const c_char,
    error: *mut *mut c_char,
) -> mailru_session {
    let common = Common::server(app_id, secret_key, options_json);
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe { construct(common, || refresh_grant(refresh_token), error) }
}

/// Makes a session with stored tokens, after a restart of the program. The circuit is chosen as for
/// mailru_token_session_new, with the stored uid. An access token that has expired, or is missing, is
/// renewed with the refresh token on the first call that needs it.
///
/// app_id: required. private_key, secret_key: NULL means the same as empty, not given.
/// tokens_json: the JSON passed to the token callback or returned by mailru_tokens, with access_token,
/// refresh_token or both; unknown members are ignored. NULL or empty if the option token_file names a
/// file that holds tokens. Of the two sets the one that expires later is used; if that is unknown, the
/// file's.
/// on_token (mailru_session_on_token): called with each renewal's tokens, which replace the stored ones.
/// options_json, error and the result: as for mailru_public_session_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mailru_stored_session_new(
    app_id: *const c_char,
    private_key: *const c_char,
    secret_key: *const c_char,
    tokens_json: *const c_char,
    options_json: *const c_char,
    error: *mut *mut c_char,
) -> mailru_session {
    let common = Common::inferred(app_id, private_key, secret_key, options_json);
    // SAFETY: the header makes the pointers the caller's promise.
    unsafe { construct(common, || stored(tokens_json), error) }
}
