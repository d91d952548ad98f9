//! Given the platform's 102, which the token or the call itself may have caused.
#![forbid(unsafe_code)]

use super::*;

#[test]
fn a_call_rejected_with_102_renews_the_token_once_in_half_a_minute() {
    for names_a_user in [false, true] {
        let mut it = given(None, Has::Lasting);
        let (call, other) = (it.rejected_call(names_a_user), it.rejected_call(names_a_user));
        assert_eq!(it.rejected(&call), "begin");
        assert_eq!(it.rejected(&other), "join");
        assert_eq!(it.request(&[("r0", ScriptedReply::Tokens(1))]), "deliver a1 r1, got a1");
        assert_eq!(it.rejected(&call), "use a1", "it was renewed meanwhile");
        // A platform that rejects fresh tokens too, or a call with a wrong id.
        for _ in 0..29 {
            let call = it.rejected_call(names_a_user);
            assert_eq!(it.rejected(&call), "keep");
            assert_eq!(it.call(), "use a1", "no other call is harmed");
            it.pass(1.0);
        }
        let call = it.pass(1.0).rejected_call(names_a_user);
        assert_eq!(it.rejected(&call), "begin");
    }
    // A token that was accepted must have expired: the same call was accepted before, or this one names no user.
    for (names_a_user, served, then) in [
        (true, 4711, "begin"),
        (false, 4711, "begin"),
        (false, 1, "begin"),
        (true, 1, "keep"),
        (true, 4711 + 16, "keep"),
    ] {
        let mut it = given(None, Has::Lasting);
        for number in 0..11 {
            let call = it.rejected_call(names_a_user);
            call.tokens.note_accepted(served, it.now);
            let decision = it.rejected(&call);
            assert_eq!(decision, if number == 0 { "begin" } else { then }, "{number}");
            if decision == "begin" {
                let asked = format!("r{number}");
                let got = it.request(&[(&asked, ScriptedReply::Tokens(number + 1))]);
                assert!(got.starts_with("deliver"), "{got}");
            }
            it.pass(1.0);
        }
        // But only a limited number of times, and not if a call that began later was accepted.
        let call = it.rejected_call(names_a_user);
        call.tokens.note_accepted(served, it.now);
        assert_eq!(it.rejected(&call), "keep");
        call.tokens.note_accepted(served, it.pass(0.1).now);
        it.state.early_expiries = 0;
        assert_eq!(it.rejected(&call), "keep");
        assert_eq!(it.pass(30.0).rejected(&call), "begin");
    }
    // Renewals after expiry are not limited.
    let mut it = given(None, Has::Tokens(10));
    let call = it.rejected_call(false);
    assert_eq!(it.rejected(&call), "begin");
    assert_eq!(it.request(&[("r0", Answer(200, r#"{"access_token":"a1","expires_in":5}"#))]), "deliver a1 r0, got a1");
    assert_eq!(it.pass(5.0).call(), "begin");
    // Without credentials for a renewal.
    for (grant, has) in [(None, Has::Access(9)), (code(), Has::Access(9))] {
        let mut it = given(grant, has);
        it.state.own_credentials_used = true;
        let call = it.rejected_call(false);
        assert_eq!(it.rejected(&call), "keep");
    }
    let mut it = given(password(), Has::Access(9));
    let call = it.rejected_call(false);
    assert_eq!(it.rejected(&call), "begin");
    assert_eq!(it.request(&[("password", REFUSED)]), "OauthError final");
    it.state.rules.auto_refresh = false;
    assert_eq!(it.rejected(&call), "keep");
    assert_eq!(it.authorize(), "begin", "with a rejected token, the password is used again");
}

#[test]
fn a_call_keeps_its_102_if_its_own_id_may_be_wrong_or_the_token_is_valid() {
    for reply in [REFUSED, BUSY, Lost] {
        for (names_a_user, works, then) in [(true, false, "keep"), (false, true, "keep"), (false, false, "fail")] {
            let mut it = given(None, Has::Lasting);
            let call = it.rejected_call(names_a_user);
            assert_eq!(it.rejected(&call), "begin");
            let is_refusal = it.request(&[("r0", reply)]) == "OauthError final";
            if works {
                call.tokens.note_accepted(1, it.later(5));
            }
            let failure =
                it.state.refusal.clone().unwrap_or_else(|| it.state.transient.as_ref().expect("one").failure.clone());
            let decision = shown(&it.state.without_other_tokens(&call, failure));
            assert!(decision == then || (then == "fail" && decision != "keep"), "{decision}");
            // Other calls use the token, unless it must be invalid.
            let is_unusable = is_refusal && then == "fail";
            assert_eq!(it.call(), if is_unusable { "OauthError final" } else { "use a0" });
            if is_unusable {
                assert_eq!(it.pass(29.0).call(), "OauthError final");
                assert_eq!(it.pass(1.0).call(), "use a0", "one answer must not end the session");
            }
            // And other rejected calls make no request for a while.
            if !is_unusable {
                let other = it.rejected_call(true);
                assert_eq!(it.rejected(&other), "keep");
            }
        }
    }
    // After a network failure the request is made again after the pause.
    let mut it = given(None, Has::Lasting);
    let call = it.rejected_call(false);
    assert_eq!(it.rejected(&call), "begin");
    assert_eq!(it.request(&[("r0", Unsent)]), "NetworkError transient");
    assert_eq!(it.rejected(&call), "NetworkError transient");
    assert_eq!(it.pass(2.0).rejected(&call), "begin");
    assert_eq!(it.request(&[("r0", BUSY)]), "HttpError transient");
    assert_eq!(it.pass(20.0).rejected(&call), "HttpError transient", "not for half a minute");
    assert_eq!(it.pass(10.0).rejected(&call), "begin");
    // A token that was considered invalid and is accepted later.
    assert_eq!(it.request(&[("r0", REFUSED)]), "OauthError final");
    let call = it.rejected_call(false);
    let Decision::Fail(_) = it.state.without_other_tokens(&call, it.state.refusal.clone().expect("one")) else {
        panic!("kept")
    };
    assert_eq!(it.call(), "OauthError final");
    call.tokens.note_accepted(1, it.pass(0.1).now);
    assert_eq!(it.call(), "use a0");
}
