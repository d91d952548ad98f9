//! Replaces the engine on systems without one: each call blocks its own thread.
#![forbid(unsafe_code)]

use std::io;
use std::thread;
use std::time::Instant;

use socket2::Socket;

/// A socket's registration with an engine: empty here.
#[derive(Debug, Default)]
pub struct Registered;

/// The waker of a task: never constructed here.
#[derive(Clone)]
pub enum Waker {}

impl Waker {
    /// Never called.
    pub fn wake(&self) {}
}

/// Whether this code runs in a task: never.
pub fn is_task() -> bool {
    false
}

/// Runs code of the host.
pub fn on_thread_stack<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Does nothing: other calls run on their own threads.
pub fn pause_if_long() -> bool {
    false
}

/// Never called, since there are no tasks.
pub fn wait<'s>(_: impl Iterator<Item = (&'s Socket, &'s Registered)>, until: Option<Instant>) -> io::Result<()> {
    until.inspect(|until| wait_for_wake(*until));
    Ok(())
}

/// Never called, since there are no tasks.
pub fn wait_for_wake(until: Instant) {
    thread::sleep(until.saturating_duration_since(Instant::now()));
}
