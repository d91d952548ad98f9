//! Decides whether a request may be retried, and after which pause.
#![forbid(unsafe_code)]

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::RetrySafety;
use super::answer::Answer;
use super::attempt_error::AttemptError;

/// The platform's "service unavailable, try again later".
const UNAVAILABLE: i64 = 3;
/// The platform's "unknown error, resubmit": the failed attempt may have had an effect.
const UNKNOWN: i64 = 1;

/// Whether a retry may help and cannot perform a write twice.
pub fn may_retry(outcome: &Result<Answer, AttemptError>, retry_safety: RetrySafety) -> bool {
    let only_reads = retry_safety == RetrySafety::ReadOnly;
    match outcome {
        Err(failed) => failed.lost && (!failed.sent || only_reads),
        Ok(answer) => match answer.platform_code() {
            Some(UNAVAILABLE) => retry_safety != RetrySafety::OneTime,
            Some(UNKNOWN) => only_reads,
            Some(_) => false,
            None => only_reads && matches!(answer.status, 408 | 425 | 429 | 502..=504),
        },
    }
}

/// The pause before a retry: the server's Retry-After, else a growing one.
pub fn pause(outcome: &Result<Answer, AttemptError>, first: Duration, failed: u32) -> Duration {
    match outcome {
        Ok(Answer { retry_after: Some(wait), .. }) => *wait,
        // The server closed an idle connection; it is neither busy nor unreachable.
        Err(AttemptError { was_stale: true, .. }) if failed == 1 => Duration::ZERO,
        _ => growing_pause(first, failed),
    }
}

/// The pause after this many failed attempts: doubled each time, with random jitter of half its length so that programs
/// that failed together do not retry together.
fn growing_pause(first: Duration, failed: u32) -> Duration {
    let whole = first.saturating_mul(2_u32.saturating_pow(failed.saturating_sub(1)));
    let chance = RandomState::new().hash_one(failed) as u32;
    let spread = whole / 2;
    whole.saturating_sub(spread) + spread.mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Failure};

    #[test]
    fn pauses_grow_and_differ() {
        let first = Duration::from_millis(200);
        for failed in 1..=5 {
            let whole = first * 2_u32.pow(failed - 1);
            let drawn: Vec<_> = (0..50).map(|_| growing_pause(first, failed)).collect();
            assert!(drawn.iter().all(|pause| (whole / 2..=whole).contains(pause)), "{drawn:?}");
            assert!(drawn.iter().any(|pause| *pause != drawn[0]), "no jitter");
        }
        assert_eq!(growing_pause(Duration::ZERO, 3), Duration::ZERO);
        let _ = growing_pause(Duration::from_secs(3600), 100);
    }

    #[test]
    fn retry_after_replaces_the_pause() {
        let first = Duration::from_millis(200);
        let mut answer = Answer::classify(429, Vec::new());
        answer.retry_after = Some(Duration::from_secs(7));
        assert_eq!(pause(&Ok(answer), first, 1), Duration::from_secs(7));
        let stale = || {
            let failure = Failure::new(Code::NetworkError, "closed");
            Err(AttemptError { failure, sent: true, lost: true, was_stale: true })
        };
        assert_eq!(pause(&stale(), first, 1), Duration::ZERO);
        assert!(pause(&stale(), first, 2) >= first);
    }

    #[test]
    fn only_harmless_retries() {
        let answer = |status, body: &str| Ok(Answer::classify(status, body.into()));
        let error = |code| format!("{{\"error\":{{\"error_code\":{code}}}}}");
        use RetrySafety::{OneTime, ReadOnly, Write};
        for (outcome, reading, writing) in [
            (answer(503, &error(3)), true, true),
            (answer(500, &error(1)), true, false),
            (answer(400, &error(102)), false, false),
            (answer(503, &error(100)), false, false),
            (answer(502, "bad gateway"), true, false),
            (answer(408, ""), true, false),
            (answer(425, "[]"), true, false),
            (answer(429, "slow down"), true, false),
            (answer(421, ""), false, false),
            (answer(501, ""), false, false),
            (answer(500, "oops"), false, false),
            (answer(200, "[]"), false, false),
        ] {
            assert_eq!(may_retry(&outcome, ReadOnly), reading, "{outcome:?}");
            assert_eq!(may_retry(&outcome, Write), writing, "{outcome:?}");
            assert!(!may_retry(&outcome, OneTime), "{outcome:?}");
        }
        let failed = |sent, lost| {
            let failure = Failure::new(Code::NetworkError, "reset");
            Err(AttemptError { failure, sent, lost, was_stale: false })
        };
        for (outcome, reading, others) in
            [(failed(false, true), true, true), (failed(true, true), true, false), (failed(true, false), false, false)]
        {
            assert_eq!(may_retry(&outcome, ReadOnly), reading, "{outcome:?}");
            assert_eq!(may_retry(&outcome, Write), others, "{outcome:?}");
            assert_eq!(may_retry(&outcome, OneTime), others, "{outcome:?}");
        }
    }
}
