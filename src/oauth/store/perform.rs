//! Performs token requests, each on its own thread.
#![forbid(unsafe_code)]

use std::sync::Arc;

use zeroize::Zeroize;

use super::{FETCHING, Stage, TokenRequest, TokenStore};
use crate::background;
use crate::call::Call;
use crate::log::{self, Level};
use crate::oauth::file::{Lock, TokenFile};
use crate::oauth::now::Now;
use crate::oauth::state::{End, Step, TokenState};
use crate::panics;
use crate::stats::TokenStats;

impl TokenStore {
    /// Runs a token request on its own thread.
    pub(super) fn start(self: &Arc<Self>, request: Arc<TokenRequest>) {
        let store = Arc::clone(self);
        let own = Arc::clone(&request);
        let started = background::spawn("token", move || {
            FETCHING.with(|fetching| fetching.set(std::ptr::from_ref(&*store) as usize));
            let end = panics::catch(|| Ok(store.run()));
            wipe_stack();
            let end = end.unwrap_or_else(|bug| End::With(Err(bug)));
            store.finish();
            // First release the host's data: when the waiting calls return, the host may exit.
            drop(store);
            FETCHING.with(|fetching| fetching.set(0));
            own.complete(end);
        });
        if let Err(failure) = started {
            self.finish();
            request.complete(End::With(Err(failure)));
        }
    }

    /// Allows another token request to begin.
    fn finish(&self) {
        let done = self.shared.with(|shared| {
            shared.state.end();
            shared.running.get_mut().and_then(Option::take)
        });
        drop(done);
    }

    /// Performs a token request, unless newer tokens arrived meanwhile, and runs the callbacks.
    fn run(self: &Arc<Self>) -> End {
        panics::planted("token");
        let mut lock = match self.lock_file() {
            Ok(lock) => lock,
            Err(failure) => return self.follow(|state, now| state.cannot_ask(failure, now), &mut None),
        };
        self.read_file(lock.as_ref());
        let is_settled = self.shared.with(|shared| shared.state.is_settled(self.now()));
        let is_renewal = self.shared.with(|shared| shared.state.is_renewal());
        let listener = self.renewal_listener.get().filter(|_| is_renewal && !is_settled);
        if let Some(listener) = &listener {
            if let Err(failure) = self.tell_renewal_begins(listener) {
                return self.follow(|state, now| state.cannot_ask(failure, now), &mut lock);
            }
            self.write_file(lock.as_ref());
        }
        let end = self.follow(TokenState::first_step, &mut lock);
        if let Some(listener) = &listener {
            self.let_go(&mut lock);
            self.tell_renewal_ended(listener);
        }
        drop(lock);
        end
    }

    /// Carries out the state's decisions for the token request, starting with this event.
    fn follow(self: &Arc<Self>, event: impl FnOnce(&mut TokenState, Now) -> Step, lock: &mut Option<Lock>) -> End {
        let mut step = self.event(event);
        let mut call = Call::new(self.limit);
        loop {
            step = match step {
                Step::Send(grant, previous) => {
                    self.enter(Stage::Server);
                    let reply = self.stoppable(|asking| {
                        call = Arc::clone(asking);
                        self.oauth_client.ask(&self.client, &grant, &previous, asking, || self.now())
                    });
                    self.client.stats().count_tokens(match (&reply, grant.is_refresh()) {
                        (Err(_), _) => TokenStats::Failed,
                        (Ok(_), false) => TokenStats::Granted,
                        (Ok(_), true) => TokenStats::Renewed,
                    });
                    self.event(|state, now| state.replied(&grant, reply, now))
                }
                Step::Deliver(tokens) => {
                    log::event(Level::Info, || self.client.line("new_tokens", &call));
                    self.file.iter().for_each(TokenFile::note_unsaved);
                    self.write_file(lock.as_ref());
                    self.let_go(lock);
                    self.tell_tokens(&tokens);
                    self.event(|state, now| state.delivered(&tokens, now))
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

    /// Releases the lock of the token file before a wait for a thread of the host, which may come late: the file is
    /// written, and other processes need not wait.
    fn let_go(&self, lock: &mut Option<Lock>) {
        if lock.is_some() && self.tells_host_thread() {
            *lock = None;
        }
    }

    pub(in crate::oauth) fn event<T>(&self, event: impl FnOnce(&mut TokenState, Now) -> T) -> T {
        let now = self.now();
        self.shared.with(|shared| event(&mut shared.state, now))
    }

    pub(in crate::oauth) fn enter(&self, stage: Stage) {
        self.shared.with(|shared| {
            if let Some(running) = shared.running.get_mut().and_then(Option::as_mut) {
                running.stage = stage;
            }
        });
    }

    /// Waits on behalf of the token request: until its time limit, or until no call wants it and nothing was sent.
    pub(in crate::oauth) fn stoppable<T>(&self, wait: impl FnOnce(&Arc<Call>) -> T) -> T {
        let call = Call::new(self.limit);
        let note = |call: Option<&Arc<Call>>| {
            self.shared.with(|shared| {
                if let Some(running) = shared.running.get_mut().and_then(Option::as_mut) {
                    running.asking = call.cloned();
                }
                shared.state.is_unwanted()
            })
        };
        // A stop just before this had no effect on the call.
        if note(Some(&call)) {
            call.cancel_unsent();
        }
        let outcome = wait(&call);
        note(None);
        outcome
    }
}

/// Wipes secrets left on this thread's stack by functions that have returned; the system reuses the stack.
#[inline(never)]
fn wipe_stack() {
    let mut left = [0_u8; 128 * 1024];
    left.zeroize();
    std::hint::black_box(&left);
}
