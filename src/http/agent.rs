//! HTTP agents: one for all sessions with the same settings, made when first needed, anew after a fork.
#![forbid(unsafe_code)]

use std::fs;
use std::mem;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use ureq::Agent;
use ureq::config::{AutoHeaderValue, Config};
use ureq::http;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::transport::{ConnectProxyConnector, ConnectionDetails, Connector, RustlsConnector, Transport};

use super::connector::{SocketConnector, WatchConnector};
use super::proxy::Proxies;
use super::resolver::NoResolver;
use crate::error::{Failure, Outcome};
use crate::fork::{self, ForkMutex};
use crate::options::{Options, TlsRoots};

/// Connections unused for longer are closed.
const IDLE_AGE: Duration = Duration::from_secs(60);
/// How many servers' unused connections are kept: the platform's, the authorization servers, tests'.
const SERVERS: usize = 32;
/// What one read takes in; the head of an answer must fit.
const INPUT_BUFFER: usize = 32 * 1024;
/// What a line of a request's head may hold besides an address or the option's text.
const LINE_ROOM: usize = 64;
/// Room for the rest of a request's head, so that it goes out in one piece.
const HEAD_ROOM: usize = 4 * 1024;

/// The sources in use. Sessions with the same settings share one, and so their connections: a server
/// with a session for each of its users connects no more often than with one session for all.
static IN_USE: ForkMutex<Vec<Weak<AgentSource>>> = ForkMutex::new(Vec::new());

/// Makes the agent of its settings; at any time there is at most one.
pub struct AgentSource {
    settings: Settings,
    made: ForkMutex<Option<Made>>,
}

struct Made {
    agent: Agent,
    generation: u32,
}

#[derive(PartialEq)]
struct Settings {
    connect_timeout: Duration,
    max_idle: usize,
    user_agent: String,
    output_buffer: usize,
    proxies: Proxies,
    trusted: Trusted,
}

/// Whose certificates are accepted.
#[derive(PartialEq)]
enum Trusted {
    Roots(TlsRoots),
    /// Those of a file, in DER form.
    These(Vec<Vec<u8>>),
}

impl AgentSource {
    /// Checks the settings and finds or makes their source; no agent is made yet.
    pub fn of(options: &Options) -> Outcome<Arc<AgentSource>> {
        warm_up();
        let settings = Settings {
            connect_timeout: options.connect_timeout,
            max_idle: options.max_idle_connections,
            user_agent: options.user_agent.clone(),
            output_buffer: longest_line(options) + HEAD_ROOM,
            proxies: Proxies::chosen(options.proxy.as_ref(), options.allow_http)?,
            trusted: trusted(options)?,
        };
        let new = Arc::new(AgentSource { settings, made: ForkMutex::new(None) });
        Ok(IN_USE.with(|sources| {
            sources.retain(|source| source.strong_count() > 0);
            let same = sources.iter().filter_map(Weak::upgrade).find(|source| source.settings == new.settings);
            same.unwrap_or_else(|| {
                sources.push(Arc::downgrade(&new));
                new
            })
        }))
    }

    /// A head with what only its address decides: the proxy, and a buffer that can hold it line by line. One with a
    /// longer address than the options let expect gets a larger buffer, and with it a connection of its own.
    pub fn configured(&self, agent: &Agent, head: http::Request<()>) -> http::Request<()> {
        let address = head.uri().path_and_query().map_or(0, |address| address.as_str().len());
        let buffer = self.settings.output_buffer.max(address + LINE_ROOM);
        let proxy = self.settings.proxies.for_address(head.uri()).cloned();
        if proxy.is_none() && buffer == self.settings.output_buffer {
            return head;
        }
        agent.configure_request(head).proxy(proxy).output_buffer_size(buffer).build()
    }

    /// The agent of this process.
    ///
    /// One from before a fork shares its connections with the parent. To let go of it closes this
    /// process's descriptors and nothing else. If a thread of the parent was in the midst of it, so that
    /// its lock stays shut, that thread's share of it stays as well, and it is not touched.
    pub fn agent(&self) -> Agent {
        let generation = fork::generation();
        let (existing, foreign) = self.made.with(|made| {
            let foreign = made.take_if(|made| made.generation != generation);
            (made.as_ref().map(|made| made.agent.clone()), foreign)
        });
        drop(foreign);
        if let Some(agent) = existing {
            return agent;
        }
        let agent = self.settings.agent();
        self.made.with(|made| made.get_or_insert_with(|| Made { agent, generation }).agent.clone())
    }
}

impl Settings {
    fn agent(&self) -> Agent {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(&self.user_agent)
            .accept_encoding("gzip")
            .accept(AutoHeaderValue::None)
            .input_buffer_size(INPUT_BUFFER)
            // One byte less: a buffer filled to the brim looks like a connection that has ended.
            .max_response_header_size(INPUT_BUFFER - 1)
            .output_buffer_size(self.output_buffer)
            // The option's number is each server's: one must not crowd out another.
            .max_idle_connections(self.max_idle.saturating_mul(SERVERS))
            .max_idle_connections_per_host(self.max_idle)
            .max_idle_age(IDLE_AGE)
            .tls_config(TlsConfig::builder().root_certs(self.trusted.roots()).build())
            .build();
        let connectors = ConnectProxyConnector::default()
            .chain(SocketConnector { connect_timeout: self.connect_timeout })
            .chain(RustlsConnector::default())
            .chain(WatchConnector);
        Agent::with_parts(config, connectors, NoResolver)
    }
}

/// Has ureq set up what it sets up once in a process: a fork in that moment would leave the child
/// waiting for a thread that it does not have. In a guarded section no fork happens.
fn warm_up() {
    static WARM: ForkMutex<bool> = ForkMutex::new(false);
    WARM.with(|warm| {
        if !mem::replace(warm, true) {
            let nowhere = Agent::with_parts(Config::default(), Nowhere, NoResolver);
            // It cannot succeed and need not: the set-up comes before the connection.
            drop(nowhere.get("http://localhost").call());
        }
    });
}

/// Makes no connection.
#[derive(Debug)]
struct Nowhere;

impl Connector for Nowhere {
    type Out = Box<dyn Transport>;

    fn connect(&self, _: &ConnectionDetails, _: Option<()>) -> Result<Option<Self::Out>, ureq::Error> {
        Ok(None)
    }
}

impl Trusted {
    fn roots(&self) -> RootCerts {
        match self {
            Trusted::Roots(TlsRoots::WebPki) => RootCerts::WebPki,
            Trusted::Roots(TlsRoots::System) => RootCerts::PlatformVerifier,
            Trusted::These(certificates) => {
                RootCerts::from(certificates.iter().map(|der| Certificate::from_der(der).to_owned()))
            }
        }
    }
}

/// The longest line that a head is expected to have: an address that becomes a GET, or else one of the
/// options' own.
fn longest_line(options: &Options) -> usize {
    let addresses = [Some(&options.api_url), options.token_url.as_ref()];
    let addresses = addresses.into_iter().flatten().map(|address| address.as_str().len());
    addresses.chain([options.get_limit, options.user_agent.len()]).max().unwrap_or_default()
}

fn trusted(options: &Options) -> Outcome<Trusted> {
    let Some(path) = &options.ca_file else { return Ok(Trusted::Roots(options.tls_roots)) };
    let wrong = |problem: String| {
        Failure::argument("ca_file", format!("{problem}; it must be a file of certificates in PEM form"))
    };
    let pem = fs::read(path).map_err(|error| wrong(format!("cannot be read ({error})")))?;
    let certificates: Vec<Vec<u8>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate.der().to_vec())),
            Ok(_) => None,
            Err(_) => Some(Err(wrong("is damaged".into()))),
        })
        .collect::<Outcome<_>>()?;
    // A bundle may hold a certificate of a kind that rustls does not know; one that it does must be there.
    let is_usable = |der: &Vec<u8>| rustls::RootCertStore::empty().add(CertificateDer::from(der.as_slice())).is_ok();
    if !certificates.iter().any(is_usable) {
        return Err(wrong("holds no usable certificate".into()));
    }
    Ok(Trusted::These(certificates))
}
