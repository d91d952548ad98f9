//! What a session knows of its tokens, and every decision about them: a pure state machine.
//!
//! It has no thread, no socket, no file and no clock. Events go in with their time, decisions come out, and
//! [`super::store`] acts on them. A *token request* is everything from the decision to ask until calls may go on: waiting
//! for other processes, asking the authorization server once or twice, telling the host.
#![forbid(unsafe_code)]

mod decision;
mod request;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

pub use self::decision::{Decision, End, RefusedCall, Step};
use super::grant::Grant;
use super::now::Now;
use super::reply::TokenError;
use super::tokens::Tokens;
use crate::error::{Code, Failure, Outcome};
use crate::secret::Secret;

/// A pause of which no more is left is waited for; of a longer one, the failure is told at once.
const SHORT_WAIT: Duration = Duration::from_secs(1);
/// In this time at most one request is made that expiry does not make due: the platform's 102 may be the call's own.
const DOUBT_INTERVAL: Duration = Duration::from_secs(30);
/// How often in a row a token that served may be refused within that time, so that it must have expired unforeseen: a
/// platform that keeps changing its mind is not believed.
const MOST_EXPIRIES: u32 = 10;

/// A set of tokens that many calls share.
pub type TokenSet = Arc<Tokens>;

/// What does not change while a session lives.
#[derive(Debug)]
pub struct Rules {
    /// What is traded for the first tokens, and, if it is a password, for later ones.
    pub grant: Option<Grant>,
    /// Whether tokens are renewed without being asked.
    pub auto_refresh: bool,
    /// The pause after the first failure; each later one is twice as long.
    pub first_pause: Duration,
    /// Whether other processes may bring newer tokens.
    pub shares_file: bool,
}

/// Why a token request was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// There is no token, or it has expired.
    Due,
    /// It is about to expire; nobody waits.
    Ahead,
    /// The platform refused it with 102.
    Doubt,
    /// `mailru_authorize`.
    Asked,
}

/// The token request under way.
#[derive(Debug)]
struct Request {
    reason: Reason,
    waiting: usize,
    /// The tokens when it was begun: others than these serve.
    former: Option<TokenSet>,
    at: At,
    /// The grant's own credentials were sent.
    fell_back: bool,
    /// Nobody wants it any more, as far as was known when the last one left.
    abandoned: bool,
    /// What it ends with once the host is told of the tokens that came nevertheless.
    error: Option<TokenError>,
}

/// How far the token request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Waiting for other processes and for the renewal callback.
    Preparing,
    /// Asking the authorization server.
    Asking,
    /// The token callback runs.
    Telling,
}

/// A failure that may pass.
#[derive(Debug)]
struct Setback {
    failure: Failure,
    /// How many in a row, this one included.
    count: u32,
    /// When the authorization server may be asked again, by [`Now::steady`].
    until: Duration,
    /// Whether the server said so.
    is_wish: bool,
}

/// What a session knows of its tokens.
#[derive(Debug)]
pub struct TokenState {
    rules: Rules,
    /// What calls use.
    usable: Option<TokenSet>,
    /// What came last; the host may still be busy with it, or something is missing in it.
    latest: Option<TokenSet>,
    request: Option<Request>,
    /// Why asking again cannot help.
    refusal: Option<Failure>,
    setback: Option<Setback>,
    /// When a request was last begun for a 102 alone, by [`Now::steady`], and answered.
    doubted_at: Option<Duration>,
    /// How often in a row the interval after that was not waited for.
    expiries: u32,
    /// The tokens that the platform refused last.
    doubted: Option<TokenSet>,
    /// Those of them that cannot work, since the refused call named no id; and when they were refused.
    unfit: Option<(TokenSet, Now)>,
    /// The refresh token that the authorization server refused.
    refused_refresh_token: Option<Secret>,
    /// The code was sent, or may have been; the refresh token of the constructor was traded.
    own_is_spent: bool,
    ended: bool,
}

impl TokenState {
    /// A session's beginning. Half a set of tokens, without an access token, is no use to calls but can be renewed.
    pub fn new(rules: Rules, tokens: Option<Tokens>) -> TokenState {
        let latest = tokens.map(Arc::new);
        // Of neither, that is what the host gave: for calls that need no session key.
        let is_half = |tokens: &Tokens| tokens.access_token.is_empty() && !tokens.refresh_token.is_empty();
        TokenState {
            rules,
            usable: latest.clone().filter(|tokens| !is_half(tokens)),
            latest,
            request: None,
            refusal: None,
            setback: None,
            doubted_at: None,
            expiries: 0,
            doubted: None,
            unfit: None,
            refused_refresh_token: None,
            own_is_spent: false,
            ended: false,
        }
    }

    /// The newest tokens, also while the host is being told of them.
    pub fn latest(&self) -> Option<&TokenSet> {
        self.latest.as_ref()
    }

    /// What a call would use now.
    pub fn usable(&self) -> Option<&TokenSet> {
        self.usable.as_ref()
    }

    /// Whether a call now would wait for other tokens, or fail for want of them.
    pub fn lacks_tokens(&self, now: Now) -> bool {
        self.usable.as_ref().is_none_or(|tokens| tokens.have_expired(now) || self.is_unfit(tokens, now))
    }

    /// A call begins.
    pub fn for_call(&mut self, now: Now) -> Decision {
        let Some(tokens) = self.usable.clone() else { return self.need(Reason::Due, now) };
        if let (Some(refusal), true) = (&self.refusal, self.is_unfit(&tokens, now)) {
            return Decision::Fail(refusal.clone());
        }
        if !self.rules.auto_refresh || !self.can_renew() || !tokens.want_renewal(now) {
            return Decision::Use(tokens);
        }
        if tokens.have_expired(now) {
            return self.need(Reason::Due, now);
        }
        // Early renewal is optional: its failure is nobody's, and nobody waits for it.
        if self.request.is_some() || self.refusal.is_some() || self.pause_left(now).is_some() {
            return Decision::Use(tokens);
        }
        self.begin(Reason::Ahead);
        Decision::UseAndRenew(tokens)
    }

    /// The platform answered a call with 102.
    pub fn refused(&mut self, call: &RefusedCall, now: Now) -> Decision {
        if let Some(others) = self.usable.as_ref().filter(|usable| !Arc::ptr_eq(usable, &call.tokens)) {
            return Decision::Use(Arc::clone(others));
        }
        self.doubted = Some(Arc::clone(&call.tokens));
        if !self.rules.auto_refresh || !self.can_renew() {
            return Decision::Keep;
        }
        if self.request.is_some() {
            return self.join();
        }
        if let Some(refusal) = self.refusal.clone() {
            return self.verdict(call, refusal);
        }
        let doubt_left = self.doubted_at.map(|at| (at + DOUBT_INTERVAL).saturating_sub(now.steady));
        let mut doubt_left = doubt_left.filter(|left| !left.is_zero());
        if doubt_left.is_none() {
            self.expiries = 0;
        } else if call.shows_expiry() && self.expiries < MOST_EXPIRIES {
            self.expiries += 1;
            doubt_left = None;
        }
        let left = self.pause_left(now).max(doubt_left);
        match (left, &self.setback) {
            (None, _) => {
                self.begin(Reason::Doubt);
                Decision::Begin
            }
            (Some(_), Some(setback)) => self.verdict(call, setback.failure.clone()),
            (Some(_), None) => Decision::Keep,
        }
    }

    /// No other tokens could be had for a call that the platform answered with 102: it keeps that, unless the token is
    /// to blame. A call that names no id leaves nothing else, but for what calls with the same token show.
    pub fn verdict(&mut self, call: &RefusedCall, failure: Failure) -> Decision {
        if call.names_an_id || call.tokens.were_accepted_after(call.at) {
            return Decision::Keep;
        }
        if self.refusal.is_some() {
            self.unfit = Some((Arc::clone(&call.tokens), call.at));
        }
        Decision::Fail(failure)
    }

    /// `mailru_authorize`.
    pub fn authorize(&mut self, now: Now) -> Decision {
        if self.request.is_some() {
            return self.join();
        }
        let has_refresh_token = self.latest.as_ref().is_some_and(|tokens| !tokens.refresh_token.is_empty());
        if let Some(tokens) = &self.usable {
            let is_doubted = self.doubted.as_ref().is_some_and(|doubted| Arc::ptr_eq(doubted, tokens));
            let is_dead = tokens.have_expired(now) || is_doubted;
            let renews = has_refresh_token || (is_dead && self.can_renew());
            if !renews {
                return Decision::Use(Arc::clone(tokens));
            }
        } else if self.own_is_spent && !has_refresh_token && !self.rules.shares_file {
            return Decision::Fail(self.refusal.clone().unwrap_or_else(no_way_on));
        }
        self.after_pause(Reason::Asked, now)
    }

    /// A call waits no longer for the token request. Whether the request is to be abandoned unless it was sent.
    pub fn left(&mut self, was_cancelled: bool) -> bool {
        let Some(request) = &mut self.request else { return false };
        request.waiting = request.waiting.saturating_sub(1);
        let is_unwanted = was_cancelled && request.waiting == 0 && request.reason != Reason::Ahead;
        is_unwanted && self.abandon()
    }

    /// The host ended the session's calls. Whether there is a request that may still be stopped.
    pub fn abandon(&mut self) -> bool {
        let Some(request) = self.request.as_mut().filter(|request| request.at != At::Telling) else { return false };
        request.abandoned = true;
        // Those who still wait were ended, too; whoever joins from now on wants it again.
        request.waiting = 0;
        true
    }

    /// The host freed the session.
    pub fn end_session(&mut self) -> bool {
        self.ended = true;
        self.abandon()
    }

    /// This process is a child of the one that made the token request under way.
    pub fn forked(&mut self) {
        let is_trade = self.latest.is_none() && self.rules.grant.as_ref().is_some_and(Grant::is_code);
        if self.request.take().is_none() || !is_trade {
            return;
        }
        // A code works once, and the parent trades it.
        self.own_is_spent = true;
        if !self.rules.shares_file {
            self.refusal = Some(codes_parent());
        }
    }

    /// Newer tokens from elsewhere: the host, or another process. They lift a remembered refusal.
    pub fn give(&mut self, mut given: Tokens) -> Outcome<()> {
        let former = self.latest.as_deref().cloned().unwrap_or_default();
        if given.uid.is_empty() {
            given.uid = former.uid.clone();
        } else if !former.uid.is_empty() && former.uid != given.uid {
            let problem = "holds the tokens of another user than the session's; make a session for that user";
            return Err(Failure::argument("tokens_json", problem));
        }
        if given.access_token.is_empty() {
            self.latest = Some(Arc::new(former.with_refresh_token(given.refresh_token)));
        } else {
            let given = Arc::new(given);
            self.usable = Some(Arc::clone(&given));
            self.latest = Some(given);
        }
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
        match (self.pause_left(now), &self.setback) {
            (Some(left), _) if left <= SHORT_WAIT => Decision::Pause(left),
            (Some(left), Some(setback)) => Decision::Fail(setback.told(left)),
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
            waiting: usize::from(reason != Reason::Ahead),
            former: self.usable.clone(),
            at: At::Preparing,
            fell_back: false,
            abandoned: false,
            error: None,
        });
    }

    fn pause_left(&self, now: Now) -> Option<Duration> {
        let left = self.setback.as_ref()?.until.saturating_sub(now.steady);
        (!left.is_zero()).then_some(left)
    }

    /// Whether there is anything to trade for other tokens than the present ones.
    fn can_renew(&self) -> bool {
        let has_refresh_token = self.latest.as_ref().is_some_and(|tokens| !tokens.refresh_token.is_empty());
        has_refresh_token || self.own_credentials().is_some()
    }

    /// The grant's own credentials, if they may still be of use.
    fn own_credentials(&self) -> Option<&Grant> {
        self.rules.grant.as_ref().filter(|grant| match grant {
            Grant::Code { .. } => !self.own_is_spent,
            Grant::Password { .. } => true,
            Grant::Refresh(token) => {
                let is_refused = self.refused_refresh_token.as_ref() == Some(token);
                !self.own_is_spent && (self.latest.is_none() || !is_refused)
            }
        })
    }

    /// Whether the tokens cannot work. From time to time a call tries: one answer of the platform must not end the
    /// session.
    fn is_unfit(&self, tokens: &TokenSet, now: Now) -> bool {
        self.unfit.as_ref().is_some_and(|(unfit, since)| {
            let is_recent = now.steady < since.steady + DOUBT_INTERVAL;
            Arc::ptr_eq(unfit, tokens) && is_recent && !tokens.were_accepted_after(*since)
        })
    }
}

impl Setback {
    /// The failure, so long before the server may be asked again.
    fn told(&self, left: Duration) -> Failure {
        let failure = self.failure.clone();
        failure.retry_after(Some(left).filter(|_| self.is_wish))
    }
}

fn no_way_on() -> Failure {
    let message = "the access token is of no use any more and there is no refresh token; authorize anew";
    Failure::new(Code::OauthError, message)
}

fn codes_parent() -> Failure {
    let message = "this process was forked while its parent traded the code, which works once; get a new one";
    Failure::new(Code::OauthError, message)
}
