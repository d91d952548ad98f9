//! Whether the host's environment variables may be trusted.
//!
//! A set-uid program, or one with capabilities of its own, gets its environment from a user with fewer rights. Such a
//! user's variables must not choose the trusted certificates or the proxy.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

static IS_FOREIGN: AtomicBool = AtomicBool::new(false);

/// Notes that the environment comes from a user with fewer rights than the process has.
#[cfg(unix)]
pub fn distrust() {
    IS_FOREIGN.store(true, Ordering::Relaxed);
}

/// Whether the environment may be trusted.
pub fn is_trusted() -> bool {
    !IS_FOREIGN.load(Ordering::Relaxed)
}
