//! What a session tells the host: new tokens, and the phases of renewals; on the thread that may be told.
#![forbid(unsafe_code)]

use std::sync::{Arc, mpsc};

use super::{FETCHING, Stage, TokenStore};
use crate::error::{Code, Failure, Outcome};
use crate::fork::ForkMutex;
use crate::host_thread::HostThread;
use crate::oauth::state::TokenSet;
use crate::oauth::tokens::Tokens;
use crate::panics;

/// Receives each new set of tokens before it is used.
pub type TokenListener = Listener<Tokens>;
/// Receives 1 before a renewal's request and 0 when the renewal has ended.
pub type RenewalListener = Listener<i32>;

/// A function of the host, and the thread on which alone it runs; `None` for the thread that fetches the tokens.
pub struct Listener<T> {
    tell: Arc<dyn Fn(&T) + Send + Sync>,
    thread: Option<HostThread>,
}

impl<T> Clone for Listener<T> {
    fn clone(&self) -> Listener<T> {
        Listener { tell: Arc::clone(&self.tell), thread: self.thread.clone() }
    }
}

impl<T> Listener<T> {
    /// A listener.
    pub fn new(tell: impl Fn(&T) + Send + Sync + 'static, thread: Option<HostThread>) -> Listener<T> {
        Listener { tell: Arc::new(tell), thread }
    }

    /// Tells the host. A panic must not lose the tokens.
    fn tell(&self, what: &T) {
        let _ = panics::catch(|| {
            (self.tell)(what);
            Ok(())
        });
    }

    /// Whether the current thread may tell the host.
    fn is_here(&self) -> bool {
        self.thread.as_ref().is_none_or(HostThread::is_current)
    }
}

/// The present listener.
pub struct Slot<T>(ForkMutex<Option<Listener<T>>>);

impl<T> Default for Slot<T> {
    fn default() -> Slot<T> {
        Slot(ForkMutex::default())
    }
}

impl<T> Slot<T> {
    /// Replaces the listener.
    pub fn set(&self, listener: Option<Listener<T>>) {
        let previous = self.0.with(|slot| std::mem::replace(slot, listener));
        drop(previous);
    }

    /// The listener, if there is one.
    pub fn get(&self) -> Option<Listener<T>> {
        self.0.with(|slot| slot.clone())
    }
}

/// Whether a callback that has returned is to count as running, until the sender is dropped.
#[derive(Default)]
pub struct Hold {
    /// Whether a callback runs now. Some hosts run it on a thread other than the one that the library calls them on.
    may_begin: bool,
    end: Option<mpsc::Sender<()>>,
    wait: Option<mpsc::Receiver<()>>,
    /// The session was freed: nobody would end it.
    is_over: bool,
}

impl TokenStore {
    /// Has the callback that runs now count as running until [`Self::end_hold`].
    pub fn hold(&self) -> Outcome<()> {
        let (end, wait) = mpsc::channel();
        let may_begin = self.hold.with(|hold| {
            let hold = hold.get_or_renew();
            if hold.may_begin && hold.wait.is_none() && !hold.is_over {
                (hold.end, hold.wait) = (Some(end), Some(wait));
            }
            hold.may_begin
        });
        if may_begin {
            return Ok(());
        }
        let problem = "is 1 while no token or renewal callback of this session runs; call it inside one of them";
        Err(Failure::argument("hold", problem))
    }

    /// Tells a listener, which may ask for a hold meanwhile.
    fn tell<T>(&self, listener: &Listener<T>, what: &T) {
        self.hold.with(|hold| hold.get_or_renew().may_begin = true);
        listener.tell(what);
        self.hold.with(|hold| hold.get_or_renew().may_begin = false);
    }

    /// The callback counts as returned.
    pub fn end_hold(&self) {
        let end = self.hold.with(|hold| hold.get_or_renew().end.take());
        drop(end);
    }

    /// As [`Self::end_hold`], for good.
    pub(super) fn forbid_hold(&self) {
        self.hold.with(|hold| hold.get_or_renew().is_over = true);
        self.end_hold();
    }

    /// Waits for the end of the hold, if a callback that has returned asked for one.
    fn wait_for_hold(&self) {
        if let Some(wait) = self.hold.with(|hold| hold.get_or_renew().wait.take()) {
            let _ = wait.recv();
        }
    }

    /// Tells the listener of new tokens, and returns when it has returned.
    pub(super) fn tell_tokens(self: &Arc<Self>, tokens: &TokenSet) {
        while let Some(listener) = self.tokens_listener.get() {
            let Some(thread) = &listener.thread else {
                self.enter(Stage::TokenCallback);
                self.tell(&listener, tokens);
                return self.wait_for_hold();
            };
            let (store, tokens) = (Arc::clone(self), Arc::clone(tokens));
            self.enter(Stage::HostThread);
            let told = thread.perform(None, move || {
                // The host may have set another meanwhile: after that, the first is not called any more.
                let Some(listener) = store.tokens_listener.get() else { return true };
                if listener.is_here() {
                    store.enter(Stage::TokenCallback);
                    store.as_fetching_thread(|| store.tell(&listener, &tokens));
                }
                listener.is_here()
            });
            if told != Some(false) {
                return self.wait_for_hold();
            }
        }
    }

    /// Tells the listener that a renewal is about to send its request; fails if it cannot be told.
    pub(super) fn tell_renewal_begins(self: &Arc<Self>, listener: &RenewalListener) -> Outcome<()> {
        self.enter(if listener.thread.is_none() { Stage::RenewalCallback } else { Stage::HostThread });
        if self.tell_renewal(listener, 1, true) {
            return Ok(());
        }
        let message = "the renewal callback was not called: the thread that set it has not been inside the library, or \
                       has ended; set the callback on a thread that calls the library";
        Err(Failure::new(Code::Timeout, message))
    }

    /// Tells the listener that the renewal has ended.
    pub(super) fn tell_renewal_ended(self: &Arc<Self>, listener: &RenewalListener) {
        self.tell_renewal(listener, 0, false);
    }

    /// Whether the listener was told.
    fn tell_renewal(self: &Arc<Self>, listener: &RenewalListener, phase: i32, is_limited: bool) -> bool {
        let Some(thread) = &listener.thread else {
            self.tell(listener, &phase);
            self.wait_for_hold();
            return true;
        };
        let (store, told) = (Arc::clone(self), listener.clone());
        let limit = is_limited.then_some(self.limit);
        let outcome = thread.perform(limit, move || {
            // Not if the host has removed or replaced it meanwhile.
            if store.renewal_listener.get().is_some_and(|present| Arc::ptr_eq(&present.tell, &told.tell)) {
                store.enter(Stage::RenewalCallback);
                store.as_fetching_thread(|| store.tell(&told, &phase));
            }
        });
        self.wait_for_hold();
        outcome.is_some()
    }

    /// Whether new tokens are told on a thread of the host, which may come late.
    pub(super) fn tells_host_thread(&self) -> bool {
        let tokens = self.tokens_listener.get().is_some_and(|listener| listener.thread.is_some());
        tokens || self.renewal_listener.get().is_some_and(|listener| listener.thread.is_some())
    }

    /// Runs a callback for which the thread that fetches the tokens waits: a call of this session in it would wait for
    /// itself.
    fn as_fetching_thread(&self, callback: impl FnOnce()) {
        let outer = FETCHING.with(|fetching| fetching.replace(std::ptr::from_ref(self) as usize));
        callback();
        FETCHING.with(|fetching| fetching.set(outer));
    }
}
