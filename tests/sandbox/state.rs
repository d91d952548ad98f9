//! The state of the sandbox, shared by all connections.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::answer::Answer;
use crate::demo_users::{self, User};
use crate::faults::{Fault, Faults};
use crate::grants::Grants;
use crate::journal::Journal;
use crate::request::ReceivedRequest;

#[derive(Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Spelling {
    #[default]
    Number,
    String,
}

#[derive(Clone, Serialize)]
pub struct Settings {
    /// Whether requests are kept in the journal.
    pub record: bool,
    /// Seconds a new access token lives.
    pub expires_in: u64,
    pub expires_in_as: Spelling,
    /// Members left out of token answers.
    pub omit: Vec<String>,
    /// Whether a refresh token works only once.
    pub rotate: bool,
    /// Whether the second use of a refresh token ends every token of its login.
    pub detect_reuse: bool,
    /// Whether a renewal ends the previous access tokens.
    pub end_former: bool,
    /// Whether an unknown user id is answered with 102.
    pub check_ids: bool,
    /// The scope of every new token, whatever the request says.
    pub scope: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            record: true,
            expires_in: 86400,
            expires_in_as: Spelling::Number,
            omit: Vec::new(),
            rotate: true,
            detect_reuse: false,
            end_former: false,
            check_ids: false,
            scope: None,
        }
    }
}

/// Counters of the authorization server.
#[derive(Default)]
pub struct Counts {
    pub token_requests: BTreeMap<String, u64>,
    pub tokens_issued: u64,
    pub spent_refresh_tokens_seen: u64,
    pub spent_codes_seen: u64,
    pub families_ended: u64,
    pub writes: u64,
}

pub struct State {
    pub grants: Grants,
    pub users: Vec<User>,
    pub settings: Settings,
    pub faults: Faults,
    pub counts: Counts,
}

impl State {
    fn new() -> Self {
        State {
            grants: Grants::demo(),
            users: demo_users::known(),
            settings: Settings::default(),
            faults: Faults::default(),
            counts: Counts::default(),
        }
    }
}

/// Counters of the platform's listener; the control listener's connections are not counted.
#[derive(Default)]
pub struct Connections {
    pub accepted: AtomicU64,
    pub open: AtomicU64,
    /// The connections with at least one request to the platform.
    pub platform: AtomicU64,
    pub tls_failures: AtomicU64,
}

/// Answers that are held back.
pub struct Held(watch::Sender<()>);

impl Held {
    /// Waits until the next release.
    pub async fn wait(&self) {
        // Fails only if the sender is gone, and this is its owner.
        let _ = self.0.subscribe().changed().await;
    }

    /// How many answers are held back.
    pub fn count(&self) -> usize {
        self.0.receiver_count()
    }

    /// Has all of them sent; returns how many.
    pub fn release(&self) -> usize {
        let count = self.count();
        self.0.send_replace(());
        count
    }
}

pub struct SharedState {
    started: Instant,
    state: Mutex<State>,
    journal: Mutex<Journal>,
    requests: AtomicU64,
    pub connections: Connections,
    pub held: Held,
}

impl SharedState {
    pub fn new() -> Self {
        SharedState {
            started: Instant::now(),
            state: Mutex::new(State::new()),
            journal: Mutex::default(),
            requests: AtomicU64::new(0),
            connections: Connections::default(),
            held: Held(watch::Sender::new(())),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Records a request and finds the fault for it.
    pub fn receive(&self, request: &Arc<ReceivedRequest>) -> (u64, Option<(Fault, bool)>) {
        let (keep, fault) = {
            let mut state = self.state();
            if request.path == "/oauth/token" {
                let grant = request.grant().unwrap_or("none").to_owned();
                *state.counts.token_requests.entry(grant).or_default() += 1;
            }
            (state.settings.record, state.faults.choose(request))
        };
        let mut journal = self.journal();
        // Numbered under the lock: the journal is in the order of the numbers.
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        journal.receive(number, request, keep);
        (number, fault)
    }

    pub fn finish(&self, number: u64, outcome: impl Into<String>, served: Option<&Answer>) {
        self.journal().finish(number, outcome.into(), served);
    }

    pub fn user(&self, uid: &str) -> Option<User> {
        self.state().users.iter().find(|user| user.uid == uid).cloned()
    }

    /// Returns to the initial state. Open connections stay open.
    pub fn reset(&self) {
        *self.state() = State::new();
        *self.journal() = Journal::default();
        let open = self.connections.open.load(Ordering::Relaxed);
        self.connections.accepted.store(open, Ordering::Relaxed);
        self.connections.platform.store(0, Ordering::Relaxed);
        self.connections.tls_failures.store(0, Ordering::Relaxed);
    }

    pub fn stats(&self) -> Value {
        let connections = &self.connections;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let state = self.state();
        let journal = self.journal();
        json!({
            "connections_accepted": read(&connections.accepted),
            "connections_open": read(&connections.open),
            "connections_platform": read(&connections.platform),
            "tls_failures": read(&connections.tls_failures),
            "held": self.held.count(),
            "requests": journal.received,
            "requests_kept": journal.kept(),
            "token_requests": state.counts.token_requests,
            "tokens_issued": state.counts.tokens_issued,
            "applied": journal.applied_counts,
            "applied_total": journal.applied_counts.values().sum::<u64>(),
            "spent_refresh_tokens_seen": state.counts.spent_refresh_tokens_seen,
            "spent_codes_seen": state.counts.spent_codes_seen,
            "families_ended": state.counts.families_ended,
            "faults_fired": state.faults.fired,
        })
    }
}
