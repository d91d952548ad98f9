//! The steps of a token request, and their effect on the state.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use super::{End, Phase, Reason, Step, TokenSet, TokenState, TransientFailure, cannot_renew};
use crate::error::{Code, Failure};
use crate::oauth::grant::Grant;
use crate::oauth::now::Now;
use crate::oauth::reply::TokenError;
use crate::oauth::tokens::Tokens;

/// The minimum pause after a failed request.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause without a Retry-After.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The longest Retry-After that is respected: a mistake of the server must not end the session.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

impl TokenState {
    /// Whether the token request can end without sending: there are newer tokens, or no call wants any.
    pub fn is_settled(&self, now: Now) -> bool {
        self.is_unwanted() || self.newer_tokens(now).is_some()
    }

    /// Newer tokens for the calls that wait for an answer of the authorization server.
    pub fn tokens_for_waiting_calls(&self, now: Now) -> Option<TokenSet> {
        let is_sending = self.request.as_ref().is_some_and(|request| request.phase == Phase::Sending);
        self.newer_tokens(now).filter(|_| is_sending)
    }

    /// Whether it renews tokens, in contrast to a first grant by code or password.
    pub fn is_renewal(&self) -> bool {
        self.latest.is_some() || matches!(self.rules.grant, Some(Grant::Refresh(_)))
    }

    /// The token request is about to send.
    pub fn first_step(&mut self, now: Now) -> Step {
        if self.is_unwanted() {
            return Step::End(End::Abandoned);
        }
        if let Some(tokens) = self.newer_tokens(now) {
            return Step::End(End::With(Ok(tokens)));
        }
        self.ask(now)
    }

    /// The authorization server answered, or did not.
    pub fn replied(&mut self, grant: &Grant, reply: Result<Tokens, TokenError>, now: Now) -> Step {
        let (answered, sent) = reply.as_ref().map_or_else(|error| (error.answered, error.sent), |_| (true, true));
        let brought = reply.as_ref().map_or_else(|error| error.partial.is_some(), |_| true);
        self.own_credentials_used |= (grant.is_code() && sent) || (brought && self.rules.grant.as_ref() == Some(grant));
        if answered && self.request.as_ref().is_some_and(|request| request.reason == Reason::Rejected) {
            self.rejection_request_at = Some(now.steady);
        }
        match reply {
            Ok(tokens) => self.deliver(tokens),
            Err(error) if !error.sent && error.failure.code() == Code::Cancelled => Step::End(End::Abandoned),
            Err(error) => self.failed(Some(grant), error, now),
        }
    }

    /// The token request cannot send, for example because another process holds the lock.
    pub fn cannot_ask(&mut self, failure: Failure, now: Now) -> Step {
        if failure.code() == Code::Cancelled {
            return Step::End(End::Abandoned);
        }
        self.failed(None, TokenError::unsent(failure), now)
    }

    /// The token callback has returned.
    pub fn delivered(&mut self, delivered: &TokenSet, now: Now) -> Step {
        if let Some(error) = self.request.as_mut().and_then(|request| request.error.take()) {
            return self.fail(None, error, now);
        }
        // Unless the host set newer tokens meanwhile.
        if self.latest.as_ref().is_some_and(|latest| Arc::ptr_eq(latest, delivered)) {
            self.usable = Some(Arc::clone(delivered));
        }
        self.forget_failures();
        Step::End(End::With(Ok(self.usable.clone().unwrap_or_else(|| Arc::clone(delivered)))))
    }

    /// The token request has ended; another may begin.
    pub fn end(&mut self) {
        self.request = None;
    }

    /// Whether no call wants the request, if it was not sent yet.
    pub fn is_unwanted(&self) -> bool {
        let is_abandoned = self.request.as_ref().is_none_or(|request| request.abandoned && request.waiting == 0);
        self.ended || is_abandoned
    }

    /// Valid tokens from the host or another process that arrived since the token request began.
    fn newer_tokens(&self, now: Now) -> Option<TokenSet> {
        let previous = self.request.as_ref()?.previous.as_ref();
        let others =
            self.usable.as_ref().filter(|usable| !previous.is_some_and(|previous| Arc::ptr_eq(usable, previous)));
        others.filter(|tokens| !tokens.need_renewal(now)).cloned()
    }

    fn ask(&mut self, now: Now) -> Step {
        let latest = self.latest.clone().unwrap_or_default();
        let sent_own_credentials = self.request.as_ref().is_none_or(|request| request.sent_own_credentials);
        let own = self.own_credentials().filter(|_| !sent_own_credentials).cloned();
        let is_refused = self.refused_refresh_token.as_ref() == Some(&latest.refresh_token);
        let grant = match own {
            _ if latest.refresh_token.is_empty() => own,
            Some(own) if is_refused => Some(own),
            _ => Some(Grant::Refresh(latest.refresh_token.clone())),
        };
        let Some(grant) = grant else {
            return self.fail(None, TokenError { is_final: true, ..TokenError::unsent(cannot_renew()) }, now);
        };
        if let Some(request) = &mut self.request {
            request.phase = Phase::Sending;
            request.sent_own_credentials |= !matches!(&grant, Grant::Refresh(token) if *token == latest.refresh_token);
        }
        Step::Send(grant, latest)
    }

    fn deliver(&mut self, tokens: Tokens) -> Step {
        let tokens = Arc::new(tokens);
        self.latest = Some(Arc::clone(&tokens));
        if let Some(request) = &mut self.request {
            request.phase = Phase::Delivering;
        }
        Step::Deliver(tokens)
    }

    fn failed(&mut self, grant: Option<&Grant>, mut error: TokenError, now: Now) -> Step {
        if let (Some(Grant::Refresh(token)), true) = (grant, error.is_final) {
            self.refused_refresh_token = Some(token.clone());
            let sent_own_credentials = self.request.as_ref().is_none_or(|request| request.sent_own_credentials);
            if self.own_credentials().is_some() && !sent_own_credentials && !self.is_unwanted() {
                return self.ask(now);
            }
        }
        if let Some(partial) = error.partial.take() {
            let step = self.deliver(*partial);
            if let Some(request) = &mut self.request {
                request.error = Some(error);
            }
            return step;
        }
        self.fail(grant, error, now)
    }

    /// The token request fails, unless newer tokens came from elsewhere meanwhile.
    fn fail(&mut self, grant: Option<&Grant>, error: TokenError, now: Now) -> Step {
        if let Some(tokens) = self.newer_tokens(now) {
            return Step::End(End::With(Ok(tokens)));
        }
        let mut failure = error.failure;
        if grant.is_some_and(Grant::is_code) && error.sent {
            failure = failure.because("(the code was sent and may be used up; get a new one)").transient(false);
            self.refusal = Some(failure.clone());
        } else if error.is_final {
            failure = failure.because(
                "(remembered: mailru_authorize retries, mailru_session_set_tokens replaces the tokens; otherwise a new login is needed)",
            );
            self.refusal = Some(failure.clone());
        } else {
            let transient = self.transient_failure(failure, error.retry_after, now);
            failure = transient.with_pause_left(transient.until - now.steady);
            self.transient = Some(transient);
        }
        Step::End(End::With(Err(failure)))
    }

    fn transient_failure(&self, failure: Failure, retry_after: Option<Duration>, now: Now) -> TransientFailure {
        let previous = self.transient.as_ref().map_or(0, |transient| transient.count);
        let grown = self.rules.first_pause.saturating_mul(2_u32.saturating_pow(previous));
        let pause = retry_after
            .map_or(grown.clamp(SHORTEST_PAUSE, LONGEST_PAUSE), |retry_after| retry_after.min(LONGEST_RETRY_AFTER));
        TransientFailure {
            failure,
            count: previous + 1,
            until: now.steady + pause,
            is_retry_after: retry_after.is_some(),
        }
    }

    pub(super) fn forget_failures(&mut self) {
        self.refusal = None;
        self.transient = None;
        self.invalid = None;
        self.refused_refresh_token = None;
    }
}
