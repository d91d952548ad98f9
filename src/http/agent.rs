//! HTTP agents: one for all sessions with the same settings, made when first needed, anew after a fork.
#![forbid(unsafe_code)]

use std::fs;
use std::mem;
use std::sync::{Arc, Weak};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use ureq::Agent;
use ureq::config::{AutoHeaderValue, Config};
use ureq::unversioned::transport::{ConnectionDetails, Connector, Transport};

use super::connector::{ServerConnector, Way};
use super::proxy::Proxies;
use super::resolver::NoResolver;
use super::system_error::describe;
use super::tls::Trusted;
use crate::error::{Failure, Outcome};
use crate::fork::{ForkMutex, OfThisProcess};
use crate::options::Options;

/// The sources in use. Sessions with the same settings share one, and so their connections: a server
/// with a session for each of its users connects no more often than with one session for all.
static IN_USE: ForkMutex<Vec<Weak<AgentSource>>> = ForkMutex::new(Vec::new());

/// Makes the agent of its settings; at any time there is at most one.
pub struct AgentSource {
    way: Arc<Way>,
    /// Made with the source: ureq looks into the environment for it, which the host may change later.
    config: Config,
    made: ForkMutex<Option<OfThisProcess<Agent>>>,
}

impl AgentSource {
    /// Checks the settings and finds or makes their source; no agent is made yet.
    pub fn of(options: &Options) -> Outcome<Arc<AgentSource>> {
        warm_up();
        let way = Way {
            connect_timeout: options.connect_timeout,
            max_idle: options.max_idle_connections,
            user_agent: options.user_agent.clone(),
            proxies: Proxies::chosen(options.proxy.as_ref(), options.allow_http)?,
            trusted: trusted(options)?,
        };
        let same = |sources: &[Weak<AgentSource>], way: &Way| {
            sources.iter().filter_map(Weak::upgrade).find(|source| *source.way == *way)
        };
        if let Some(same) = IN_USE.with(|sources| same(sources, &way)) {
            return Ok(same);
        }
        let new = Arc::new(AgentSource { config: config(&way), way: Arc::new(way), made: ForkMutex::new(None) });
        Ok(IN_USE.with(|sources| {
            sources.retain(|source| source.strong_count() > 0);
            same(sources, &new.way).unwrap_or_else(|| {
                sources.push(Arc::downgrade(&new));
                new
            })
        }))
    }

    /// The agent of this process.
    ///
    /// One from before a fork shares its connections with the parent. Dropping it closes this process's descriptors
    /// and nothing else. A thread of the parent that was using it holds a share of it, which stays; its locks are not
    /// touched then.
    pub fn agent(&self) -> Agent {
        let (existing, foreign) = self.made.with(|made| {
            let foreign = made.take_if(|made| !made.is_here());
            (made.as_ref().and_then(|made| made.get().cloned()), foreign)
        });
        drop(foreign.and_then(OfThisProcess::into_inner));
        if let Some(agent) = existing {
            return agent;
        }
        let new = || Agent::with_parts(self.config.clone(), ServerConnector::new(Arc::clone(&self.way)), NoResolver);
        let agent = OfThisProcess::new(new());
        self.made.with(|made| made.get_or_insert(agent).get().cloned()).unwrap_or_else(new)
    }
}

fn config(way: &Way) -> Config {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // Proxies and kept connections are the connector's.
        .proxy(None)
        .max_idle_connections(0)
        .max_idle_connections_per_host(0)
        .user_agent(&way.user_agent)
        .accept_encoding("gzip")
        .accept(AutoHeaderValue::None)
        .build()
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

fn trusted(options: &Options) -> Outcome<Trusted> {
    let Some(path) = &options.ca_file else { return Ok(Trusted::Roots(options.tls_roots)) };
    let wrong = |problem: String| {
        Failure::argument("ca_file", format!("{problem}; it must be a file of certificates in PEM form"))
    };
    let pem = fs::read(path).map_err(|error| wrong(format!("cannot be read ({})", describe(&error))))?;
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|_| wrong("is damaged".into()))?;
    // A bundle may hold a certificate of a kind that rustls does not know; one that it does must be there.
    let is_usable = |certificate: &CertificateDer| RootCertStore::empty().add(certificate.clone()).is_ok();
    if !certificates.iter().any(is_usable) {
        return Err(wrong("holds no usable certificate".into()));
    }
    Ok(Trusted::These(certificates))
}
