//! Given others: who ends calls and sessions, brings newer tokens, or forks.
#![forbid(unsafe_code)]

use super::*;

#[test]
fn what_nobody_wants_any_more_is_not_sent() {
    let not_sent = || Err(TokenError::unsent(Failure::new(Code::Cancelled, "stopped")));
    // Given one who waits and is cancelled before the first step, or while asking.
    let mut it = given(code(), Has::Nothing);
    assert_eq!((it.call(), it.call()), ("begin".into(), "join".into()));
    assert!(!it.state.left(true), "another one waits");
    assert!(it.state.left(true));
    assert_eq!(it.first(), "abandoned");
    it.state.end();
    assert_eq!(it.call(), "begin", "the code was not sent");
    assert_eq!(it.first(), "ask code");
    assert!(it.state.left(true));
    assert_eq!(it.replied("code", not_sent()), "abandoned");
    // One who left for want of time does not stop it.
    assert_eq!(it.call(), "begin");
    assert!(!it.state.left(false));
    assert_eq!(it.first(), "ask code");
    // Who comes meanwhile wants it again.
    assert_eq!(it.call(), "join");
    assert!(it.state.abandon());
    assert_eq!(it.call(), "join");
    assert_eq!(it.replied("code", it.reply(&Came::Tokens(1))), "tell a1 r1, got a1");
    // A password is not sent after the end of the session; tokens that were on the way are told.
    let mut it = given(password(), Has::Tokens(0));
    assert_eq!(it.call(), "begin");
    assert_eq!(it.first(), "ask r0");
    assert!(it.state.end_session());
    assert_eq!(it.replied("r0", it.reply(&REFUSED)), "OauthError stays");
    let mut it = given(password(), Has::Nothing);
    assert_eq!(it.call(), "begin");
    assert_eq!(it.first(), "ask password");
    it.state.end_session();
    assert_eq!(it.replied("password", it.reply(&Came::Tokens(1))), "tell a1 r1, got a1");
    // Nobody waits for a renewal ahead of time.
    let mut it = given(None, Has::Tokens(2));
    assert_eq!(it.pass(1.9).call(), "use a0 and renew");
    assert!(!it.state.left(true));
    assert_eq!(it.first(), "ask r0");
}

#[test]
fn newer_tokens_from_elsewhere_serve_instead_of_a_request() {
    let news = |it: &Given, number, seconds| {
        let (access, refresh) = (format!("a{number}"), format!("r{number}"));
        Tokens::given(Secret::new(&access), "7", Secret::new(&refresh), seconds, it.now)
    };
    // Before the first step: from the file, or from the host in its renewal callback.
    let mut it = given(None, Has::Tokens(0));
    assert_eq!(it.call(), "begin");
    it.state.give(news(&it, 5, Some(100))).expect("given");
    assert!(it.state.is_settled(it.now));
    assert_eq!(it.first(), "got a5");
    it.state.end();
    // If they are about to end, it is their refresh token that counts.
    it.pass(100.0);
    assert_eq!(it.call(), "begin");
    it.state.give(news(&it, 6, Some(0))).expect("given");
    assert_eq!(it.request(&[("r6", Came::Tokens(7))]), "tell a7 r7, got a7");
    // While the request is under way: its failure is of no interest any more.
    for reply in [REFUSED, BUSY, Lost] {
        let mut it = given(None, Has::Tokens(0));
        assert_eq!(it.call(), "begin");
        assert_eq!(it.first(), "ask r0");
        it.state.give(news(&it, 5, None)).expect("given");
        assert_eq!(it.call(), "use a5");
        assert_eq!(it.replied("r0", it.reply(&reply)), "got a5");
        assert_eq!(it.call(), "use a5");
        assert!(it.state.refusal.is_none() && it.state.setback.is_none());
    }
    // A refresh token alone replaces the other; another user's tokens are refused.
    let mut it = given(None, Has::Tokens(3600));
    let alone = Tokens::given(Secret::default(), "", Secret::new("r8"), None, it.now);
    it.state.give(alone).expect("given");
    assert_eq!(it.call(), "use a0");
    assert_eq!(it.authorize(), "begin");
    assert_eq!(it.first(), "ask r8");
    let foreign = Tokens::given(Secret::new("a"), "8", Secret::default(), None, it.now);
    assert_eq!(it.state.give(foreign).expect_err("another user's").code(), Code::InvalidArgument);
}

#[test]
fn a_child_does_not_send_the_code_that_its_parent_trades() {
    let mut it = given(code(), Has::Nothing);
    assert_eq!(it.call(), "begin");
    it.state.forked();
    assert_eq!((it.call(), it.authorize()), ("OauthError stays".into(), "OauthError stays".into()));
    // With a file, the parent's tokens will come by it.
    let mut it = given(code(), Has::Nothing);
    it.state.rules.shares_file = true;
    assert_eq!(it.call(), "begin");
    it.state.forked();
    assert_eq!(it.call(), "begin");
    it.state.give(Tokens::given(Secret::new("a1"), "7", Secret::new("r1"), None, it.now)).expect("given");
    assert_eq!(it.first(), "got a1");
    // Not even if the file has none; other grants are the child's own.
    let mut it = given(code(), Has::Nothing);
    it.state.rules.shares_file = true;
    assert_eq!(it.call(), "begin");
    it.state.forked();
    assert_eq!(it.call(), "begin");
    assert_eq!(it.first(), "OauthError stays");
    for grant in [password(), refresh()] {
        let mut it = given(grant, Has::Nothing);
        assert_eq!(it.call(), "begin");
        it.state.forked();
        assert_eq!(it.call(), "begin");
    }
}
