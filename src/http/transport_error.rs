//! Failures of this library passed through ureq, which knows only its own errors and I/O errors.
#![forbid(unsafe_code)]

use std::{fmt, io};

use ureq::Error;

use crate::error::Failure;

/// A failure of this library passed through ureq.
#[derive(Debug)]
pub struct TransportError {
    /// The failure.
    pub failure: Failure,
    /// Whether the connection failed or was lost, so that another may succeed.
    pub lost: bool,
}

impl fmt::Display for TransportError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.failure.message())
    }
}

impl std::error::Error for TransportError {}

impl TransportError {
    /// Converts the error to ureq's type.
    pub fn into_ureq(self) -> Error {
        Error::Other(Box::new(self))
    }

    /// Extracts the error from an I/O error, if it contains one.
    pub fn within(error: io::Error) -> Result<TransportError, io::Error> {
        if error.get_ref().is_some_and(|inner| inner.is::<TransportError>()) {
            let inner = error.into_inner().and_then(|inner| inner.downcast().ok());
            return inner.map(|error| *error).ok_or_else(|| io::ErrorKind::Other.into());
        }
        Err(error)
    }
}

/// A failure that another connection would not avoid.
pub fn fatal(failure: Failure) -> Error {
    TransportError { failure, lost: false }.into_ureq()
}

/// As [`fatal`], as an I/O error.
pub fn ended(failure: Failure) -> io::Error {
    io::Error::other(TransportError { failure, lost: false })
}
