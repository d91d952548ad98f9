//! What went wrong in an attempt, told without the address, which holds the session key.
#![forbid(unsafe_code)]

use std::io;

use ureq::Error;

use super::attempt::Attempt;
use super::reading::ReadFlaw;
use super::system_error::{describe, is_out_of_memory};
use super::tls_text;
use super::transport_error::TransportError;
use crate::error::{Code, Failure};

/// An attempt that brought no whole answer.
#[derive(Debug)]
pub struct AttemptError {
    /// What the host is told if this was the last attempt.
    pub failure: Failure,
    /// Whether a byte of the request may have left.
    pub sent: bool,
    /// Whether the connection failed or was lost, rather than ended by us or filled with nonsense.
    pub lost: bool,
    /// Whether another connection is likely to do better at once: this one was kept, and had ended.
    pub was_stale: bool,
}

impl From<AttemptError> for Failure {
    fn from(error: AttemptError) -> Failure {
        error.failure
    }
}

impl AttemptError {
    /// A failure before any byte of a request could leave, for which no other attempt is made.
    pub fn unsent(failure: Failure) -> AttemptError {
        AttemptError { failure, sent: false, lost: false, was_stale: false }
    }

    /// Explains an error of ureq.
    pub fn new(error: Error, attempt: &Attempt) -> AttemptError {
        // The call's own end comes first: what ended it shows as this or that error below.
        let (failure, lost) = match attempt.call().check() {
            Err(failure) => (failure, false),
            Ok(()) => explained(error),
        };
        let was_stale = lost && attempt.reused() && !attempt.answered();
        AttemptError { failure, sent: attempt.sent(), lost, was_stale }
    }
}

/// What the host is told, and whether the connection was lost. All that happens below ureq comes as an error of ours.
fn explained(error: Error) -> (Failure, bool) {
    match error {
        Error::Other(other) => match other.downcast::<TransportError>() {
            Ok(error) => (error.failure, error.lost),
            Err(_) => (Failure::new(Code::InternalError, "the HTTP library failed"), false),
        },
        Error::BadUri(_) => (Failure::new(Code::InvalidArgument, "the address is not valid"), false),
        _ => (Failure::new(Code::InternalError, "the HTTP library failed in an unexpected way"), false),
    }
}

/// Why no answer was read.
pub fn read_failure(flaw: ReadFlaw, attempt: &Attempt) -> TransportError {
    let failure = match flaw {
        ReadFlaw::Io(error) => return io_failure(error, attempt),
        ReadFlaw::TooLarge => {
            let limit = attempt.plan().max_response_bytes;
            let message = format!("the answer is larger than max_response_bytes ({limit})");
            Failure::new(Code::ResponseTooLarge, message)
        }
        ReadFlaw::CutOff(what) => return TransportError { failure: cut_off(what), lost: true },
        ReadFlaw::OutOfMemory => Failure::out_of_memory("the answer"),
        ReadFlaw::Malformed(reason) => Failure::new(Code::MalformedResponse, format!("the answer {reason}")),
    };
    TransportError { failure, lost: false }
}

/// Why a connection could not be made or used.
pub fn io_failure(error: io::Error, attempt: &Attempt) -> TransportError {
    let error = match TransportError::within(error) {
        Ok(ours) => return ours,
        Err(error) => error,
    };
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        let failure = Failure::new(Code::TlsError, tls_text::describe(error, &attempt.place()));
        return TransportError { failure, lost: false };
    }
    if is_out_of_memory(&error) {
        return TransportError { failure: Failure::out_of_memory("the network"), lost: false };
    }
    let how = match error.kind() {
        io::ErrorKind::UnexpectedEof => "was closed".to_owned(),
        _ => format!("was lost ({})", describe(&error)),
    };
    let (place, step) = (attempt.place(), attempt.step());
    let failure = if attempt.answered() {
        cut_off(&format!("the connection to {place} {how} {step}"))
    } else {
        Failure::new(Code::NetworkError, format!("the connection to {place} {how} {step}"))
    };
    TransportError { failure, lost: true }
}

fn cut_off(why: &str) -> Failure {
    Failure::new(Code::MalformedResponse, format!("the answer is cut off: {why}")).transient(true)
}
