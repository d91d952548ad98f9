//! Names to addresses: bounded in time, cancellable, and with no thread left over by each call.
//!
//! The system's resolver can neither be ended nor given a time limit, so it runs on threads of its own: one look-up for
//! each name, however many calls wait for it, and a few at a time, however many names there are.
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

/// How many names are looked up at a time. Further ones wait their turn, within their calls' time limits.
const MOST_THREADS: usize = 32;

type Lookup = SharedTask<Outcome<Arc<[SocketAddr]>>>;

static LOOKUPS: ForkMutex<Option<OfThisProcess<Lookups>>> = ForkMutex::new(None);

/// The look-ups under way in this process.
#[derive(Default)]
struct Lookups {
    by_place: HashMap<String, Wanted>,
    /// The places that no thread has taken yet.
    waiting: VecDeque<String>,
    threads: usize,
}

/// A look-up, and until when somebody waits for it.
struct Wanted {
    lookup: Arc<Lookup>,
    until: Instant,
}

impl Lookups {
    /// Joins the look-up of a place or begins one; and whether a thread is to be started for it.
    fn join(&mut self, place: &str, until: Instant) -> (Arc<Lookup>, bool) {
        if let Some(wanted) = self.by_place.get_mut(place) {
            wanted.until = wanted.until.max(until);
            return (Arc::clone(&wanted.lookup), false);
        }
        let lookup = SharedTask::new();
        self.by_place.insert(place.to_owned(), Wanted { lookup: Arc::clone(&lookup), until });
        let needs_thread = self.threads < MOST_THREADS;
        if needs_thread {
            self.threads += 1;
        } else {
            self.waiting.push_back(place.to_owned());
        }
        (lookup, needs_thread)
    }

    /// Ends the look-up of a place. The thread goes on with the next one for which somebody still waits, or ends.
    fn next_after(&mut self, done: &str, now: Instant) -> Option<(String, Arc<Lookup>)> {
        self.by_place.remove(done);
        while let Some(place) = self.waiting.pop_front() {
            match self.by_place.get(&place) {
                Some(wanted) if wanted.until > now => return Some((place, Arc::clone(&wanted.lookup))),
                _ => drop(self.by_place.remove(&place)),
            }
        }
        self.threads -= 1;
        None
    }
}

fn with_lookups<R>(section: impl FnOnce(&mut Lookups) -> R) -> R {
    LOOKUPS.with(|lookups| section(lookups.get_or_insert_default().get_or_renew()))
}

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
    let until = Instant::now() + attempt.time_left()?;
    let (lookup, needs_thread) = with_lookups(|lookups| lookups.join(&place, until));
    if needs_thread {
        start(place, &lookup);
    }
    match lookup.wait(attempt.call(), until)? {
        Some(outcome) => outcome.map_err(|failure| match failure.code() {
            Code::NetworkError => {
                let message = format!("could not look up the name of {}: {}", attempt.place(), failure.message());
                Failure::new(Code::NetworkError, message)
            }
            _ => failure,
        }),
        None => Err(attempt.time_left().err().unwrap_or_else(|| attempt.call().timed_out())),
    }
}

fn start(place: String, lookup: &Arc<Lookup>) {
    let mut work = (place.clone(), Arc::clone(lookup));
    let started = background::spawn("resolve", move || {
        loop {
            let (place, lookup) = &work;
            lookup.complete(panics::catch(|| look_up(place)));
            match with_lookups(|lookups| lookups.next_after(place, Instant::now())) {
                Some(next) => work = next,
                None => return,
            }
        }
    });
    if let Err(failure) = started {
        lookup.complete(Err(failure));
        // Without a thread for it, what waits has none either.
        let mut done = Some(place);
        while let Some(place) = done {
            let next = with_lookups(|lookups| lookups.next_after(&place, Instant::now()));
            done = next.map(|(place, lookup)| {
                lookup.complete(Err(Failure::out_of_memory("a thread that looks up names")));
                place
            });
        }
    }
}

fn look_up(place: &str) -> Outcome<Arc<[SocketAddr]>> {
    panics::planted("resolve");
    let found = place.to_socket_addrs().map(Iterator::collect::<Arc<[_]>>);
    found.ok().filter(|addresses| !addresses.is_empty()).ok_or_else(|| {
        // The system's resolver does not tell when it lacks a descriptor itself.
        let shortage = Socket::new(Domain::IPV4, Type::DGRAM, None).err().filter(is_shortage);
        let reason = match shortage {
            Some(error) => describe(&error),
            None => "it has no address, or the name server does not answer".to_owned(),
        };
        Failure::new(Code::NetworkError, reason)
    })
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn names_share_a_few_threads_and_those_that_nobody_wants_are_left_out() {
        let now = Instant::now();
        let (soon, late) = (now + Duration::from_secs(1), now + Duration::from_secs(60));
        let mut lookups = Lookups::default();
        for number in 0..MOST_THREADS {
            assert!(lookups.join(&format!("busy-{number}"), late).1);
        }
        assert!(!lookups.join("busy-0", late).1, "joined");
        for (place, until) in [("left", soon), ("wanted", soon), ("wanted", late), ("last", late)] {
            assert!(!lookups.join(place, until).1, "waits for a thread");
        }
        let later = now + Duration::from_secs(2);
        let mut next_after = |done: &str| lookups.next_after(done, later).map(|(place, _)| place);
        assert_eq!(next_after("busy-0").as_deref(), Some("wanted"));
        assert_eq!(next_after("wanted").as_deref(), Some("last"));
        assert_eq!(next_after("last"), None);
        assert_eq!(lookups.threads, MOST_THREADS - 1);
        assert!(lookups.join("new", late).1, "a thread has ended");
    }
}
