//! Names to addresses: bounded in time, cancellable, and with no thread left over by each call.
//!
//! The system's resolver can neither be ended nor given a time limit, so it runs on a thread of its
//! own: one for each name being looked up, however many calls wait for it.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Instant;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::attempt::Attempt;
use crate::background;
use crate::call::SharedTask;
use crate::error::{Code, Failure, Outcome};
use crate::fork::ForkMutex;
use crate::panics;

type Lookup = SharedTask<Outcome<Arc<[SocketAddr]>>>;

static LOOKUPS: ForkMutex<Option<HashMap<String, Arc<Lookup>>>> = ForkMutex::new(None);

/// The addresses of a host, in the order in which to try them.
pub fn resolve(host: &str, port: u16, attempt: &Attempt) -> Outcome<Arc<[SocketAddr]>> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(Arc::new([SocketAddr::new(address, port)]));
    }
    // Plain http is allowed to it, so it is this machine (RFC 6761), whatever a name server would say.
    if bare.eq_ignore_ascii_case("localhost") {
        let addresses = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        return Ok(Arc::new(addresses.map(|address: IpAddr| SocketAddr::new(address, port))));
    }
    let place = format!("{bare}:{port}");
    let (lookup, is_new) = LOOKUPS.with(|lookups| {
        let lookups = lookups.get_or_insert_default();
        match lookups.get(&place).filter(|lookup| lookup.is_here()) {
            Some(lookup) => (Arc::clone(lookup), false),
            None => {
                let lookup = SharedTask::new();
                lookups.insert(place.clone(), Arc::clone(&lookup));
                (lookup, true)
            }
        }
    });
    if is_new {
        start(place, &lookup);
    }
    let until = Instant::now() + attempt.time_left()?;
    match lookup.wait(attempt.call(), until)? {
        Some(outcome) => outcome,
        None => Err(attempt.time_left().err().unwrap_or_else(|| attempt.call().timed_out())),
    }
}

fn start(place: String, lookup: &Arc<Lookup>) {
    let worker = Arc::clone(lookup);
    let name = place.clone();
    let started = background::spawn("resolve", move || {
        let outcome = panics::catch(|| look_up(&name));
        worker.complete(outcome);
        finish(&name);
    });
    if let Err(failure) = started {
        lookup.complete(Err(failure));
        finish(&place);
    }
}

fn look_up(place: &str) -> Outcome<Arc<[SocketAddr]>> {
    panics::planted("resolve");
    let found = place.to_socket_addrs().map(Iterator::collect::<Arc<[_]>>);
    found.ok().filter(|addresses| !addresses.is_empty()).ok_or_else(|| {
        Failure::new(Code::NetworkError, "the host's name has no address, or the name server does not answer")
    })
}

fn finish(place: &str) {
    let done = LOOKUPS.with(|lookups| lookups.as_mut().and_then(|lookups| lookups.remove(place)));
    drop(done);
}

/// What ureq asks before each request, also for those that need no new connection: it answers at
/// once with an address that means nothing. Our connector looks up the real ones.
#[derive(Debug)]
pub struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        addresses.push(SocketAddr::from(([0, 0, 0, 0], 0)));
        Ok(addresses)
    }
}
