//! Checks a query string as it was received, and returns the parameters that the host may use.
#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::names::{LAUNCH, meant};
use super::{Checked, forged, launch, whole, with_key};
use crate::address::decoded;
use crate::error::{Failure, Outcome};
use crate::params::Received;
use crate::secret::Secret;

/// Larger JSON numbers are not exact in every language; no session ends that late.
const LATEST: u64 = (1 << 53) - 1;

/// Checks a query string of a kind; returns the result as JSON.
pub fn query(kind: &str, secret_key: &Secret, query: &str) -> Outcome<String> {
    with_key(secret_key)?;
    let check = match kind {
        "payment" => whole::payment,
        "cookie" => whole::cookie,
        "launch" => launch::launch,
        "launch_by_key" => launch::launch_by_key,
        _ => {
            return Err(Failure::argument("kind", "must be \"payment\", \"launch\", \"cookie\" or \"launch_by_key\""));
        }
    };
    let received = fields(query)?;
    if kind.starts_with("launch") {
        check_semicolons(query)?;
    }
    Ok(answer(&check(received, secret_key)?))
}

/// The names and values of a query, each name once.
fn fields(query: &str) -> Outcome<Received<'_>> {
    let wrong = |problem: &str| {
        Err(Failure::argument(
            "query",
            format!("{problem}; give the part of the address after the ?, as it was received"),
        ))
    };
    if query.starts_with('?') || query.contains(|other: char| other.is_ascii_control() || matches!(other, ' ' | '#')) {
        return wrong(
            "contains a character that a query cannot contain: ? at its beginning, #, white space or a control character",
        );
    }
    // A set, because the sender is not trusted and may send many names.
    let (mut fields, mut names) = (Received::new(), HashSet::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(value)) = (decoded(name), decoded(value)) else {
            return wrong("has a % without two hexadecimal digits, or is not UTF-8 when decoded");
        };
        if name.is_empty() {
            return wrong("has a value without a name");
        }
        if !names.insert(name.clone()) {
            return Err(Failure::argument(&name, "duplicate name in the query; servers differ in which one they use"));
        }
        fields.push((name, Some(value)));
    }
    Ok(fields)
}

/// Some servers read `;` as `&`. The platform's own values contain none, because it percent-encodes them.
fn check_semicolons(query: &str) -> Outcome<()> {
    for piece in query.split('&').flat_map(|pair| pair.split(';').skip(1)) {
        let name = decoded(piece.split('=').next().unwrap_or_default()).unwrap_or_default();
        let listed = LAUNCH.into_iter().find(|listed| *listed == name).or_else(|| meant(&name, LAUNCH.into_iter()));
        if let Some(listed) = listed {
            return Err(forged(&name, &format!("follows ; and some servers would read it as another {listed}")));
        }
    }
    Ok(())
}

fn answer(checked: &Checked<'_>) -> String {
    let params: serde_json::Map<_, _> =
        checked.parameters.iter().map(|(name, value)| (name.to_string(), Value::from(value.as_ref()))).collect();
    let mut answer = json!({ "verified": true, "params": params, "checked": checked.by });
    let end = checked.parameters.iter().find(|(name, _)| matches!(name.as_ref(), "session_expire" | "exp"));
    if let Some((_, end)) = end {
        // It was checked to be digits; a number that is too large becomes the latest time.
        let end = end.parse::<u64>().map_or(LATEST, |end| end.min(LATEST));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        answer["expires_at"] = end.into();
        answer["expired"] = (end <= now).into();
    }
    answer.to_string()
}
