//! Connections to servers: kept ones, and new ones, direct or through a proxy.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::ClientConfig;
use ureq::http::Uri;
use ureq::unversioned::transport::{ConnectionDetails, Connector};
use ureq::{Error, Proxy, ProxyProtocol};

use super::attempt::Attempt;
use super::attempt_error::io_failure;
use super::buffers::Unused;
use super::happy_eyeballs;
use super::kept::KeptConnections;
use super::proxy::Proxies;
use super::socket::{Sent, SocketStream};
use super::socks::{self, ProxyError};
use super::stream::Stream;
use super::tls::{TlsStream, Trusted};
use super::transport::{Connection, HttpTransport, Kept, Server};
use super::transport_error::{TransportError, fatal};
use super::tunnel;
use crate::error::{Code, Failure, Outcome};
use crate::memory;

/// Room for the fixed text of a line in a request's head, besides an address or an option's value.
const LINE_ROOM: usize = 64;

/// The settings of an agent's connections.
#[derive(PartialEq)]
pub struct ConnectionSettings {
    /// The time limit of making one connection, proxy and TLS included.
    pub connect_timeout: Duration,
    /// The maximum of unused connections kept for each server.
    pub max_idle: usize,
    /// The `User-Agent` header for servers and proxies.
    pub user_agent: String,
    /// The proxies to use.
    pub proxies: Proxies,
    /// The trusted certificates.
    pub trusted: Trusted,
}

/// Finds or makes a connection for the current attempt of this thread.
pub struct ServerConnector {
    settings: Arc<ConnectionSettings>,
    kept: Arc<Kept>,
    unused: Arc<Unused>,
    tls: OnceLock<Arc<ClientConfig>>,
}

impl fmt::Debug for ServerConnector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ServerConnector")
    }
}

impl ServerConnector {
    /// A connector without connections.
    pub fn new(settings: Arc<ConnectionSettings>) -> ServerConnector {
        let kept = Arc::new(KeptConnections::new(settings.max_idle));
        ServerConnector { settings, kept, unused: Arc::default(), tls: OnceLock::new() }
    }

    fn connect(&self, uri: &Uri, server: &Server, attempt: &Attempt) -> Result<Stream, TransportError> {
        let proxy = self.settings.proxies.for_address(uri);
        let is_secure = server.is_secure;
        let server = (server.host.as_str(), server.port);
        let (host, port) = proxy.map_or(server, |proxy| (proxy.host(), proxy.port()));
        attempt
            .connecting(self.settings.connect_timeout, proxy.map(|proxy| format!("{}:{}", proxy.host(), proxy.port())));
        memory::room_for_connection().map_err(|failure| TransportError { failure, lost: false })?;
        let socket = happy_eyeballs::connect(host, port, attempt).map_err(|failure| {
            let lost = failure.code() == Code::NetworkError;
            TransportError { failure, lost }
        })?;
        let mut socket = SocketStream::new(socket);
        if let Some(proxy) = proxy {
            attempt.at_proxy();
            self.connect_through_proxy(proxy, server, &mut socket, attempt)
                .map_err(|error| io_failure(error, attempt))?;
        }
        if is_secure { self.secure(server.0, socket, attempt) } else { Ok(Stream::Plain(socket)) }
    }

    // Not inlined: its variables would enlarge the caller's frame, which a suspended call keeps on its stack.
    #[inline(never)]
    fn secure(&self, host: &str, socket: SocketStream, attempt: &Attempt) -> Result<Stream, TransportError> {
        attempt.handshake();
        let config = self.tls_config().map_err(|failure| TransportError { failure, lost: false })?;
        let tls = TlsStream::handshake(&config, bare(host), socket, attempt);
        tls.map(Stream::Secure).map_err(|error| io_failure(error, attempt))
    }

    fn tls_config(&self) -> Outcome<Arc<ClientConfig>> {
        if let Some(config) = self.tls.get() {
            return Ok(Arc::clone(config));
        }
        let config = self.settings.trusted.config()?;
        Ok(Arc::clone(self.tls.get_or_init(|| config)))
    }

    /// Makes the proxy at the other end connect to the server.
    #[inline(never)]
    fn connect_through_proxy(
        &self,
        proxy: &Proxy,
        (host, port): (&str, u16),
        socket: &mut SocketStream,
        attempt: &Attempt,
    ) -> io::Result<()> {
        let mut stream = Blocking { socket, attempt };
        let login = proxy.username().map(|name| (name, proxy.password().unwrap_or_default()));
        let connected = match proxy.protocol() {
            ProxyProtocol::Socks5 | ProxyProtocol::Socks5h => socks::connect(&mut stream, login, bare(host), port),
            _ => tunnel::connect(&mut stream, login, host, port, &self.settings.user_agent),
        };
        connected.map_err(|error| match error {
            ProxyError::Io(error) => error,
            ProxyError::Refused(what, may_do_better) => {
                let failure = Failure::new(Code::NetworkError, format!("{} {what}", attempt.peer()));
                let failure = failure.transient(may_do_better);
                io::Error::other(TransportError { failure, lost: may_do_better })
            }
        })
    }
}

/// A host name or address without the brackets of an IPv6 address in a URL.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

impl Connector for ServerConnector {
    type Out = HttpTransport;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<HttpTransport>, Error> {
        let attempt = Attempt::current()?;
        let is_wanted = |server: &Arc<Server>| server.is_of(details.uri);
        let kept = self.kept.take(is_wanted, attempt.plan().purpose, Connection::is_quiet);
        let (server, connection, unused_since) = match kept {
            Some((server, connection, since)) => {
                attempt.reuses();
                (server, connection, Some(since))
            }
            None => {
                let server = Arc::new(Server::of(details.uri).ok_or(Error::HostNotFound)?);
                let stream = self.connect(details.uri, &server, &attempt);
                let stream = stream.map_err(TransportError::into_ureq)?;
                attempt.connected();
                (server, Connection::new(stream), None)
            }
        };
        let room = LINE_ROOM + self.settings.user_agent.len();
        let (kept, unused) = (Arc::clone(&self.kept), Arc::clone(&self.unused));
        HttpTransport::new(connection, server, kept, unused, unused_since, &attempt, room).map(Some).map_err(fatal)
    }
}

/// A socket to a proxy, with blocking reads and writes.
struct Blocking<'a> {
    socket: &'a mut SocketStream,
    attempt: &'a Attempt,
}

impl Read for Blocking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.read(buffer, self.attempt)
    }
}

impl Write for Blocking<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.socket.write(bytes, self.attempt, false)? {
            Sent::Bytes(count) => Ok(count),
            Sent::ReadFirst => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
