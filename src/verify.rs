//! Checks of what the platform sends to an application: payment callbacks and launch parameters.
#![forbid(unsafe_code)]

use crate::error::{Code, Failure, Outcome};
use crate::params::{self, Parameters};
use crate::secret::Secret;
use crate::signature::{equal, verifies};

/// The launch parameters that the platform signs; what else stands in the address is the application's own.
const LAUNCH: [&str; 13] = [
    "app_id",
    "session_key",
    "session_expire",
    "oid",
    "vid",
    "is_app_user",
    "ext_perm",
    "window_id",
    "view",
    "referer_type",
    "referer_id",
    "authentication_key",
    "ref_notify",
];

/// Checks a payment callback: `sig` over all its other parameters, with the secret key.
pub fn callback(secret_key: &Secret, params_json: Option<&str>) -> Outcome<()> {
    let mut parameters = read(secret_key, params_json)?;
    let signature = take(&mut parameters, "sig")?;
    match verifies(&signature, &mut parameters, secret_key) {
        true => Ok(()),
        false => Err(mismatch("sig", "all other parameters")),
    }
}

/// Checks the launch parameters of an embedded application: `authentication_key`, and `sig` over
/// those parameters of the platform's that are present.
pub fn launch(secret_key: &Secret, params_json: Option<&str>) -> Outcome<()> {
    let mut parameters = read(secret_key, params_json)?;
    let signature = take(&mut parameters, "sig")?;
    let app_id = find(&parameters, "app_id")?;
    let vid = find(&parameters, "vid")?;
    let key = find(&parameters, "authentication_key")?;
    let mut context = md5::Context::new();
    for part in [app_id, "_", vid, "_", secret_key.expose()] {
        context.consume(part);
    }
    let key_is_right = equal(key, &format!("{:x}", context.finalize()));
    parameters.retain(|(name, _)| LAUNCH.contains(&name.as_ref()));
    let signature_is_right = verifies(&signature, &mut parameters, secret_key);
    match (key_is_right, signature_is_right) {
        (true, true) => Ok(()),
        (false, _) => Err(mismatch("authentication_key", "app_id and vid")),
        (true, false) => Err(mismatch("sig", "the platform's launch parameters")),
    }
}

fn read<'a>(secret_key: &Secret, params_json: Option<&'a str>) -> Outcome<Parameters<'a>> {
    if secret_key.is_empty() {
        return Err(Failure::argument("secret_key", "is empty; give the application's secret key"));
    }
    let json = params_json
        .filter(|json| !json.is_empty())
        .ok_or_else(|| Failure::argument("params_json", "is NULL; give the received parameters as a JSON object"))?;
    params::plain_parameters(Some(json))
}

fn find<'a>(parameters: &'a Parameters<'_>, name: &str) -> Outcome<&'a str> {
    let found = parameters.iter().find(|parameter| parameter.0 == name);
    found.map(|(_, value)| value.as_ref()).ok_or_else(|| missing(name))
}

fn take(parameters: &mut Parameters<'_>, name: &str) -> Outcome<String> {
    let place = parameters.iter().position(|parameter| parameter.0 == name).ok_or_else(|| missing(name))?;
    Ok(parameters.swap_remove(place).1.into_owned())
}

fn missing(name: &str) -> Failure {
    Failure::argument(name, "is missing from params_json; pass on every parameter that was received")
}

fn mismatch(name: &str, over: &str) -> Failure {
    Failure::new(
        Code::SignatureMismatch,
        format!(
            "{name} is not the platform's over {over}: do not trust this request (or secret_key is another application's)"
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
        assert!(callback(&key, Some(signed)).is_ok());
        let tampered = signed.replace("10000", "10001");
        assert_eq!(callback(&key, Some(&tampered)).expect_err("tampered").code(), Code::SignatureMismatch);
        let unsigned = signed.replace("\"sig\"", "\"gis\"");
        assert_eq!(callback(&key, Some(&unsigned)).expect_err("no sig").code(), Code::InvalidArgument);
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
        assert!(launch(&key, Some(&json(r#","page":"shop""#))).is_ok());
        assert_eq!(
            launch(&key, Some(&json(r#","oid":"1""#))).expect_err("signed name added").code(),
            Code::SignatureMismatch
        );
        let other = json("").replace("ab7d", "bb7d");
        assert!(launch(&key, Some(&other)).expect_err("wrong key").message().starts_with("authentication_key"));
    }
}
