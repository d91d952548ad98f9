//! What a host did, as its sandbox saw it: the part of the cases that the hosts need not be trusted with.

use serde_json::{Value, json};

use crate::matrix::Case;
use crate::support::Sandbox;

/// How long the sandbox holds the answers of an action back: as many calls as come meanwhile are in flight at once.
const HELD: [(&str, u64); 2] = [("sandbox.echo.together", 500), ("sandbox.echo.crowd", 6000)];

/// Prepares a sandbox for the cases.
pub fn prepare(sandbox: &Sandbox) {
    for (method, ms) in HELD {
        sandbox.fault(json!({ "method": method }), json!(null), json!({ "kind": "delay", "ms": ms }));
    }
    let never = json!({ "kind": "silent" });
    sandbox.fault(json!({ "method": "sandbox.echo.slow" }), json!(null), never);
    sandbox.fault(json!({ "method": "sandbox.echo.expired" }), json!(1), json!({ "kind": "expire_token" }));
    // Nothing below this path is answered: for public pages and token requests that their callers end.
    sandbox.fault(json!({ "path": "/slow" }), json!(null), json!({ "kind": "silent" }));
    let limited = json!({ "kind": "status", "status": 429, "headers": { "Retry-After": "7" } });
    sandbox.fault(json!({ "method": "sandbox.echo.limited" }), json!(null), limited);
    sandbox.post("codes", json!({ "code": "case-code", "redirect_uri": "https://example.org/login" }));
}

/// What contradicts a case that the host calls passed, or nothing.
pub fn contradiction(sandbox: &Sandbox, case: &Case) -> Option<String> {
    let requests = sandbox.requests();
    let of_case = || requests.iter().filter(|request| request["platform_method"] == case.method.as_str());
    match case.action.as_str() {
        "call" if case.code == "MAILRU_OK" => {
            let arrived = of_case().any(|request| request["outcome"] == "ok" || request["outcome"] == "error 2");
            (!arrived).then(|| "no such request was answered".into())
        }
        "together" | "crowd" => in_flight(&case.method, case.parameters.parse().ok()?, of_case()),
        "rate" => pace(case.parameters.parse().ok()?, of_case()),
        "renewal" | "login" | "token-file" => {
            let grants: Vec<_> = requests.iter().filter_map(|request| request["grant"].as_str()).collect();
            let expected: &[_] = match case.action.as_str() {
                "renewal" => &["password", "refresh_token"],
                "login" => &["password", "refresh_token", "authorization_code"],
                _ => &["password", "refresh_token", "authorization_code", "password"],
            };
            (!grants.starts_with(expected) || grants.len() > 4).then(|| format!("the grants were {grants:?}"))
        }
        "upload" => {
            let files = of_case().filter_map(|request| request["files"][0]["size"].as_u64());
            let sizes: Vec<_> = files.collect();
            (sizes != [100_000]).then(|| format!("the uploads' sizes were {sizes:?}"))
        }
        _ => None,
    }
}

/// Whether so many calls came one after another, four a second.
fn pace<'a>(calls: usize, requests: impl Iterator<Item = &'a Value>) -> Option<String> {
    let arrivals: Vec<_> = requests.filter_map(|request| request["at_ms"].as_u64()).collect();
    let span = arrivals.iter().max()? - arrivals.iter().min()?;
    (arrivals.len() != calls || span < 1900).then(|| format!("{} requests within {span} ms", arrivals.len()))
}

/// Whether so many calls were waiting for their answers at the same time.
fn in_flight<'a>(method: &str, calls: usize, requests: impl Iterator<Item = &'a Value>) -> Option<String> {
    let held = HELD.iter().find(|(held, _)| *held == method).map(|(_, ms)| *ms)?;
    let arrivals: Vec<_> = requests.filter_map(|request| request["at_ms"].as_u64()).collect();
    let span = arrivals.iter().max()? - arrivals.iter().min()?;
    if arrivals.len() != calls {
        return Some(format!("{} requests for {calls} calls", arrivals.len()));
    }
    (span >= held).then(|| format!("the last request came {span} ms after the first, which was answered after {held}"))
}
