//! What the token state decides, for calls and for a token request.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::TokenSet;
use crate::error::{Failure, Outcome};
use crate::oauth::grant::Grant;
use crate::oauth::now::Now;

/// What a call, or `mailru_authorize`, has to do.
#[derive(Debug)]
pub enum Decision {
    /// Go on with these tokens.
    Use(TokenSet),
    /// Go on with these tokens, and start a token request beside.
    UseAndRenew(TokenSet),
    /// Wait for the token request under way, as one more.
    Join,
    /// Start a token request, and wait for it.
    Begin,
    /// Wait so long, then ask again what to do.
    Pause(Duration),
    /// A call that the platform answered with 102: that is its answer.
    Keep,
    /// End with this.
    Fail(Failure),
}

/// What a token request does next.
#[derive(Debug)]
pub enum Step {
    /// Ask the authorization server with this; then [`super::TokenState::replied`].
    Ask(Grant, TokenSet),
    /// Store these tokens and tell the host; then [`super::TokenState::told`].
    Tell(TokenSet),
    /// Wake those who wait, and [`super::TokenState::end`].
    End(End),
}

/// How a token request ended.
#[derive(Debug, Clone)]
pub enum End {
    /// With this, for all who wait.
    With(Outcome<TokenSet>),
    /// Before anything was sent, because nobody wanted it any more. Who waits nevertheless asks again what to do.
    Abandoned,
}

/// A call that the platform answered with 102.
#[derive(Debug, Clone)]
pub struct RefusedCall {
    /// What it was made with.
    pub tokens: TokenSet,
    /// Which call it is: see [`Tokens::note_accepted`].
    pub call: u64,
    /// Whether a parameter of its own may be the wrong id that 102 speaks of.
    pub names_an_id: bool,
    /// When it was made, and when the answer came.
    pub began: Now,
    /// See [`Self::began`].
    pub at: Now,
}

impl RefusedCall {
    /// Whether the token served before and must be to blame: for the very same call, or since this one names no id.
    pub(super) fn shows_expiry(&self) -> bool {
        let served = self.tokens.served(self.call) || (!self.names_an_id && self.tokens.were_accepted());
        served && !self.tokens.were_accepted_after(self.began)
    }
}
