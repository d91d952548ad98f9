//! One attempt of one call, as the transport below ureq needs it.
//!
//! ureq does not tell a transport which request uses it, so the current attempt is thread-local. The transport reads
//! the call's time limit and cancellation from it, and stores the progress, which decides about a retry, and the
//! answer.
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

/// The phase that an attempt has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Looking up the name, or connecting.
    Connecting,
    /// Asking a proxy to connect to the server.
    Proxy,
    /// The TLS handshake.
    Handshake,
    /// Sending the request or receiving its answer.
    Request,
}

/// The description of an attempt.
pub struct Plan {
    /// The whole address.
    pub target: Uri,
    /// Whether the request is safe to send twice.
    pub purpose: Use,
    /// The length of its body.
    pub body_length: usize,
    /// Whether it sends codes or passwords and receives tokens, so that its buffers must be wiped.
    pub is_secret: bool,
    /// The maximum length of the answer's body.
    pub max_response_bytes: u64,
}

/// The current attempt of this thread.
pub struct Attempt {
    call: Arc<Call>,
    plan: Plan,
    begun: Instant,
    /// The proxy's host and port, if one is used.
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
    /// Begins an attempt; it is the thread's current one until the returned guard is dropped.
    #[inline(never)]
    pub fn begin(call: &Arc<Call>, plan: Plan) -> CurrentAttempt {
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
        let previous = local::replace(Some(Rc::clone(&attempt) as Rc<dyn Any>));
        CurrentAttempt { attempt, previous }
    }

    /// The current attempt of this thread.
    pub fn current() -> Result<Rc<Attempt>, ureq::Error> {
        let current = local::get().and_then(|current| current.downcast::<Attempt>().ok());
        current.ok_or_else(|| fatal(Failure::new(Code::InternalError, "a connection was used outside of a call")))
    }

    /// The call that this attempt is for.
    pub fn call(&self) -> &Arc<Call> {
        &self.call
    }

    /// The attempt's description.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The length of the address in the request line.
    pub fn address_length(&self) -> usize {
        self.plan.target.path_and_query().map_or(0, |address| address.as_str().len())
    }

    /// The time since the attempt began.
    pub fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// The phase that the attempt has reached.
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Whether a byte of the request may have reached a server.
    pub fn sent(&self) -> bool {
        self.sent.get()
    }

    /// Whether a byte of the answer was received.
    pub fn answered(&self) -> bool {
        self.answered.get()
    }

    /// Whether the connection was used by an earlier request.
    pub fn reused(&self) -> bool {
        self.reused.get()
    }

    /// The attempt's statistics so far.
    pub fn stats(&self) -> AttemptStats {
        self.stats.get()
    }

    fn count(&self, change: impl FnOnce(&mut AttemptStats)) {
        let mut stats = self.stats.get();
        change(&mut stats);
        self.stats.set(stats);
    }

    /// Notes that the request uses a kept connection.
    pub fn reuses(&self) {
        self.reused.set(true);
        self.count(|stats| stats.reused = true);
    }

    /// Notes that a new connection is being made, with its own time limit, to a proxy if one is given.
    pub fn connecting(&self, limit: Duration, proxy: Option<String>) {
        self.phase.set(Phase::Connecting);
        *self.proxy.borrow_mut() = proxy;
        self.connect_until.set(Instant::now().checked_add(limit));
    }

    /// Notes that the proxy is connected and is asked to connect to the server.
    pub fn at_proxy(&self) {
        self.phase.set(Phase::Proxy);
    }

    /// Notes that the server is connected and the TLS handshake begins.
    pub fn handshake(&self) {
        self.phase.set(Phase::Handshake);
    }

    /// Notes that the connection is complete.
    pub fn connected(&self) {
        self.phase.set(Phase::Request);
        self.connect_until.set(None);
        self.count(|stats| stats.opened = true);
    }

    /// The peer of the current phase: the proxy until it has connected, then the server.
    pub fn peer(&self) -> String {
        match (self.phase.get(), &*self.proxy.borrow()) {
            (Phase::Connecting | Phase::Proxy, Some(proxy)) => format!("the proxy {proxy}"),
            _ => host_and_port(&self.plan.target),
        }
    }

    /// The current phase, for an error's text.
    pub fn step(&self) -> &'static str {
        match self.phase() {
            Phase::Connecting => "while connecting",
            Phase::Proxy => "while it connected to the server",
            Phase::Handshake => "during the TLS handshake",
            Phase::Request if !self.answered() => "before an answer was received",
            Phase::Request => "within the answer",
        }
    }

    /// Notes that bytes are about to be written; fails if the call was ended before it sent any.
    pub fn about_to_send(&self) -> Outcome<()> {
        if self.phase.get() == Phase::Request && !self.sent.get() { self.call.about_to_send() } else { Ok(()) }
    }

    /// Notes how many bytes were written.
    pub fn sent_bytes(&self, sent: usize) {
        self.count(|stats| stats.bytes_out += sent as u64);
        let any = sent > 0;
        if self.phase.get() == Phase::Request && !self.sent.get() {
            self.sent.set(any);
            self.call.note_sent(any);
        }
    }

    /// Counts bytes received on the connection.
    pub fn count_bytes_in(&self, bytes: usize) {
        self.count(|stats| stats.bytes_in += bytes as u64);
    }

    /// Notes that bytes of the answer were read; `false` if they belonged to an interim answer.
    pub fn received_bytes(&self, of_answer: bool) {
        self.answered.set(of_answer);
    }

    /// Stores the complete answer.
    pub fn received(&self, answer: Received) {
        *self.received.borrow_mut() = Some(answer);
    }

    /// Takes the answer, if it is complete.
    pub fn take_received(&self) -> Option<Received> {
        self.received.borrow_mut().take()
    }

    /// The time left for the current phase, or why the call must end now.
    pub fn time_left(&self) -> Outcome<Duration> {
        let call_left = self.call.time_left()?;
        let Some(until) = self.connect_until.get() else { return Ok(call_left) };
        match until.saturating_duration_since(Instant::now()) {
            Duration::ZERO => {
                let peer = self.peer();
                let step = match self.phase.get() {
                    Phase::Connecting => format!("connecting to {peer}"),
                    Phase::Proxy => format!("connecting to the server through {peer}"),
                    Phase::Handshake | Phase::Request => format!("the TLS handshake with {peer}"),
                };
                let message = format!("{step} took longer than connect_timeout_ms allows");
                Err(Failure::new(Code::Timeout, message))
            }
            connect_left => Ok(connect_left.min(call_left)),
        }
    }
}

/// A server's host and port.
pub fn host_and_port(uri: &Uri) -> String {
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    format!("{}:{port}", uri.host().unwrap_or_default())
}

/// Keeps an attempt as the thread's current one until dropped.
pub struct CurrentAttempt {
    attempt: Rc<Attempt>,
    previous: local::Value,
}

impl std::ops::Deref for CurrentAttempt {
    type Target = Attempt;

    fn deref(&self) -> &Attempt {
        &self.attempt
    }
}

impl Drop for CurrentAttempt {
    fn drop(&mut self) {
        self.attempt.call.unblocked();
        drop(local::replace(self.previous.take()));
    }
}
