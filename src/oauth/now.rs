//! The time at which something happens: what the token state is told, since it has no clock of its own.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment on both of a machine's clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since the session was made, by a clock that is never set: for pauses.
    pub steady: Duration,
    /// Since 1970, by a clock that may be set: for the end of tokens, which other processes and later ones read.
    pub wall: Duration,
}

impl Now {
    /// The present moment, counted from a former one.
    pub fn since(beginning: Instant) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { steady: beginning.elapsed(), wall }
    }
}
