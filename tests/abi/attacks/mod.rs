//! Attacks: forged payments and launches, redirects of other users' logins, names that servers read in different ways.
//! `include/threats.md` describes them.

pub use super::corpus::targets::oracle;

mod addresses;
mod hidden;
mod kinds;
mod names;
mod queries;
mod random;
mod redirects;
mod uploads;

use std::ffi::c_char;

use mailru::ffi::*;
use serde_json::{Value, json};

use self::oracle::{Fields, SIGNED};
use crate::support::*;

/// `mailru_verify` or `mailru_verify_launch`.
type Verify = unsafe extern "C" fn(*const c_char, *const c_char, *mut i32) -> *mut c_char;

/// Names and values, as the tests write them.
fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The fields with `sig` over all of them.
fn signed(fields: &Fields) -> Fields {
    let sig = oracle::signature(&oracle::text(fields));
    fields.iter().cloned().chain([("sig".to_owned(), sig)]).collect()
}

/// The fields as a JSON object.
fn object(fields: &Fields) -> Value {
    fields.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<serde_json::Map<_, _>>().into()
}

/// Checks a JSON object with the tests' key.
fn verify(function: Verify, params: &Value) -> Answer {
    let (key, params) = (c(oracle::KEY), c(&params.to_string()));
    // SAFETY: the strings outlive the call.
    Answer::of(|code| unsafe { function(key.as_ptr(), params.as_ptr(), code) })
}

/// `mailru_verify_query` with the tests' key.
fn verify_query(kind: &str, query: &str) -> Answer {
    let [kind, key, query] = [kind, oracle::KEY, query].map(c);
    // SAFETY: the strings outlive the call.
    Answer::of(|code| unsafe { mailru_verify_query(kind.as_ptr(), key.as_ptr(), query.as_ptr(), code) })
}

/// The kinds as which the fields are accepted, by each function.
fn passes(fields: &Fields) -> Vec<&'static str> {
    let (params, query) = (object(fields), oracle::query(fields));
    let mut passed: Vec<_> = SIGNED.into_iter().filter(|kind| verify_query(kind, &query).code == MAILRU_OK).collect();
    for (kind, function) in [("payment", mailru_verify as Verify), ("launch", mailru_verify_launch as Verify)] {
        let agrees = (verify(function, &params).code == MAILRU_OK) == passed.contains(&kind);
        assert!(agrees, "{kind}: the functions disagree about {query}");
    }
    if verify_query("launch_by_key", &query).code == MAILRU_OK {
        passed.push("launch_by_key");
    }
    passed
}

/// A request of a kind, as the platform (or for a call the application) signs it.
fn sample(kind: &str) -> Fields {
    let key = oracle::signature(&format!("{APP_ID}_{UID}_"));
    let pairs: &[(&str, &str)] = match kind {
        "payment" => &[
            ("app_id", APP_ID),
            ("debug", "1"),
            ("other_price", "10000"),
            ("profit", "5000"),
            ("service_id", "10"),
            ("transaction_id", "3751"),
            ("uid", "104"),
        ],
        "launch" => &[
            ("app_id", APP_ID),
            ("authentication_key", &key),
            ("ext_perm", "stream,photos"),
            ("is_app_user", "1"),
            ("oid", UID),
            ("referer_id", "7"),
            ("referer_type", "left_menu"),
            ("session_expire", "4102444800"),
            ("session_key", SESSION_KEY),
            ("vid", UID),
            ("view", "main"),
            ("window_id", "CometName_17"),
        ],
        "cookie" => &[
            ("app_id", APP_ID),
            ("exp", "4102444800"),
            ("ext_perm", "stream"),
            ("is_app_user", "1"),
            ("oid", UID),
            ("session_key", SESSION_KEY),
            ("ss", "be6ef8"),
            ("state", ""),
            ("vid", UID),
            ("window_id", "CometName_17"),
            ("connectPartner", ""),
        ],
        "launch_by_key" => return fields(&[("app_id", APP_ID), ("vid", UID), ("authentication_key", &key)]),
        "call" => &[
            ("app_id", APP_ID),
            ("method", "users.hasAppPermission"),
            ("secure", "1"),
            ("session_key", SESSION_KEY),
            ("ext_perm", "stream"),
            ("uid", "1"),
            ("text", "hi"),
        ],
        _ => panic!("no kind {kind}"),
    };
    signed(&fields(pairs))
}
