//! The engine: many calls in flight on one thread, each suspended while it waits.
//!
//! A call is ordinary blocking code. On a thread of the host it blocks where it waits. In an engine it runs in a
//! coroutine, and the same wait suspends it: [`wait`] is the one place where that happens. What holds for each wait:
//!
//! - Every wake-up may be spurious: whoever waits looks again at the socket, the cancellation and the deadline.
//! - No lock is held, no section of a `ForkMutex` is open and nothing is being dropped.
//! - What belongs to the call alone ([`local`]) is set aside; no other thread-local value is set across a wait.
//! - A task never changes its thread, and is never dropped while it is suspended: a cancelled one runs to its end.
//! - Code of the host (callbacks) runs on the thread's own stack, see [`on_thread_stack`]: Go, the JVM and Python check
//!   the bounds of the stack that they run on.
// Denied, not forbidden, for the sake of `task` alone.
#![deny(unsafe_code)]

#[cfg(not(target_os = "linux"))]
mod absent;
pub mod local;
#[cfg(target_os = "linux")]
mod poller;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod suspend;
#[cfg(target_os = "linux")]
mod task;

#[cfg(not(target_os = "linux"))]
pub use self::absent::*;
#[cfg(target_os = "linux")]
pub use self::{
    poller::Poller,
    run::{Engine, Turn, Work},
    suspend::{Registered, Waker, pause_if_long, wait, wait_for_wake, waker},
    task::{is_task, on_thread_stack},
};
