//! The way to the server: straight, or through a proxy.
#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, NextTimeout, Transport, TransportAdapter,
};
use ureq::{Error, Proxy, ProxyProtocol};

use super::line::Line;
use super::socks::{self, Trouble};
use super::wire::{Ended, Wire, current, ended, lost};
use crate::error::{Code, Failure};

/// Opens TCP connections for the call under way on this thread.
///
/// A connection through an HTTP proxy comes here twice: ureq has it made to the proxy first, and then
/// brings the tunnel that the proxy opened.
#[derive(Debug)]
pub struct Dial {
    /// The time limit of making one connection, proxy and TLS included.
    pub connect_timeout: Duration,
}

impl<In: Transport> Connector<In> for Dial {
    type Out = Either<In, Wire>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let exchange = current()?;
        if let Some(tunnel) = chained {
            exchange.handshake();
            return Ok(Some(Either::A(tunnel)));
        }
        exchange.connecting(self.connect_timeout);
        let proxy = details.config.proxy().filter(|proxy| is_socks(proxy) && !proxy.is_no_proxy(details.uri));
        let server = host_and_port(details);
        let (host, port) = proxy.map_or(server, |proxy| (proxy.host(), proxy.port()));
        let line = Line::dial(host, port, &exchange).map_err(|failure| match failure.code() {
            Code::NetworkError => lost(failure),
            _ => ended(failure),
        })?;
        let mut wire = Wire::new(line, details.config, &exchange);
        if let Some(proxy) = proxy {
            exchange.at_proxy();
            wire = through(proxy, server, wire, details)?;
        }
        exchange.handshake();
        Ok(Some(Either::B(wire)))
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
fn through(proxy: &Proxy, server: (&str, u16), wire: Wire, details: &ConnectionDetails) -> Result<Wire, Error> {
    let mut stream = TransportAdapter::new(wire, details.current_time.clone());
    let login = proxy.username().map(|name| (name, proxy.password().unwrap_or_default()));
    let host = server.0.trim_start_matches('[').trim_end_matches(']');
    match socks::connect(&mut stream, login, host, server.1) {
        Ok(()) => Ok(stream.into_inner()),
        Err(Trouble::Refused(failure, lost)) => Err(Error::Other(Box::new(Ended { failure, lost }))),
        Err(Trouble::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(lost(Failure::new(Code::NetworkError, "the proxy closed the connection")))
        }
        // One of ours, wrapped as an error of I/O.
        Err(Trouble::Io(error)) => Err(error.into()),
    }
}

/// The end of the chain: notes that the connection stands, and watches for the answer.
#[derive(Debug)]
pub struct Connected;

impl<In: Transport> Connector<In> for Connected {
    type Out = Watched<In>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Watched<In>>, Error> {
        current()?.connected(details.uri);
        Ok(chained.map(Watched))
    }
}

/// A transport above TLS, where every byte that comes in is a byte of an answer: below, a server
/// sends some of its own accord.
#[derive(Debug)]
pub struct Watched<In>(In);

impl<In: Transport> Transport for Watched<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let came = self.0.await_input(timeout)?;
        if came {
            current()?.received();
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
