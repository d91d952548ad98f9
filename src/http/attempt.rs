//! One attempt of one call, as the transport below ureq needs to know it.
//!
//! ureq keeps connections for later calls and hands its transport nothing of the call that uses one.
//! A call runs on one thread from its first byte to its last, so the attempt under way is kept
//! there: the transport finds whose time limit and cancellation count, and leaves word of how far
//! the attempt came, which decides whether it may be repeated.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::mem::{self, ManuallyDrop};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::Uri;

use super::transport_error::fatal;
use crate::call::Call;
use crate::error::{Code, Failure, Outcome};

thread_local! {
    /// Kept from being dropped so that it needs no destructor and outlasts those of the host: calls
    /// work to the very end of a thread. The guard takes each attempt out again.
    static CURRENT: RefCell<ManuallyDrop<Option<Rc<Attempt>>>> = const { RefCell::new(ManuallyDrop::new(None)) };
}

/// How far an attempt came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The name's address is being looked up, or the connection made.
    Connecting,
    /// A proxy is asked to connect further.
    Proxy,
    /// The connection is made secure.
    Handshake,
    /// The request goes out, or its answer comes in.
    Request,
}

/// The attempt under way on this thread.
pub struct Attempt {
    call: Arc<Call>,
    target: Uri,
    connect_until: Cell<Option<Instant>>,
    phase: Cell<Phase>,
    sent: Cell<bool>,
    answered: Cell<bool>,
}

impl Attempt {
    /// Begins an attempt; it is the thread's current one until the guard is dropped.
    pub fn begin(call: &Arc<Call>, target: Uri) -> Guard {
        let attempt = Rc::new(Attempt {
            call: Arc::clone(call),
            target,
            connect_until: Cell::new(None),
            phase: Cell::new(Phase::Request),
            sent: Cell::new(false),
            answered: Cell::new(false),
        });
        let former = replace(Some(Rc::clone(&attempt)));
        Guard { attempt, former }
    }

    /// The attempt under way on this thread. A transport asks for it because ureq does not tell which request uses it.
    pub fn current() -> Result<Rc<Attempt>, ureq::Error> {
        CURRENT
            .with(|current| (**current.borrow()).clone())
            .ok_or_else(|| fatal(Failure::new(Code::InternalError, "a connection is used outside of a call")))
    }

    /// The call that this attempt is for.
    pub fn call(&self) -> &Arc<Call> {
        &self.call
    }

    /// How far the attempt came.
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Whether a byte of the request may have left this machine.
    pub fn sent(&self) -> bool {
        self.sent.get()
    }

    /// Whether a byte of the answer came.
    pub fn answered(&self) -> bool {
        self.answered.get()
    }

    /// A new connection is being made, within a limit of its own.
    pub fn connecting(&self, limit: Duration) {
        self.phase.set(Phase::Connecting);
        if self.connect_until.get().is_none() {
            self.connect_until.set(Instant::now().checked_add(limit));
        }
    }

    /// The connection to a proxy stands; now it is asked to connect further.
    pub fn at_proxy(&self) {
        self.phase.set(Phase::Proxy);
    }

    /// The way to the server stands; TLS comes next.
    pub fn handshake(&self) {
        self.phase.set(Phase::Handshake);
    }

    /// The connection stands. One to a proxy is only a step on the way.
    pub fn connected(&self, to: &Uri) {
        if *to == self.target {
            self.phase.set(Phase::Request);
            self.connect_until.set(None);
        } else {
            self.at_proxy();
        }
    }

    /// The step that failed, for an error's text.
    pub fn step(&self) -> &'static str {
        match self.phase() {
            Phase::Connecting => "while connecting",
            Phase::Proxy => "at the proxy",
            Phase::Handshake => "during the TLS handshake",
            Phase::Request if !self.answered() => "before an answer came",
            Phase::Request => "within the answer",
        }
    }

    /// Bytes are about to be written; fails if the call was ended because none had been.
    pub fn sending(&self) -> Outcome<()> {
        if self.phase.get() == Phase::Request {
            self.call.sends()?;
            self.sent.set(true);
        }
        Ok(())
    }

    /// Bytes of an answer were read.
    pub fn received(&self) {
        if self.phase.get() == Phase::Request {
            self.answered.set(true);
        }
    }

    /// The time that the present step may take, or why the call must end now.
    pub fn time_left(&self) -> Outcome<Duration> {
        let call_left = self.call.time_left()?;
        let Some(until) = self.connect_until.get() else { return Ok(call_left) };
        match until.saturating_duration_since(Instant::now()) {
            Duration::ZERO => {
                let step = match self.phase.get() {
                    Phase::Connecting => "connecting",
                    Phase::Proxy => "the proxy",
                    Phase::Handshake | Phase::Request => "the TLS handshake",
                };
                Err(Failure::new(Code::Timeout, format!("{step} took longer than connect_timeout_ms allows")))
            }
            connect_left => Ok(connect_left.min(call_left)),
        }
    }
}

fn replace(attempt: Option<Rc<Attempt>>) -> Option<Rc<Attempt>> {
    let former = CURRENT.with(|current| mem::replace(&mut *current.borrow_mut(), ManuallyDrop::new(attempt)));
    ManuallyDrop::into_inner(former)
}

/// Keeps an attempt the thread's current one.
pub struct Guard {
    attempt: Rc<Attempt>,
    former: Option<Rc<Attempt>>,
}

impl std::ops::Deref for Guard {
    type Target = Attempt;

    fn deref(&self) -> &Attempt {
        &self.attempt
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.attempt.call.unblocked();
        drop(replace(self.former.take()));
    }
}
