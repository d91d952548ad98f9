//! Given any answer of the authorization server.
#![forbid(unsafe_code)]

use super::*;

/// Every status with every kind of body, for each grant, with and without valid tokens: the outcomes of the waiting
/// call and of the next one, and the requests made.
#[test]
fn status_by_body_by_grant_by_tokens() {
    let bodies = [
        (r#"{"error":"invalid_grant"}"#, "refusal"),
        (r#"{"error":"rate_limited"}"#, "refusal"),
        (r#"{"error":{"error_code":5}}"#, "refusal"),
        (r#"{"error":"slow_down"}"#, "patience"),
        (r#"{"error":"temporarily_unavailable"}"#, "patience"),
        (r#"{"message":"blocked"}"#, "none"),
        ("<html>", "none"),
        ("", "none"),
        (r#"{"error":"","access_token":"a1","refresh_token":"r1","x_mailru_vid":"7"}"#, "tokens"),
    ];
    let mut rows = 0;
    for status in [200, 302, 400, 401, 403, 408, 425, 429, 500, 503] {
        for (body, kind) in bodies {
            for (grant, own) in [(None, ""), (code(), "code"), (password(), "password"), (refresh(), "own")] {
                for has in [Has::Nothing, Has::Tokens(2)] {
                    if own.is_empty() && has == Has::Nothing {
                        continue;
                    }
                    rows += 1;
                    let mut it = given(grant.clone(), has);
                    let has_tokens = has != Has::Nothing;
                    let begun = it.pass(1.9).call();
                    assert_eq!(begun, if has_tokens { "use a0 and renew" } else { "begin" });
                    let asked = if has_tokens { "r0" } else { own };
                    assert_eq!(it.first(), format!("send {asked}"));
                    let reply = it.answer(status, body);
                    let then = it.replied(asked, reply);
                    let is_final = kind == "refusal" && matches!(status, 400 | 401 | 403);
                    let row = format!("{status} {body} {own} {has:?}: {then}");
                    if kind == "tokens" {
                        assert_eq!(then, "deliver a1 r1, got a1", "{row}");
                        assert_eq!(it.call(), "use a1", "{row}");
                    } else if is_final && has_tokens && !own.is_empty() {
                        assert_eq!(then, format!("send {own}"), "{row}");
                    } else {
                        let is_final_failure = is_final || (own == "code" && !has_tokens);
                        assert!(then.ends_with(if is_final_failure { "final" } else { "transient" }), "{row}");
                        let next = if has_tokens { "use a0".into() } else { then.clone() };
                        assert_eq!(it.call(), next, "{row}");
                        // After the tokens have expired and the pauses have passed, only transient failures are
                        // retried.
                        let later = it.pass(5.0).call();
                        assert_eq!(later, if is_final_failure { then } else { "begin".into() }, "{row}");
                    }
                }
            }
        }
    }
    assert_eq!(rows, 10 * 9 * 7);
}
