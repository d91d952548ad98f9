//! The host's environment, where it may be believed.
//!
//! A set-uid program, or one with capabilities of its own, gets its environment from somebody with fewer rights. No
//! variable of that may decide whom the library trusts or through whom it sends.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

static IS_FOREIGN: AtomicBool = AtomicBool::new(false);

/// Says that the environment comes from somebody with fewer rights than the process has.
#[cfg(unix)]
pub fn distrust() {
    IS_FOREIGN.store(true, Ordering::Relaxed);
}

/// Whether the environment may be believed.
pub fn is_trusted() -> bool {
    !IS_FOREIGN.load(Ordering::Relaxed)
}
