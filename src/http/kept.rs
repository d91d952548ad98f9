//! Connections kept for later calls, by server, and when a call may use one.
//!
//! A server may close a connection at any moment, and a request that is under way then may have been done or not. A
//! read is repeated; a write must not be, so it takes a kept connection only where the server is known to keep it.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::fork::{ForkMutex, OfThisProcess};

/// Connections unused for longer are closed.
const LONGEST_IDLE: Duration = Duration::from_secs(60);
/// For how many servers connections are kept: the platform's, the authorization servers, tests'.
const MOST_SERVERS: usize = 32;
/// Where a server closes a connection together with its answer, the news arrives within this time.
const SETTLED: Duration = Duration::from_millis(25);
/// A connection that ended after a shorter idleness did not end by a time limit.
const SHORTEST_LIMIT: Duration = Duration::from_secs(1);
/// How long a server's close makes writes careful.
const CARE: Duration = Duration::from_secs(60);

/// What a request does, if the connection fails under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It can be sent again.
    Read,
    /// It cannot.
    Write,
}

/// Kept connections of one process; `K` names a server, `C` is a connection.
pub struct KeptConnections<K, C> {
    most: usize,
    servers: ForkMutex<Vec<Server<K, C>>>,
    /// A child keeps nothing for itself: what its parent connected, it only closes.
    process: OfThisProcess<()>,
}

struct Server<K, C> {
    key: K,
    /// The longest unused first.
    idle: VecDeque<Idle<C>>,
    history: History,
}

struct Idle<C> {
    connection: C,
    since: Instant,
    /// For how long the server keeps it, if it said.
    keep_alive: Option<Duration>,
}

/// What is known of how a server treats unused connections.
#[derive(Default, Clone, Copy)]
struct History {
    /// Whether a kept connection has answered a second request.
    has_kept: bool,
    /// When a connection was last found closed by the server.
    closed: Option<Instant>,
    /// The shortest idleness after which one was found closed by a time limit, of late.
    limit: Option<Duration>,
}

impl History {
    fn note_closed(&mut self, idle: Duration, now: Instant) {
        let former = self.limit.filter(|_| self.has_closed_lately(now));
        self.limit = if idle < SHORTEST_LIMIT { former } else { Some(former.map_or(idle, |former| former.min(idle))) };
        self.closed = Some(now);
    }

    fn has_closed_lately(&self, now: Instant) -> bool {
        self.closed.is_some_and(|at| now.saturating_duration_since(at) < CARE)
    }

    /// Whether a connection that was unused for so long will do, and for how long to watch it first.
    fn permits(&self, purpose: Use, idle: Duration, keep_alive: Option<Duration>, now: Instant) -> Option<Duration> {
        // Its end may come a moment before the announced one, and a request takes time to arrive.
        let margin = |limit: Duration| limit.saturating_sub((limit / 2).min(Duration::from_secs(1)));
        if keep_alive.is_some_and(|limit| idle >= margin(limit)) {
            return None;
        }
        let closes = self.has_closed_lately(now);
        match purpose {
            Use::Read => Some(Duration::ZERO),
            Use::Write if closes && self.limit.is_some_and(|limit| idle >= limit / 2) => None,
            Use::Write if closes || !self.has_kept => Some(SETTLED.saturating_sub(idle)),
            Use::Write => Some(Duration::ZERO),
        }
    }
}

impl<K: PartialEq + Clone, C> KeptConnections<K, C> {
    /// Keeps at most so many for each server.
    pub fn new(most: usize) -> KeptConnections<K, C> {
        KeptConnections { most, servers: ForkMutex::new(Vec::new()), process: OfThisProcess::new(()) }
    }

    /// Takes a kept connection of a server, and tells since when it was unused. `stands` looks, for so long, whether it
    /// still stands.
    pub fn take(
        &self,
        key: &K,
        purpose: Use,
        mut stands: impl FnMut(&mut C, Duration) -> bool,
    ) -> Option<(C, Instant)> {
        self.process.get()?;
        loop {
            let now = Instant::now();
            let found = self.servers.with(|servers| {
                let server = servers.iter_mut().find(|server| server.key == *key)?;
                let history = server.history;
                let permitted = |idle: &Idle<C>| {
                    let unused = now.saturating_duration_since(idle.since);
                    let is_young = unused < LONGEST_IDLE;
                    history.permits(purpose, unused, idle.keep_alive, now).filter(|_| is_young)
                };
                // The last one used is the likeliest to stand.
                let found = server.idle.iter().enumerate().rev().find_map(|(at, idle)| Some((at, permitted(idle)?)));
                let (place, watch) = found?;
                server.idle.remove(place).map(|idle| (idle, watch))
            });
            let (Idle { mut connection, since, .. }, watch) = found?;
            if stands(&mut connection, watch) {
                return Some((connection, since));
            }
            self.closed(key, since);
        }
    }

    /// Keeps a connection. `has_answered_before`: its last answer was not its first.
    pub fn put(&self, key: &K, connection: C, keep_alive: Option<Duration>, has_answered_before: bool) {
        if !self.process.is_here() {
            return;
        }
        let now = Instant::now();
        let surplus = self.servers.with(|servers| {
            let mut surplus = Vec::new();
            for server in servers.iter_mut() {
                let old = server.idle.partition_point(|idle| now.saturating_duration_since(idle.since) > LONGEST_IDLE);
                surplus.extend(server.idle.drain(..old));
            }
            let server = place_of(servers, key);
            server.history.has_kept |= has_answered_before;
            server.idle.push_back(Idle { connection, since: now, keep_alive });
            if server.idle.len() > self.most {
                surplus.extend(server.idle.pop_front());
            }
            if servers.len() > MOST_SERVERS {
                let oldest = servers.iter().enumerate().min_by_key(|(_, server)| server.idle.back().map(|it| it.since));
                if let Some((oldest, _)) = oldest {
                    surplus.extend(servers.swap_remove(oldest).idle);
                }
            }
            surplus
        });
        // Closed here: a section does no I/O.
        drop(surplus);
    }

    /// Notes that a server closed a connection which was unused since then.
    pub fn closed(&self, key: &K, since: Instant) {
        let now = Instant::now();
        let idle = now.saturating_duration_since(since);
        self.servers.with(|servers| place_of(servers, key).history.note_closed(idle, now));
    }

    /// Closes a server's connections: one of them was silent, and the way to the server may be lost for all.
    pub fn silent(&self, key: &K) {
        let closed = self.servers.with(|servers| std::mem::take(&mut place_of(servers, key).idle));
        drop(closed);
    }
}

fn place_of<'s, K: PartialEq + Clone, C>(servers: &'s mut Vec<Server<K, C>>, key: &K) -> &'s mut Server<K, C> {
    let place = servers.iter().position(|server| server.key == *key).unwrap_or_else(|| {
        servers.push(Server { key: key.clone(), idle: VecDeque::new(), history: History::default() });
        servers.len() - 1
    });
    &mut servers[place]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_write_is_careful_with_what_the_server_may_close() {
        let now = Instant::now() + CARE * 10;
        let fresh = History::default();
        let kept = History { has_kept: true, ..fresh };
        let closes = History { closed: Some(now - ms(100)), ..kept };
        let limits = History { limit: Some(ms(2000)), ..closes };
        let long_ago = History { closed: Some(now - CARE), limit: Some(ms(2000)), ..kept };
        for (history, idle, keep_alive, read, write) in [
            (fresh, 1, None, Some(0), Some(24)),
            (fresh, 25, None, Some(0), Some(0)),
            (kept, 1, None, Some(0), Some(0)),
            (closes, 1, None, Some(0), Some(24)),
            (closes, 60, None, Some(0), Some(0)),
            (limits, 999, None, Some(0), Some(0)),
            (limits, 1000, None, Some(0), None),
            (long_ago, 1500, None, Some(0), Some(0)),
            (kept, 3999, Some(5000), Some(0), Some(0)),
            (kept, 4000, Some(5000), None, None),
            (kept, 499, Some(1000), Some(0), Some(0)),
            (kept, 500, Some(1000), None, None),
            (kept, 0, Some(0), None, None),
        ] {
            let permits = |purpose| history.permits(purpose, ms(idle), keep_alive.map(ms), now);
            assert_eq!(permits(Use::Read), read.map(ms), "a read after {idle} ms");
            assert_eq!(permits(Use::Write), write.map(ms), "a write after {idle} ms");
        }
    }

    #[test]
    fn the_shortest_time_limit_of_late_counts() {
        let begin = Instant::now();
        let mut history = History::default();
        for (idle, after, limit) in [
            (500, 0, None),
            (5000, 10, Some(5000)),
            (2000, 20, Some(2000)),
            (3000, 30, Some(2000)),
            (1, 40, Some(2000)),
        ] {
            history.note_closed(ms(idle), begin + ms(after));
            assert_eq!(history.limit, limit.map(ms));
        }
        history.note_closed(ms(3000), begin + ms(40) + CARE);
        assert_eq!(history.limit, Some(ms(3000)));
    }

    #[test]
    fn the_last_used_is_taken_first_and_few_are_kept() {
        let kept = KeptConnections::new(2);
        for connection in 1..=3 {
            kept.put(&"a", connection, None, true);
        }
        kept.put(&"b", 9, None, true);
        let taken = || kept.take(&"a", Use::Read, |_, _| true).map(|(connection, _)| connection);
        assert_eq!([taken(), taken(), taken()], [Some(3), Some(2), None]);
        for connection in 4..=5 {
            kept.put(&"a", connection, None, true);
        }
        let standing = kept.take(&"a", Use::Read, |connection, _| *connection == 4);
        assert_eq!(standing.map(|(connection, _)| connection), Some(4), "5 was closed");
        kept.put(&"a", 6, None, true);
        let mut watched = Duration::ZERO;
        let taken = kept.take(&"a", Use::Write, |_, watch| {
            watched = watch;
            false
        });
        assert!(taken.is_none() && watched > ms(10), "the server closed one just now: {watched:?}");
        kept.put(&"a", 7, None, true);
        kept.silent(&"a");
        assert!(kept.take(&"a", Use::Read, |_, _| true).is_none());
        assert!(kept.take(&"b", Use::Write, |_, _| true).is_some(), "another server's");
        for server in 0..=MOST_SERVERS {
            let key = format!("{server}").leak() as &str;
            kept.put(&key, server, None, true);
        }
        assert!(kept.take(&"0", Use::Read, |_, _| true).is_none(), "the longest unused server");
        assert!(kept.take(&"32", Use::Read, |_, _| true).is_some());
    }
}
