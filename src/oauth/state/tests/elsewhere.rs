//! Given events from elsewhere: cancelled calls, freed sessions, newer tokens, forks.
#![forbid(unsafe_code)]

use super::*;

#[test]
fn an_unwanted_request_is_not_sent() {
    let not_sent = || Err(TokenError::unsent(Failure::new(Code::Cancelled, "stopped")));
    // Given a waiting call that is cancelled before the first step, or while the request is being sent.
    let mut it = given(code(), Has::Nothing);
    assert_eq!((it.call(), it.call()), ("begin".into(), "join".into()));
    assert!(!it.state.left(true), "another call waits");
    assert!(it.state.left(true));
    assert_eq!(it.first(), "abandoned");
    it.state.end();
    assert_eq!(it.call(), "begin", "the code was not sent");
    assert_eq!(it.first(), "send code");
    assert!(it.state.left(true));
    assert_eq!(it.replied("code", not_sent()), "abandoned");
    // A call that reached its time limit does not stop the request.
    assert_eq!(it.call(), "begin");
    assert!(!it.state.left(false));
    assert_eq!(it.first(), "send code");
    // A call that comes meanwhile wants the request again.
    assert_eq!(it.call(), "join");
    assert!(it.state.abandon());
    assert_eq!(it.call(), "join");
    assert_eq!(it.replied("code", it.reply(&ScriptedReply::Tokens(1))), "deliver a1 r1, got a1");
    // A password is not sent after the end of the session; tokens that arrive later are delivered.
    let mut it = given(password(), Has::Tokens(0));
    assert_eq!(it.call(), "begin");
    assert_eq!(it.first(), "send r0");
    assert!(it.state.end_session());
    assert_eq!(it.replied("r0", it.reply(&REFUSED)), "OauthError final");
    let mut it = given(password(), Has::Nothing);
    assert_eq!(it.call(), "begin");
    assert_eq!(it.first(), "send password");
    it.state.end_session();
    assert_eq!(it.replied("password", it.reply(&ScriptedReply::Tokens(1))), "deliver a1 r1, got a1");
    // No call waits for an early renewal.
    let mut it = given(None, Has::Tokens(2));
    assert_eq!(it.pass(1.9).call(), "use a0 and renew");
    assert!(!it.state.left(true));
    assert_eq!(it.first(), "send r0");
}

#[test]
fn newer_tokens_from_elsewhere_replace_a_request() {
    let changed = |it: &Given, number, seconds| {
        let (access, refresh) = (format!("a{number}"), format!("r{number}"));
        Tokens::given(Secret::new(&access), "7", Secret::new(&refresh), seconds, it.now)
    };
    // Before the first step: from the file, or from the host in its renewal callback.
    let mut it = given(None, Has::Tokens(0));
    assert_eq!(it.call(), "begin");
    it.state.set_tokens(changed(&it, 5, Some(100))).expect("given");
    assert!(
        it.state.is_settled(it.now) && it.state.tokens_for_waiting_calls(it.now).is_none(),
        "waiting calls get them with the first step"
    );
    assert_eq!(it.first(), "got a5");
    it.state.end();
    // If they are about to expire, their refresh token is used.
    it.pass(100.0);
    assert_eq!(it.call(), "begin");
    it.state.set_tokens(changed(&it, 6, Some(0))).expect("given");
    assert_eq!(it.request(&[("r6", ScriptedReply::Tokens(7))]), "deliver a7 r7, got a7");
    // During the request: its failure is then ignored.
    for reply in [REFUSED, BUSY, Lost] {
        let mut it = given(None, Has::Tokens(0));
        assert_eq!(it.call(), "begin");
        assert_eq!(it.first(), "send r0");
        it.state.set_tokens(changed(&it, 5, None)).expect("given");
        assert!(it.state.tokens_for_waiting_calls(it.now).is_some_and(|tokens| tokens.access_token.expose() == "a5"));
        assert_eq!(it.call(), "use a5");
        assert_eq!(it.replied("r0", it.reply(&reply)), "got a5");
        assert_eq!(it.call(), "use a5");
        assert!(it.state.refusal.is_none() && it.state.transient.is_none());
    }
    // A refresh token alone replaces the other; another user's tokens are refused.
    let mut it = given(None, Has::Tokens(3600));
    let alone = Tokens::given(Secret::default(), "", Secret::new("r8"), None, it.now);
    it.state.set_tokens(alone).expect("given");
    assert_eq!(it.call(), "use a0");
    assert_eq!(it.authorize(), "begin");
    assert_eq!(it.first(), "send r8");
    let foreign = Tokens::given(Secret::new("a"), "8", Secret::default(), None, it.now);
    assert_eq!(it.state.set_tokens(foreign).expect_err("another user's").code(), Code::InvalidArgument);
}

#[test]
fn a_child_does_not_send_the_code_that_its_parent_exchanges() {
    let mut it = given(code(), Has::Nothing);
    assert_eq!(it.call(), "begin");
    it.state.forked();
    assert_eq!((it.call(), it.authorize()), ("OauthError final".into(), "OauthError final".into()));
    // With a token file, the parent's tokens will arrive through it.
    let mut it = given(code(), Has::Nothing);
    it.state.rules.shares_file = true;
    assert_eq!(it.call(), "begin");
    it.state.forked();
    assert_eq!(it.call(), "begin");
    it.state.set_tokens(Tokens::given(Secret::new("a1"), "7", Secret::new("r1"), None, it.now)).expect("given");
    assert_eq!(it.first(), "got a1");
    // The code is not sent even if the file has no tokens. Other grants can be used by the child.
    let mut it = given(code(), Has::Nothing);
    it.state.rules.shares_file = true;
    assert_eq!(it.call(), "begin");
    it.state.forked();
    assert_eq!(it.call(), "begin");
    assert_eq!(it.first(), "OauthError final");
    for grant in [password(), refresh()] {
        let mut it = given(grant, Has::Nothing);
        assert_eq!(it.call(), "begin");
        it.state.forked();
        assert_eq!(it.call(), "begin");
    }
}

/// A file may hold tokens that another process stored. Without any, nothing can be sent, and that is remembered.
#[test]
fn without_anything_to_send_the_failure_is_final() {
    let mut it = given(None, Has::Nothing);
    it.state.rules.shares_file = true;
    assert_eq!([it.call(), it.first()], ["begin", "OauthError final"]);
    it.state.end();
    assert_eq!(it.call(), "OauthError final");
    assert_eq!(it.authorize(), "begin", "another process may have stored some since");
}
