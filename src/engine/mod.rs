//! The engine: many calls in flight on one thread, each suspended while it waits.
//!
//! A call is ordinary blocking code. On a thread of the host its waits block the thread. In an engine it runs in a
//! coroutine, and [`wait`] suspends it. Each wait follows these rules:
//!
//! - Every wake-up may be spurious: the waiting code checks the socket, the cancellation and the deadline again.
//! - No lock is held, no `ForkMutex` is in use and no `Drop` is running.
//! - The call's own value ([`local`]) is saved; no other thread-local value stays set across a wait.
//! - A task never changes its thread, and is never dropped while it is suspended: a cancelled task runs to its end.
//! - Code of the host (callbacks) runs on the thread's own stack, see [`on_thread_stack`]: Go, the JVM and Python check
//!   the bounds of the stack on which they run.
// Denied, not forbidden, because `task` needs it.
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
    task::{End, is_task, on_thread_stack},
};
