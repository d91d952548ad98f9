//! The failure of an attempt, described without the address, which contains the access token.
#![forbid(unsafe_code)]

use std::io;

use ureq::Error;

use super::attempt::Attempt;
use super::reading::ReadFlaw;
use super::system_error::{describe, is_out_of_memory};
use super::tls_text;
use super::transport_error::TransportError;
use crate::error::{Code, Failure};

/// The failure of an attempt without a complete answer.
#[derive(Debug)]
pub struct AttemptError {
    /// The failure for the host if this was the last attempt.
    pub failure: Failure,
    /// Whether a byte of the request may have been sent.
    pub sent: bool,
    /// Whether the connection failed or was lost; `false` if this library ended it or the answer was invalid.
    pub lost: bool,
    /// Whether an immediate retry on another connection is likely to succeed: this one was kept, and the server had
    /// closed it.
    pub was_stale: bool,
}

impl From<AttemptError> for Failure {
    fn from(error: AttemptError) -> Failure {
        error.failure
    }
}

impl AttemptError {
    /// A failure before any byte of the request was sent, which is not retried.
    pub fn unsent(failure: Failure) -> AttemptError {
        AttemptError { failure, sent: false, lost: false, was_stale: false }
    }

    /// Converts an error of ureq.
    #[inline(never)]
    pub fn new(error: Error, attempt: &Attempt) -> AttemptError {
        // The call's own end comes first, because ending a call causes various errors below.
        let (failure, lost) = match attempt.call().check() {
            Err(failure) => (failure, false),
            Ok(()) => explained(error),
        };
        let was_stale = lost && attempt.reused() && !attempt.answered();
        AttemptError { failure, sent: attempt.sent(), lost, was_stale }
    }
}

/// The failure, and whether the connection was lost. Errors of the transport below ureq arrive as [`TransportError`].
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
            let message =
                format!("the answer is larger than max_response_bytes ({limit}); raise this option to receive it");
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
        let failure = Failure::new(Code::TlsError, tls_text::describe(error, &attempt.peer()));
        return TransportError { failure, lost: false };
    }
    if is_out_of_memory(&error) {
        return TransportError { failure: Failure::out_of_memory("the network"), lost: false };
    }
    let how = match error.kind() {
        io::ErrorKind::UnexpectedEof => "was closed".to_owned(),
        _ => format!("was lost ({})", describe(&error)),
    };
    let (peer, step) = (attempt.peer(), attempt.step());
    let failure = if attempt.answered() {
        cut_off(&format!("the connection to {peer} {how} {step}"))
    } else {
        Failure::new(Code::NetworkError, format!("the connection to {peer} {how} {step}"))
    };
    TransportError { failure, lost: true }
}

fn cut_off(why: &str) -> Failure {
    Failure::new(Code::MalformedResponse, format!("the answer is cut off: {why}")).transient(true)
}
