//! A token request's steps: what it does next, and what it leaves behind.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use super::{At, End, Reason, Setback, Step, TokenSet, TokenState, no_way_on};
use crate::error::{Code, Failure};
use crate::oauth::grant::Grant;
use crate::oauth::now::Now;
use crate::oauth::reply::TokenError;
use crate::oauth::tokens::Tokens;

/// The shortest first pause after a request that failed.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause of our own choice.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The longest pause that a server may ask for: a slip of its own must not end the session.
const LONGEST_WISH: Duration = Duration::from_secs(3600);

impl TokenState {
    /// Whether the token request ends without asking: tokens came from elsewhere, or nobody wants any.
    pub fn is_settled(&self, now: Now) -> bool {
        self.is_unwanted() || self.others(now).is_some()
    }

    /// Whether it replaces a token by another, rather than trade a code or a password for the first.
    pub fn is_renewal(&self) -> bool {
        self.latest.is_some() || matches!(self.rules.grant, Some(Grant::Refresh(_)))
    }

    /// The token request is about to ask.
    pub fn first_step(&mut self, now: Now) -> Step {
        if self.is_unwanted() {
            return Step::End(End::Abandoned);
        }
        if let Some(tokens) = self.others(now) {
            return Step::End(End::With(Ok(tokens)));
        }
        self.ask(now)
    }

    /// The authorization server answered, or did not.
    pub fn replied(&mut self, grant: &Grant, reply: Result<Tokens, TokenError>, now: Now) -> Step {
        let (answered, sent) = reply.as_ref().map_or_else(|error| (error.answered, error.sent), |_| (true, true));
        let brought = reply.as_ref().map_or_else(|error| error.rest.is_some(), |_| true);
        self.own_is_spent |= (grant.is_code() && sent) || (brought && self.rules.grant.as_ref() == Some(grant));
        if answered && self.request.as_ref().is_some_and(|request| request.reason == Reason::Doubt) {
            self.doubted_at = Some(now.steady);
        }
        match reply {
            Ok(tokens) => self.tell(tokens),
            Err(error) if !error.sent && error.failure.code() == Code::Cancelled => Step::End(End::Abandoned),
            Err(error) => self.failed(Some(grant), error, now),
        }
    }

    /// The token request cannot ask: another process keeps the file, say.
    pub fn cannot_ask(&mut self, failure: Failure, now: Now) -> Step {
        if failure.code() == Code::Cancelled {
            return Step::End(End::Abandoned);
        }
        self.failed(None, TokenError::unsent(failure), now)
    }

    /// The host was told.
    pub fn told(&mut self, told: &TokenSet, now: Now) -> Step {
        if let Some(error) = self.request.as_mut().and_then(|request| request.error.take()) {
            return self.fail(None, error, now);
        }
        // Unless newer ones came from the host meanwhile.
        if self.latest.as_ref().is_some_and(|latest| Arc::ptr_eq(latest, told)) {
            self.usable = Some(Arc::clone(told));
        }
        self.forget_failures();
        Step::End(End::With(Ok(self.usable.clone().unwrap_or_else(|| Arc::clone(told)))))
    }

    /// The token request is over; another may begin.
    pub fn end(&mut self) {
        self.request = None;
    }

    /// Whether nobody wants what is not sent yet.
    pub fn is_unwanted(&self) -> bool {
        let is_abandoned = self.request.as_ref().is_none_or(|request| request.abandoned && request.waiting == 0);
        self.ended || is_abandoned
    }

    /// Tokens that came from elsewhere since the token request was begun, if they serve.
    fn others(&self, now: Now) -> Option<TokenSet> {
        let former = self.request.as_ref()?.former.as_ref();
        let others = self.usable.as_ref().filter(|usable| !former.is_some_and(|former| Arc::ptr_eq(usable, former)));
        others.filter(|tokens| !tokens.want_renewal(now)).cloned()
    }

    fn ask(&mut self, now: Now) -> Step {
        let latest = self.latest.clone().unwrap_or_default();
        let fell_back = self.request.as_ref().is_none_or(|request| request.fell_back);
        let own = self.own_credentials().filter(|_| !fell_back).cloned();
        let is_refused = self.refused_refresh_token.as_ref() == Some(&latest.refresh_token);
        let grant = match own {
            _ if latest.refresh_token.is_empty() => own,
            Some(own) if is_refused => Some(own),
            _ => Some(Grant::Refresh(latest.refresh_token.clone())),
        };
        let Some(grant) = grant else {
            return self.fail(None, TokenError { is_final: true, ..TokenError::unsent(no_way_on()) }, now);
        };
        if let Some(request) = &mut self.request {
            request.at = At::Asking;
            request.fell_back |= !matches!(&grant, Grant::Refresh(token) if *token == latest.refresh_token);
        }
        Step::Ask(grant, latest)
    }

    fn tell(&mut self, tokens: Tokens) -> Step {
        let tokens = Arc::new(tokens);
        self.latest = Some(Arc::clone(&tokens));
        if let Some(request) = &mut self.request {
            request.at = At::Telling;
        }
        Step::Tell(tokens)
    }

    fn failed(&mut self, grant: Option<&Grant>, mut error: TokenError, now: Now) -> Step {
        if let (Some(Grant::Refresh(token)), true) = (grant, error.is_final) {
            self.refused_refresh_token = Some(token.clone());
            let fell_back = self.request.as_ref().is_none_or(|request| request.fell_back);
            if self.own_credentials().is_some() && !fell_back && !self.is_unwanted() {
                return self.ask(now);
            }
        }
        if let Some(rest) = error.rest.take() {
            let step = self.tell(*rest);
            if let Some(request) = &mut self.request {
                request.error = Some(error);
            }
            return step;
        }
        self.fail(grant, error, now)
    }

    /// The token request fails, unless newer tokens came from elsewhere meanwhile.
    fn fail(&mut self, grant: Option<&Grant>, error: TokenError, now: Now) -> Step {
        if let Some(tokens) = self.others(now) {
            return Step::End(End::With(Ok(tokens)));
        }
        let mut failure = error.failure;
        if grant.is_some_and(Grant::is_code) && error.sent {
            failure = failure.because("(the code was sent and may be used up; get a new one)").transient(false);
            self.refusal = Some(failure.clone());
        } else if error.is_final {
            failure = failure.because(
                "(remembered: mailru_authorize asks again, mailru_session_set_tokens replaces the tokens; \
                 else a new login is needed)",
            );
            self.refusal = Some(failure.clone());
        } else {
            let setback = self.setback_after(failure, error.retry_after, now);
            failure = setback.told(setback.until - now.steady);
            self.setback = Some(setback);
        }
        Step::End(End::With(Err(failure)))
    }

    fn setback_after(&self, failure: Failure, wish: Option<Duration>, now: Now) -> Setback {
        let former = self.setback.as_ref().map_or(0, |setback| setback.count);
        let grown = self.rules.first_pause.saturating_mul(2_u32.saturating_pow(former));
        let pause = wish.map_or(grown.clamp(SHORTEST_PAUSE, LONGEST_PAUSE), |wish| wish.min(LONGEST_WISH));
        Setback { failure, count: former + 1, until: now.steady + pause, is_wish: wish.is_some() }
    }

    pub(super) fn forget_failures(&mut self) {
        self.refusal = None;
        self.setback = None;
        self.unfit = None;
        self.refused_refresh_token = None;
    }
}
