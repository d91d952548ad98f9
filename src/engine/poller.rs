//! The engine's poller: waits for sockets and for wake-ups by other threads.
#![forbid(unsafe_code)]

use std::io;
use std::mem;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use socket2::Socket;

use crate::error::{Code, Failure, Outcome};
use crate::fork::lock;

/// The key of the poller's own event; sockets have greater keys.
const WOKEN: u64 = 0;
/// The maximum number of events taken at once.
const EVENTS: usize = 512;

/// The last key given to a socket, and the last number given to a poller. Neither is used twice: an address could be
/// reused by a later poller, and a socket that a forked child keeps open still has events.
static LAST_KEY: AtomicU64 = AtomicU64::new(WOKEN);
static LAST_POLLER: AtomicU64 = AtomicU64::new(0);

/// A socket's registration with a poller.
#[derive(Debug, Clone, Copy)]
pub struct Registration {
    poller: u64,
    key: u64,
}

impl Registration {
    /// The key of the socket's events.
    pub fn key(self) -> u64 {
        self.key
    }
}

/// An epoll instance with edge-triggered sockets: one registration for each connection, shared by all calls that use
/// it.
#[derive(Debug)]
pub struct Poller {
    number: u64,
    epoll: Epoll,
    event: EventFd,
    /// Whether the engine sleeps or is about to; only then does waking it need a system call.
    sleeps: AtomicBool,
    woken: Mutex<Vec<usize>>,
}

impl Poller {
    /// A poller without sockets.
    pub fn new() -> Outcome<Poller> {
        Poller::create().map_err(|error| {
            let message = format!(
                "the queue could not watch its connections: {error}; raise the process's limit of descriptors, or \
                 close some"
            );
            Failure::new(Code::NetworkError, message).transient(true)
        })
    }

    fn create() -> Result<Poller, Errno> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let event = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        epoll.add(&event, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, WOKEN))?;
        Ok(Poller {
            number: LAST_POLLER.fetch_add(1, Ordering::Relaxed) + 1,
            epoll,
            event,
            sleeps: AtomicBool::new(false),
            woken: Mutex::default(),
        })
    }

    /// Whether a socket's registration is with this poller.
    pub fn knows(&self, registration: Registration) -> bool {
        registration.poller == self.number
    }

    /// Watches a socket until it is closed.
    pub fn register(&self, socket: &Socket) -> io::Result<Registration> {
        let key = LAST_KEY.fetch_add(1, Ordering::Relaxed) + 1;
        let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
        let mut event = EpollEvent::new(interest, key);
        match self.epoll.add(socket, event) {
            // The socket was registered here before and has since been used by another engine.
            Err(Errno::EEXIST) => self.epoll.modify(socket, &mut event)?,
            added => added?,
        }
        Ok(Registration { poller: self.number, key })
    }

    /// Makes the engine resume a task. Called on any thread.
    pub fn wake(&self, task: usize) {
        lock(&self.woken).push(task);
        self.notify();
    }

    /// Wakes the engine. Called on any thread.
    pub fn notify(&self) {
        if self.sleeps.swap(false, Ordering::SeqCst) {
            // It fails only if the counter is at its maximum, and then the engine is already being woken.
            let _ = self.event.write(1);
        }
    }

    /// The tasks that were woken since the last call.
    pub fn take_woken(&self) -> Vec<usize> {
        mem::take(&mut *lock(&self.woken))
    }

    /// Notes that the engine is about to sleep: later wake-ups send an event.
    pub fn prepare_sleep(&self) {
        self.sleeps.store(true, Ordering::SeqCst);
    }

    /// Waits for events and stores the keys of the ready sockets. `None` waits without a limit.
    pub fn poll(&self, limit: Option<Duration>, keys: &mut Vec<u64>) {
        let mut events = [EpollEvent::empty(); EVENTS];
        let timeout = match limit {
            None => EpollTimeout::NONE,
            // Rounded up: a wait of 0 ms would return at once and be repeated.
            Some(limit) => {
                EpollTimeout::try_from(limit.saturating_add(Duration::from_micros(999))).unwrap_or(EpollTimeout::MAX)
            }
        };
        // The only error is EINTR, after which the caller polls again.
        let count = self.epoll.wait(&mut events, timeout).unwrap_or(0);
        self.sleeps.store(false, Ordering::SeqCst);
        for event in &events[..count] {
            match event.data() {
                // Edge-triggered, so it is not read, which would need a system call.
                WOKEN => {}
                key => keys.push(key),
            }
        }
    }
}
