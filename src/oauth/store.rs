//! The store of a session's tokens: it does what [`super::state`] decides.
//!
//! A token request runs on a thread of its own. The calls that want its tokens wait for it and may leave early; the
//! request goes on, stores the tokens, has the host told, and only then lets calls use them.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zeroize::Zeroize;

use super::file::{self, Lock, TokenFile};
use super::grant::OauthClient;
use super::now::Now;
use super::state::{Decision, End, RefusedCall, Step, TokenSet, TokenState};
use super::tokens::Tokens;
use crate::background;
use crate::call::{Call, SharedTask};
use crate::error::{Code, Failure, Outcome};
use crate::fork::{ForkMutex, OfThisProcess};
use crate::http::Client;
use crate::log::{self, Level};
use crate::panics;
use crate::stats::TokenStats;

/// Told of each new set of tokens before it is used.
pub type TokenListener = Arc<dyn Fn(&Tokens) + Send + Sync>;
/// Told 1 before a renewal's request and 0 when it is over.
pub type RenewalListener = Arc<dyn Fn(i32) + Send + Sync>;

/// The least time limit of a request to the authorization server: what the server does for it must not be lost.
const LEAST_LIMIT: Duration = Duration::from_secs(30);

type TokenRequest = SharedTask<End>;

thread_local! {
    /// The store for which this thread fetches tokens, by address: what waits for them here waits for itself.
    static FETCHING: Cell<usize> = const { Cell::new(0) };
}

/// A session's tokens and how it gets others.
pub struct TokenStore {
    oauth_client: OauthClient,
    client: Arc<Client>,
    limit: Duration,
    beginning: Instant,
    pub(super) file: Option<TokenFile>,
    pub(super) shared: ForkMutex<Shared>,
    tokens_listener: ForkMutex<Option<TokenListener>>,
    renewal_listener: ForkMutex<Option<RenewalListener>>,
}

pub(super) struct Shared {
    pub(super) state: TokenState,
    pub(super) running: OfThisProcess<Option<Running>>,
}

/// The token request under way.
pub(super) struct Running {
    pub(super) request: Arc<TokenRequest>,
    /// What it waits in, for those who may stop it.
    asking: Option<Arc<Call>>,
    stage: Stage,
}

/// What the calls wait for that wait for a token request.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Stage {
    OtherProcess,
    RenewalCallback,
    Server,
    TokenCallback,
}

impl TokenStore {
    /// A store at its beginning. `timeout` is the session's time limit.
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
            tokens_listener: ForkMutex::default(),
            renewal_listener: ForkMutex::default(),
        }
    }

    /// Replaces who is told of tokens; the former one may still be in use by a token request.
    pub fn listen(&self, listener: Option<TokenListener>) {
        let former = self.tokens_listener.with(|slot| mem::replace(slot, listener));
        drop(former);
    }

    /// Replaces who is told of renewals, likewise.
    pub fn listen_to_renewals(&self, listener: Option<RenewalListener>) {
        let former = self.renewal_listener.with(|slot| mem::replace(slot, listener));
        drop(former);
    }

    /// The present moment, as the state counts it.
    pub fn now(&self) -> Now {
        Now::since(self.beginning)
    }

    /// The newest tokens, if there are any.
    pub fn latest(&self) -> Option<TokenSet> {
        self.shared.with(|shared| shared.state.latest().cloned())
    }

    /// The tokens that a call would use now, without asking anybody.
    pub fn usable(&self) -> Outcome<Option<TokenSet>> {
        self.refuse_reentry()?;
        Ok(self.shared.with(|shared| shared.state.usable().cloned()))
    }

    /// Tokens for a call: at once if they are good, else after a token request.
    pub fn tokens_for(self: &Arc<Self>, call: &Arc<Call>) -> Outcome<TokenSet> {
        self.refuse_reentry()?;
        if self.file.is_some() && self.shared.with(|shared| shared.state.lacks_tokens(self.now())) {
            self.look_into_file();
        }
        self.wait_for(call, TokenState::for_call)?.ok_or_else(no_tokens)
    }

    /// What `mailru_authorize` does: asks for tokens, also where that was refused before.
    pub fn authorize(self: &Arc<Self>, call: &Arc<Call>) -> Outcome<TokenSet> {
        self.refuse_reentry()?;
        self.wait_for(call, TokenState::authorize)?.ok_or_else(no_tokens)
    }

    /// Other tokens than those that the platform refused; `None` if the call keeps its answer.
    pub fn tokens_instead_of(self: &Arc<Self>, refused: &RefusedCall, call: &Arc<Call>) -> Outcome<Option<TokenSet>> {
        if self.file.is_some() {
            self.look_into_file();
        }
        let outcome = self.wait_for(call, |state, now| state.refused(refused, now));
        let Err(failure) = outcome else { return outcome };
        let keeps = if call.check().is_err() {
            // It need not wait to the end of its time for other tokens: it has an answer.
            refused.names_an_id && !call.is_cancelled()
        } else {
            let verdict = self.shared.with(|shared| shared.state.verdict(refused, failure.clone()));
            matches!(verdict, Decision::Keep)
        };
        if keeps { Ok(None) } else { Err(failure) }
    }

    /// The host ended the session's calls: a token request of which no byte was sent ends with them.
    pub fn cancel(&self) {
        self.abandon(TokenState::abandon);
    }

    /// The host freed the session: likewise.
    pub fn end(&self) {
        self.abandon(TokenState::end_session);
    }

    /// Refuses what would wait for the tokens that this very thread fetches.
    pub fn refuse_reentry(&self) -> Outcome<()> {
        if FETCHING.with(Cell::get) == std::ptr::from_ref(self) as usize {
            let message = "a callback on the thread that fetches this session's tokens must return before they are \
                           used; mailru_tokens shows them";
            return Err(Failure::new(Code::Reentered, message));
        }
        Ok(())
    }

    /// Does what the state decides for a call until it has tokens, or `None` if it keeps its answer.
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
                // Nothing was sent for this call.
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
                _ => return Err(Failure::new(Code::InternalError, "a token request is lost; please report it")),
            }
        }
    }

    /// Has the state decide, and notes a token request that begins.
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
        let waited = request.wait(call, call.deadline());
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

    /// Stops the token request under way if nothing of it was sent.
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

    /// Runs a token request on a thread of its own.
    fn start(self: &Arc<Self>, request: Arc<TokenRequest>) {
        let store = Arc::clone(self);
        let own = Arc::clone(&request);
        let started = background::spawn("token", move || {
            FETCHING.with(|fetching| fetching.set(std::ptr::from_ref(&*store) as usize));
            let end = panics::catch(|| Ok(store.run()));
            wipe_stack();
            let end = end.unwrap_or_else(|bug| End::With(Err(bug)));
            store.finish();
            // First whatever is the host's: once the waiting calls return, it may be about to exit.
            drop(store);
            FETCHING.with(|fetching| fetching.set(0));
            own.complete(end);
        });
        if let Err(failure) = started {
            self.finish();
            request.complete(End::With(Err(failure)));
        }
    }

    /// Lets another token request begin.
    fn finish(&self) {
        let done = self.shared.with(|shared| {
            shared.state.end();
            shared.running.get_mut().and_then(Option::take)
        });
        drop(done);
    }

    /// A token request: asks the authorization server, unless others did, and has the host told.
    fn run(&self) -> End {
        panics::planted("token");
        let lock = match self.lock_file() {
            Ok(lock) => lock,
            Err(failure) => return self.follow(|state, now| state.cannot_ask(failure, now), None),
        };
        self.read_file(lock.as_ref());
        let is_settled = self.shared.with(|shared| shared.state.is_settled(self.now()));
        let is_renewal = self.shared.with(|shared| shared.state.is_renewal());
        let listener = self.renewal_listener.with(|slot| slot.clone()).filter(|_| is_renewal && !is_settled);
        if let Some(listener) = &listener {
            self.enter(Stage::RenewalCallback);
            tell(|| listener(1));
            self.write_file(lock.as_ref());
        }
        let end = self.follow(TokenState::first_step, lock.as_ref());
        if let Some(listener) = &listener {
            tell(|| listener(0));
        }
        drop(lock);
        end
    }

    /// Does what the state decides for the token request, from this event on.
    fn follow(&self, event: impl FnOnce(&mut TokenState, Now) -> Step, lock: Option<&Lock>) -> End {
        let mut step = self.event(event);
        let mut call = Call::new(self.limit);
        loop {
            step = match step {
                Step::Ask(grant, former) => {
                    self.enter(Stage::Server);
                    let reply = self.stoppable(|asking| {
                        call = Arc::clone(asking);
                        self.oauth_client.ask(&self.client, &grant, &former, asking, || self.now())
                    });
                    self.client.stats().count_tokens(match (&reply, grant.is_refresh()) {
                        (Err(_), _) => TokenStats::Failed,
                        (Ok(_), false) => TokenStats::Granted,
                        (Ok(_), true) => TokenStats::Renewed,
                    });
                    self.event(|state, now| state.replied(&grant, reply, now))
                }
                Step::Tell(tokens) => {
                    log::event(Level::Info, || self.client.line("new_tokens", &call));
                    self.file.iter().for_each(TokenFile::fall_behind);
                    self.write_file(lock);
                    self.enter(Stage::TokenCallback);
                    if let Some(listener) = self.tokens_listener.with(|slot| slot.clone()) {
                        tell(|| listener(&tokens));
                    }
                    self.event(|state, now| state.told(&tokens, now))
                }
                Step::End(end) => {
                    if let End::With(Err(failure)) = &end {
                        log::event(Level::Error, || self.client.line("no_tokens", &call).with_failure(failure));
                    }
                    return end;
                }
            };
        }
    }

    pub(super) fn event<T>(&self, event: impl FnOnce(&mut TokenState, Now) -> T) -> T {
        let now = self.now();
        self.shared.with(|shared| event(&mut shared.state, now))
    }

    pub(super) fn enter(&self, stage: Stage) {
        self.shared.with(|shared| {
            if let Some(running) = shared.running.get_mut().and_then(Option::as_mut) {
                running.stage = stage;
            }
        });
    }

    /// Waits for others on behalf of the token request: until its own limit, or until nobody wants it before
    /// anything was sent.
    pub(super) fn stoppable<T>(&self, wait: impl FnOnce(&Arc<Call>) -> T) -> T {
        let call = Call::new(self.limit);
        let note = |call: Option<&Arc<Call>>| {
            self.shared.with(|shared| {
                if let Some(running) = shared.running.get_mut().and_then(Option::as_mut) {
                    running.asking = call.cloned();
                }
                shared.state.is_unwanted()
            })
        };
        // Who stopped it a moment earlier did not find the call.
        if note(Some(&call)) {
            call.cancel_unsent();
        }
        let outcome = wait(&call);
        note(None);
        outcome
    }
}

/// Wipes what functions that have returned left on this thread's stack, which the system keeps for another thread.
#[inline(never)]
fn wipe_stack() {
    let mut left = [0_u8; 128 * 1024];
    left.zeroize();
    std::hint::black_box(&left);
}

/// Runs a callback of the host. A panic around it is no reason to lose tokens.
fn tell(callback: impl FnOnce()) {
    let _ = panics::catch(|| {
        callback();
        Ok(())
    });
}

/// The failure of a call whose time ended while it waited for a token request.
fn too_late(stage: Stage, call: &Call) -> Failure {
    let kept_by = |who: &str| {
        let message = format!("{who} for longer than the call's time limit of {} ms", call.limit().as_millis());
        Failure::new(Code::Timeout, message)
    };
    match stage {
        Stage::TokenCallback => kept_by("this session's token callback has been running"),
        Stage::RenewalCallback => kept_by("this session's renewal callback has been running"),
        Stage::OtherProcess => kept_by("another process has kept the lock of token_file"),
        Stage::Server => call.timed_out().because("(the request for tokens goes on; a later call may find them)"),
    }
}

fn no_tokens() -> Failure {
    Failure::new(Code::InternalError, "the token state gave no tokens; please report it")
}
