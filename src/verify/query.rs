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

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "secretkey";

    /// A query with the signature of its parameters, which are sorted and need no decoding.
    fn signed(pairs: &str) -> String {
        format!("{pairs}&sig={:x}", md5::compute(pairs.replace('&', "") + KEY))
    }

    fn checked(kind: &str, text: &str) -> Outcome<Value> {
        let answer = query(kind, &Secret::new(KEY), text)?;
        Ok(serde_json::from_str(&answer).expect("an answer is JSON"))
    }

    #[test]
    fn each_kind_passes_as_itself() {
        let payment = signed("app_id=1&other_price=5&service_id=2&transaction_id=3&uid=4");
        let launch = signed("app_id=1&session_expire=1300000000&vid=7");
        let cookie = signed("app_id=1&exp=99999999999&is_app_user=1&session_key=a&ss=b&state=c&vid=7");
        let early = format!("app_id=1&authentication_key={:x}&vid=7", md5::compute(format!("1_7_{KEY}")));
        let answers = [("payment", &payment), ("launch", &launch), ("cookie", &cookie), ("launch_by_key", &early)]
            .map(|(kind, text)| checked(kind, text).unwrap_or_else(|failure| panic!("{kind}: {}", failure.message())));
        assert!(answers.iter().all(|answer| answer["verified"] == true && answer["params"]["app_id"] == "1"));
        assert_eq!(answers[0]["checked"], json!(["sig"]));
        assert_eq!(answers[3]["params"], json!({ "app_id": "1", "vid": "7" }));
        assert_eq!((&answers[1]["expires_at"], &answers[1]["expired"]), (&json!(1_300_000_000), &json!(true)));
        assert_eq!((&answers[2]["expires_at"], &answers[2]["expired"]), (&json!(99_999_999_999_u64), &json!(false)));
        assert_eq!(answers[0].get("expired"), None);
    }

    #[test]
    fn an_end_that_is_too_large_for_a_number_is_the_latest() {
        for (end, told) in [
            ("9007199254740990", 9_007_199_254_740_990_u64),
            ("9007199254740992", 9_007_199_254_740_991),
            ("99999999999999999999999", 9_007_199_254_740_991),
        ] {
            let text = signed(&format!("app_id=1&session_expire={end}&vid=7"));
            let answer = checked("launch", &text).unwrap_or_else(|failure| panic!("{end}: {}", failure.message()));
            assert_eq!((&answer["expires_at"], &answer["expired"]), (&json!(told), &json!(false)), "{end}");
        }
    }

    #[test]
    fn a_query_is_read_strictly() {
        let code = |kind: &str, text: &str| checked(kind, text).expect_err(text).code();
        for wrong in ["?a=1", "a=1#b", "a=1 2", "a=%4", "a=%ff", "=1", "a=1&a=2", "%4=1"] {
            assert_eq!(code("payment", wrong), crate::error::Code::InvalidArgument, "{wrong}");
        }
        for wrong in ["?a=1", "a=1#b", "a=1 2", "a=1\u{1}"] {
            let refused = checked("payment", &signed(wrong)).expect_err(wrong).into_json();
            assert!(refused.contains(r#""argument":"query""#), "{wrong:?} {refused}");
        }
        assert_eq!(code("other", ""), crate::error::Code::InvalidArgument);
        let forged = crate::error::Code::SignatureMismatch;
        for hidden in ["app_id=1&vid=7;oid=2", "app_id=1&vid=7;VID=2", "app_id=1&referer_type=session_expire%3D9&vid=7"]
        {
            let decoded = hidden.replace("%3D", "=");
            let text = format!("{hidden}&sig={:x}", md5::compute(decoded.replace('&', "") + KEY));
            assert_eq!(code("launch", &text), forged, "{hidden}");
        }
        assert!(checked("launch", &(signed("app_id=1&vid=7") + "&own=a;b=c")).is_ok());
        let early = format!("app_id=1&authentication_key={:x}&vid=7&sig=x", md5::compute(format!("1_7_{KEY}")));
        assert_eq!(code("launch_by_key", &early), forged, "it has no sig");
        let incomplete = signed("other_price=5&service_id=2&transaction_id=3&uid=4");
        let failure = checked("payment", &incomplete).expect_err("without app_id");
        assert!(failure.message().contains("app_id"), "{}", failure.message());
    }
}
