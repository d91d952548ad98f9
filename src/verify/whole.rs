//! Checks requests in which every parameter is signed: payment callbacks, and the JavaScript library's cookie.
//!
//! The platform hashes the `name=value` pairs without separators, so several sets of parameters may have the same
//! hashed text and signature. These rules accept only sets whose text can be read in one way:
//!
//! 1. No value contains the end of a name followed by `=`, so each such sign ends a name.
//! 2. If the text before such a sign ends with a known name, that is the name.
//! 3. Any other name does not begin with a digit, and the value before it does not end like a name, digits ignored. So
//!    the beginning of the name is certain too.
#![forbid(unsafe_code)]

use super::names::{self, is_known, is_of_a_name, known_at_end, meant_of_all, signs_after_names};
use super::{Checked, digits, forged, mismatch, text_of, without_signature};
use crate::error::Outcome;
use crate::params::{Parameters, Received};
use crate::secret::Secret;
use crate::signature::{sort, verifies};

/// The parameters of one kind of request.
struct Rules {
    /// Its names. Unknown names are allowed too, but no name of another kind of request.
    names: &'static [&'static str],
    /// Its required parameters, which must be digits only.
    required: &'static [&'static str],
    /// Parameters that must be digits only, if they are present.
    numbers: &'static [&'static str],
    /// Its name in an error.
    title: &'static str,
}

const PAYMENT: Rules = Rules {
    names: &names::PAYMENT,
    required: &["app_id", "transaction_id", "service_id", "uid"],
    numbers: &PRICES,
    title: "a payment",
};

/// Each payment has one of these.
const PRICES: [&str; 3] = ["mailiki_price", "other_price", "sms_price"];

const COOKIE: Rules = Rules {
    names: &names::COOKIE,
    // Without `exp` a cookie could be read as a launch with the same names.
    required: &["app_id", "exp"],
    numbers: &["vid", "oid", "is_app_user"],
    title: "the cookie",
};

/// Checks a payment callback: `sig` over all its other parameters.
pub fn payment<'a>(received: Received<'a>, secret_key: &Secret) -> Outcome<Checked<'a>> {
    check(received, secret_key, &PAYMENT, |parameters| {
        let price = parameters.iter().any(|(name, _)| PRICES.contains(&name.as_ref()));
        price.then_some(()).ok_or_else(|| forged(PRICES[0], "is missing, as are other_price and sms_price"))
    })
}

/// Checks the cookie `mrc`: `sig` over all its other fields.
pub fn cookie<'a>(received: Received<'a>, secret_key: &Secret) -> Outcome<Checked<'a>> {
    check(received, secret_key, &COOKIE, |_| Ok(()))
}

fn check<'a>(
    received: Received<'a>,
    secret_key: &Secret,
    rules: &Rules,
    complete: impl FnOnce(&Parameters) -> Outcome<()>,
) -> Outcome<Checked<'a>> {
    let (signature, fields) = without_signature(received)?;
    let mut parameters = Parameters::with_capacity(fields.len());
    for (name, value) in fields {
        check_name(&name, rules)?;
        let value = text_of(&name, value)?;
        if (rules.required.contains(&name.as_ref()) || rules.numbers.contains(&name.as_ref())) && !digits(&value) {
            return Err(forged(&name, "must be digits only"));
        }
        parameters.push((name, value));
    }
    sort(&mut parameters);
    check_text(&parameters)?;
    for name in rules.required {
        if !parameters.iter().any(|parameter| parameter.0 == *name) {
            return Err(forged(name, &format!("is missing from {}", rules.title)));
        }
    }
    complete(&parameters)?;
    match verifies(&signature, &mut parameters, secret_key) {
        true => Ok(Checked { parameters, by: &["sig"] }),
        false => Err(mismatch("sig", "all other parameters")),
    }
}

fn check_name(name: &str, rules: &Rules) -> Outcome<()> {
    if !name.chars().all(is_of_a_name) || name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(forged(name, "must be letters, digits and _, and begin with no digit"));
    }
    if rules.names.contains(&name) {
        return Ok(());
    }
    if is_known(name) {
        return Err(forged(name, &format!("is not a parameter of {}", rules.title)));
    }
    match meant_of_all(name) {
        Some(meant) => Err(forged(name, &format!("would be read as {meant} by servers that ignore case"))),
        None => Ok(()),
    }
}

/// Makes sure that the hashed text can be read in one way only; the parameters are sorted.
fn check_text(parameters: &Parameters<'_>) -> Outcome<()> {
    let mut before = "";
    for (name, value) in parameters {
        if signs_after_names(value).next().is_some() {
            return Err(forged(name, "contains = after a letter, digit or _, which could end another name"));
        }
        if !is_known(name) {
            if let Some(known) = known_at_end(&format!("{before}{name}")) {
                return Err(forged(name, &format!("could be read as {known} after another value")));
            }
            if before.trim_end_matches(|last: char| last.is_ascii_digit()).ends_with(is_of_a_name) {
                return Err(forged(name, "follows a value whose end could be part of the name"));
            }
        }
        before = value;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(parameters: &[(&'static str, &'static str)]) -> Received<'static> {
        let key = Secret::new("secretkey");
        let mut all: Parameters = parameters.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        sort(&mut all);
        let text: String = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
        all.push(("sig".into(), format!("{:x}", md5::compute(text + key.expose())).into()));
        all.into_iter().map(|(name, value)| (name, Some(value))).collect()
    }

    fn paid(more: &[(&'static str, &'static str)]) -> Outcome<()> {
        let base = [("app_id", "1"), ("service_id", "2"), ("sms_price", "3"), ("transaction_id", "4"), ("uid", "5")];
        payment(signed(&[&base[..], more].concat()), &Secret::new("secretkey")).map(drop)
    }

    #[test]
    fn names_that_came_later_are_accepted_where_they_can_be_told_from_values() {
        for more in [
            &[][..],
            &[("profit", "5000"), ("debug", "true")],
            &[("currency", "RUB")],
            &[("service_name", "Меч +5 (=5!)")],
            &[("note", ""), ("more", "-1.50")],
            &[("b", "x."), ("c", "y!"), ("d", "-1.5"), ("e", "z")],
        ] {
            assert!(paid(more).is_ok(), "{more:?}");
        }
        for (more, argument) in [
            (&[("note", "x=")][..], "note"),
            (&[("note", "other_price=5")], "note"),
            (&[("b", "x"), ("c", "y")], "c"),
            (&[("group_uid", "1")], "group_uid"),
            (&[("b", "ui"), ("d", "1")], "d"),
            (&[("b", "x1"), ("c", "1")], "c"),
            (&[("1a", "1")], "1a"),
            (&[("vid", "1")], "vid"),
            (&[("method", "x")], "method"),
            (&[("UID", "1")], "UID"),
            (&[("a-b", "1")], "a-b"),
            (&[("имя", "1")], "имя"),
            (&[("other_price", "1.5")], "other_price"),
            (&[("other_price", "")], "other_price"),
        ] {
            let failure = paid(more).expect_err("refused").into_json();
            assert!(failure.contains(&format!("\"argument\":\"{argument}\"")), "{more:?}: {failure}");
        }
    }
}
