//! One attempt of one call, as the transport below ureq needs to know it.
//!
//! ureq does not tell a transport which request uses it. A call runs on one thread from its first byte to its last,
//! so the attempt under way is kept there: the transport finds whose time limit and cancellation count, leaves word
//! of how far the attempt came, which decides whether it may be repeated, and hands over the answer.
#![forbid(unsafe_code)]

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::Uri;

use super::kept::Use;
use super::reading::Received;
use super::transport_error::fatal;
use crate::call::Call;
use crate::engine::local;
use crate::error::{Code, Failure, Outcome};
use crate::stats::AttemptStats;

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

/// What an attempt is to do.
pub struct Plan {
    /// The whole address.
    pub target: Uri,
    /// What the request does if it is sent twice.
    pub purpose: Use,
    /// How long its body is.
    pub body_length: usize,
    /// Whether it sends codes or passwords and gets tokens, so that no trace of it may be left.
    pub is_secret: bool,
    /// The longest body that the answer may have.
    pub max_response_bytes: u64,
}

/// The attempt under way on this thread.
pub struct Attempt {
    call: Arc<Call>,
    plan: Plan,
    begun: Instant,
    /// Where the proxy on the way is, if there is one.
    proxy: RefCell<Option<String>>,
    connect_until: Cell<Option<Instant>>,
    phase: Cell<Phase>,
    sent: Cell<bool>,
    answered: Cell<bool>,
    reused: Cell<bool>,
    stats: Cell<AttemptStats>,
    received: RefCell<Option<Received>>,
}

impl Attempt {
    /// Begins an attempt; it is the thread's current one until the guard is dropped.
    pub fn begin(call: &Arc<Call>, plan: Plan) -> Guard {
        let attempt = Rc::new(Attempt {
            call: Arc::clone(call),
            plan,
            begun: Instant::now(),
            proxy: RefCell::new(None),
            connect_until: Cell::new(None),
            phase: Cell::new(Phase::Request),
            sent: Cell::new(false),
            answered: Cell::new(false),
            reused: Cell::new(false),
            stats: Cell::default(),
            received: RefCell::new(None),
        });
        let former = local::replace(Some(Rc::clone(&attempt) as Rc<dyn Any>));
        Guard { attempt, former }
    }

    /// The attempt under way on this thread.
    pub fn current() -> Result<Rc<Attempt>, ureq::Error> {
        let current = local::get().and_then(|current| current.downcast::<Attempt>().ok());
        current.ok_or_else(|| fatal(Failure::new(Code::InternalError, "a connection is used outside of a call")))
    }

    /// The call that this attempt is for.
    pub fn call(&self) -> &Arc<Call> {
        &self.call
    }

    /// What the attempt is to do.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How long the request line's address is.
    pub fn address_length(&self) -> usize {
        self.plan.target.path_and_query().map_or(0, |address| address.as_str().len())
    }

    /// How long ago the attempt began.
    pub fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// How far the attempt came.
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Whether a byte of the request may have reached a server.
    pub fn sent(&self) -> bool {
        self.sent.get()
    }

    /// Whether a byte of the answer came.
    pub fn answered(&self) -> bool {
        self.answered.get()
    }

    /// Whether the connection has served another request before.
    pub fn reused(&self) -> bool {
        self.reused.get()
    }

    /// What the attempt did so far.
    pub fn stats(&self) -> AttemptStats {
        self.stats.get()
    }

    fn count(&self, change: impl FnOnce(&mut AttemptStats)) {
        let mut stats = self.stats.get();
        change(&mut stats);
        self.stats.set(stats);
    }

    /// The request goes over a connection that was kept.
    pub fn reuses(&self) {
        self.reused.set(true);
        self.count(|stats| stats.reused = true);
    }

    /// A new connection is being made, within a limit of its own; perhaps to a proxy.
    pub fn connecting(&self, limit: Duration, proxy: Option<String>) {
        self.phase.set(Phase::Connecting);
        *self.proxy.borrow_mut() = proxy;
        self.connect_until.set(Instant::now().checked_add(limit));
    }

    /// The connection to a proxy stands; now it is asked to connect further.
    pub fn at_proxy(&self) {
        self.phase.set(Phase::Proxy);
    }

    /// The way to the server stands; TLS comes next.
    pub fn handshake(&self) {
        self.phase.set(Phase::Handshake);
    }

    /// The connection stands.
    pub fn connected(&self) {
        self.phase.set(Phase::Request);
        self.connect_until.set(None);
        self.count(|stats| stats.opened = true);
    }

    /// Where the other end of the present step is: a proxy until the way through it stands, then the server.
    pub fn place(&self) -> String {
        match (self.phase.get(), &*self.proxy.borrow()) {
            (Phase::Connecting | Phase::Proxy, Some(proxy)) => format!("the proxy {proxy}"),
            _ => place(&self.plan.target),
        }
    }

    /// The step that failed, for an error's text.
    pub fn step(&self) -> &'static str {
        match self.phase() {
            Phase::Connecting => "while connecting",
            Phase::Proxy => "while it connected further",
            Phase::Handshake => "during the TLS handshake",
            Phase::Request if !self.answered() => "before an answer came",
            Phase::Request => "within the answer",
        }
    }

    /// Bytes are about to be written to the connection; fails if the call was ended because none had been.
    pub fn about_to_send(&self) -> Outcome<()> {
        if self.phase.get() == Phase::Request && !self.sent.get() { self.call.about_to_send() } else { Ok(()) }
    }

    /// How many were written.
    pub fn sent_bytes(&self, sent: usize) {
        self.count(|stats| stats.bytes_out += sent as u64);
        let any = sent > 0;
        if self.phase.get() == Phase::Request && !self.sent.get() {
            self.sent.set(any);
            self.call.note_sent(any);
        }
    }

    /// Bytes came in on the connection.
    pub fn came_in(&self, bytes: usize) {
        self.count(|stats| stats.bytes_in += bytes as u64);
    }

    /// Bytes of an answer were read; `false`: those that were belong to an interim answer.
    pub fn received_bytes(&self, of_answer: bool) {
        self.answered.set(of_answer);
    }

    /// The answer was read whole.
    pub fn received(&self, answer: Received) {
        *self.received.borrow_mut() = Some(answer);
    }

    /// Takes the answer, if it was read whole.
    pub fn take_received(&self) -> Option<Received> {
        self.received.borrow_mut().take()
    }

    /// The time that the present step may take, or why the call must end now.
    pub fn time_left(&self) -> Outcome<Duration> {
        let call_left = self.call.time_left()?;
        let Some(until) = self.connect_until.get() else { return Ok(call_left) };
        match until.saturating_duration_since(Instant::now()) {
            Duration::ZERO => {
                let place = self.place();
                let step = match self.phase.get() {
                    Phase::Connecting => format!("connecting to {place}"),
                    Phase::Proxy => format!("connecting further by {place}"),
                    Phase::Handshake | Phase::Request => format!("the TLS handshake with {place}"),
                };
                let message = format!("{step} took longer than connect_timeout_ms allows");
                Err(Failure::new(Code::Timeout, message))
            }
            connect_left => Ok(connect_left.min(call_left)),
        }
    }
}

/// A server's host and port.
pub fn place(uri: &Uri) -> String {
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    format!("{}:{port}", uri.host().unwrap_or_default())
}

/// Keeps an attempt the thread's current one.
pub struct Guard {
    attempt: Rc<Attempt>,
    former: local::Value,
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
        drop(local::replace(self.former.take()));
    }
}
