//! What an engine waits on: sockets, and other threads that wake it.
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

/// The key of the poller's own event; sockets have greater ones.
const WOKEN: u64 = 0;
/// How many events one look takes over.
const EVENTS: usize = 512;

/// The last key given to a socket, and the last number given to a poller. Neither is used twice: a poller known by
/// its address would be confused with its successor, and a socket that a forked child keeps open still has events.
static LAST_KEY: AtomicU64 = AtomicU64::new(WOKEN);
static LAST_POLLER: AtomicU64 = AtomicU64::new(0);

/// A socket's place in a poller.
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

/// An epoll instance with edge-triggered sockets: one registration for each connection, however many calls use it.
#[derive(Debug)]
pub struct Poller {
    number: u64,
    epoll: Epoll,
    event: EventFd,
    /// Whether the engine sleeps, or is about to: only then waking it takes a system call.
    sleeps: AtomicBool,
    woken: Mutex<Vec<usize>>,
}

impl Poller {
    /// A poller that watches nothing yet.
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
            // It was used here before, and by another engine since then.
            Err(Errno::EEXIST) => self.epoll.modify(socket, &mut event)?,
            added => added?,
        }
        Ok(Registration { poller: self.number, key })
    }

    /// Has the engine resume a task, from any thread.
    pub fn wake(&self, task: usize) {
        lock(&self.woken).push(task);
        self.notify();
    }

    /// Has the engine look around, from any thread.
    pub fn notify(&self) {
        if self.sleeps.swap(false, Ordering::SeqCst) {
            // It fails only if the counter is at its end, and then the engine is being woken already.
            let _ = self.event.write(1);
        }
    }

    /// The tasks that were woken since the last call.
    pub fn take_woken(&self) -> Vec<usize> {
        mem::take(&mut *lock(&self.woken))
    }

    /// Says that the engine is about to sleep: what comes after this is told by an event.
    pub fn prepare_sleep(&self) {
        self.sleeps.store(true, Ordering::SeqCst);
    }

    /// Waits for events; the keys of the sockets that have some. `None` waits without end.
    pub fn look(&self, limit: Option<Duration>, keys: &mut Vec<u64>) {
        let mut events = [EpollEvent::empty(); EVENTS];
        let timeout = match limit {
            None => EpollTimeout::NONE,
            // Rounded up: a wait of nothing would be made again at once.
            Some(limit) => {
                EpollTimeout::try_from(limit.saturating_add(Duration::from_micros(999))).unwrap_or(EpollTimeout::MAX)
            }
        };
        // An error is EINTR: the caller looks again.
        let count = self.epoll.wait(&mut events, timeout).unwrap_or(0);
        self.sleeps.store(false, Ordering::SeqCst);
        for event in &events[..count] {
            match event.data() {
                // Edge-triggered: it need not be read, which would be a system call.
                WOKEN => {}
                key => keys.push(key),
            }
        }
    }
}
