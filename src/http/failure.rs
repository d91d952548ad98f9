//! What went wrong in an attempt, told without the address, which holds the session key.
#![forbid(unsafe_code)]

use std::io;

use rustls::CertificateError;
use ureq::Error;

use super::connector::{Ended, describe};
use super::exchange::{Exchange, Phase};
use crate::error::{Code, Failure};

/// An attempt that brought no whole answer.
#[derive(Debug)]
pub struct Broken {
    /// What the host is told if this was the last attempt.
    pub failure: Failure,
    /// Whether a byte of the request may have left.
    pub sent: bool,
    /// Whether the connection was lost, rather than ended by us or filled with nonsense.
    pub lost: bool,
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Failure {
        broken.failure
    }
}

impl Broken {
    /// A failure before any byte of a request could leave.
    pub fn unsent(failure: Failure) -> Broken {
        Broken { failure, sent: false, lost: false }
    }

    /// Explains an error of ureq.
    pub fn new(error: Error, exchange: &Exchange) -> Broken {
        let sent = exchange.sent();
        let whole = |failure| Broken { failure, sent, lost: false };
        // The call's own end comes first: what ended it shows as this or that error below.
        if let Err(failure) = exchange.call().check() {
            return whole(failure);
        }
        match error {
            Error::Other(other) => match other.downcast::<Ended>() {
                Ok(ended) => whole(ended.0),
                Err(_) => whole(Failure::new(Code::InternalError, "the HTTP library failed")),
            },
            Error::Io(error) => Broken::from_io(&error, exchange),
            Error::Rustls(error) => whole(tls(&error)),
            Error::Tls(_) | Error::TlsRequired => {
                whole(Failure::new(Code::TlsError, "the connection could not be made secure"))
            }
            Error::ConnectProxyFailed(_) => whole(Failure::new(Code::NetworkError, "the proxy refused to connect")),
            Error::BodyExceedsLimit(limit) => whole(Failure::new(
                Code::ResponseTooLarge,
                format!("the answer is larger than max_response_bytes ({limit})"),
            )),
            Error::LargeResponseHeader(..) => whole(malformed("has too large a head")),
            Error::Decompress(..) => whole(malformed("is not validly compressed")),
            Error::Protocol(_) | Error::Http(_) | Error::BodyStalled => whole(malformed("is not valid HTTP")),
            Error::HostNotFound | Error::ConnectionFailed => {
                whole(Failure::new(Code::NetworkError, "could not connect"))
            }
            Error::BadUri(_) => whole(Failure::new(Code::InvalidArgument, "the address is not valid")),
            _ => whole(Failure::new(Code::InternalError, "the HTTP library failed in an unexpected way")),
        }
    }

    fn from_io(error: &io::Error, exchange: &Exchange) -> Broken {
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Broken { failure: tls(error), sent: exchange.sent(), lost: false };
        }
        let cut_off = error.kind() == io::ErrorKind::UnexpectedEof;
        let step = match exchange.phase() {
            Phase::Connecting => "while connecting",
            Phase::Handshake => "during the handshake",
            Phase::Request if !exchange.answered() => "before an answer came",
            Phase::Request => "within the answer",
        };
        if cut_off && exchange.answered() {
            let failure = malformed("is cut off").transient(true);
            return Broken { failure, sent: exchange.sent(), lost: false };
        }
        // Decompression reports its errors as errors of I/O.
        if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) {
            return Broken { failure: malformed("is not valid"), sent: exchange.sent(), lost: false };
        }
        let what = if cut_off { "the server closed the connection".into() } else { describe(error) };
        let failure = Failure::new(Code::NetworkError, format!("{what} {step}"));
        Broken { failure, sent: exchange.sent(), lost: exchange.phase() == Phase::Request }
    }
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
