//! Connects to a host name: tries its addresses in parallel, 250 ms apart (RFC 8305, "Happy Eyeballs"), and remembers
//! the one that worked.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::attempt::Attempt;
use super::resolver::resolve;
use super::socket::{CancellableSocket, wait};
use super::system_error::{describe, is_shortage};
use crate::call::{Call, Interrupt};
use crate::engine::{self, Registered};
use crate::error::{Code, Failure, Outcome};
use crate::fork::{ForkMutex, lock};

/// RFC 8305's delay between the starts of two connection attempts.
const NEXT_ADDRESS: Duration = Duration::from_millis(250);
/// `shutdown` before `connect` has no effect, so cancellation is also polled at this interval.
const CANCEL_CHECK: Duration = Duration::from_millis(20);
/// For how many host names the last working address is remembered.
const REMEMBERED: usize = 64;

/// The last working addresses, by host name and port; the latest at the end.
static LAST_WORKING: ForkMutex<VecDeque<(String, SocketAddr)>> = ForkMutex::new(VecDeque::new());

/// Connects to a host name.
pub fn connect(host: &str, port: u16, attempt: &Attempt) -> Outcome<Arc<CancellableSocket>> {
    let addresses = resolve(host, port, attempt)?;
    let endpoint = format!("{host}:{port}");
    let remembered = (addresses.len() > 1).then(|| remembered(&endpoint)).flatten();
    let mut connecting = ParallelConnect::new(in_order(&addresses, remembered), attempt);
    let (address, socket) = connecting.run()?;
    if addresses.len() > 1 && remembered != Some(address) {
        remember(endpoint, address);
    }
    Ok(Arc::new(socket))
}

fn remembered(endpoint: &str) -> Option<SocketAddr> {
    LAST_WORKING.with(|worked| worked.iter().find(|(known, _)| known == endpoint).map(|(_, address)| *address))
}

fn remember(endpoint: String, address: SocketAddr) {
    LAST_WORKING.with(|worked| {
        worked.retain(|(known, _)| *known != endpoint);
        worked.push_back((endpoint, address));
        if worked.len() > REMEMBERED {
            worked.pop_front();
        }
    });
}

/// The order in which to try addresses: the last working one, then the two families alternately (RFC 8305, section 4),
/// each in the resolver's order.
fn in_order(addresses: &[SocketAddr], worked: Option<SocketAddr>) -> VecDeque<SocketAddr> {
    let first = worked.filter(|worked| addresses.contains(worked));
    let first_is_v6 = first.or(addresses.first().copied()).is_some_and(|address| address.is_ipv6());
    let rest = |is_v6| addresses.iter().copied().filter(move |it| it.is_ipv6() == is_v6 && Some(*it) != first);
    let (mut same, mut other) = (rest(first_is_v6), rest(!first_is_v6));
    let mut order: VecDeque<_> = first.into_iter().collect();
    loop {
        let next = if order.len() % 2 == 0 {
            same.next().or_else(|| other.next())
        } else {
            other.next().or_else(|| same.next())
        };
        match next {
            Some(address) => order.push_back(address),
            None => return order,
        }
    }
}

/// Connection attempts in parallel.
struct ParallelConnect<'a> {
    attempt: &'a Attempt,
    waiting: VecDeque<SocketAddr>,
    pending_sockets: Arc<PendingSockets>,
    failure: Option<io::Error>,
}

/// The sockets that a cancellation shuts down.
#[derive(Default)]
struct PendingSockets(Mutex<Vec<(SocketAddr, Arc<PendingSocket>)>>);

/// A socket that is being connected.
struct PendingSocket {
    socket: Socket,
    registered: Registered,
}

impl Interrupt for PendingSockets {
    fn interrupt(&self, _: &Call) {
        for (_, pending) in lock(&self.0).iter() {
            let _ = pending.socket.shutdown(Shutdown::Both);
        }
    }
}

impl<'a> ParallelConnect<'a> {
    fn new(waiting: VecDeque<SocketAddr>, attempt: &'a Attempt) -> ParallelConnect<'a> {
        let pending_sockets = Arc::<PendingSockets>::default();
        let interrupted: Weak<PendingSockets> = Arc::downgrade(&pending_sockets);
        attempt.call().blocked_in(interrupted);
        ParallelConnect { attempt, waiting, pending_sockets, failure: None }
    }

    fn run(&mut self) -> Outcome<(SocketAddr, CancellableSocket)> {
        let mut next_at = Instant::now();
        loop {
            let left = self.attempt.time_left()?;
            let running: Vec<_> =
                lock(&self.pending_sockets.0).iter().map(|(_, pending)| Arc::clone(pending)).collect();
            if Instant::now() >= next_at || running.is_empty() {
                if let Some(address) = self.waiting.pop_front() {
                    self.begin(address);
                    next_at = Instant::now() + NEXT_ADDRESS;
                    continue;
                }
                if running.is_empty() {
                    return Err(self.failed());
                }
            }
            let until_next = next_at.saturating_duration_since(Instant::now());
            let pause = if self.waiting.is_empty() { CANCEL_CHECK } else { CANCEL_CHECK.min(until_next) };
            let waited = if engine::is_task() {
                let pause = if self.waiting.is_empty() { left } else { until_next.min(left) };
                let sockets = running.iter().map(|pending| (&pending.socket, &pending.registered));
                engine::wait(sockets, Some(Instant::now() + pause))
            } else {
                wait::until_connected(running.iter().map(|pending| &pending.socket), pause.min(left))
            };
            waited.map_err(|error| self.could_not(&error))?;
            let begun = running.len();
            drop(running);
            if let Some(connected) = self.finished() {
                return Ok(connected);
            }
            if lock(&self.pending_sockets.0).len() < begun {
                // One has failed, so the next starts at once.
                next_at = Instant::now();
            }
        }
    }

    // Not inlined: its variables would enlarge the caller's frame, which a suspended call keeps on its stack.
    #[inline(never)]
    fn begin(&mut self, address: SocketAddr) {
        let begun = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)).and_then(|socket| {
            socket.set_tcp_nodelay(true)?;
            socket.set_nonblocking(true)?;
            match socket.connect(&address.into()) {
                Err(error) if !is_in_progress(&error) => Err(error),
                _ => Ok(socket),
            }
        });
        match begun {
            Ok(socket) => {
                let pending = PendingSocket { socket, registered: Registered::default() };
                lock(&self.pending_sockets.0).push((address, Arc::new(pending)));
            }
            // The first address's error is reported, unless this machine lacks a resource.
            Err(error) if self.failure.is_none() || is_shortage(&error) => self.failure = Some(error),
            Err(_) => {}
        }
    }

    /// The first socket that has connected. Failed ones are removed.
    #[inline(never)]
    fn finished(&mut self) -> Option<(SocketAddr, CancellableSocket)> {
        let mut pending_sockets = lock(&self.pending_sockets.0);
        let mut at = 0;
        while at < pending_sockets.len() {
            let socket = &pending_sockets[at].1.socket;
            let failed = match socket.take_error() {
                Ok(None) if socket.peer_addr().is_err() => {
                    at += 1;
                    continue;
                }
                Ok(None) => None,
                Ok(Some(error)) | Err(error) => Some(error),
            };
            let (address, pending) = pending_sockets.swap_remove(at);
            match failed {
                Some(error) => drop(self.failure.get_or_insert(error)),
                None => {
                    let pending = Arc::into_inner(pending).filter(|it| it.socket.set_nonblocking(false).is_ok());
                    return pending.map(|it| (address, CancellableSocket::new(it.socket, it.registered)));
                }
            }
        }
        None
    }

    fn failed(&mut self) -> Failure {
        let error = self.failure.take().unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into());
        self.could_not(&error)
    }

    fn could_not(&self, error: &io::Error) -> Failure {
        let peer = self.attempt.peer();
        Failure::new(Code::NetworkError, format!("could not connect to {peer}: {}", describe(error)))
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EALREADY | libc::EAGAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_take_turns_after_the_address_that_worked() {
        let list = |text: &str| -> Vec<SocketAddr> {
            text.split_whitespace().map(|address| address.parse().expect(address)).collect()
        };
        let all = list("[::1]:1 [::2]:1 [::3]:1 1.1.1.1:1 2.2.2.2:1");
        for (worked, order) in [
            (None, "[::1]:1 1.1.1.1:1 [::2]:1 2.2.2.2:1 [::3]:1"),
            (Some("2.2.2.2:1"), "2.2.2.2:1 [::1]:1 1.1.1.1:1 [::2]:1 [::3]:1"),
            (Some("9.9.9.9:1"), "[::1]:1 1.1.1.1:1 [::2]:1 2.2.2.2:1 [::3]:1"),
        ] {
            let worked = worked.map(|address| address.parse().expect("an address"));
            assert_eq!(in_order(&all, worked), list(order));
        }
        assert!(in_order(&[], None).is_empty());
    }
}
