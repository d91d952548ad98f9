//! Checks of an embedded application's launch parameters.
#![forbid(unsafe_code)]

use super::names::{LAUNCH, meant, signs_after_names};
use super::{Checked, digits, forged, mismatch, missing, text_of, without_signature};
use crate::error::Outcome;
use crate::params::{Parameters, Received};
use crate::secret::Secret;
use crate::signature::{equal, sort, verifies};

/// Parameters that must be digits only, if they are present.
const NUMBERS: [&str; 5] = ["app_id", "vid", "oid", "session_expire", "is_app_user"];

/// Checks `sig` over the platform's own parameters, and `authentication_key` if it is present.
pub fn launch<'a>(received: Received<'a>, secret_key: &Secret) -> Outcome<Checked<'a>> {
    let (signature, fields) = without_signature(received)?;
    let mut parameters = the_platforms(fields)?;
    for (name, value) in &parameters {
        if let Some(hidden) = hidden(value) {
            return Err(forged(name, &format!("contains {hidden}=, which could be another parameter")));
        }
    }
    for name in ["app_id", "vid"] {
        find(&parameters, name)?;
    }
    let by: &[&str] = match find(&parameters, "authentication_key") {
        Ok(_) => {
            check_key(&parameters, secret_key)?;
            &["authentication_key", "sig"]
        }
        Err(_) => &["sig"],
    };
    sort(&mut parameters);
    match verifies(&signature, &mut parameters, secret_key) {
        true => Ok(Checked { parameters, by }),
        false => Err(mismatch("sig", "the platform's launch parameters")),
    }
}

/// Checks only `authentication_key`, which proves `app_id` and `vid`: early launches have no `sig`.
pub fn launch_by_key<'a>(received: Received<'a>, secret_key: &Secret) -> Outcome<Checked<'a>> {
    if received.iter().any(|field| field.0 == "sig") {
        return Err(forged("sig", "is not part of an early launch; use the kind \"launch\""));
    }
    let mut parameters = the_platforms(received)?;
    check_key(&parameters, secret_key)?;
    parameters.retain(|(name, _)| matches!(name.as_ref(), "app_id" | "vid"));
    Ok(Checked { parameters, by: &["authentication_key"] })
}

/// The parameters with the platform's names. Other names are the application's own, unless a server could read them as
/// one of the platform's.
fn the_platforms(fields: Received<'_>) -> Outcome<Parameters<'_>> {
    let mut parameters = Parameters::with_capacity(fields.len());
    for (name, value) in fields {
        if LAUNCH.contains(&name.as_ref()) {
            let value = text_of(&name, value)?;
            if NUMBERS.contains(&name.as_ref()) && !digits(&value) {
                return Err(forged(&name, "must be digits only"));
            }
            parameters.push((name, value));
        } else if let Some(meant) = meant(&name, LAUNCH.into_iter()) {
            return Err(forged(&name, &format!("is not signed, and some servers would read it as {meant}")));
        }
    }
    Ok(parameters)
}

/// A name hidden in a value: one of the platform's, or one that occurs only in an application's own calls.
fn hidden(value: &str) -> Option<&'static str> {
    signs_after_names(value).find_map(|text| LAUNCH.into_iter().chain(["method"]).find(|name| text.ends_with(name)))
}

fn check_key(parameters: &Parameters<'_>, secret_key: &Secret) -> Outcome<()> {
    let (app_id, vid) = (find(parameters, "app_id")?, find(parameters, "vid")?);
    let key = find(parameters, "authentication_key")?;
    let mut context = md5::Context::new();
    for part in [app_id, "_", vid, "_", secret_key.expose()] {
        context.consume(part);
    }
    match equal(key, &format!("{:x}", context.finalize())) {
        true => Ok(()),
        false => Err(mismatch("authentication_key", "app_id and vid")),
    }
}

fn find<'a>(parameters: &'a Parameters<'_>, name: &str) -> Outcome<&'a str> {
    let found = parameters.iter().find(|parameter| parameter.0 == name);
    found.map(|(_, value)| value.as_ref()).ok_or_else(|| missing(name))
}
