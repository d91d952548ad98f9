//! The time of an event, passed to the token state, which has no clock.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment on the machine's two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The time since the session was made, by the monotonic clock: for pauses.
    pub steady: Duration,
    /// The time since 1970, by the system clock, which may be set: for the end of tokens, which other processes read.
    pub wall: Duration,
}

impl Now {
    /// The current moment; `beginning` is when the session was made.
    pub fn since(beginning: Instant) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { steady: beginning.elapsed(), wall }
    }
}
