//! The option `max_calls_per_second`: the calls of all sessions of an application wait their turn.
//!
//! In any stretch of time no more calls begin than the rate allows. Turns are given out in the order in which calls
//! ask for one; a call whose turn would come after its time limit gets none, and takes none from others.
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

/// An application, as far as its rate is concerned.
struct Application {
    /// Whether any of its sessions sets a rate.
    is_limited: AtomicBool,
    state: ForkMutex<State>,
}

#[derive(Default)]
struct State {
    /// Those that its sessions set; the strictest counts.
    rates: Vec<f64>,
    turns: Turns,
}

/// When the last calls begin, or will; the latest last.
#[derive(Default)]
struct Turns(VecDeque<Instant>);

impl Turns {
    /// The next turn at this rate.
    fn next(&mut self, rate: f64, now: Instant) -> Instant {
        // So many calls may begin within the time that so many take.
        let calls = rate.floor().max(1.0);
        let stretch = Duration::from_secs_f64(calls / rate);
        let surplus = self.0.len().saturating_sub(calls as usize);
        self.0.drain(..surplus);
        match self.0.front() {
            Some(first) if self.0.len() >= calls as usize => now.max(*first + stretch),
            _ => now,
        }
    }

    fn take(&mut self, turn: Instant) {
        self.0.push_back(turn);
    }

    /// Gives a turn back that was not used, if none was given out after it.
    fn give_back(&mut self, turn: Instant) {
        if self.0.back() == Some(&turn) {
            self.0.pop_back();
        }
    }
}

/// A session's part in its application's rate.
pub struct Pace {
    application: Arc<Application>,
    rate: Option<f64>,
}

impl Pace {
    /// Takes part from now on, perhaps with a rate of the session's own.
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

    /// Waits for the call's turn.
    pub fn wait(&self, call: &Arc<Call>) -> Outcome<()> {
        if !self.application.is_limited.load(Ordering::Relaxed) {
            return Ok(());
        }
        let deadline = call.deadline();
        let turn = self.application.state.with(|State { rates, turns }| {
            let Some(rate) = rates.iter().copied().reduce(f64::min) else { return Ok(None) };
            let now = Instant::now();
            let turn = turns.next(rate, now);
            if turn >= deadline {
                let message = "max_calls_per_second leaves this call no turn within its time limit";
                return Err(Failure::new(Code::Timeout, message));
            }
            turns.take(turn);
            Ok(Some(turn))
        })?;
        let Some(turn) = turn else { return Ok(()) };
        call.pause(turn.saturating_duration_since(Instant::now()))
            .inspect_err(|_| self.application.state.with(|state| state.turns.give_back(turn)))
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
        for (rate, asked, turns) in [
            (2.0, vec![0, 0, 0, 0, 0], vec![0, 0, 1000, 1000, 2000]),
            (2.0, vec![0, 900, 950, 1000, 1950], vec![0, 900, 1000, 1900, 2000]),
            (1.0, vec![0, 10, 5000], vec![0, 1000, 5000]),
            (0.5, vec![0, 0, 0], vec![0, 2000, 4000]),
            (2.5, vec![0, 0, 0, 0], vec![0, 0, 800, 800]),
        ] {
            let mut given = Turns::default();
            let mut next = |asked: u64| {
                let turn = given.next(rate, begin + ms(asked));
                given.take(turn);
                (turn - begin).as_millis()
            };
            assert_eq!(asked.into_iter().map(&mut next).collect::<Vec<_>>(), turns, "{rate} a second");
        }
        let mut many = Turns::default();
        for _ in 0..10_000 {
            let turn = many.next(1000.0, begin);
            many.take(turn);
        }
        assert!(many.0.len() <= 1001, "only what counts is kept");
    }

    #[test]
    fn a_turn_that_was_not_used_goes_to_the_next() {
        let begin = Instant::now();
        let mut turns = Turns::default();
        turns.take(begin);
        let second = turns.next(1.0, begin);
        turns.take(second);
        turns.give_back(second);
        assert_eq!(turns.next(1.0, begin), second);
    }

    #[test]
    fn the_strictest_rate_of_living_sessions_counts_for_all_of_the_application() {
        let plain = Pace::of("pace-test", None);
        let short = || Call::new(ms(100));
        assert!((0..10).all(|_| plain.wait(&short()).is_ok()));
        let (loose, strict) = (Pace::of("pace-test", Some(1000.0)), Pace::of("pace-test", Some(1.0)));
        assert!(plain.wait(&short()).is_ok());
        for pace in [&plain, &loose, &strict] {
            assert_eq!(pace.wait(&short()).expect_err("no turn in time").code(), Code::Timeout);
        }
        assert!(Pace::of("pace-other", None).wait(&short()).is_ok());
        drop(strict);
        assert!(plain.wait(&short()).is_ok());
        drop(loose);
        assert!((0..10).all(|_| plain.wait(&short()).is_ok()));
    }
}
