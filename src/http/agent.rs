//! HTTP agents: one for all sessions with the same settings, made on first use and again after a fork.
#![forbid(unsafe_code)]

use std::fs;
use std::mem;
use std::sync::{Arc, Weak};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use ureq::Agent;
use ureq::config::{AutoHeaderValue, Config};
use ureq::http::{Error, HeaderMap, HeaderValue, Uri, header};
use ureq::unversioned::transport::{ConnectionDetails, Connector, Transport};

use super::connector::{ConnectionSettings, ServerConnector};
use super::proxy::Proxies;
use super::resolver::NoResolver;
use super::system_error::describe;
use super::tls::Trusted;
use super::transport::usual_port;
use crate::error::{Failure, Outcome};
use crate::fork::{ForkMutex, OfThisProcess};
use crate::options::Options;

/// The sources in use. Sessions with the same settings share one, and so share connections: a host with a session for
/// each user opens no more connections than one with a single session.
static IN_USE: ForkMutex<Vec<Weak<AgentSource>>> = ForkMutex::new(Vec::new());

/// The room for headers: those of every request, and the type and length of a file.
const USUAL_HEADERS: usize = 6;

/// Makes the agent for its settings; there is at most one at any time.
pub struct AgentSource {
    settings: Arc<ConnectionSettings>,
    /// Made together with the source: ureq reads the environment for it, which the host may change later.
    config: Config,
    user_agent: Option<HeaderValue>,
    made: ForkMutex<Option<OfThisProcess<Agent>>>,
}

impl AgentSource {
    /// Checks the settings and finds or makes their source. No agent is made yet.
    pub fn of(options: &Options) -> Outcome<Arc<AgentSource>> {
        initialise_ureq();
        let settings = ConnectionSettings {
            connect_timeout: options.connect_timeout,
            max_idle: options.max_idle_connections,
            user_agent: options.user_agent.clone(),
            proxies: Proxies::chosen(options.proxy.as_ref(), options.allow_http)?,
            trusted: trusted(options)?,
        };
        let same = |sources: &[Weak<AgentSource>], settings: &ConnectionSettings| {
            sources.iter().filter_map(Weak::upgrade).find(|source| *source.settings == *settings)
        };
        if let Some(same) = IN_USE.with(|sources| same(sources, &settings)) {
            return Ok(same);
        }
        let new = Arc::new(AgentSource {
            config: config(),
            user_agent: HeaderValue::from_str(&settings.user_agent).ok().filter(|value| !value.is_empty()),
            settings: Arc::new(settings),
            made: ForkMutex::new(None),
        });
        Ok(IN_USE.with(|sources| {
            sources.retain(|source| source.strong_count() > 0);
            same(sources, &new.settings).unwrap_or_else(|| {
                sources.push(Arc::downgrade(&new));
                new
            })
        }))
    }

    /// The headers of every request to this address. ureq would make them anew from text each time.
    pub fn headers(&self, uri: &Uri) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::with_capacity(USUAL_HEADERS);
        if let Some(authority) = uri.authority() {
            let has_port = authority.port_u16().is_some_and(|port| port != usual_port(uri));
            let host = if has_port { authority.as_str() } else { authority.host() };
            headers.insert(header::HOST, HeaderValue::from_str(host)?);
        }
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        self.user_agent.iter().for_each(|value| drop(headers.insert(header::USER_AGENT, value.clone())));
        Ok(headers)
    }

    /// The agent of this process.
    ///
    /// An agent from before a fork shares its connections with the parent. Dropping it closes only this process's
    /// descriptors; if a thread of the parent was using it, that thread's reference stays and no lock is touched.
    pub fn agent(&self) -> Agent {
        let (existing, foreign) = self.made.with(|made| {
            let foreign = made.take_if(|made| !made.is_here());
            (made.as_ref().and_then(|made| made.get().cloned()), foreign)
        });
        drop(foreign.and_then(OfThisProcess::into_inner));
        if let Some(agent) = existing {
            return agent;
        }
        let new =
            || Agent::with_parts(self.config.clone(), ServerConnector::new(Arc::clone(&self.settings)), NoResolver);
        let agent = OfThisProcess::new(new());
        self.made.with(|made| made.get_or_insert(agent).get().cloned()).unwrap_or_else(new)
    }
}

fn config() -> Config {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // The connector handles proxies and kept connections.
        .proxy(None)
        .max_idle_connections(0)
        .max_idle_connections_per_host(0)
        // The headers of each request are given with it.
        .user_agent(AutoHeaderValue::None)
        .accept_encoding(AutoHeaderValue::None)
        .accept(AutoHeaderValue::None)
        .build()
}

/// Initialises ureq's lazy statics now: a fork during that would deadlock the child. No fork happens within a
/// `ForkMutex` section.
fn initialise_ureq() {
    static DONE: ForkMutex<bool> = ForkMutex::new(false);
    DONE.with(|warm| {
        if !mem::replace(warm, true) {
            let agent = Agent::with_parts(Config::default(), NoConnector, NoResolver);
            // The request fails, after the initialisation.
            drop(agent.get("http://localhost").call());
        }
    });
}

/// Fails to connect.
#[derive(Debug)]
struct NoConnector;

impl Connector for NoConnector {
    type Out = Box<dyn Transport>;

    fn connect(&self, _: &ConnectionDetails, _: Option<()>) -> Result<Option<Self::Out>, ureq::Error> {
        Ok(None)
    }
}

fn trusted(options: &Options) -> Outcome<Trusted> {
    let Some(path) = &options.ca_file else { return Ok(Trusted::Roots(options.tls_roots)) };
    let wrong =
        |problem: String| Failure::argument("ca_file", format!("{problem}; give a file of certificates in PEM form"));
    let pem = fs::read(path).map_err(|error| wrong(format!("cannot be read ({})", describe(&error))))?;
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|_| wrong("is damaged".into()))?;
    // A bundle may contain certificates of a kind that rustls does not support, but needs at least one that it
    // supports.
    let is_usable = |certificate: &CertificateDer| RootCertStore::empty().add(certificate.clone()).is_ok();
    if !certificates.iter().any(is_usable) {
        return Err(wrong("contains no usable certificate".into()));
    }
    Ok(Trusted::These(certificates))
}
