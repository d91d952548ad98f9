//! The decisions of the token state, for calls and for a token request.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::TokenSet;
use crate::error::{Failure, Outcome};
use crate::oauth::grant::Grant;
use crate::oauth::now::Now;

/// What a call, or `mailru_authorize`, does next.
#[derive(Debug)]
pub enum Decision {
    /// Use these tokens.
    Use(TokenSet),
    /// Use these tokens, and start a token request without waiting for it.
    UseAndRenew(TokenSet),
    /// Wait for the current token request.
    Join,
    /// Start a token request, and wait for it.
    Begin,
    /// Wait for this time, then ask the state again; fail with this if the call has no time for that.
    Pause(Duration, Failure),
    /// Return the platform's 102, which the call has received.
    Keep,
    /// Fail with this.
    Fail(Failure),
}

/// The next step of a token request.
#[derive(Debug)]
pub enum Step {
    /// Send the grant to the authorization server; then call [`super::TokenState::replied`].
    Send(Grant, TokenSet),
    /// Store these tokens and run the token callback; then call [`super::TokenState::delivered`].
    Deliver(TokenSet),
    /// Wake the waiting calls, and call [`super::TokenState::end`].
    End(End),
}

/// The end of a token request.
#[derive(Debug, Clone)]
pub enum End {
    /// With this outcome, for all waiting calls.
    With(Outcome<TokenSet>),
    /// Before anything was sent, because no call wanted it any more. A call that waits nevertheless asks the state
    /// again.
    Abandoned,
}

/// A call that the platform rejected with 102.
#[derive(Debug, Clone)]
pub struct RejectedCall {
    /// The tokens with which it was made.
    pub tokens: TokenSet,
    /// The hash of the call: see [`Tokens::note_accepted`].
    pub call: u64,
    /// Whether the call has a user id among its parameters, to which 102 may refer.
    pub names_a_user: bool,
    /// When it was made.
    pub began: Now,
    /// When its answer was received.
    pub at: Now,
}

impl RejectedCall {
    /// Whether the token must have expired: it was accepted before, for the same call or for any call if this one names
    /// no user id.
    pub(super) fn shows_expiry(&self) -> bool {
        let served = self.tokens.accepted_call(self.call) || (!self.names_a_user && self.tokens.were_accepted());
        served && !self.tokens.were_accepted_after(self.began)
    }
}
