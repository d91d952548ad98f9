//! TLS by rustls, over a socket whose waits end when the call ends.
//!
//! ureq's own TLS transport cannot read while it writes, so it misses an answer that comes before the whole request was
//! sent. It also hides whether the server closed the connection properly or it was cut off.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::attempt::Attempt;
use super::socket::{Sent, SocketStream};
use super::transport_error::ended;
use crate::error::{Code, Failure, Outcome};
use crate::options::TlsRoots;

/// The trusted certificate authorities.
#[derive(PartialEq)]
pub enum Trusted {
    /// A built-in list or the system's.
    Roots(TlsRoots),
    /// Those of a file, in DER form.
    These(Vec<CertificateDer<'static>>),
}

impl Trusted {
    /// The TLS configuration with these authorities. The system's certificates are read here.
    #[inline(never)]
    pub fn config(&self) -> Outcome<Arc<ClientConfig>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = versions.map_err(|_| Failure::new(Code::InternalError, "the TLS library lacks its ciphers"))?;
        let builder = match self {
            Trusted::Roots(TlsRoots::WebPki) => {
                builder.with_root_certificates(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
            }
            Trusted::These(certificates) => builder.with_root_certificates(store(certificates.iter().cloned())),
            // rustls calls every verifier that is not its own "dangerous".
            Trusted::Roots(TlsRoots::System) => {
                builder.dangerous().with_custom_certificate_verifier(system_verifier(provider)?)
            }
        };
        Ok(Arc::new(builder.with_no_client_auth()))
    }
}

fn store(certificates: impl Iterator<Item = CertificateDer<'static>>) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates);
    store
}

fn system_verifier(provider: Arc<rustls::crypto::CryptoProvider>) -> Outcome<Arc<dyn ServerCertVerifier>> {
    let none = || {
        let message = "the system's certificates could not be read; install them (on Debian: ca-certificates), name a \
                       file of certificates in ca_file, or set tls_roots to \"webpki\"";
        Failure::new(Code::TlsError, message)
    };
    #[cfg(all(unix, not(target_vendor = "apple"), not(target_os = "android")))]
    if !crate::environment::is_trusted() {
        let store = store(certificates_of_known_folders().into_iter());
        let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
        return verifier.map(|verifier| verifier as Arc<dyn ServerCertVerifier>).map_err(|_| none());
    }
    let verifier = rustls_platform_verifier::Verifier::new(provider).map_err(|_| none())?;
    Ok(Arc::new(verifier))
}

/// The system's certificates from fixed folders, regardless of `SSL_CERT_FILE`.
#[cfg(all(unix, not(target_vendor = "apple"), not(target_os = "android")))]
fn certificates_of_known_folders() -> Vec<CertificateDer<'static>> {
    use std::path::Path;
    const FOLDERS: [&str; 4] = ["/etc/ssl/certs", "/etc/pki/tls/certs", "/usr/local/share/certs", "/etc/openssl/certs"];
    let existing = FOLDERS.iter().map(Path::new).filter(|folder| folder.is_dir());
    existing.flat_map(|folder| rustls_native_certs::load_certs_from_paths(None, Some(folder)).certs).collect()
}

/// rustls panics at a clock before 1970.
fn check_clock(now: SystemTime) -> Outcome<()> {
    if now >= UNIX_EPOCH {
        return Ok(());
    }
    let message = "this machine's clock is set before 1970, so no certificate can be checked; set the clock";
    Err(Failure::new(Code::TlsError, message))
}

/// A TLS connection.
pub struct TlsStream {
    tls: ClientConnection,
    pub socket: SocketStream,
}

impl TlsStream {
    /// Performs the handshake.
    pub fn handshake(
        config: &Arc<ClientConfig>,
        host: &str,
        socket: SocketStream,
        attempt: &Attempt,
    ) -> io::Result<Box<TlsStream>> {
        check_clock(SystemTime::now()).map_err(ended)?;
        let mut stream = TlsStream::new(config, host, socket)?;
        let TlsStream { tls, socket } = &mut *stream;
        let mut socket = AttemptSocket { socket, attempt, may_read: false };
        tls.write_tls_all(&mut socket)?;
        while tls.is_handshaking() {
            if tls.read_tls(&mut socket)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            tls.process(&mut socket)?;
            if let Err(error) = tls.write_tls_all(&mut socket) {
                // The server may have refused the handshake and closed the connection. Its alert says why.
                return match tls.read_tls(&mut socket) {
                    Ok(1..) => tls.process(&mut socket).and(Err(error)),
                    _ => Err(error),
                };
            }
        }
        Ok(stream)
    }

    // Not inlined: its variables would enlarge the caller's frame, which a suspended call keeps on its stack.
    #[inline(never)]
    fn new(config: &Arc<ClientConfig>, host: &str, socket: SocketStream) -> io::Result<Box<TlsStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            let message = format!("{host:?} cannot be the name in a certificate; give a DNS name or an IP address");
            ended(Failure::new(Code::TlsError, message))
        })?;
        let tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        Ok(Box::new(TlsStream { tls, socket }))
    }

    /// Reads available bytes, or waits for some. At the end returns 0 if the server sent close_notify, else an error.
    pub fn read(&mut self, buffer: &mut [u8], attempt: &Attempt) -> io::Result<usize> {
        let TlsStream { tls, socket } = self;
        let mut socket = AttemptSocket { socket, attempt, may_read: false };
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            tls.read_tls(&mut socket)?;
            tls.process_new_packets().map_err(io::Error::other)?;
            tls.write_tls_all(&mut socket)?;
        }
    }

    /// Suspends this task until there may be something to read.
    pub fn await_input(&mut self, attempt: &Attempt) -> io::Result<()> {
        let state = self.tls.process_new_packets().map_err(io::Error::other)?;
        if state.plaintext_bytes_to_read() > 0 || state.peer_has_closed() {
            return Ok(());
        }
        self.socket.await_input(attempt)
    }

    /// Writes all bytes, or stops if the server's answer comes first; returns whether all were written.
    pub fn write(&mut self, bytes: &[u8], attempt: &Attempt) -> io::Result<bool> {
        let TlsStream { tls, socket } = self;
        let mut socket = AttemptSocket { socket, attempt, may_read: true };
        let mut written = 0;
        while written < bytes.len() {
            written += tls.writer().write(&bytes[written..])?;
            while tls.wants_write() {
                match tls.write_tls(&mut socket) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        let has_ended = tls.read_tls(&mut socket)? == 0;
                        let state = tls.process_new_packets().map_err(io::Error::other)?;
                        if has_ended || state.plaintext_bytes_to_read() > 0 || state.peer_has_closed() {
                            return Ok(false);
                        }
                    }
                    Err(error) => return Err(error),
                    Ok(_) => {}
                }
            }
        }
        Ok(true)
    }
}

/// The steps of a TLS connection that rustls leaves to its user.
trait Steps {
    /// Writes all records.
    fn write_tls_all(&mut self, socket: &mut AttemptSocket) -> io::Result<()>;

    /// Handles a handshake's messages. If one is refused, the server is told why.
    fn process(&mut self, socket: &mut AttemptSocket) -> io::Result<()>;
}

impl Steps for ClientConnection {
    fn write_tls_all(&mut self, socket: &mut AttemptSocket) -> io::Result<()> {
        while self.wants_write() {
            self.write_tls(socket)?;
        }
        Ok(())
    }

    #[inline(never)]
    fn process(&mut self, socket: &mut AttemptSocket) -> io::Result<()> {
        self.process_new_packets().map(drop).map_err(|error| {
            // It failed already, so this need not succeed.
            let _ = self.write_tls_all(socket);
            io::Error::other(error)
        })
    }
}

/// The socket below TLS, used by one attempt.
struct AttemptSocket<'a> {
    socket: &'a mut SocketStream,
    attempt: &'a Attempt,
    may_read: bool,
}

impl Read for AttemptSocket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.read(buffer, self.attempt)
    }
}

impl Write for AttemptSocket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.socket.write(bytes, self.attempt, self.may_read)? {
            Sent::Bytes(count) => Ok(count),
            Sent::ReadFirst => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_before_1970_is_reported() {
        assert!(check_clock(UNIX_EPOCH).is_ok());
        let failure = check_clock(UNIX_EPOCH - Duration::from_secs(1)).expect_err("too early");
        assert!(failure.code() == Code::TlsError && failure.message().contains("clock"));
    }

    #[test]
    fn every_list_of_trusted_certificates_makes_a_configuration() {
        for roots in [TlsRoots::WebPki, TlsRoots::System] {
            // A machine without system certificates fails with a message about that.
            let made = Trusted::Roots(roots).config();
            assert!(made.is_ok() || roots == TlsRoots::System);
        }
    }
}
