//! Given the platform's 102, which may be the token's or the call's own.
#![forbid(unsafe_code)]

use super::*;

#[test]
fn a_call_refused_with_102_has_the_token_renewed_once_in_half_a_minute() {
    for names_an_id in [false, true] {
        let mut it = given(None, Has::Lasting);
        let (call, other) = (it.refused_call(names_an_id), it.refused_call(names_an_id));
        assert_eq!(it.refused(&call), "begin");
        assert_eq!(it.refused(&other), "join");
        assert_eq!(it.request(&[("r0", Came::Tokens(1))]), "tell a1 r1, got a1");
        assert_eq!(it.refused(&call), "use a1", "it was renewed meanwhile");
        // A platform that says 102 to fresh tokens, too, or a call with a wrong id.
        for _ in 0..29 {
            let call = it.refused_call(names_an_id);
            assert_eq!(it.refused(&call), "keep");
            assert_eq!(it.call(), "use a1", "no other call is harmed");
            it.pass(1.0);
        }
        let call = it.pass(1.0).refused_call(names_an_id);
        assert_eq!(it.refused(&call), "begin");
    }
    // A token that served must have expired: it served the very same call, or this one names no id.
    for (names_an_id, served, then) in [
        (true, 4711, "begin"),
        (false, 4711, "begin"),
        (false, 1, "begin"),
        (true, 1, "keep"),
        (true, 4711 + 16, "keep"),
    ] {
        let mut it = given(None, Has::Lasting);
        for number in 0..11 {
            let call = it.refused_call(names_an_id);
            call.tokens.note_accepted(served, it.now);
            let decision = it.refused(&call);
            assert_eq!(decision, if number == 0 { "begin" } else { then }, "{number}");
            if decision == "begin" {
                let asked = format!("r{number}");
                let got = it.request(&[(&asked, Came::Tokens(number + 1))]);
                assert!(got.starts_with("tell"), "{got}");
            }
            it.pass(1.0);
        }
        // But not on and on; and not if a call that began later was accepted.
        let call = it.refused_call(names_an_id);
        call.tokens.note_accepted(served, it.now);
        assert_eq!(it.refused(&call), "keep");
        call.tokens.note_accepted(served, it.pass(0.1).now);
        it.state.expiries = 0;
        assert_eq!(it.refused(&call), "keep");
        assert_eq!(it.pass(30.0).refused(&call), "begin");
    }
    // What expiry makes due comes on top.
    let mut it = given(None, Has::Tokens(10));
    let call = it.refused_call(false);
    assert_eq!(it.refused(&call), "begin");
    assert_eq!(it.request(&[("r0", Answer(200, r#"{"access_token":"a1","expires_in":5}"#))]), "tell a1 r0, got a1");
    assert_eq!(it.pass(5.0).call(), "begin");
    // No way to renew.
    for (grant, has) in [(None, Has::Access(9)), (code(), Has::Access(9))] {
        let mut it = given(grant, has);
        it.state.own_is_spent = true;
        let call = it.refused_call(false);
        assert_eq!(it.refused(&call), "keep");
    }
    let mut it = given(password(), Has::Access(9));
    let call = it.refused_call(false);
    assert_eq!(it.refused(&call), "begin");
    assert_eq!(it.request(&[("password", REFUSED)]), "OauthError stays");
    it.state.rules.auto_refresh = false;
    assert_eq!(it.refused(&call), "keep");
    assert_eq!(it.authorize(), "begin", "with a dead token, the password is used again");
}

#[test]
fn a_call_keeps_its_102_where_its_own_id_may_be_wrong_or_the_token_works() {
    for reply in [REFUSED, BUSY, Lost] {
        for (names_an_id, works, then) in [(true, false, "keep"), (false, true, "keep"), (false, false, "fail")] {
            let mut it = given(None, Has::Lasting);
            let call = it.refused_call(names_an_id);
            assert_eq!(it.refused(&call), "begin");
            let is_refusal = it.request(&[("r0", reply)]) == "OauthError stays";
            if works {
                call.tokens.note_accepted(1, it.later(5));
            }
            let failure =
                it.state.refusal.clone().unwrap_or_else(|| it.state.setback.as_ref().expect("one").failure.clone());
            let verdict = shown(&it.state.verdict(&call, failure));
            assert!(verdict == then || (then == "fail" && verdict != "keep"), "{verdict}");
            // Others go on, unless it is sure that the token is dead.
            let is_dead = is_refusal && then == "fail";
            assert_eq!(it.call(), if is_dead { "OauthError stays" } else { "use a0" });
            if is_dead {
                assert_eq!(it.pass(29.0).call(), "OauthError stays");
                assert_eq!(it.pass(1.0).call(), "use a0", "one answer must not end the session");
            }
            // And whatever else is refused asks nobody for a while.
            if !is_dead {
                let other = it.refused_call(true);
                assert_eq!(it.refused(&other), "keep");
            }
        }
    }
    // A failure on the way to the server is no answer: it is asked again after the pause.
    let mut it = given(None, Has::Lasting);
    let call = it.refused_call(false);
    assert_eq!(it.refused(&call), "begin");
    assert_eq!(it.request(&[("r0", Unsent)]), "NetworkError passes");
    assert_eq!(it.refused(&call), "NetworkError passes");
    assert_eq!(it.pass(2.0).refused(&call), "begin");
    assert_eq!(it.request(&[("r0", BUSY)]), "HttpError passes");
    assert_eq!(it.pass(20.0).refused(&call), "HttpError passes", "not for half a minute");
    assert_eq!(it.pass(10.0).refused(&call), "begin");
    // A token that was thought dead and works after all.
    assert_eq!(it.request(&[("r0", REFUSED)]), "OauthError stays");
    let call = it.refused_call(false);
    let Decision::Fail(_) = it.state.verdict(&call, it.state.refusal.clone().expect("one")) else { panic!("kept") };
    assert_eq!(it.call(), "OauthError stays");
    call.tokens.note_accepted(1, it.pass(0.1).now);
    assert_eq!(it.call(), "use a0");
}
