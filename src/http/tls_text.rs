//! The texts of TLS errors, each with its remedy.
#![forbid(unsafe_code)]

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

/// A failure of TLS with the server at `peer`.
pub fn describe(error: &Error, peer: &str) -> String {
    match error {
        Error::InvalidCertificate(error) => format!("the certificate of {peer} {}", of_certificate(error)),
        Error::NoCertificatesPresented => format!("{peer} shows no certificate; it is not set up for TLS"),
        Error::AlertReceived(alert) => format!("{peer} ended the TLS handshake: {}", of_alert(*alert)),
        Error::PeerIncompatible(what) => {
            let why = match what {
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => "it speaks only TLS 1.1 or older",
                PeerIncompatible::NoCipherSuitesInCommon => "it supports none of this library's ciphers",
                _ => "it does not follow TLS 1.2 or 1.3",
            };
            format!("the TLS handshake with {peer} failed: {why}; update the server")
        }
        Error::InvalidMessage(_) | Error::PeerSentOversizedRecord => {
            format!(
                "the TLS handshake with {peer} failed: what it sent is not TLS; is it the port of an https server, \
                 and is there a proxy or a login page between?"
            )
        }
        Error::DecryptError => {
            format!("the connection to {peer} was tampered with or damaged: a record cannot be decrypted")
        }
        Error::FailedToGetCurrentTime => "this machine's clock cannot be read, so no certificate can be checked".into(),
        Error::FailedToGetRandomBytes => {
            "this machine returned no random numbers, so no secure connection can be made".into()
        }
        _ => format!("the TLS handshake with {peer} failed: the server does not follow the protocol"),
    }
}

fn of_alert(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            "it and this library have no cipher, or no kind of certificate, in common (keys may be RSA of 2048 bits or \
             more, P-256, P-384 or Ed25519)"
                .into()
        }
        AlertDescription::ProtocolVersion => "it speaks neither TLS 1.2 nor TLS 1.3; update the server".into(),
        AlertDescription::UnrecognisedName => "it does not serve this name; check the address".into(),
        AlertDescription::CertificateRequired => {
            "it requires a client certificate, which this library does not support".into()
        }
        AlertDescription::InternalError => "it has an internal error; try again later".into(),
        other => format!("its alert is \"{}\"", words(&format!("{other:?}"))),
    }
}

const UNKNOWN_ISSUER: &str = "is from an unknown issuer; if it is your own, name the issuer's certificate, as a PEM file, \
                              in ca_file; else something between may be reading along";
const BAD_SIGNATURE: &str = "has a signature that does not fit its issuer's key, or a key that is too weak (RSA must have \
                             at least 2048 bits); the server needs another certificate";
const PERHAPS_REVOKED: &str = "may have been revoked, which could not be checked; try again later";
const NOT_BY_AN_ISSUER: &str = "is signed by a certificate that is not marked as an issuer's (CA:TRUE)";

fn of_certificate(error: &CertificateError) -> String {
    use CertificateError::*;
    match error {
        UnknownIssuer => UNKNOWN_ISSUER,
        Expired | ExpiredContext { .. } => "has expired; renew it, or set this machine's clock if that is wrong",
        NotValidYet | NotValidYetContext { .. } => "is not valid yet; check this machine's clock",
        NotValidForName | NotValidForNameContext { .. } => {
            "is for another name; check the address, or install a certificate for this name"
        }
        Revoked => "was revoked; the server needs a new one",
        BadSignature => BAD_SIGNATURE,
        UnsupportedSignatureAlgorithmContext { .. } | UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "has a kind of key or signature that this library does not know, such as P-521 or SHA-1; the server needs \
             one with RSA of 2048 bits or more, P-256, P-384 or Ed25519"
        }
        InvalidPurpose | InvalidPurposeContext { .. } => {
            "is not for servers (its extended key usage lacks serverAuth); the server needs another certificate"
        }
        BadEncoding => "cannot be read; the server needs another certificate",
        UnhandledCriticalExtension => {
            "has a critical extension that this library does not know; the server needs one without it"
        }
        UnknownRevocationStatus | ExpiredRevocationList | ExpiredRevocationListContext { .. } => PERHAPS_REVOKED,
        InvalidOcspResponse => "comes with an invalid OCSP response; the server needs a new one",
        ApplicationVerificationFailure => "was refused",
        Other(other) => return of_other(&other.0.to_string()),
        _ => "is not acceptable; the server needs another certificate",
    }
    .into()
}

/// Errors of webpki and the systems' verifiers without a variant in rustls: webpki's are names, the systems' are texts.
fn of_other(text: &str) -> String {
    match text {
        "CaUsedAsEndEntity" => {
            "is marked as that of an issuer (CA:TRUE), which cannot be a server's; make one for the server (openssl req \
             -x509 -addext basicConstraints=critical,CA:FALSE), or one that is signed by this one"
        }
        "EndEntityUsedAsCa" => NOT_BY_AN_ISSUER,
        "UnsupportedCertVersion" => "is of X.509 version 1 or 2; the server needs one of version 3, with its names in it",
        "PathLenConstraintViolated" | "NameConstraintViolation" => "is outside of what its issuer may sign",
        "CertDistrusted" => "is from an issuer that is no longer trusted; the server needs another certificate",
        _ if text.chars().all(char::is_alphanumeric) => {
            return format!("is not acceptable ({}); the server needs another certificate", words(text));
        }
        // The operating system's verifier uses its own texts, on Windows a number and the user's language.
        _ => {
            if let Some(number) = system_error(text) {
                return of_windows_error(number);
            }
            let text: String = text.chars().filter(|character| !character.is_control()).take(200).collect();
            return format!("was refused by the operating system: {text}");
        }
    }
    .into()
}

/// The number in a text of `std::io::Error`.
fn system_error(text: &str) -> Option<u32> {
    let number: i64 = text.rsplit_once("(os error ")?.1.trim_end_matches(')').parse().ok()?;
    u32::try_from(number & 0xFFFF_FFFF).ok()
}

/// Those of Windows' refusals that rustls has no variant for.
fn of_windows_error(number: u32) -> String {
    match number {
        0x800B_010A | 0x800B_0112 => UNKNOWN_ISSUER, // CERT_E_CHAINING, CERT_E_UNTRUSTEDCA
        0x8009_6004 => BAD_SIGNATURE,                // TRUST_E_CERT_SIGNATURE
        0x800B_0103 | 0x8009_6019 => NOT_BY_AN_ISSUER, // CERT_E_ROLE, TRUST_E_BASIC_CONSTRAINTS
        0x800B_010E | 0x8009_2012 | 0x8009_2013 => PERHAPS_REVOKED, // CERT_E_REVOCATION_FAILURE, CRYPT_E_...REVOCATION...
        0x800B_0111 => "is distrusted by this machine's administrator", // TRUST_E_EXPLICIT_DISTRUST
        _ => return format!("was refused by the operating system: error {number:#010X}"),
    }
    .into()
}

/// `SomeName` as "some name".
fn words(name: &str) -> String {
    let mut words = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(character.to_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::OtherError;

    use super::*;

    #[derive(Debug)]
    struct Text(&'static str);

    impl std::fmt::Display for Text {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str(self.0)
        }
    }

    impl std::error::Error for Text {}

    #[test]
    fn no_failure_text_contains_rust_names() {
        let other = |text| CertificateError::Other(OtherError(Arc::new(Text(text))));
        for (error, told) in [
            (Error::InvalidCertificate(other("CaUsedAsEndEntity")), "CA:FALSE"),
            (Error::InvalidCertificate(other("UnsupportedCertVersion")), "X.509 version 1"),
            (Error::InvalidCertificate(other("MaximumPathDepthExceeded")), "(maximum path depth exceeded)"),
            (Error::InvalidCertificate(other("error 0x800B0109\n")), "operating system: error 0x800B0109"),
            (
                Error::InvalidCertificate(other("OS Error 7 (FormatMessageW() returned 317) (os error -2146762482)")),
                "revoked",
            ),
            (Error::InvalidCertificate(other("Цепочка не построена (os error -2146762486)")), "ca_file"),
            (Error::InvalidCertificate(other("Нечто (os error -2146762479)")), "administrator"),
            (Error::InvalidCertificate(other("Нечто (os error -2146762496)")), "system: error 0x800B0100"),
            (Error::InvalidCertificate(CertificateError::BadSignature), "2048 bits"),
            (Error::InvalidCertificate(CertificateError::UnknownIssuer), "ca_file"),
            (Error::AlertReceived(AlertDescription::HandshakeFailure), "P-384"),
            (Error::AlertReceived(AlertDescription::BadCertificateStatusResponse), "bad certificate status response"),
            (Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13), "TLS 1.1"),
            (Error::General("Foo { bar: 1 }".into()), "does not follow the protocol"),
        ] {
            let text = describe(&error, "h:443");
            assert!(text.contains(told) && text.contains("h:443"), "{text}");
            let joined =
                text.split(' ').filter(|word| !word.contains(['=', ':']) && !word.starts_with("0x")).any(|word| {
                    let name = word.trim_matches(|character: char| !character.is_alphanumeric());
                    name.chars().skip(1).any(char::is_uppercase) && name.chars().any(char::is_lowercase)
                });
            assert!(!joined || told == "ca_file", "a Rust name: {text}");
        }
    }
}
