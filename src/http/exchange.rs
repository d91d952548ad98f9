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

use crate::control::Control;
use crate::error::{Code, Failure, Outcome};

thread_local! {
    /// Kept from being dropped so that it needs no destructor and outlasts those of the host: calls
    /// work to the very end of a thread. The guard takes each attempt out again.
    static CURRENT: RefCell<ManuallyDrop<Option<Rc<Exchange>>>> = const { RefCell::new(ManuallyDrop::new(None)) };
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
pub struct Exchange {
    call: Arc<Control>,
    target: Uri,
    connect_until: Cell<Option<Instant>>,
    phase: Cell<Phase>,
    sent: Cell<bool>,
    answered: Cell<bool>,
}

impl Exchange {
    /// Begins an attempt; it is the thread's current one until the guard is dropped.
    pub fn begin(call: &Arc<Control>, target: Uri) -> Guard {
        let exchange = Rc::new(Exchange {
            call: Arc::clone(call),
            target,
            connect_until: Cell::new(None),
            phase: Cell::new(Phase::Request),
            sent: Cell::new(false),
            answered: Cell::new(false),
        });
        let former = replace(Some(Rc::clone(&exchange)));
        Guard { exchange, former }
    }

    /// The attempt under way on this thread.
    pub fn current() -> Option<Rc<Exchange>> {
        CURRENT.with(|current| (**current.borrow()).clone())
    }

    /// The call that this attempt is for.
    pub fn call(&self) -> &Arc<Control> {
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

    /// Bytes are about to be written.
    pub fn sending(&self) {
        if self.phase.get() == Phase::Request {
            self.sent.set(true);
        }
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

fn replace(exchange: Option<Rc<Exchange>>) -> Option<Rc<Exchange>> {
    let former = CURRENT.with(|current| mem::replace(&mut *current.borrow_mut(), ManuallyDrop::new(exchange)));
    ManuallyDrop::into_inner(former)
}

/// Keeps an attempt the thread's current one.
pub struct Guard {
    exchange: Rc<Exchange>,
    former: Option<Rc<Exchange>>,
}

impl std::ops::Deref for Guard {
    type Target = Exchange;

    fn deref(&self) -> &Exchange {
        &self.exchange
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.exchange.call.unblocked();
        drop(replace(self.former.take()));
    }
}
