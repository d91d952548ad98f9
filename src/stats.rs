//! The counters of `mailru_stats`: what a session has done since it was made.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::error::{Code, Outcome};
use crate::fork::{ForkMutex, OfThisProcess};

/// The upper bounds of the latency buckets, in milliseconds. Slower calls count in a last bucket without a bound.
const BOUNDS_MS: [u64; 12] = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];

/// The counters of one session in one process. A forked child begins at zero, so that the figures of all processes can
/// be added.
#[derive(Default)]
pub struct Stats(ForkMutex<OfThisProcess<Counters>>);

#[derive(Default)]
struct Counters {
    calls: u64,
    in_flight: u64,
    attempts: u64,
    retries: u64,
    grants: u64,
    renewals: u64,
    token_failures: u64,
    bytes_out: u64,
    bytes_in: u64,
    connections_opened: u64,
    connections_reused: u64,
    failures: [u64; Code::ALL.len()],
    latencies: [u64; BOUNDS_MS.len() + 1],
    latency_sum: Duration,
}

/// What an attempt did, whatever its outcome.
#[derive(Debug, Clone, Copy, Default)]
pub struct AttemptStats {
    /// Whether it was a retry.
    pub is_retry: bool,
    /// Whether it made a connection.
    pub opened: bool,
    /// Whether it used a kept connection.
    pub reused: bool,
    /// The bytes written to its connection.
    pub bytes_out: u64,
    /// The bytes read from its connection.
    pub bytes_in: u64,
}

/// The outcome of a token request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenStats {
    /// New tokens for a code or a password.
    Granted,
    /// New tokens for a refresh token.
    Renewed,
    /// No tokens.
    Failed,
}

impl Stats {
    fn with<R>(&self, section: impl FnOnce(&mut Counters) -> R) -> R {
        self.0.with(|counters| section(counters.get_or_renew()))
    }

    /// Counts a call that begins; it is in flight until the returned value is dropped.
    pub fn begin_call(self: &Arc<Self>) -> CallInFlight {
        self.with(|counters| {
            counters.calls += 1;
            counters.in_flight += 1;
        });
        let process = OfThisProcess::new(());
        CallInFlight { stats: Arc::clone(self), process, begun: Instant::now(), code: Code::InternalError }
    }

    /// Counts an attempt that has ended.
    pub fn count_attempt(&self, attempt: AttemptStats) {
        self.with(|counters| {
            counters.attempts += 1;
            counters.retries += u64::from(attempt.is_retry);
            counters.connections_opened += u64::from(attempt.opened);
            counters.connections_reused += u64::from(attempt.reused);
            counters.bytes_out += attempt.bytes_out;
            counters.bytes_in += attempt.bytes_in;
        });
    }

    /// Counts a token request that has ended.
    pub fn count_tokens(&self, outcome: TokenStats) {
        self.with(|counters| match outcome {
            TokenStats::Granted => counters.grants += 1,
            TokenStats::Renewed => counters.renewals += 1,
            TokenStats::Failed => counters.token_failures += 1,
        });
    }

    /// The current counters, with the names that the header documents.
    pub fn to_json(&self) -> String {
        self.with(|counters| counters.to_json()).to_string()
    }
}

impl Counters {
    fn end_call(&mut self, code: Code, latency: Duration) {
        self.in_flight -= 1;
        if code != Code::Ok
            && let Some(index) = Code::ALL.iter().position(|other| *other == code)
        {
            self.failures[index] += 1;
        }
        self.latencies[bucket(latency)] += 1;
        self.latency_sum += latency;
    }

    fn to_json(&self) -> Value {
        let failures = Code::ALL.iter().zip(self.failures).filter(|(_, count)| *count > 0);
        let failures = failures.map(|(code, count)| (code.c_name().to_string_lossy().into_owned(), count.into()));
        let mut calls = 0;
        let bounds = BOUNDS_MS.iter().map(|bound| Value::from(*bound)).chain([Value::Null]);
        let buckets = bounds.zip(self.latencies).map(|(bound, count)| {
            calls += count;
            json!({ "le_ms": bound, "calls": calls })
        });
        let buckets = buckets.collect::<Vec<_>>();
        json!({
            "calls": self.calls,
            "in_flight": self.in_flight,
            "attempts": self.attempts,
            "retries": self.retries,
            "grants": self.grants,
            "renewals": self.renewals,
            "token_failures": self.token_failures,
            "bytes_out": self.bytes_out,
            "bytes_in": self.bytes_in,
            "connections_opened": self.connections_opened,
            "connections_reused": self.connections_reused,
            "failures": failures.collect::<Map<_, _>>(),
            "latency": {
                "calls": calls,
                "sum_ms": self.latency_sum.as_micros() as f64 / 1000.0,
                "buckets": buckets,
            },
        })
    }
}

/// The index of the first bucket whose bound is not exceeded.
fn bucket(latency: Duration) -> usize {
    BOUNDS_MS.iter().position(|bound| latency <= Duration::from_millis(*bound)).unwrap_or(BOUNDS_MS.len())
}

/// A running call. If it is dropped without an outcome, it ended by a bug.
pub struct CallInFlight {
    stats: Arc<Stats>,
    /// Tells whether the host forked inside a callback: the child's counters do not include this call.
    process: OfThisProcess<()>,
    begun: Instant,
    code: Code,
}

impl CallInFlight {
    /// Notes the call's outcome.
    pub fn end<T>(mut self, outcome: &Outcome<T>) {
        self.code = outcome.as_ref().err().map_or(Code::Ok, |failure| failure.code());
    }
}

impl Drop for CallInFlight {
    fn drop(&mut self) {
        if self.process.is_here() {
            let latency = self.begun.elapsed();
            self.stats.with(|counters| counters.end_call(self.code, latency));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Failure;

    fn shown(stats: &Stats) -> Value {
        serde_json::from_str(&stats.to_json()).expect("JSON")
    }

    #[test]
    fn calls_are_counted_when_they_begin_and_when_they_end() {
        let stats = Arc::new(Stats::default());
        let [first, second, third] = [(); 3].map(|()| stats.begin_call());
        assert_eq!((shown(&stats)["calls"].as_u64(), shown(&stats)["in_flight"].as_u64()), (Some(3), Some(3)));
        first.end(&Ok(()));
        second.end::<()>(&Err(Failure::new(Code::Timeout, "late")));
        drop(third);
        let shown = shown(&stats);
        assert_eq!(shown["in_flight"], 0);
        assert_eq!(shown["failures"], json!({ "MAILRU_TIMEOUT": 1, "MAILRU_INTERNAL_ERROR": 1 }));
        assert_eq!(shown["latency"]["calls"], 3);
        assert_eq!(shown["latency"]["buckets"][BOUNDS_MS.len()], json!({ "le_ms": null, "calls": 3 }));
    }

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        assert_eq!(bucket(Duration::ZERO), 0);
        assert_eq!(bucket(Duration::from_millis(5)), 0);
        assert_eq!(bucket(Duration::from_micros(5001)), 1);
        assert_eq!(bucket(Duration::from_secs(30)), 11);
        assert_eq!(bucket(Duration::from_secs(31)), 12);
    }

    #[test]
    fn attempts_and_tokens_add_up() {
        let stats = Stats::default();
        let sent = AttemptStats { opened: true, bytes_out: 10, bytes_in: 3, ..AttemptStats::default() };
        stats.count_attempt(sent);
        stats.count_attempt(AttemptStats { is_retry: true, opened: false, reused: true, ..sent });
        for outcome in [TokenStats::Granted, TokenStats::Renewed, TokenStats::Failed] {
            stats.count_tokens(outcome);
        }
        let shown = shown(&stats);
        for (name, count) in [
            ("attempts", 2),
            ("retries", 1),
            ("connections_opened", 1),
            ("connections_reused", 1),
            ("bytes_out", 20),
            ("bytes_in", 6),
            ("grants", 1),
            ("renewals", 1),
            ("token_failures", 1),
        ] {
            assert_eq!(shown[name], count, "{name}");
        }
    }
}
