//! The store of a session's tokens: it carries out the decisions of [`super::state`].
//!
//! Each token request has its own thread, so that cancelling a call cannot lose tokens already issued. The request
//! stores the tokens and runs the token callback before calls may use them.
#![forbid(unsafe_code)]

mod listeners;
mod perform;

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::listeners::{Hold, Slot};
pub use self::listeners::{RenewalListener, TokenListener};
use super::file::{self, TokenFile};
use super::grant::OauthClient;
use super::now::Now;
use super::state::{Decision, End, RejectedCall, TokenSet, TokenState};
use super::tokens::Tokens;
use crate::call::{Call, SharedTask};
use crate::error::{Code, Failure, Outcome};
use crate::fork::{ForkMutex, OfThisProcess};
use crate::http::Client;

/// The minimum time limit of a token request, so that tokens issued by a slow server are not lost.
const LEAST_LIMIT: Duration = Duration::from_secs(30);

type TokenRequest = SharedTask<End>;

thread_local! {
    /// The store for which this thread fetches tokens, by address. A call that waited for them on this thread would
    /// deadlock.
    static FETCHING: Cell<usize> = const { Cell::new(0) };
}

/// A session's tokens and its token requests.
pub struct TokenStore {
    oauth_client: OauthClient,
    client: Arc<Client>,
    limit: Duration,
    beginning: Instant,
    pub(super) file: Option<TokenFile>,
    pub(super) shared: ForkMutex<Shared>,
    tokens_listener: Slot<Tokens>,
    renewal_listener: Slot<i32>,
    hold: ForkMutex<OfThisProcess<Hold>>,
}

pub(super) struct Shared {
    pub(super) state: TokenState,
    pub(super) running: OfThisProcess<Option<Running>>,
}

/// The current token request.
pub(super) struct Running {
    pub(super) request: Arc<TokenRequest>,
    /// The call in which it waits, for stopping it.
    asking: Option<Arc<Call>>,
    stage: Stage,
}

/// The stage of a token request, for the error of a call that waits for it too long.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Stage {
    OtherProcess,
    RenewalCallback,
    Server,
    TokenCallback,
    /// A callback waits for the thread of the host that runs it.
    HostThread,
}

impl TokenStore {
    /// A new store. `timeout` is the session's time limit.
    pub fn new(
        state: TokenState,
        file: Option<TokenFile>,
        oauth_client: OauthClient,
        client: Arc<Client>,
        timeout: Duration,
    ) -> TokenStore {
        TokenStore {
            oauth_client,
            client,
            limit: timeout.max(LEAST_LIMIT),
            beginning: Instant::now(),
            file,
            shared: ForkMutex::new(Shared { state, running: OfThisProcess::default() }),
            tokens_listener: Slot::default(),
            renewal_listener: Slot::default(),
            hold: ForkMutex::default(),
        }
    }

    /// Replaces the token listener. A running token request may still use the previous one.
    pub fn set_listener(&self, listener: Option<TokenListener>) {
        self.tokens_listener.set(listener);
    }

    /// Replaces the renewal listener, in the same way.
    pub fn set_renewal_listener(&self, listener: Option<RenewalListener>) {
        self.renewal_listener.set(listener);
    }

    /// The current time, for the state.
    pub fn now(&self) -> Now {
        Now::since(self.beginning)
    }

    /// The newest tokens, if there are any.
    pub fn latest(&self) -> Option<TokenSet> {
        self.shared.with(|shared| shared.state.latest().cloned())
    }

    /// The tokens that a call would use now, without a token request.
    pub fn usable(&self) -> Outcome<Option<TokenSet>> {
        self.refuse_reentry()?;
        Ok(self.shared.with(|shared| shared.state.usable().cloned()))
    }

    /// Tokens for a call: at once if they are valid, else after a token request.
    pub fn tokens_for(self: &Arc<Self>, call: &Arc<Call>) -> Outcome<TokenSet> {
        self.refuse_reentry()?;
        if self.file.is_some() && self.shared.with(|shared| shared.state.lacks_tokens(self.now())) {
            self.check_file();
        }
        self.wait_for(call, TokenState::for_call)?.ok_or_else(no_tokens)
    }

    /// Performs `mailru_authorize`: requests tokens even after a refusal.
    pub fn authorize(self: &Arc<Self>, call: &Arc<Call>) -> Outcome<TokenSet> {
        self.refuse_reentry()?;
        self.wait_for(call, TokenState::authorize)?.ok_or_else(no_tokens)
    }

    /// Tokens other than those that the platform rejected; `None` if the call keeps its answer.
    pub fn tokens_instead_of(self: &Arc<Self>, refused: &RejectedCall, call: &Arc<Call>) -> Outcome<Option<TokenSet>> {
        if self.file.is_some() {
            self.check_file();
        }
        let outcome = self.wait_for(call, |state, now| state.rejected(refused, now));
        let Err(failure) = outcome else { return outcome };
        let keeps = if call.check().is_err() {
            // The call has an answer, so it does not wait until its time limit for other tokens.
            refused.names_a_user && !call.is_cancelled()
        } else {
            let decision = self.shared.with(|shared| shared.state.without_other_tokens(refused, failure.clone()));
            matches!(decision, Decision::Keep)
        };
        if keeps { Ok(None) } else { Err(failure) }
    }

    /// The host cancelled the session's calls: also stops a token request of which no byte was sent.
    pub fn cancel(&self) {
        self.abandon(TokenState::abandon);
    }

    /// The host freed the session: does the same.
    pub fn end(&self) {
        self.abandon(TokenState::end_session);
        self.forbid_hold();
    }

    /// Fails if this thread is fetching the tokens, and so would wait for itself.
    pub fn refuse_reentry(&self) -> Outcome<()> {
        if FETCHING.with(Cell::get) == std::ptr::from_ref(self) as usize {
            let message = "a callback on the thread that fetches this session's tokens must return before they are \
                           used; mailru_tokens shows them";
            return Err(Failure::new(Code::Reentered, message));
        }
        Ok(())
    }

    /// Carries out the state's decisions for a call, until it has tokens, or `None` if it keeps its answer.
    fn wait_for(
        self: &Arc<Self>,
        call: &Arc<Call>,
        judge: impl Fn(&mut TokenState, Now) -> Decision,
    ) -> Outcome<Option<TokenSet>> {
        loop {
            let (decision, request) = self.decide(&judge);
            match (decision, request) {
                (Decision::Use(tokens), _) => return Ok(Some(tokens)),
                (Decision::UseAndRenew(tokens), Some(request)) => {
                    self.start(request);
                    return Ok(Some(tokens));
                }
                (Decision::Keep, _) => return Ok(None),
                // No byte was sent for this call.
                (Decision::Fail(failure), _) => return Err(failure.sent(false)),
                (Decision::Pause(length, failure), _) if call.time_left()? <= length => return Err(failure.sent(false)),
                (Decision::Pause(length, _), _) => call.pause(length)?,
                (Decision::Begin, Some(request)) => {
                    self.start(Arc::clone(&request));
                    if let End::With(outcome) = self.wait(&request, call)? {
                        return outcome.map(Some);
                    }
                }
                (Decision::Join, Some(request)) => {
                    if let End::With(outcome) = self.wait(&request, call)? {
                        return outcome.map(Some);
                    }
                }
                _ => {
                    return Err(Failure::new(
                        Code::InternalError,
                        "a bug in libmailru: a token request was lost; please report it",
                    ));
                }
            }
        }
    }

    /// Gets a decision from the state, and registers a token request that begins.
    fn decide(&self, judge: impl FnOnce(&mut TokenState, Now) -> Decision) -> (Decision, Option<Arc<TokenRequest>>) {
        let now = self.now();
        let (decided, is_child) = self.shared.with(|Shared { state, running }| {
            let is_child = !running.is_here();
            if is_child {
                state.forked();
            }
            let running = running.get_or_renew();
            let decision = judge(state, now);
            if matches!(decision, Decision::Begin | Decision::UseAndRenew(_)) {
                *running = Some(Running { request: SharedTask::new(), asking: None, stage: Stage::Server });
            }
            let request = running.as_ref().map(|running| Arc::clone(&running.request));
            ((decision, request), is_child)
        });
        if is_child {
            file::close_inherited();
        }
        decided
    }

    /// Waits for a token request on behalf of a call.
    fn wait(&self, request: &Arc<TokenRequest>, call: &Arc<Call>) -> Outcome<End> {
        let waited = request.wait_with_callbacks(call, call.deadline());
        if let Ok(Some(end)) = waited {
            return Ok(end);
        }
        let was_cancelled = call.is_cancelled();
        let (stage, asking) = self.shared.with(|shared| {
            let running = shared.running.get().and_then(Option::as_ref);
            let Some(running) = running.filter(|running| Arc::ptr_eq(&running.request, request)) else {
                return (Stage::Server, None);
            };
            let may_stop = shared.state.left(was_cancelled);
            (running.stage, running.asking.clone().filter(|_| may_stop))
        });
        if let Some(asking) = asking {
            asking.cancel_unsent();
        }
        Err(match waited {
            Err(failure) if was_cancelled => failure,
            _ => too_late(stage, call),
        })
    }

    /// Stops the current token request unless a byte of it was sent.
    fn abandon(&self, event: impl FnOnce(&mut TokenState) -> bool) {
        let asking = self.shared.with(|shared| {
            let may_stop = event(&mut shared.state);
            let running = shared.running.get()?.as_ref()?;
            running.asking.clone().filter(|_| may_stop)
        });
        if let Some(asking) = asking {
            asking.cancel_unsent();
        }
    }
}

/// The failure of a call whose time limit passed while it waited for a token request.
fn too_late(stage: Stage, call: &Call) -> Failure {
    let kept_by = |who: &str| {
        let message = format!("{who} for longer than the call's time limit of {} ms", call.limit().as_millis());
        Failure::new(Code::Timeout, message)
    };
    match stage {
        Stage::TokenCallback => kept_by("this session's token callback has been running"),
        Stage::RenewalCallback => kept_by("this session's renewal callback has been running"),
        Stage::HostThread => kept_by("the thread that set this session's callbacks has not been inside the library"),
        Stage::OtherProcess => kept_by("another process has kept the lock of token_file"),
        Stage::Server => call.timed_out().because("(the token request continues; a later call may use its tokens)"),
    }
}

fn no_tokens() -> Failure {
    Failure::new(Code::InternalError, "a bug in libmailru: the token state returned no tokens; please report it")
}
