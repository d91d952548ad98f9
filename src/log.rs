//! The log: one line for each request, retry and renewal, and never a secret.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::fork::ForkMutex;
use crate::panics;

/// How much a line matters; a lower number matters more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    /// Something was lost or refused for good.
    Error = 1,
    /// A request failed; it may be repeated.
    Warning = 2,
    /// What a day's log should show: renewals.
    Info = 3,
    /// Every request.
    Debug = 4,
}

/// Where lines go.
pub type Sink = Arc<dyn Fn(Level, &str) + Send + Sync>;

thread_local! {
    /// Where on the stack this thread calls the sink; 0 if it does not. What the sink does itself by way of the library
    /// is not told to it, or it would never end.
    static TELLING: Cell<usize> = const { Cell::new(0) };
}

static MOST: AtomicI32 = AtomicI32::new(0);
static SINK: ForkMutex<Option<Sink>> = ForkMutex::new(None);

/// Sends lines up to this level to the sink, or with `None` nowhere, from now on.
pub fn set(sink: Option<Sink>, most: i32) {
    MOST.store(if sink.is_some() { most } else { 0 }, Ordering::Relaxed);
    let former = SINK.with(|slot| std::mem::replace(slot, sink));
    drop(former);
}

/// Notes that the host has come in at this place on the stack, which grows downwards. If that is above the frame that
/// called the sink, the host left the sink by a jump, and lines are told again.
pub fn entered(place: usize) {
    TELLING.with(|telling| {
        if telling.get() != 0 && place > telling.get() {
            telling.set(0);
        }
    });
}

/// The place of the caller's frame on the stack, roughly.
pub fn stack_place() -> usize {
    let here = 0_u8;
    std::hint::black_box(std::ptr::from_ref(&here)).addr()
}

/// Writes a line, if anybody reads it.
pub fn line(level: Level, text: impl FnOnce() -> String) {
    if level as i32 > MOST.load(Ordering::Relaxed) {
        return;
    }
    if TELLING.with(Cell::get) != 0 {
        return;
    }
    if let Some(sink) = SINK.with(|slot| slot.clone()) {
        TELLING.with(|telling| telling.set(stack_place()));
        // A bug in a line is no reason to lose the answer that it tells of.
        let _ = panics::catch(|| {
            sink(level, &text());
            Ok(())
        });
        TELLING.with(|telling| telling.set(0));
    }
}
