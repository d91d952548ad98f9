//! What the store asks about the state without changing it.
#![forbid(unsafe_code)]

use super::*;

#[test]
fn tokens_lack_where_there_are_none_that_serve() {
    for (grant, has, seconds, lacks) in [
        (code(), Has::Nothing, 0, true),
        (None, Has::Refresh, 0, true),
        (None, Has::Lasting, 0, false),
        (None, Has::Tokens(100), 99, false),
        (None, Has::Tokens(100), 101, true),
        (None, Has::Access(100), 101, true),
    ] {
        let given = given(grant, has);
        let now = later(given.now, Duration::from_secs(seconds));
        assert_eq!(given.state.lacks_tokens(now), lacks, "{has:?} after {seconds} s");
    }
}

#[test]
fn a_first_grant_is_no_renewal() {
    for (grant, has, renews) in [
        (code(), Has::Nothing, false),
        (password(), Has::Nothing, false),
        (refresh(), Has::Nothing, true),
        (None, Has::Tokens(100), true),
        (password(), Has::Tokens(100), true),
    ] {
        assert_eq!(given(grant, has).state.is_renewal(), renews, "{has:?}");
    }
}

#[test]
fn a_request_that_a_call_wants_is_not_settled() {
    let mut given = given(refresh(), Has::Nothing);
    given.call();
    assert!(!given.state.is_settled(given.now));
}

#[test]
fn a_lock_that_cannot_be_taken_is_a_failure_of_the_call() {
    for (code, is_abandoned) in [(Code::Cancelled, true), (Code::Timeout, false)] {
        let mut given = given(refresh(), Has::Nothing);
        given.call();
        let step = given.state.cannot_ask(Failure::new(code, "the lock"), given.now);
        assert_eq!(matches!(step, Step::End(End::Abandoned)), is_abandoned, "{code:?}");
    }
}
