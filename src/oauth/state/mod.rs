//! The state of a session's tokens and every decision about them: a pure state machine.
//!
//! It uses no thread, socket, file or clock: events with their time go in, decisions come out, and [`super::store`]
//! carries them out. A *token request* lasts from the decision to make it until calls may continue. It waits for other
//! processes, sends one or two requests to the authorization server, and runs the callbacks.
#![forbid(unsafe_code)]

mod decision;
mod request;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

pub use self::decision::{Decision, End, RejectedCall, Step};
use super::grant::Grant;
use super::now::Now;
use super::reply::TokenError;
use super::tokens::Tokens;
use crate::error::{Code, Failure, Outcome};
use crate::secret::Secret;

/// If this time or less is left of a pause, calls wait for its end; otherwise they fail at once.
const SHORT_WAIT: Duration = Duration::from_secs(1);
/// The minimum interval between token requests caused by the platform's 102 alone, because the call itself may be the
/// cause.
const REJECTION_INTERVAL: Duration = Duration::from_secs(30);
/// The maximum number of such requests within the interval for tokens that were accepted before, and so must have
/// expired early. A platform that keeps rejecting fresh tokens is not believed.
const MOST_EARLY_EXPIRIES: u32 = 10;

/// A set of tokens, shared by many calls.
pub type TokenSet = Arc<Tokens>;

/// The fixed settings of a session.
#[derive(Debug)]
pub struct Rules {
    /// The grant for the first tokens; a password also serves for later ones.
    pub grant: Option<Grant>,
    /// Whether tokens are renewed automatically.
    pub auto_refresh: bool,
    /// The pause after the first failure; it doubles after each further one.
    pub first_pause: Duration,
    /// Whether other processes may provide newer tokens.
    pub shares_file: bool,
}

/// The reason for a token request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// There is no token, or it has expired.
    NoValidToken,
    /// The token is about to expire; no call waits.
    EarlyRenewal,
    /// The platform rejected the token with 102.
    Rejected,
    /// `mailru_authorize`.
    Authorize,
}

/// The current token request.
#[derive(Debug)]
struct Request {
    reason: Reason,
    waiting: usize,
    /// The tokens when it began: it is no longer needed when there are others.
    previous: Option<TokenSet>,
    phase: Phase,
    /// Whether the grant's own credentials were sent.
    sent_own_credentials: bool,
    /// Whether no call wanted it when the last one stopped waiting.
    abandoned: bool,
    /// The error with which it ends after the incomplete tokens were delivered to the host.
    error: Option<TokenError>,
}

/// The phase of a token request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waiting for other processes and for the renewal callback.
    Preparing,
    /// Sending to the authorization server.
    Sending,
    /// The token callback runs.
    Delivering,
}

/// A transient failure.
#[derive(Debug)]
struct TransientFailure {
    failure: Failure,
    /// The number of consecutive failures, with this one.
    count: u32,
    /// When the next request may be made, by [`Now::steady`].
    until: Duration,
    /// Whether the time is the server's Retry-After.
    is_retry_after: bool,
}

/// The state of a session's tokens.
#[derive(Debug)]
pub struct TokenState {
    rules: Rules,
    /// The tokens that calls use.
    usable: Option<TokenSet>,
    /// The newest tokens, which may be incomplete or not delivered to the host yet.
    latest: Option<TokenSet>,
    request: Option<Request>,
    /// The final refusal that is remembered.
    refusal: Option<Failure>,
    transient: Option<TransientFailure>,
    /// The time of the last answer to a request caused by 102 alone, by [`Now::steady`].
    rejection_request_at: Option<Duration>,
    /// The number of consecutive requests made before the interval after that ended.
    early_expiries: u32,
    /// The tokens that the platform rejected last.
    rejected: Option<TokenSet>,
    /// Rejected tokens that cannot be valid, because the rejected call named no user id; and the time of the rejection.
    invalid: Option<(TokenSet, Now)>,
    /// The refresh token that the authorization server refused.
    refused_refresh_token: Option<Secret>,
    /// Whether the constructor's code or refresh token was used, or may have been.
    own_credentials_used: bool,
    ended: bool,
}

impl TokenState {
    /// The state of a new session. Tokens without an access token are not usable for calls but can be renewed.
    pub fn new(rules: Rules, tokens: Option<Tokens>) -> TokenState {
        let latest = tokens.map(Arc::new);
        // With neither token the host gave an empty access token, for calls that need no `session_key`.
        let is_half = |tokens: &Tokens| tokens.access_token.is_empty() && !tokens.refresh_token.is_empty();
        TokenState {
            rules,
            usable: latest.clone().filter(|tokens| !is_half(tokens)),
            latest,
            request: None,
            refusal: None,
            transient: None,
            rejection_request_at: None,
            early_expiries: 0,
            rejected: None,
            invalid: None,
            refused_refresh_token: None,
            own_credentials_used: false,
            ended: false,
        }
    }

    /// The newest tokens, also while they are being delivered to the host.
    pub fn latest(&self) -> Option<&TokenSet> {
        self.latest.as_ref()
    }

    /// The tokens that a call would use now.
    pub fn usable(&self) -> Option<&TokenSet> {
        self.usable.as_ref()
    }

    /// Whether a call now would need other tokens first.
    pub fn lacks_tokens(&self, now: Now) -> bool {
        self.usable.as_ref().is_none_or(|tokens| tokens.have_expired(now) || self.is_invalid(tokens, now))
    }

    /// The decision for a call that begins.
    pub fn for_call(&mut self, now: Now) -> Decision {
        let Some(tokens) = self.usable.clone() else { return self.need(Reason::NoValidToken, now) };
        if let (Some(refusal), true) = (&self.refusal, self.is_invalid(&tokens, now)) {
            return Decision::Fail(refusal.clone());
        }
        if !self.rules.auto_refresh || !self.can_renew() || !tokens.need_renewal(now) {
            return Decision::Use(tokens);
        }
        if tokens.have_expired(now) {
            return self.need(Reason::NoValidToken, now);
        }
        // Early renewal is optional: calls ignore its failure and do not wait for it.
        if self.request.is_some() || self.refusal.is_some() || self.pause_left(now).is_some() {
            return Decision::Use(tokens);
        }
        self.begin(Reason::EarlyRenewal);
        Decision::UseAndRenew(tokens)
    }

    /// The decision for a call that the platform rejected with 102.
    pub fn rejected(&mut self, call: &RejectedCall, now: Now) -> Decision {
        if let Some(others) = self.usable.as_ref().filter(|usable| !Arc::ptr_eq(usable, &call.tokens)) {
            return Decision::Use(Arc::clone(others));
        }
        self.rejected = Some(Arc::clone(&call.tokens));
        if !self.rules.auto_refresh || !self.can_renew() {
            return Decision::Keep;
        }
        if self.request.is_some() {
            return self.join();
        }
        if let Some(refusal) = self.refusal.clone() {
            return self.without_other_tokens(call, refusal);
        }
        let interval_left = self.rejection_request_at.map(|at| (at + REJECTION_INTERVAL).saturating_sub(now.steady));
        let mut interval_left = interval_left.filter(|left| !left.is_zero());
        if interval_left.is_none() {
            self.early_expiries = 0;
        } else if call.shows_expiry() && self.early_expiries < MOST_EARLY_EXPIRIES {
            self.early_expiries += 1;
            interval_left = None;
        }
        let left = self.pause_left(now).max(interval_left);
        match (left, &self.transient) {
            (None, _) => {
                self.begin(Reason::Rejected);
                Decision::Begin
            }
            (Some(_), Some(transient)) => self.without_other_tokens(call, transient.failure.clone()),
            (Some(_), None) => Decision::Keep,
        }
    }

    /// The decision for a rejected call for which there are no other tokens: it keeps the platform's answer unless the
    /// token must be invalid. That is so if the call names no user id and no later call with the token was accepted.
    pub fn without_other_tokens(&mut self, call: &RejectedCall, failure: Failure) -> Decision {
        if call.names_a_user || call.tokens.were_accepted_after(call.at) {
            return Decision::Keep;
        }
        if self.refusal.is_some() {
            self.invalid = Some((Arc::clone(&call.tokens), call.at));
        }
        Decision::Fail(failure)
    }

    /// The decision for `mailru_authorize`.
    pub fn authorize(&mut self, now: Now) -> Decision {
        if self.request.is_some() {
            return self.join();
        }
        let has_refresh_token = self.latest.as_ref().is_some_and(|tokens| !tokens.refresh_token.is_empty());
        if let Some(tokens) = &self.usable {
            let is_rejected = self.rejected.as_ref().is_some_and(|rejected| Arc::ptr_eq(rejected, tokens));
            let is_unusable = tokens.have_expired(now) || is_rejected;
            let renews = has_refresh_token || (is_unusable && self.can_renew());
            if !renews {
                return Decision::Use(Arc::clone(tokens));
            }
        } else if self.own_credentials_used && !has_refresh_token && !self.rules.shares_file {
            return Decision::Fail(self.refusal.clone().unwrap_or_else(cannot_renew));
        }
        self.after_pause(Reason::Authorize, now)
    }

    /// A call stopped waiting for the token request. Returns whether to stop the request unless it was sent.
    pub fn left(&mut self, was_cancelled: bool) -> bool {
        let Some(request) = &mut self.request else { return false };
        request.waiting = request.waiting.saturating_sub(1);
        let is_unwanted = was_cancelled && request.waiting == 0 && request.reason != Reason::EarlyRenewal;
        is_unwanted && self.abandon()
    }

    /// The host cancelled the session's calls. Returns whether there is a request that may still be stopped.
    pub fn abandon(&mut self) -> bool {
        let Some(request) = self.request.as_mut().filter(|request| request.phase != Phase::Delivering) else {
            return false;
        };
        request.abandoned = true;
        // The calls that still wait were cancelled too; a call that joins from now on wants the request again.
        request.waiting = 0;
        true
    }

    /// The host freed the session.
    pub fn end_session(&mut self) -> bool {
        self.ended = true;
        self.abandon()
    }

    /// This process is a child of the one that made the current token request.
    pub fn forked(&mut self) {
        let exchanges_code = self.latest.is_none() && self.rules.grant.as_ref().is_some_and(Grant::is_code);
        if self.request.take().is_none() || !exchanges_code {
            return;
        }
        // A code works only once, and the parent is exchanging it.
        self.own_credentials_used = true;
        if !self.rules.shares_file {
            self.refusal = Some(code_sent_by_parent());
        }
    }

    /// Merges newer tokens from the host or another process with the current ones.
    pub fn merged(&self, mut given: Tokens) -> Outcome<Tokens> {
        let previous = self.latest.as_deref().cloned().unwrap_or_default();
        if given.uid.is_empty() {
            given.uid = previous.uid.clone();
        } else if !previous.uid.is_empty() && previous.uid != given.uid {
            let problem = "has the tokens of a user other than the session's; make a session for that user";
            return Err(Failure::argument("tokens_json", problem));
        }
        let is_half = given.access_token.is_empty();
        Ok(if is_half { previous.with_refresh_token(given.refresh_token) } else { given })
    }

    /// Newer tokens from the host or another process. They clear a remembered refusal.
    pub fn set_tokens(&mut self, given: Tokens) -> Outcome<()> {
        let is_half = given.access_token.is_empty();
        let merged = Arc::new(self.merged(given)?);
        if !is_half {
            self.usable = Some(Arc::clone(&merged));
        }
        self.latest = Some(merged);
        self.forget_failures();
        Ok(())
    }

    fn need(&mut self, reason: Reason, now: Now) -> Decision {
        match &self.refusal {
            _ if self.request.is_some() => self.join(),
            Some(refusal) => Decision::Fail(refusal.clone()),
            None => self.after_pause(reason, now),
        }
    }

    fn after_pause(&mut self, reason: Reason, now: Now) -> Decision {
        match (self.pause_left(now), &self.transient) {
            (Some(left), Some(transient)) if left <= SHORT_WAIT => {
                Decision::Pause(left, transient.with_pause_left(left))
            }
            (Some(left), Some(transient)) => Decision::Fail(transient.with_pause_left(left)),
            _ => {
                self.begin(reason);
                Decision::Begin
            }
        }
    }

    fn join(&mut self) -> Decision {
        if let Some(request) = &mut self.request {
            request.waiting += 1;
        }
        Decision::Join
    }

    fn begin(&mut self, reason: Reason) {
        self.request = Some(Request {
            reason,
            waiting: usize::from(reason != Reason::EarlyRenewal),
            previous: self.usable.clone(),
            phase: Phase::Preparing,
            sent_own_credentials: false,
            abandoned: false,
            error: None,
        });
    }

    fn pause_left(&self, now: Now) -> Option<Duration> {
        let left = self.transient.as_ref()?.until.saturating_sub(now.steady);
        (!left.is_zero()).then_some(left)
    }

    /// Whether there are credentials with which to get other tokens.
    fn can_renew(&self) -> bool {
        let has_refresh_token = self.latest.as_ref().is_some_and(|tokens| !tokens.refresh_token.is_empty());
        has_refresh_token || self.own_credentials().is_some()
    }

    /// The grant's own credentials, if they may still be valid.
    fn own_credentials(&self) -> Option<&Grant> {
        self.rules.grant.as_ref().filter(|grant| match grant {
            Grant::Code { .. } => !self.own_credentials_used,
            Grant::Password { .. } => true,
            Grant::Refresh(token) => {
                let is_refused = self.refused_refresh_token.as_ref() == Some(token);
                !self.own_credentials_used && (self.latest.is_none() || !is_refused)
            }
        })
    }

    /// Whether the tokens cannot be valid. This expires after an interval, because one answer of the platform must not
    /// end the session.
    fn is_invalid(&self, tokens: &TokenSet, now: Now) -> bool {
        self.invalid.as_ref().is_some_and(|(invalid, since)| {
            let is_recent = now.steady < since.steady + REJECTION_INTERVAL;
            Arc::ptr_eq(invalid, tokens) && is_recent && !tokens.were_accepted_after(*since)
        })
    }
}

impl TransientFailure {
    /// The failure, with the time left until the next request may be made.
    fn with_pause_left(&self, left: Duration) -> Failure {
        let failure = self.failure.clone();
        failure.retry_after(Some(left).filter(|_| self.is_retry_after))
    }
}

fn cannot_renew() -> Failure {
    let message = "the access token has expired and there is no refresh token; a new login is needed";
    Failure::new(Code::OauthError, message)
}

fn code_sent_by_parent() -> Failure {
    let message = "this process was forked while its parent exchanged the code, which works only once; get a new code";
    Failure::new(Code::OauthError, message)
}
