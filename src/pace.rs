//! The option `max_calls_per_second`: one rate limit for all sessions of an application.
//!
//! In no period do more calls begin than the rate allows. Calls get their start times in the order in which they ask; a
//! call whose start time would be after its time limit fails and takes no start time from others.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::call::Call;
use crate::error::{Code, Failure, Outcome};
use crate::fork::ForkMutex;

/// The applications with sessions in this process, by id.
static APPLICATIONS: ForkMutex<Vec<(String, Weak<Application>)>> = ForkMutex::new(Vec::new());

/// The rate limit of one application.
struct Application {
    /// Whether any of its sessions sets a rate, to skip the lock if none does.
    is_limited: AtomicBool,
    state: ForkMutex<State>,
}

#[derive(Default)]
struct State {
    /// The rates that its sessions set; the lowest applies.
    rates: Vec<f64>,
    starts: StartTimes,
}

/// The start times of the last calls, some in the future; the latest at the end.
#[derive(Default)]
struct StartTimes(VecDeque<Instant>);

impl StartTimes {
    /// The next start time at this rate.
    fn next(&mut self, rate: f64, now: Instant) -> Instant {
        // As many calls may begin within this period as the rate allows.
        let calls = rate.floor().max(1.0);
        let period = Duration::from_secs_f64(calls / rate);
        let surplus = self.0.len().saturating_sub(calls as usize);
        self.0.drain(..surplus);
        match self.0.front() {
            Some(first) if self.0.len() >= calls as usize => now.max(*first + period),
            _ => now,
        }
    }

    fn take(&mut self, start: Instant) {
        self.0.push_back(start);
    }

    /// Returns an unused start time, if no later one was given out.
    fn return_unused(&mut self, start: Instant) {
        if self.0.back() == Some(&start) {
            self.0.pop_back();
        }
    }
}

/// A session's membership in its application's rate limit.
pub struct Pace {
    application: Arc<Application>,
    rate: Option<f64>,
}

impl Pace {
    /// Joins the application's rate limit, and sets the session's rate if it has one.
    pub fn of(app_id: &str, rate: Option<f64>) -> Pace {
        let application = APPLICATIONS.with(|applications| {
            applications.retain(|(_, application)| application.strong_count() > 0);
            let known = applications.iter().find(|(id, _)| id == app_id).and_then(|(_, known)| known.upgrade());
            known.unwrap_or_else(|| {
                let new = Application { is_limited: AtomicBool::new(false), state: ForkMutex::default() };
                let new = Arc::new(new);
                applications.push((app_id.to_owned(), Arc::downgrade(&new)));
                new
            })
        });
        if let Some(rate) = rate {
            application.state.with(|state| state.rates.push(rate));
            application.is_limited.store(true, Ordering::Relaxed);
        }
        Pace { application, rate }
    }

    /// Waits until the call may begin.
    pub fn wait(&self, call: &Arc<Call>) -> Outcome<()> {
        if !self.application.is_limited.load(Ordering::Relaxed) {
            return Ok(());
        }
        let deadline = call.deadline();
        let start = self.application.state.with(|State { rates, starts }| {
            let Some(rate) = rates.iter().copied().reduce(f64::min) else { return Ok(None) };
            let now = Instant::now();
            let start = starts.next(rate, now);
            if start >= deadline {
                let message = "max_calls_per_second does not allow this call to begin within its time limit";
                return Err(Failure::new(Code::Timeout, message));
            }
            starts.take(start);
            Ok(Some(start))
        })?;
        let Some(start) = start else { return Ok(()) };
        call.pause(start.saturating_duration_since(Instant::now()))
            .inspect_err(|_| self.application.state.with(|state| state.starts.return_unused(start)))
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        let Some(own) = self.rate else { return };
        self.application.state.with(|State { rates, .. }| {
            if let Some(place) = rates.iter().position(|rate| *rate == own) {
                rates.swap_remove(place);
            }
            self.application.is_limited.store(!rates.is_empty(), Ordering::Relaxed);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn no_more_calls_begin_than_the_rate_allows() {
        let begin = Instant::now();
        for (rate, asked, starts) in [
            (2.0, vec![0, 0, 0, 0, 0], vec![0, 0, 1000, 1000, 2000]),
            (2.0, vec![0, 900, 950, 1000, 1950], vec![0, 900, 1000, 1900, 2000]),
            (1.0, vec![0, 10, 5000], vec![0, 1000, 5000]),
            (0.5, vec![0, 0, 0], vec![0, 2000, 4000]),
            (2.5, vec![0, 0, 0, 0], vec![0, 0, 800, 800]),
        ] {
            let mut given = StartTimes::default();
            let mut next = |asked: u64| {
                let start = given.next(rate, begin + ms(asked));
                given.take(start);
                (start - begin).as_millis()
            };
            assert_eq!(asked.into_iter().map(&mut next).collect::<Vec<_>>(), starts, "{rate} a second");
        }
        let mut many = StartTimes::default();
        for _ in 0..10_000 {
            let start = many.next(1000.0, begin);
            many.take(start);
        }
        assert!(many.0.len() <= 1001, "only start times that matter are kept");
    }

    #[test]
    fn an_unused_start_time_goes_to_the_next_call() {
        let begin = Instant::now();
        let mut starts = StartTimes::default();
        starts.take(begin);
        let second = starts.next(1.0, begin);
        starts.take(second);
        starts.return_unused(second);
        assert_eq!(starts.next(1.0, begin), second);
    }

    #[test]
    fn the_lowest_rate_of_live_sessions_applies_to_the_whole_application() {
        let plain = Pace::of("pace-test", None);
        let short = || Call::new(ms(100));
        assert!((0..10).all(|_| plain.wait(&short()).is_ok()));
        let (loose, strict) = (Pace::of("pace-test", Some(1000.0)), Pace::of("pace-test", Some(1.0)));
        assert!(plain.wait(&short()).is_ok());
        for pace in [&plain, &loose, &strict] {
            assert_eq!(pace.wait(&short()).expect_err("no start time within the limit").code(), Code::Timeout);
        }
        assert!(Pace::of("pace-other", None).wait(&short()).is_ok());
        drop(strict);
        assert!(plain.wait(&short()).is_ok());
        drop(loose);
        assert!((0..10).all(|_| plain.wait(&short()).is_ok()));
    }
}
