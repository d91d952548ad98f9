//! The store of a session's tokens: obtained once for all threads, renewed once, never lost.
//!
//! A request to the authorization server runs on a thread of its own, the *request*. The calls that
//! want its tokens wait for it and may leave early; the request goes on, hands the tokens to the
//! host's listener, and only then lets calls use them.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::grant::{Grant, OauthClient, TokenError};
use super::tokens::Tokens;
use crate::background;
use crate::call::{Call, SharedTask};
use crate::error::{Code, Failure, Outcome};
use crate::fork::ForkMutex;
use crate::http::Client;
use crate::log::{self, Level};
use crate::panics;

/// Whoever is told of each new set of tokens before it is used.
pub type Listener = Arc<dyn Fn(&Tokens) + Send + Sync>;

type TokenRequest = SharedTask<Outcome<Arc<Tokens>>>;

thread_local! {
    /// The store whose listener runs on this thread, by address.
    static TELLING: Cell<usize> = const { Cell::new(0) };
}

/// A session's tokens and how it gets others.
pub struct TokenStore {
    oauth_client: OauthClient,
    grant: Option<Grant>,
    auto_refresh: bool,
    time_limit: Duration,
    client: Arc<Client>,
    state: ForkMutex<State>,
    listener: ForkMutex<Option<Listener>>,
}

#[derive(Default)]
struct State {
    /// What calls use.
    usable: Option<Arc<Tokens>>,
    /// What the authorization server gave last; the listener may still be busy with it.
    latest: Option<Arc<Tokens>>,
    request: Option<Arc<TokenRequest>>,
    /// Why the grant, or the renewal, cannot succeed again.
    refused: Option<Failure>,
    /// The tokens that the platform refused last.
    unfit: Option<Arc<Tokens>>,
    /// The code was sent, or may have been.
    code_is_spent: bool,
}

impl State {
    /// Why the present tokens, which the platform refused, cannot be replaced.
    fn dead_end(&self) -> Option<Failure> {
        let are_unfit = match (&self.usable, &self.unfit) {
            (Some(usable), Some(unfit)) => Arc::ptr_eq(usable, unfit),
            _ => false,
        };
        self.refused.clone().filter(|_| are_unfit)
    }
}

/// What a thread finds when it wants tokens.
enum Found {
    Ready(Arc<Tokens>),
    Refused(Failure),
    UnderWay(Arc<TokenRequest>),
    Begun(Arc<TokenRequest>),
}

impl TokenStore {
    /// A store with tokens that the host gave.
    pub fn with_tokens(
        tokens: Tokens,
        oauth_client: OauthClient,
        auto_refresh: bool,
        time_limit: Duration,
        client: Arc<Client>,
    ) -> TokenStore {
        let tokens = Arc::new(tokens);
        let state = State { usable: Some(Arc::clone(&tokens)), latest: Some(tokens), ..State::default() };
        TokenStore {
            oauth_client,
            grant: None,
            auto_refresh,
            time_limit,
            client,
            state: ForkMutex::new(state),
            listener: ForkMutex::default(),
        }
    }

    /// A store that gets its first tokens by a grant.
    pub fn with_grant(
        grant: Grant,
        oauth_client: OauthClient,
        auto_refresh: bool,
        time_limit: Duration,
        client: Arc<Client>,
    ) -> TokenStore {
        let state = ForkMutex::default();
        TokenStore {
            oauth_client,
            grant: Some(grant),
            auto_refresh,
            time_limit,
            client,
            state,
            listener: ForkMutex::default(),
        }
    }

    /// Replaces the listener; the former one may still be in use by an request.
    pub fn listen(&self, listener: Option<Listener>) {
        let former = self.listener.with(|slot| mem::replace(slot, listener));
        drop(former);
    }

    /// The newest tokens, if there are any.
    pub fn latest(&self) -> Option<Arc<Tokens>> {
        self.state.with(|state| state.latest.clone())
    }

    /// The tokens that a call would use now, without asking anybody.
    pub fn usable(&self) -> Outcome<Option<Arc<Tokens>>> {
        self.refuse_reentry()?;
        Ok(self.state.with(|state| state.usable.clone()))
    }

    /// Tokens for a call: at once if they are good, else after a grant or renewal.
    pub fn tokens_for(self: &Arc<Self>, call: &Arc<Call>) -> Outcome<Arc<Tokens>> {
        self.refuse_reentry()?;
        let (present, dead_end) = self.state.with(|state| (state.usable.clone(), state.dead_end()));
        match &present {
            Some(tokens) if !self.auto_refresh || !can_renew(tokens) => return Ok(Arc::clone(tokens)),
            Some(tokens) if !tokens.want_renewal() => return dead_end.map_or_else(|| Ok(Arc::clone(tokens)), Err),
            _ => {}
        }
        // Renewal ahead of time is a courtesy: while the present tokens work, its failure is not the
        // call's, and a slow one takes no more than half of the call's time.
        let ahead = present.as_ref().is_some_and(|tokens| !tokens.have_expired());
        let now = Instant::now();
        let patience = call.deadline().saturating_duration_since(now);
        let until = now + if ahead { patience / 2 } else { patience };
        let outcome = self.others_than(present.as_ref(), call, until);
        match present {
            Some(tokens) if outcome.is_err() && !tokens.have_expired() && call.check().is_ok() => Ok(tokens),
            _ => outcome,
        }
    }

    /// Other tokens than these, which the platform refused; `None` if there is no way to get any.
    pub fn tokens_instead_of(
        self: &Arc<Self>,
        refused: &Arc<Tokens>,
        call: &Arc<Call>,
    ) -> Option<Outcome<Arc<Tokens>>> {
        let renewed_meanwhile = self.state.with(|state| {
            let usable = state.usable.clone().filter(|tokens| !Arc::ptr_eq(tokens, refused));
            if usable.is_none() {
                state.unfit = Some(Arc::clone(refused));
            }
            usable
        });
        match renewed_meanwhile {
            Some(tokens) => Some(Ok(tokens)),
            None if self.auto_refresh && can_renew(refused) => {
                Some(self.others_than(Some(refused), call, call.deadline()))
            }
            None => None,
        }
    }

    fn others_than(
        self: &Arc<Self>,
        former: Option<&Arc<Tokens>>,
        call: &Arc<Call>,
        until: Instant,
    ) -> Outcome<Arc<Tokens>> {
        let found = self.find(|state| {
            let others =
                state.usable.as_ref().filter(|tokens| !former.is_some_and(|former| Arc::ptr_eq(tokens, former)));
            match others {
                Some(tokens) => Some(Found::Ready(Arc::clone(tokens))),
                None => state.refused.clone().map(Found::Refused),
            }
        });
        self.outcome(found, call, until)
    }

    /// What `mailru_authorize` does: asks for tokens, also where that was refused before.
    pub fn authorize(self: &Arc<Self>, call: &Arc<Call>) -> Outcome<Arc<Tokens>> {
        self.refuse_reentry()?;
        let found = self.find(|state| match &state.usable {
            Some(tokens) if !can_renew(tokens) => Some(Found::Ready(Arc::clone(tokens))),
            None if state.code_is_spent => state.refused.clone().map(Found::Refused),
            _ => None,
        });
        self.outcome(found, call, call.deadline())
    }

    fn refuse_reentry(&self) -> Outcome<()> {
        if TELLING.with(Cell::get) == std::ptr::from_ref(self) as usize {
            let message =
                "this session's token callback must return before its tokens are used; mailru_tokens shows them";
            return Err(Failure::new(Code::Reentered, message));
        }
        Ok(())
    }

    /// Looks whether there is an answer at hand; else joins the request under way or begins one.
    fn find(self: &Arc<Self>, at_hand: impl FnOnce(&State) -> Option<Found>) -> Found {
        let found = self.state.with(|state| {
            if let Some(found) = at_hand(state) {
                return found;
            }
            // A request from before a fork runs in the parent.
            let inherited = state.request.take_if(|request| !request.is_here()).is_some();
            if let Some(failure) = inherited.then(|| self.code_of_the_parent(state)).flatten() {
                return Found::Refused(failure);
            }
            if let Some(request) = &state.request {
                return Found::UnderWay(Arc::clone(request));
            }
            let request = SharedTask::new();
            state.request = Some(Arc::clone(&request));
            Found::Begun(request)
        });
        if let Found::Begun(request) = &found {
            self.begin(Arc::clone(request));
        }
        found
    }

    /// A code that the parent was trading when it forked is the parent's: it works once.
    fn code_of_the_parent(&self, state: &mut State) -> Option<Failure> {
        if state.latest.is_some() || !self.grant.as_ref().is_some_and(Grant::is_code) {
            return None;
        }
        let message = "this process was forked while its parent traded the code, which works once; get a new one";
        let failure = Failure::new(Code::OauthError, message);
        state.code_is_spent = true;
        state.refused = Some(failure.clone());
        Some(failure)
    }

    fn outcome(&self, found: Found, call: &Arc<Call>, until: Instant) -> Outcome<Arc<Tokens>> {
        match found {
            Found::Ready(tokens) => Ok(tokens),
            // Remembered: nothing is sent now.
            Found::Refused(failure) => Err(failure.sent(false)),
            Found::UnderWay(request) | Found::Begun(request) => {
                let waited = request.wait(call, until).and_then(|outcome| outcome.ok_or_else(|| call.timed_out()));
                waited.unwrap_or_else(|failure| {
                    Err(match failure.code() {
                        Code::Timeout => {
                            failure.because("(the request for tokens goes on; a later call may find them)")
                        }
                        _ => failure,
                    })
                })
            }
        }
    }

    fn begin(self: &Arc<Self>, request: Arc<TokenRequest>) {
        let store = Arc::clone(self);
        let landing = Arc::clone(&request);
        let started = background::spawn("token", move || {
            let outcome = panics::catch(|| store.run());
            store.settle(&outcome);
            // First whatever is the host's: once the waiting calls return, it may be about to exit.
            drop(store);
            landing.complete(outcome);
        });
        if let Err(failure) = started {
            let outcome = Err(failure);
            self.settle(&outcome);
            request.complete(outcome);
        }
    }

    /// Takes over what the request brought, and lets another begin.
    fn settle(&self, outcome: &Outcome<Arc<Tokens>>) {
        let done = self.state.with(|state| {
            let former = outcome.as_ref().ok().map(|tokens| {
                state.refused = None;
                (state.usable.replace(Arc::clone(tokens)), state.unfit.take())
            });
            (state.request.take(), former)
        });
        drop(done);
    }

    /// The request: asks the authorization server, and tells the listener.
    fn run(&self) -> Outcome<Arc<Tokens>> {
        panics::planted("token");
        let call = Call::new(self.time_limit);
        let former = self.latest().unwrap_or_default();
        let tokens = match self.ask(&former, &call) {
            Ok(tokens) => Arc::new(tokens),
            Err(refusal) => return Err(self.remember(&former, refusal, &call)),
        };
        let listener = self.listener.with(|slot| slot.clone());
        self.state.with(|state| state.latest = Some(Arc::clone(&tokens)));
        log::event(Level::Info, || self.client.line("new_tokens", &call));
        if let Some(listener) = listener {
            TELLING.with(|telling| telling.set(std::ptr::from_ref(self) as usize));
            // A panic in telling is no reason to lose the tokens.
            let _ = panics::catch(|| {
                listener(&tokens);
                Ok(())
            });
            TELLING.with(|telling| telling.set(0));
        }
        Ok(tokens)
    }

    fn ask(&self, former: &Tokens, call: &Arc<Call>) -> Result<Tokens, TokenError> {
        let ask = |grant: &Grant| self.oauth_client.ask(&self.client, grant, former, call);
        if can_renew(former) {
            let renewed = ask(&Grant::Refresh(former.refresh_token.clone()));
            return match (&renewed, &self.grant) {
                (Err(refusal), Some(password @ Grant::Password { .. })) if refusal.is_final => ask(password),
                _ => renewed,
            };
        }
        match &self.grant {
            Some(grant) if !grant.is_code() || !self.state.with(|state| state.code_is_spent) => ask(grant),
            _ => Err(TokenError { failure: self.no_way_on(), sent: false, is_final: true, next: None }),
        }
    }

    fn no_way_on(&self) -> Failure {
        Failure::new(
            Code::OauthError,
            "the access token is of no use any more and there is no refresh token; authorize anew",
        )
    }

    fn remember(&self, former: &Tokens, refusal: TokenError, call: &Call) -> Failure {
        let mut failure = refusal.failure;
        let code_is_lost = self.grant.as_ref().is_some_and(Grant::is_code) && refusal.sent && self.latest().is_none();
        if code_is_lost {
            failure = failure.because("(the code was sent and may be used up; get a new one)").transient(false);
        } else if refusal.is_final {
            failure = failure.because("(remembered: only mailru_authorize asks again; else a new login is needed)");
        }
        log::event(Level::Error, || self.client.line("no_tokens", call).with_failure(&failure));
        // The server may have spent the former refresh token for an answer that lacks something else.
        let kept = refusal.next.map(|next| {
            let mut kept = former.clone();
            kept.refresh_token = next;
            Arc::new(kept)
        });
        let replaced = self.state.with(|state| {
            state.code_is_spent |= code_is_lost;
            if refusal.is_final || code_is_lost {
                state.refused = Some(failure.clone());
            }
            kept.and_then(|kept| state.latest.replace(kept))
        });
        drop(replaced);
        failure
    }
}

fn can_renew(tokens: &Tokens) -> bool {
    !tokens.refresh_token.is_empty()
}
