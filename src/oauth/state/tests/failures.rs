//! Given a failure, then it is remembered or tried again, by whom and when.
#![forbid(unsafe_code)]

use super::*;

#[test]
fn a_failed_renewal_ahead_of_time_is_nobodys_and_is_tried_after_pauses_that_grow() {
    for reply in [BUSY, Lost, Unsent, Answer(200, "{}"), Answer(302, "{}")] {
        let mut it = given(None, Has::Tokens(3600));
        it.pass(3541.0);
        // Of 2, 4, 8, 16 seconds.
        let mut requests = 0;
        for _ in 0..58 {
            match it.call().as_str() {
                "use a0 and renew" => requests += u32::from(it.request(&[("r0", reply)]).ends_with("passes")),
                used => assert_eq!(used, "use a0"),
            }
            it.pass(1.0);
        }
        assert_eq!(requests, 5);
    }
    // A refusal for good is remembered, but not the calls' as long as the tokens last.
    let mut it = given(None, Has::Tokens(3600));
    assert_eq!(it.pass(3541.0).call(), "use a0 and renew");
    assert_eq!(it.request(&[("r0", REFUSED)]), "OauthError stays");
    assert_eq!(it.pass(58.0).call(), "use a0");
    assert_eq!(it.pass(2.0).call(), "OauthError stays");
}

#[test]
fn what_may_pass_is_not_remembered_and_not_asked_again_too_soon() {
    for grant in [password(), refresh(), None] {
        let has = if grant.is_some() { Has::Nothing } else { Has::Refresh };
        let asked = ["r0", "password", "own"]
            [grant.as_ref().map_or(0, |it| 1 + usize::from(!matches!(it, Grant::Password { .. })))];
        let mut it = given(grant, has);
        for pause in [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
            assert_eq!(it.call(), "begin");
            assert_eq!(it.request(&[(asked, BUSY)]), "HttpError passes");
            assert_eq!(it.call(), "HttpError passes", "at once");
            assert_eq!(it.authorize(), "HttpError passes", "at once");
            assert_eq!(it.pass(pause - 1.0).call(), "pause 1000 ms", "the rest is waited for");
            it.pass(1.0);
        }
        assert_eq!(it.call(), "begin");
        assert_eq!(it.request(&[(asked, Came::Tokens(1))]), "tell a1 r1, got a1");
        // The next failure is the first again.
        assert_eq!(it.pass(3600.0).call(), "begin");
        assert_eq!(it.request(&[("r1", Lost)]), "NetworkError passes");
        assert_eq!(it.pass(2.0).call(), "begin");
    }
}

#[test]
fn the_server_says_how_long_the_pause_is() {
    let mut it = given(refresh(), Has::Nothing);
    assert_eq!(it.call(), "begin");
    assert_eq!(it.first(), "ask own");
    let reply = it.reply(&Wish(20));
    let step = it.state.replied(&refresh().expect("a grant"), reply, it.now);
    it.state.end();
    let told = |it: &mut Given| match it.state.for_call(it.now) {
        Decision::Fail(failure) => failure.into_json(),
        other => shown(&other),
    };
    let Step::End(End::With(Err(failure))) = step else { panic!("{step:?}") };
    assert!(failure.into_json().contains("\"retry_after_ms\":20000"));
    it.pass(5.0);
    assert!(told(&mut it).contains("\"retry_after_ms\":15000"));
    it.pass(14.5);
    assert_eq!(told(&mut it), "pause 500 ms");
    assert_eq!(it.pass(0.5).call(), "begin");
    // A slip of the server's must not end the session.
    assert_eq!(it.request(&[("own", Wish(1 << 40))]), "OauthError passes");
    assert_eq!(it.pass(3600.0).call(), "begin");
    assert_eq!(it.request(&[("own", BUSY)]), "HttpError passes");
    assert!(!told(&mut it).contains("retry_after_ms"), "a pause of our own");
}

#[test]
fn a_refusal_is_remembered_until_somebody_insists_or_brings_tokens() {
    for (grant, has, asked) in [
        (password(), Has::Nothing, "password"),
        (refresh(), Has::Nothing, "own"),
        (None, Has::Tokens(0), "r0"),
        (None, Has::Refresh, "r0"),
    ] {
        let mut it = given(grant, has);
        assert_eq!(it.call(), "begin");
        assert_eq!(it.request(&[(asked, REFUSED)]), "OauthError stays");
        for _ in 0..3 {
            assert_eq!(it.pass(1e5).call(), "OauthError stays");
        }
        assert_eq!(it.authorize(), "begin");
        assert_eq!(it.request(&[(asked, REFUSED)]), "OauthError stays");
        let news = Tokens::given(Secret::new("a9"), "", Secret::new("r9"), Some(9), it.now);
        it.state.give(news).expect("the same user's");
        assert_eq!(it.call(), "use a9");
        assert_eq!(it.pass(9.0).call(), "begin");
        assert_eq!(it.request(&[("r9", Came::Tokens(10))]), "tell a10 r10, got a10");
    }
}

#[test]
fn a_password_is_used_once_where_its_refresh_token_is_refused() {
    let mut it = given(password(), Has::Tokens(0));
    assert_eq!(it.call(), "begin");
    assert_eq!(it.request(&[("r0", REFUSED), ("password", Came::Tokens(1))]), "tell a1 r1, got a1");
    // What may pass is no refusal: the password stays where it is.
    for reply in [BUSY, Lost, Unsent, Answer(200, "{}"), Answer(429, r#"{"error":"rate_limited"}"#)] {
        let mut it = given(password(), Has::Tokens(0));
        assert_eq!(it.call(), "begin");
        assert!(it.request(&[("r0", reply)]).ends_with("passes"));
    }
    // After a failure of the password on the way, the refresh token that was refused is not sent again.
    let mut it = given(password(), Has::Tokens(0));
    assert_eq!(it.call(), "begin");
    assert_eq!(it.request(&[("r0", REFUSED), ("password", BUSY)]), "HttpError passes");
    assert_eq!(it.pass(2.0).call(), "begin");
    assert_eq!(it.request(&[("password", REFUSED)]), "OauthError stays");
    assert_eq!(it.call(), "OauthError stays");
    // Without a refresh token, ahead of time and when they have ended.
    let mut it = given(password(), Has::Access(3600));
    assert_eq!(it.pass(3541.0).call(), "use a0 and renew");
    assert_eq!(it.request(&[("password", Answer(200, r#"{"access_token":"a1","expires_in":5}"#))]), "tell a1 , got a1");
    assert_eq!(it.authorize(), "use a1", "they are good");
    assert_eq!(it.pass(5.0).authorize(), "begin", "they are dead");
}

#[test]
fn a_code_is_sent_once_whatever_comes_of_it() {
    for (reply, then) in [
        (REFUSED, "OauthError stays"),
        (BUSY, "HttpError stays"),
        (Answer(429, "{}"), "OauthError stays"),
        (Answer(200, "{}"), "OauthError stays"),
        (Answer(200, ""), "EmptyResponse stays"),
        (Lost, "NetworkError stays"),
    ] {
        let mut it = given(code(), Has::Nothing);
        assert_eq!(it.call(), "begin");
        assert_eq!(it.request(&[("code", reply)]), then);
        assert_eq!(it.pass(1e5).call(), then);
        assert_eq!(it.authorize(), then);
    }
    let mut it = given(code(), Has::Nothing);
    assert_eq!(it.call(), "begin");
    assert_eq!(it.request(&[("code", Unsent)]), "NetworkError passes");
    assert_eq!(it.pass(2.0).call(), "begin");
    assert_eq!(it.request(&[("code", Came::Tokens(1))]), "tell a1 r1, got a1");
    assert_eq!(it.pass(3600.0).call(), "begin");
    assert_eq!(it.request(&[("r1", REFUSED)]), "OauthError stays", "the code is not tried again");
    // Tokens of an earlier session that are refused leave the code.
    let mut it = given(code(), Has::Tokens(0));
    assert_eq!(it.call(), "begin");
    assert_eq!(it.request(&[("r0", REFUSED), ("code", Came::Tokens(1))]), "tell a1 r1, got a1");
}

#[test]
fn a_refresh_token_of_the_constructor_is_used_where_that_of_an_earlier_session_is_refused() {
    let mut it = given(refresh(), Has::Tokens(0));
    assert_eq!(it.call(), "begin");
    assert_eq!(it.request(&[("r0", REFUSED), ("own", Came::Tokens(1))]), "tell a1 r1, got a1");
    assert_eq!(it.pass(3600.0).call(), "begin");
    assert_eq!(it.request(&[("r1", REFUSED)]), "OauthError stays", "it was traded for r1");
}

#[test]
fn what_came_is_told_and_kept_although_something_is_missing() {
    const NO_UID: &str = r#"{"access_token":"a1","refresh_token":"r1","expires_in":3600}"#;
    // Given no user yet, the tokens cannot be used, but renewed.
    for (grant, asked) in [(code(), "code"), (password(), "password"), (refresh(), "own")] {
        let mut it = given(grant, Has::Nothing);
        assert_eq!(it.call(), "begin");
        assert_eq!(it.request(&[(asked, Answer(200, NO_UID))]), "tell a1 r1, OauthError passes");
        assert!(it.state.usable().is_none());
        assert_eq!(it.pass(2.0).call(), "begin");
        assert_eq!(it.request(&[("r1", Came::Tokens(2))]), "tell a2 r2, got a2");
    }
    let mut it = given(None, Has::Tokens(0));
    for (asked, body, then) in [
        ("r0", r#"{"refresh_token":"r1"}"#, "tell a0 r1, OauthError passes"),
        ("r1", r#"{"error":"odd","access_token":"x","refresh_token":"r2"}"#, "tell x r2, OauthError passes"),
        ("r2", r#"{"access_token":"a3","refresh_token":"r3","x_mailru_vid":"me"}"#, "tell a3 r3, OauthError passes"),
        // Another user's are told to nobody.
        ("r3", r#"{"access_token":"a4","refresh_token":"r4","x_mailru_vid":"8"}"#, "OauthError passes"),
        ("r3", r#"{"access_token":"a5","refresh_token":"r5","x_mailru_vid":"7"}"#, "tell a5 r5, got a5"),
    ] {
        assert_eq!(it.call(), "begin");
        assert_eq!(it.request(&[(asked, Answer(200, body))]), then);
        it.pass(60.0);
    }
}
