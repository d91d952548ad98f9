//! The waits of a call that runs in an engine.
#![forbid(unsafe_code)]

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use socket2::Socket;

use super::poller::{Poller, Registration};
use super::task;
use crate::fork::lock;

/// How long a task may run before it lets others run: a cancellation must take effect soon.
const SLICE: Duration = Duration::from_millis(2);

/// Wakes one task from another thread.
#[derive(Clone)]
pub struct Waker {
    poller: Arc<Poller>,
    task: usize,
}

impl Waker {
    /// Makes the task check again what it waits for.
    pub fn wake(&self) {
        self.poller.wake(self.task);
    }
}

/// What a suspended task waits for.
pub(super) struct Wait {
    pub until: Option<Instant>,
    pub keys: Vec<u64>,
}

/// The waker of the task on this thread; `None` on a thread of the host.
pub fn waker() -> Option<Waker> {
    task::with_current(|current| Waker { poller: Arc::clone(current.poller()), task: current.number() })
}

/// A socket's registration with the engine that used it last.
#[derive(Debug, Default)]
pub struct Registered(Mutex<Option<Registration>>);

impl Registered {
    /// The key of the socket's events in the engine.
    fn key(&self, socket: &Socket, poller: &Poller) -> io::Result<u64> {
        let mut place = lock(&self.0);
        if let Some(registration) = place.filter(|registration| poller.knows(*registration)) {
            return Ok(registration.key());
        }
        let registration = poller.register(socket)?;
        *place = Some(registration);
        Ok(registration.key())
    }
}

/// Suspends the task on this thread until one of the sockets is readable or writable, the task is woken, or the time
/// has come. Must not be called on a thread of the host.
pub fn wait<'s>(sockets: impl Iterator<Item = (&'s Socket, &'s Registered)>, until: Option<Instant>) -> io::Result<()> {
    let keys = task::with_current(|current| {
        sockets.map(|(socket, registered)| registered.key(socket, current.poller())).collect::<Result<Vec<_>, _>>()
    });
    let keys = keys.unwrap_or_else(|| Ok(Vec::new()))?;
    task::suspend(Wait { until, keys });
    Ok(())
}

/// Suspends the task on this thread until it is woken or the time has come. Must not be called on a thread of the host.
pub fn wait_for_wake(until: Instant) {
    task::suspend(Wait { until: Some(until), keys: Vec::new() });
}

/// Lets other tasks run if this one has run for long; returns whether it did. Does nothing on a thread of the host.
pub fn pause_if_long() -> bool {
    let is_long = task::with_current(|current| current.since().elapsed() > SLICE).unwrap_or(false);
    if is_long {
        task::suspend(Wait { until: Some(Instant::now()), keys: Vec::new() });
    }
    is_long
}
