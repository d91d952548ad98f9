//! A failure of this library on its way through ureq, which knows only its own errors and those of I/O.
#![forbid(unsafe_code)]

use std::{fmt, io};

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

impl TransportError {
    /// The error as one of ureq's.
    pub fn into_ureq(self) -> Error {
        Error::Other(Box::new(self))
    }

    /// The error within one of I/O, if it is one of ours.
    pub fn within(error: io::Error) -> Result<TransportError, io::Error> {
        if error.get_ref().is_some_and(|inner| inner.is::<TransportError>()) {
            let inner = error.into_inner().and_then(|inner| inner.downcast().ok());
            return inner.map(|error| *error).ok_or_else(|| io::ErrorKind::Other.into());
        }
        Err(error)
    }
}

/// A failure that another connection would not heal.
pub fn fatal(failure: Failure) -> Error {
    TransportError { failure, lost: false }.into_ureq()
}

/// The same as an error of I/O: the call's own end, or a finding of ours.
pub fn ended(failure: Failure) -> io::Error {
    io::Error::other(TransportError { failure, lost: false })
}
