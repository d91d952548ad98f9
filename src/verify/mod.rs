//! Checks the requests that the platform signs with an application's secret key: payment callbacks, launch parameters,
//! and the JavaScript library's cookie.
//!
//! The same key signs all of them and the application's own calls, and the hashed text has no separators. So the checks
//! accept at most one kind and one set of names and values for each signature, which `tests/fuzz` tests.
#![forbid(unsafe_code)]

mod launch;
mod names;
mod query;
mod whole;

use std::borrow::Cow;

pub use self::query::query;
use crate::error::{Code, Failure, Outcome};
use crate::params::{self, Parameters, Received};
use crate::secret::Secret;

/// The result of a successful check.
struct Checked<'a> {
    /// The parameters that the signatures prove, and no others.
    parameters: Parameters<'a>,
    /// The names of the signatures that were checked.
    by: &'static [&'static str],
}

/// Checks a payment callback, given as a JSON object.
pub fn payment(secret_key: &Secret, params_json: Option<&str>) -> Outcome<()> {
    whole::payment(received(secret_key, params_json)?, secret_key).map(drop)
}

/// Checks launch parameters, given as a JSON object.
pub fn launch(secret_key: &Secret, params_json: Option<&str>) -> Outcome<()> {
    launch::launch(received(secret_key, params_json)?, secret_key).map(drop)
}

fn received<'a>(secret_key: &Secret, params_json: Option<&'a str>) -> Outcome<Received<'a>> {
    with_key(secret_key)?;
    let json = params_json.filter(|json| !json.is_empty()).ok_or_else(|| {
        Failure::argument("params_json", "is NULL or empty; give the received parameters as a JSON object")
    })?;
    params::received(json)
}

fn with_key(secret_key: &Secret) -> Outcome<()> {
    match secret_key.is_empty() {
        true => Err(Failure::argument("secret_key", "is empty; give the application's secret key")),
        false => Ok(()),
    }
}

/// Separates the signature from the other parameters.
fn without_signature(mut received: Received<'_>) -> Outcome<(Cow<'_, str>, Received<'_>)> {
    let place = received.iter().position(|field| field.0 == "sig").ok_or_else(|| missing("sig"))?;
    let (name, value) = received.swap_remove(place);
    Ok((text_of(&name, value)?, received))
}

fn text_of<'a>(name: &str, value: Option<Cow<'a, str>>) -> Outcome<Cow<'a, str>> {
    value.ok_or_else(|| forged(name, "must be a string or a number"))
}

fn digits(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit())
}

fn missing(name: &str) -> Failure {
    Failure::argument(name, "is missing; pass on every parameter that was received")
}

/// The failure of a request that is refused whatever its signature.
fn forged(name: &str, problem: &str) -> Failure {
    let message = format!("{name}: {problem}; do not trust this request");
    Failure::new(Code::SignatureMismatch, message).for_argument(name)
}

fn mismatch(name: &str, over: &str) -> Failure {
    Failure::new(
        Code::SignatureMismatch,
        format!(
            "{name} is not the platform's signature of {over}: do not trust this request; if all requests fail, check secret_key"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payment_vector() {
        let key = Secret::new("secretkey");
        let signed = r#"{"app_id":524632,"mailiki_price":10,"other_price":10000,"profit":5000,"service_id":10,"transaction_id":3751,"uid":104,"sig":"961a705e28008186d443fe211608184c"}"#;
        assert!(payment(&key, Some(signed)).is_ok());
        let tampered = signed.replace("10000", "10001");
        assert_eq!(payment(&key, Some(&tampered)).expect_err("tampered").code(), Code::SignatureMismatch);
        let unsigned = signed.replace("\"sig\"", "\"gis\"");
        assert_eq!(payment(&key, Some(&unsigned)).expect_err("no sig").code(), Code::InvalidArgument);
    }

    #[test]
    fn launch_ignores_the_applications_own_parameters() {
        let key = Secret::new("3dad9cbf9baaa0360c0f2ba372d25716");
        let vid = "1324730981306483817";
        let text = format!("app_id=423004authentication_key=ab7d2184215c89773a36644dbec9c189vid={vid}{}", key.expose());
        let sig = format!("{:x}", md5::compute(text));
        let json = |own: &str| {
            format!(
                r#"{{"app_id":"423004","vid":"{vid}","authentication_key":"ab7d2184215c89773a36644dbec9c189","sig":"{sig}"{own}}}"#
            )
        };
        assert!(launch(&key, Some(&json(""))).is_ok());
        assert!(launch(&key, Some(&json(r#","page":"shop","list":[1]"#))).is_ok());
        let added = launch(&key, Some(&json(r#","oid":"1""#))).expect_err("signed name added");
        assert_eq!(added.code(), Code::SignatureMismatch);
        let other = json("").replace("ab7d", "bb7d");
        assert!(launch(&key, Some(&other)).expect_err("wrong key").message().starts_with("authentication_key"));
    }
}
