//! Given a failure: whether it is remembered, and when the request is retried.
#![forbid(unsafe_code)]

use super::*;

#[test]
fn a_failed_early_renewal_fails_no_call_and_is_retried_after_growing_pauses() {
    for reply in [BUSY, Lost, Unsent, Answer(200, "{}"), Answer(302, "{}")] {
        let mut it = given(None, Has::Tokens(3600));
        it.pass(3541.0);
        // Of 2, 4, 8, 16 seconds.
        let mut requests = 0;
        for _ in 0..58 {
            match it.call().as_str() {
                "use a0 and renew" => requests += u32::from(it.request(&[("r0", reply)]).ends_with("transient")),
                used => assert_eq!(used, "use a0"),
            }
            it.pass(1.0);
        }
        assert_eq!(requests, 5);
    }
    // A final refusal is remembered, but fails no call while the tokens are valid.
    let mut it = given(None, Has::Tokens(3600));
    assert_eq!(it.pass(3541.0).call(), "use a0 and renew");
    assert_eq!(it.request(&[("r0", REFUSED)]), "OauthError final");
    assert_eq!(it.pass(58.0).call(), "use a0");
    assert_eq!(it.pass(2.0).call(), "OauthError final");
}

#[test]
fn a_transient_failure_is_not_remembered_and_not_retried_too_soon() {
    for grant in [password(), refresh(), None] {
        let has = if grant.is_some() { Has::Nothing } else { Has::Refresh };
        let asked = ["r0", "password", "own"]
            [grant.as_ref().map_or(0, |it| 1 + usize::from(!matches!(it, Grant::Password { .. })))];
        let mut it = given(grant, has);
        for pause in [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
            assert_eq!(it.call(), "begin");
            assert_eq!(it.request(&[(asked, BUSY)]), "HttpError transient");
            assert_eq!(it.call(), "HttpError transient", "at once");
            assert_eq!(it.authorize(), "HttpError transient", "at once");
            assert_eq!(it.pass(pause - 1.0).call(), "pause 1000 ms", "the rest of the pause is waited for");
            it.pass(1.0);
        }
        assert_eq!(it.call(), "begin");
        assert_eq!(it.request(&[(asked, ScriptedReply::Tokens(1))]), "deliver a1 r1, got a1");
        // After a success the pause starts again with the first length.
        assert_eq!(it.pass(3600.0).call(), "begin");
        assert_eq!(it.request(&[("r1", Lost)]), "NetworkError transient");
        assert_eq!(it.pass(2.0).call(), "begin");
    }
}

#[test]
fn retry_after_sets_the_pause() {
    let mut it = given(refresh(), Has::Nothing);
    assert_eq!(it.call(), "begin");
    assert_eq!(it.first(), "send own");
    let reply = it.reply(&RetryAfter(20));
    let step = it.state.replied(&refresh().expect("a grant"), reply, it.now);
    it.state.end();
    let next_failure = |it: &mut Given| match it.state.for_call(it.now) {
        Decision::Fail(failure) => failure.into_json(),
        other => shown(&other),
    };
    let Step::End(End::With(Err(failure))) = step else { panic!("{step:?}") };
    assert!(failure.into_json().contains("\"retry_after_ms\":20000"));
    it.pass(5.0);
    assert!(next_failure(&mut it).contains("\"retry_after_ms\":15000"));
    it.pass(14.5);
    assert_eq!(next_failure(&mut it), "pause 500 ms");
    assert_eq!(it.pass(0.5).call(), "begin");
    // A mistake of the server must not end the session.
    assert_eq!(it.request(&[("own", RetryAfter(1 << 40))]), "OauthError transient");
    assert_eq!(it.pass(3600.0).call(), "begin");
    assert_eq!(it.request(&[("own", BUSY)]), "HttpError transient");
    assert!(!next_failure(&mut it).contains("retry_after_ms"), "not the server's pause");
}

#[test]
fn a_refusal_is_remembered_until_authorize_or_set_tokens() {
    for (grant, has, asked) in [
        (password(), Has::Nothing, "password"),
        (refresh(), Has::Nothing, "own"),
        (None, Has::Tokens(0), "r0"),
        (None, Has::Refresh, "r0"),
    ] {
        let mut it = given(grant, has);
        assert_eq!(it.call(), "begin");
        assert_eq!(it.request(&[(asked, REFUSED)]), "OauthError final");
        for _ in 0..3 {
            assert_eq!(it.pass(1e5).call(), "OauthError final");
        }
        assert_eq!(it.authorize(), "begin");
        assert_eq!(it.request(&[(asked, REFUSED)]), "OauthError final");
        let changed = Tokens::given(Secret::new("a9"), "", Secret::new("r9"), Some(9), it.now);
        it.state.set_tokens(changed).expect("the same user's");
        assert_eq!(it.call(), "use a9");
        assert_eq!(it.pass(9.0).call(), "begin");
        assert_eq!(it.request(&[("r9", ScriptedReply::Tokens(10))]), "deliver a10 r10, got a10");
    }
}

#[test]
fn a_password_is_used_once_if_its_refresh_token_is_refused() {
    let mut it = given(password(), Has::Tokens(0));
    assert_eq!(it.call(), "begin");
    assert_eq!(it.request(&[("r0", REFUSED), ("password", ScriptedReply::Tokens(1))]), "deliver a1 r1, got a1");
    // A transient failure is not a refusal: the password is not sent.
    for reply in [BUSY, Lost, Unsent, Answer(200, "{}"), Answer(429, r#"{"error":"rate_limited"}"#)] {
        let mut it = given(password(), Has::Tokens(0));
        assert_eq!(it.call(), "begin");
        assert!(it.request(&[("r0", reply)]).ends_with("transient"));
    }
    // After a transient failure of the password request, the refused refresh token is not sent again.
    let mut it = given(password(), Has::Tokens(0));
    assert_eq!(it.call(), "begin");
    assert_eq!(it.request(&[("r0", REFUSED), ("password", BUSY)]), "HttpError transient");
    assert_eq!(it.pass(2.0).call(), "begin");
    assert_eq!(it.request(&[("password", REFUSED)]), "OauthError final");
    assert_eq!(it.call(), "OauthError final");
    // Without a refresh token, before and after the tokens expire.
    let mut it = given(password(), Has::Access(3600));
    assert_eq!(it.pass(3541.0).call(), "use a0 and renew");
    assert_eq!(
        it.request(&[("password", Answer(200, r#"{"access_token":"a1","expires_in":5}"#))]),
        "deliver a1 , got a1"
    );
    assert_eq!(it.authorize(), "use a1", "they are valid");
    assert_eq!(it.pass(5.0).authorize(), "begin", "they have expired");
}

#[test]
fn a_code_is_sent_once_whatever_the_outcome() {
    for (reply, then) in [
        (REFUSED, "OauthError final"),
        (BUSY, "HttpError final"),
        (Answer(429, "{}"), "OauthError final"),
        (Answer(200, "{}"), "OauthError final"),
        (Answer(200, ""), "EmptyResponse final"),
        (Lost, "NetworkError final"),
    ] {
        let mut it = given(code(), Has::Nothing);
        assert_eq!(it.call(), "begin");
        assert_eq!(it.request(&[("code", reply)]), then);
        assert_eq!(it.pass(1e5).call(), then);
        assert_eq!(it.authorize(), then);
    }
    let mut it = given(code(), Has::Nothing);
    assert_eq!(it.call(), "begin");
    assert_eq!(it.request(&[("code", Unsent)]), "NetworkError transient");
    assert_eq!(it.pass(2.0).call(), "begin");
    assert_eq!(it.request(&[("code", ScriptedReply::Tokens(1))]), "deliver a1 r1, got a1");
    assert_eq!(it.pass(3600.0).call(), "begin");
    assert_eq!(it.request(&[("r1", REFUSED)]), "OauthError final", "the code is not sent again");
    // If an earlier session's tokens are refused, the code can still be used.
    let mut it = given(code(), Has::Tokens(0));
    assert_eq!(it.call(), "begin");
    assert_eq!(it.request(&[("r0", REFUSED), ("code", ScriptedReply::Tokens(1))]), "deliver a1 r1, got a1");
}

#[test]
fn the_constructors_refresh_token_is_used_if_that_of_an_earlier_session_is_refused() {
    let mut it = given(refresh(), Has::Tokens(0));
    assert_eq!(it.call(), "begin");
    assert_eq!(it.request(&[("r0", REFUSED), ("own", ScriptedReply::Tokens(1))]), "deliver a1 r1, got a1");
    assert_eq!(it.pass(3600.0).call(), "begin");
    assert_eq!(it.request(&[("r1", REFUSED)]), "OauthError final", "it was exchanged for r1");
}

#[test]
fn incomplete_tokens_are_delivered_and_kept() {
    const NO_UID: &str = r#"{"access_token":"a1","refresh_token":"r1","expires_in":3600}"#;
    // Without a user id, the tokens cannot be used, but can be renewed.
    for (grant, asked) in [(code(), "code"), (password(), "password"), (refresh(), "own")] {
        let mut it = given(grant, Has::Nothing);
        assert_eq!(it.call(), "begin");
        assert_eq!(it.request(&[(asked, Answer(200, NO_UID))]), "deliver a1 r1, OauthError transient");
        assert!(it.state.usable().is_none());
        assert_eq!(it.pass(2.0).call(), "begin");
        assert_eq!(it.request(&[("r1", ScriptedReply::Tokens(2))]), "deliver a2 r2, got a2");
    }
    let mut it = given(None, Has::Tokens(0));
    for (asked, body, then) in [
        ("r0", r#"{"refresh_token":"r1"}"#, "deliver a0 r1, OauthError transient"),
        ("r1", r#"{"error":"odd","access_token":"x","refresh_token":"r2"}"#, "deliver x r2, OauthError transient"),
        (
            "r2",
            r#"{"access_token":"a3","refresh_token":"r3","x_mailru_vid":"me"}"#,
            "deliver a3 r3, OauthError transient",
        ),
        // Another user's tokens are not delivered.
        ("r3", r#"{"access_token":"a4","refresh_token":"r4","x_mailru_vid":"8"}"#, "OauthError transient"),
        ("r3", r#"{"access_token":"a5","refresh_token":"r5","x_mailru_vid":"7"}"#, "deliver a5 r5, got a5"),
    ] {
        assert_eq!(it.call(), "begin");
        assert_eq!(it.request(&[(asked, Answer(200, body))]), then);
        it.pass(60.0);
    }
}
