//! A failure of this library on its way through ureq, which knows only its own errors.
#![forbid(unsafe_code)]

use std::fmt;

use ureq::Error;

use crate::error::Failure;

/// A failure of ours on its way through ureq.
#[derive(Debug)]
pub struct TransportError {
    /// What it is.
    pub failure: Failure,
    /// Whether the connection failed or was lost, so that another may do better.
    pub lost: bool,
}

impl fmt::Display for TransportError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.failure.message())
    }
}

impl std::error::Error for TransportError {}

/// A failure that another connection would not heal.
pub fn fatal(failure: Failure) -> Error {
    Error::Other(Box::new(TransportError { failure, lost: false }))
}

/// A connection that failed or was lost.
pub fn lost(failure: Failure) -> Error {
    Error::Other(Box::new(TransportError { failure, lost: true }))
}
