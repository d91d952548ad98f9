//! Connections kept for later calls, by server, and the decision whether a call may use one.
//!
//! A server may close a connection at any moment, and a request sent at that moment may or may not have been carried
//! out. A read is retried; a write must not be, so it uses a kept connection only if the server is known to keep it
//! open.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::fork::{ForkMutex, OfThisProcess};

/// Connections unused for longer are closed.
const LONGEST_IDLE: Duration = Duration::from_secs(60);
/// The maximum number of servers for which connections are kept.
const MOST_SERVERS: usize = 32;
/// If a server closes a connection right after its answer, the close arrives within this time.
const SETTLED: Duration = Duration::from_millis(25);
/// A connection that was closed after a shorter idle time was not closed by an idle timeout.
const SHORTEST_LIMIT: Duration = Duration::from_secs(1);
/// How long writes avoid unproven connections after a server closed one.
const CAREFUL_PERIOD: Duration = Duration::from_secs(60);

/// Whether a request can be retried if its connection fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It can be retried.
    Read,
    /// It cannot.
    Write,
}

/// Kept connections of one process; `K` names a server, `C` is a connection.
pub struct KeptConnections<K, C> {
    most: usize,
    servers: ForkMutex<Vec<Server<K, C>>>,
    /// Only the process that made a connection uses it; a child closes its parent's.
    process: OfThisProcess<()>,
}

struct Server<K, C> {
    key: K,
    /// Sorted by idle time, the longest first.
    idle: VecDeque<Idle<C>>,
    history: History,
}

struct Idle<C> {
    connection: C,
    since: Instant,
    /// For how long the server keeps it, if it said so.
    keep_alive: Option<Duration>,
}

/// How a server has treated unused connections so far.
#[derive(Default, Clone, Copy)]
struct History {
    /// Whether a kept connection has answered a second request.
    has_kept: bool,
    /// When a connection was last found closed by the server.
    closed: Option<Instant>,
    /// The shortest recent idle time after which one was found closed by an idle timeout.
    limit: Option<Duration>,
}

impl History {
    fn note_closed(&mut self, idle: Duration, now: Instant) {
        let previous = self.limit.filter(|_| self.has_closed_lately(now));
        self.limit =
            if idle < SHORTEST_LIMIT { previous } else { Some(previous.map_or(idle, |previous| previous.min(idle))) };
        self.closed = Some(now);
    }

    fn has_closed_lately(&self, now: Instant) -> bool {
        self.closed.is_some_and(|at| now.saturating_duration_since(at) < CAREFUL_PERIOD)
    }

    /// Whether a connection that was idle for `idle` may be used, and for how long to watch it first.
    fn permits(&self, purpose: Use, idle: Duration, keep_alive: Option<Duration>, now: Instant) -> Option<Duration> {
        // The server may close it slightly early, and the request takes time to arrive.
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
    /// Keeps at most `most` connections for each server.
    pub fn new(most: usize) -> KeptConnections<K, C> {
        KeptConnections { most, servers: ForkMutex::new(Vec::new()), process: OfThisProcess::new(()) }
    }

    /// Takes a kept connection of a server, with its key and the time since when it was unused. `is_open` watches for
    /// the given time whether it is still open.
    #[inline(never)]
    pub fn take(
        &self,
        is_wanted: impl Fn(&K) -> bool,
        purpose: Use,
        mut is_open: impl FnMut(&mut C, Duration) -> bool,
    ) -> Option<(K, C, Instant)> {
        self.process.get()?;
        loop {
            let now = Instant::now();
            let found = self.servers.with(|servers| {
                let server = servers.iter_mut().find(|server| is_wanted(&server.key))?;
                let history = server.history;
                let permitted = |idle: &Idle<C>| {
                    let unused = now.saturating_duration_since(idle.since);
                    let is_young = unused < LONGEST_IDLE;
                    history.permits(purpose, unused, idle.keep_alive, now).filter(|_| is_young)
                };
                // The last one used is the most likely to be open.
                let found = server.idle.iter().enumerate().rev().find_map(|(at, idle)| Some((at, permitted(idle)?)));
                let (index, watch) = found?;
                server.idle.remove(index).map(|idle| (server.key.clone(), idle, watch))
            });
            let (key, Idle { mut connection, since, .. }, watch) = found?;
            if is_open(&mut connection, watch) {
                return Some((key, connection, since));
            }
            self.closed(&key, since);
        }
    }

    /// Keeps a connection. `has_answered_before` says whether it had answered an earlier request.
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
            let server = entry_of(servers, key);
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
        // Closed here, because a section must do no I/O.
        drop(surplus);
    }

    /// Notes that a server closed a connection that was unused since `since`.
    pub fn closed(&self, key: &K, since: Instant) {
        let now = Instant::now();
        let idle = now.saturating_duration_since(since);
        self.servers.with(|servers| entry_of(servers, key).history.note_closed(idle, now));
    }

    /// Closes a server's connections: one of them timed out, so the network path may be lost for all.
    pub fn timed_out(&self, key: &K) {
        let closed = self.servers.with(|servers| std::mem::take(&mut entry_of(servers, key).idle));
        drop(closed);
    }
}

fn entry_of<'s, K: PartialEq + Clone, C>(servers: &'s mut Vec<Server<K, C>>, key: &K) -> &'s mut Server<K, C> {
    let index = servers.iter().position(|server| server.key == *key).unwrap_or_else(|| {
        servers.push(Server { key: key.clone(), idle: VecDeque::new(), history: History::default() });
        servers.len() - 1
    });
    &mut servers[index]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_write_avoids_connections_that_the_server_may_close() {
        let now = Instant::now() + CAREFUL_PERIOD * 10;
        let fresh = History::default();
        let kept = History { has_kept: true, ..fresh };
        let closes = History { closed: Some(now - ms(100)), ..kept };
        let limits = History { limit: Some(ms(2000)), ..closes };
        let long_ago = History { closed: Some(now - CAREFUL_PERIOD), limit: Some(ms(2000)), ..kept };
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
    fn the_shortest_recent_idle_timeout_applies() {
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
        history.note_closed(ms(3000), begin + ms(40) + CAREFUL_PERIOD);
        assert_eq!(history.limit, Some(ms(3000)));
    }

    #[test]
    fn the_last_used_is_taken_first_and_few_are_kept() {
        let kept = KeptConnections::new(2);
        for connection in 1..=3 {
            kept.put(&"a", connection, None, true);
        }
        kept.put(&"b", 9, None, true);
        let taken = || kept.take(|key| *key == "a", Use::Read, |_, _| true).map(|(_, connection, _)| connection);
        assert_eq!([taken(), taken(), taken()], [Some(3), Some(2), None]);
        for connection in 4..=5 {
            kept.put(&"a", connection, None, true);
        }
        let standing = kept.take(|key| *key == "a", Use::Read, |connection, _| *connection == 4);
        assert_eq!(standing.map(|(_, connection, _)| connection), Some(4), "5 was closed");
        kept.put(&"a", 6, None, true);
        let mut watched = Duration::ZERO;
        let taken = kept.take(
            |key| *key == "a",
            Use::Write,
            |_, watch| {
                watched = watch;
                false
            },
        );
        assert!(taken.is_none() && watched > ms(10), "the server closed one just now: {watched:?}");
        kept.put(&"a", 7, None, true);
        kept.timed_out(&"a");
        assert!(kept.take(|key| *key == "a", Use::Read, |_, _| true).is_none());
        assert!(kept.take(|key| *key == "b", Use::Write, |_, _| true).is_some(), "another server's");
        for server in 0..=MOST_SERVERS {
            let key = format!("{server}").leak() as &str;
            kept.put(&key, server, None, true);
        }
        assert!(kept.take(|key| *key == "0", Use::Read, |_, _| true).is_none(), "the longest unused server");
        assert!(kept.take(|key| *key == "32", Use::Read, |_, _| true).is_some());
    }
}
