//! What went wrong in an attempt, told without the address, which holds the session key.
#![forbid(unsafe_code)]

use std::io;

use rustls::CertificateError;
use ureq::Error;

use super::attempt::{Attempt, Phase};
use super::socket::describe;
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
}

impl From<AttemptError> for Failure {
    fn from(error: AttemptError) -> Failure {
        error.failure
    }
}

impl AttemptError {
    /// A failure before any byte of a request could leave, for which no other attempt is made.
    pub fn unsent(failure: Failure) -> AttemptError {
        AttemptError { failure, sent: false, lost: false }
    }

    /// Explains an error of ureq.
    pub fn new(error: Error, attempt: &Attempt) -> AttemptError {
        // The call's own end comes first: what ended it shows as this or that error below.
        let (failure, lost) = match attempt.call().check() {
            Err(failure) => (failure, false),
            Ok(()) => explained(error, attempt),
        };
        AttemptError { failure, sent: attempt.sent(), lost }
    }
}

/// What the host is told, and whether the connection was lost.
fn explained(error: Error, attempt: &Attempt) -> (Failure, bool) {
    match error {
        Error::Other(other) => match other.downcast::<TransportError>() {
            Ok(error) => (error.failure, error.lost),
            Err(_) => (Failure::new(Code::InternalError, "the HTTP library failed"), false),
        },
        Error::Io(error) => io_error(&error, attempt),
        Error::Rustls(error) => (tls(&error), false),
        Error::Tls(_) | Error::TlsRequired => {
            (Failure::new(Code::TlsError, "the connection could not be made secure"), false)
        }
        Error::ConnectProxyFailed(reason) => proxy_refusal(&reason),
        Error::Protocol(_) | Error::Http(_) if attempt.phase() == Phase::Proxy => {
            (Failure::new(Code::NetworkError, "the proxy's answer is not valid HTTP"), false)
        }
        Error::BodyExceedsLimit(limit) => {
            let message = format!("the answer is larger than max_response_bytes ({limit})");
            (Failure::new(Code::ResponseTooLarge, message), false)
        }
        Error::LargeResponseHeader(..) => (malformed("has too large a head"), false),
        Error::Decompress(..) => (malformed("is not validly compressed"), false),
        Error::Protocol(_) | Error::Http(_) | Error::BodyStalled => (malformed("is not valid HTTP"), false),
        Error::HostNotFound | Error::ConnectionFailed => (Failure::new(Code::NetworkError, "could not connect"), true),
        Error::BadUri(_) => (Failure::new(Code::InvalidArgument, "the address is not valid"), false),
        _ => (Failure::new(Code::InternalError, "the HTTP library failed in an unexpected way"), false),
    }
}

fn io_error(error: &io::Error, attempt: &Attempt) -> (Failure, bool) {
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return (tls(error), false);
    }
    let cut_off = error.kind() == io::ErrorKind::UnexpectedEof;
    if cut_off && attempt.answered() {
        return (malformed("is cut off").transient(true), false);
    }
    let what = if cut_off { "the connection was closed".into() } else { describe(error) };
    (Failure::new(Code::NetworkError, format!("{what} {}", attempt.step())), true)
}

/// ureq tells the status of a proxy's refusal as text.
fn proxy_refusal(reason: &str) -> (Failure, bool) {
    let status = reason.split(|character: char| !character.is_ascii_digit()).find_map(|text| text.parse::<u16>().ok());
    let (message, may_do_better) = match status {
        Some(407) => ("the proxy wants a user name and password, or others".to_owned(), false),
        Some(status) => (format!("the proxy refused to connect, with HTTP status {status}"), status >= 500),
        None => ("the proxy closed the connection".to_owned(), true),
    };
    (Failure::new(Code::NetworkError, message).transient(may_do_better), may_do_better)
}

fn malformed(what: &str) -> Failure {
    Failure::new(Code::MalformedResponse, format!("the answer {what}"))
}

fn tls(error: &rustls::Error) -> Failure {
    let message = match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            CertificateError::UnknownIssuer => {
                "the server's certificate is from an unknown issuer; if it is yours, name it in ca_file".into()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the server's certificate has expired".into()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the server's certificate is not valid yet; is this machine's clock right?".into()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the server's certificate is for another name".into()
            }
            other => format!("the server's certificate is not acceptable: {other:?}"),
        },
        other => format!("the TLS handshake failed: {other}"),
    };
    Failure::new(Code::TlsError, message)
}
