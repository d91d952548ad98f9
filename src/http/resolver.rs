//! Name look-ups: limited in time, cancellable, with few threads.
//!
//! The system's resolver can neither be cancelled nor given a time limit, so it runs on separate threads. Calls for the
//! same name share one look-up, and few look-ups run at a time.
#![forbid(unsafe_code)]

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Instant;

use socket2::{Domain, Socket, Type};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::attempt::Attempt;
use super::system_error::{describe, is_shortage};
use crate::background;
use crate::call::SharedTask;
use crate::error::{Code, Failure, Outcome};
use crate::fork::{ForkMutex, OfThisProcess};
use crate::panics;

/// The maximum number of simultaneous look-ups. Further ones wait, within their calls' time limits.
const MOST_THREADS: usize = 32;

type Lookup = SharedTask<Outcome<Arc<[SocketAddr]>>>;

static LOOKUPS: ForkMutex<Option<OfThisProcess<Lookups>>> = ForkMutex::new(None);

/// The running look-ups of this process.
#[derive(Default)]
struct Lookups {
    by_endpoint: HashMap<String, PendingLookup>,
    /// The names that no thread looks up yet.
    waiting: VecDeque<String>,
    threads: usize,
}

/// A look-up, and until when a call waits for it.
struct PendingLookup {
    lookup: Arc<Lookup>,
    until: Instant,
}

impl Lookups {
    /// Joins the look-up of a name or begins one; also returns whether to start a thread for it.
    fn join(&mut self, endpoint: &str, until: Instant) -> (Arc<Lookup>, bool) {
        if let Some(pending) = self.by_endpoint.get_mut(endpoint) {
            pending.until = pending.until.max(until);
            return (Arc::clone(&pending.lookup), false);
        }
        let lookup = SharedTask::new();
        self.by_endpoint.insert(endpoint.to_owned(), PendingLookup { lookup: Arc::clone(&lookup), until });
        let needs_thread = self.threads < MOST_THREADS;
        if needs_thread {
            self.threads += 1;
        } else {
            self.waiting.push_back(endpoint.to_owned());
        }
        (lookup, needs_thread)
    }

    /// Ends the look-up of a name. Returns the next one for which a call still waits, if any.
    fn next_after(&mut self, done: &str, now: Instant) -> Option<(String, Arc<Lookup>)> {
        self.by_endpoint.remove(done);
        while let Some(endpoint) = self.waiting.pop_front() {
            match self.by_endpoint.get(&endpoint) {
                Some(pending) if pending.until > now => return Some((endpoint, Arc::clone(&pending.lookup))),
                _ => drop(self.by_endpoint.remove(&endpoint)),
            }
        }
        self.threads -= 1;
        None
    }

    /// Ends the look-up of a name for which no thread could be started. Others wait only while further threads run.
    fn not_started(&mut self, endpoint: &str) {
        self.by_endpoint.remove(endpoint);
        self.threads -= 1;
    }
}

fn with_lookups<R>(section: impl FnOnce(&mut Lookups) -> R) -> R {
    LOOKUPS.with(|lookups| section(lookups.get_or_insert_default().get_or_renew()))
}

/// The addresses of a host name, in the resolver's order.
pub fn resolve(host: &str, port: u16, attempt: &Attempt) -> Outcome<Arc<[SocketAddr]>> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(Arc::new([SocketAddr::new(address, port)]));
    }
    // Plain http is allowed to localhost, so it must mean this machine (RFC 6761), without asking a name server.
    if bare.eq_ignore_ascii_case("localhost") {
        let addresses = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        return Ok(Arc::new(addresses.map(|address: IpAddr| SocketAddr::new(address, port))));
    }
    let endpoint = format!("{bare}:{port}");
    let until = Instant::now() + attempt.time_left()?;
    let (lookup, needs_thread) = with_lookups(|lookups| lookups.join(&endpoint, until));
    if needs_thread {
        start(endpoint, &lookup);
    }
    match lookup.wait(attempt.call(), until)? {
        Some(outcome) => outcome.map_err(|failure| match failure.code() {
            Code::NetworkError => {
                let message = format!("could not look up the name of {}: {}", attempt.peer(), failure.message());
                Failure::new(Code::NetworkError, message)
            }
            _ => failure,
        }),
        None => Err(attempt.time_left().err().unwrap_or_else(|| attempt.call().timed_out())),
    }
}

fn start(endpoint: String, lookup: &Arc<Lookup>) {
    let mut work = (endpoint.clone(), Arc::clone(lookup));
    let started = background::spawn("resolve", move || {
        loop {
            let (endpoint, lookup) = work;
            let outcome = panics::catch(|| look_up(&endpoint));
            // Before the waiting calls go on: a call that one of them makes next must not get this outcome again.
            let next = with_lookups(|lookups| lookups.next_after(&endpoint, Instant::now()));
            lookup.complete(outcome);
            match next {
                Some(next) => work = next,
                None => return,
            }
        }
    });
    if let Err(failure) = started {
        with_lookups(|lookups| lookups.not_started(&endpoint));
        lookup.complete(Err(failure));
    }
}

fn look_up(endpoint: &str) -> Outcome<Arc<[SocketAddr]>> {
    panics::planted("resolve");
    let found = endpoint.to_socket_addrs().map(Iterator::collect::<Arc<[_]>>);
    found.ok().filter(|addresses| !addresses.is_empty()).ok_or_else(|| {
        // The system's resolver does not report that it had no descriptor.
        let shortage = Socket::new(Domain::IPV4, Type::DGRAM, None).err().filter(is_shortage);
        let reason = match shortage {
            Some(error) => describe(&error),
            None => "it has no address, or the name server does not answer".to_owned(),
        };
        Failure::new(Code::NetworkError, reason)
    })
}

/// A dummy resolver for ureq, which resolves before each request. The connector resolves the name, and only when it
/// needs a new connection.
#[derive(Debug)]
pub struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        addresses.push(SocketAddr::from(([0, 0, 0, 0], 0)));
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn names_share_a_few_threads_and_abandoned_ones_are_skipped() {
        let now = Instant::now();
        let (soon, late) = (now + Duration::from_secs(1), now + Duration::from_secs(60));
        let mut lookups = Lookups::default();
        for number in 0..MOST_THREADS {
            assert!(lookups.join(&format!("busy-{number}"), late).1);
        }
        assert!(!lookups.join("busy-0", late).1, "joined");
        for (endpoint, until) in [("left", soon), ("wanted", soon), ("wanted", late), ("last", late)] {
            assert!(!lookups.join(endpoint, until).1, "waits for a thread");
        }
        let later = now + Duration::from_secs(2);
        let mut next_after = |done: &str| lookups.next_after(done, later).map(|(endpoint, _)| endpoint);
        assert_eq!(next_after("busy-0").as_deref(), Some("wanted"));
        assert_eq!(next_after("wanted").as_deref(), Some("last"));
        assert_eq!(next_after("last"), None);
        assert_eq!(lookups.threads, MOST_THREADS - 1);
        assert!(lookups.join("new", late).1, "a thread has ended");
    }
}
