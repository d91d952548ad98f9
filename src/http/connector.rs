//! The way to the server: straight, or through a proxy.
#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, NextTimeout, Transport, TransportAdapter,
};
use ureq::{Error, Proxy, ProxyProtocol};

use super::attempt::Attempt;
use super::socket::CancellableSocket;
use super::socks::{self, ProxyError};
use super::transport::SocketTransport;
use super::transport_error::{TransportError, fatal, lost};
use crate::error::{Code, Failure};

/// Opens TCP connections for the call under way on this thread.
///
/// A connection through an HTTP proxy comes here twice: ureq has it made to the proxy first, and then
/// brings the tunnel that the proxy opened.
#[derive(Debug)]
pub struct SocketConnector {
    /// The time limit of making one connection, proxy and TLS included.
    pub connect_timeout: Duration,
}

impl<In: Transport> Connector<In> for SocketConnector {
    type Out = Either<In, SocketTransport>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let attempt = Attempt::current()?;
        if let Some(tunnel) = chained {
            attempt.handshake();
            return Ok(Some(Either::A(tunnel)));
        }
        attempt.connecting(self.connect_timeout);
        let proxy = details.config.proxy().filter(|proxy| is_socks(proxy));
        let server = host_and_port(details);
        let (host, port) = proxy.map_or(server, |proxy| (proxy.host(), proxy.port()));
        let socket = CancellableSocket::dial(host, port, &attempt).map_err(|failure| match failure.code() {
            Code::NetworkError => lost(failure),
            _ => fatal(failure),
        })?;
        let mut transport = SocketTransport::new(socket, details.config, &attempt);
        if let Some(proxy) = proxy {
            attempt.at_proxy();
            transport = through(proxy, server, transport, details)?;
        }
        attempt.handshake();
        Ok(Some(Either::B(transport)))
    }
}

fn is_socks(proxy: &Proxy) -> bool {
    matches!(proxy.protocol(), ProxyProtocol::Socks5 | ProxyProtocol::Socks5h)
}

fn host_and_port<'a>(details: &ConnectionDetails<'a>) -> (&'a str, u16) {
    let host = details.uri.host().unwrap_or_default();
    (host, details.uri.port_u16().unwrap_or(if details.needs_tls() { 443 } else { 80 }))
}

/// Leads a connection to a SOCKS proxy on to the server.
fn through(
    proxy: &Proxy,
    server: (&str, u16),
    transport: SocketTransport,
    details: &ConnectionDetails,
) -> Result<SocketTransport, Error> {
    let mut stream = TransportAdapter::new(transport, details.current_time.clone());
    let login = proxy.username().map(|name| (name, proxy.password().unwrap_or_default()));
    let host = server.0.trim_start_matches('[').trim_end_matches(']');
    match socks::connect(&mut stream, login, host, server.1) {
        Ok(()) => Ok(stream.into_inner()),
        Err(ProxyError::Refused(failure, lost)) => Err(Error::Other(Box::new(TransportError { failure, lost }))),
        Err(ProxyError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(lost(Failure::new(Code::NetworkError, "the proxy closed the connection")))
        }
        // One of ours, wrapped as an error of I/O.
        Err(ProxyError::Io(error)) => Err(error.into()),
    }
}

/// The end of the chain: notes that the connection stands, and watches for the answer.
#[derive(Debug)]
pub struct WatchConnector;

impl<In: Transport> Connector<In> for WatchConnector {
    type Out = WatchedTransport<In>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<WatchedTransport<In>>, Error> {
        Attempt::current()?.connected(details.uri);
        Ok(chained.map(WatchedTransport))
    }
}

/// A transport above TLS, where every byte that comes in is a byte of an answer: below, a server
/// sends some of its own accord.
#[derive(Debug)]
pub struct WatchedTransport<In>(In);

impl<In: Transport> Transport for WatchedTransport<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let came = self.0.await_input(timeout)?;
        if came {
            Attempt::current()?.received();
        }
        Ok(came)
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}
