//! What ends a running call before its time: its time limit, and cancellation by other threads.
#![forbid(unsafe_code)]

mod group;
mod shared_task;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

pub use self::group::{BodyProgress, CallGroup, Membership, Progress};
pub use self::shared_task::SharedTask;
use crate::engine::{self, Waker};
use crate::error::{Code, Failure, Outcome};
use crate::fork::lock;

/// Something that a call may be blocked in and another thread can interrupt, such as a socket.
pub trait Interrupt: Send + Sync {
    /// Ends the wait, if this call is still the one that waits.
    fn interrupt(&self, call: &Call);
}

/// The number of calls made in this process so far.
static NUMBERED: AtomicU64 = AtomicU64::new(0);

/// One running call: its time limit, its cancellation, its progress.
///
/// Each wait of the call (for a name, a socket, a delay, another thread's renewal) goes through this type, so that each
/// wait ends at the time limit and soon after a cancellation.
pub struct Call {
    /// Identifies the call in the log.
    number: u64,
    deadline: OnceLock<Instant>,
    limit: Duration,
    cancelled: AtomicBool,
    sending: AtomicU8,
    /// The retries that are left, once the limit is known.
    retries: OnceLock<AtomicU32>,
    progress: OnceLock<BodyProgress>,
    blocked_in: Mutex<Option<Weak<dyn Interrupt>>>,
    /// Wakes a thread that waits for something other than a socket.
    woken: Condvar,
    /// Wakes the task that performs the call, if an engine does.
    waker: OnceLock<Waker>,
}

/// Values of [`Call::sending`]: no byte of a request was sent; one is about to be sent; one was sent; none may be sent
/// any more.
const UNSENT: u8 = 0;
const ABOUT_TO_SEND: u8 = 1;
const SENT: u8 = 2;
const NOT_TO_BE_SENT: u8 = 3;

impl Call {
    /// A call that begins now and may last this long.
    pub fn new(limit: Duration) -> Arc<Call> {
        let call = Call::waiting(limit);
        call.begin();
        call
    }

    /// A call whose time limit starts at [`Self::begin`].
    pub fn waiting(limit: Duration) -> Arc<Call> {
        Arc::new(Call {
            number: NUMBERED.fetch_add(1, Ordering::Relaxed) + 1,
            deadline: OnceLock::new(),
            limit,
            cancelled: AtomicBool::new(false),
            sending: AtomicU8::new(UNSENT),
            retries: OnceLock::new(),
            progress: OnceLock::new(),
            blocked_in: Mutex::new(None),
            woken: Condvar::new(),
            waker: OnceLock::new(),
        })
    }

    /// The number that identifies the call in the log.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Starts the call's time limit now.
    pub fn begin(&self) {
        self.begin_at(Instant::now());
    }

    /// Starts the call's time limit at this moment.
    pub fn begin_at(&self, moment: Instant) {
        let _ = self.deadline.set(after(moment, self.limit));
    }

    /// Sets how many retries the call may make, in place of its session's option.
    pub fn limit_retries(&self, retries: u32) {
        let _ = self.retries.set(AtomicU32::new(retries));
    }

    /// Takes one of the call's retries and returns how many are left, or `None` if there was none. There are `option`
    /// retries unless the call has a limit of its own; a retry with other tokens adds none.
    pub fn take_retry(&self, option: u32) -> Option<u32> {
        let left = self.retries.get_or_init(|| AtomicU32::new(option));
        let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        taken.ok().map(|left| left - 1)
    }

    /// Where the progress of the request body is counted, if the host asks for it.
    pub fn progress(&self) -> Option<&BodyProgress> {
        self.progress.get()
    }

    /// How long the call may last.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// When the call's time limit ends.
    pub fn deadline(&self) -> Instant {
        *self.deadline.get_or_init(|| after(Instant::now(), self.limit))
    }

    /// Cancels the call, whatever it waits for.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        // A task is suspended while it waits, so it needs no interruption, which would cost two system calls.
        if let Some(waker) = self.waker.get() {
            return waker.wake();
        }
        let blocked_in = lock(&self.blocked_in).clone();
        self.woken.notify_all();
        if let Some(wait) = blocked_in.and_then(|wait| wait.upgrade()) {
            wait.interrupt(self);
        }
    }

    /// Whether the call was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// A byte of a request of this call is about to be sent; fails after [`Self::cancel_unsent`].
    pub fn about_to_send(&self) -> Outcome<()> {
        let previous = self.sending.compare_exchange(UNSENT, ABOUT_TO_SEND, Ordering::SeqCst, Ordering::SeqCst);
        if previous == Err(NOT_TO_BE_SENT) { Err(cancelled()) } else { Ok(()) }
    }

    /// Notes whether a byte was sent.
    pub fn note_sent(&self, any: bool) {
        let now = if any { SENT } else { UNSENT };
        let _ = self.sending.compare_exchange(ABOUT_TO_SEND, now, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Whether a byte of a request of this call may have reached a server.
    pub fn was_sent(&self) -> bool {
        self.sending.load(Ordering::Relaxed) == SENT
    }

    /// Cancels the call unless a byte of a request was sent: the result of what the server then does would be lost.
    pub fn cancel_unsent(&self) {
        loop {
            match self.sending.compare_exchange(UNSENT, NOT_TO_BE_SENT, Ordering::SeqCst, Ordering::SeqCst) {
                // No thread waits between the two steps of sending.
                Err(ABOUT_TO_SEND) => std::thread::yield_now(),
                Err(SENT) => return,
                _ => return self.cancel(),
            }
        }
    }

    /// Fails if the call was cancelled or its time limit has passed.
    pub fn check(&self) -> Outcome<()> {
        self.time_left().map(|_| ())
    }

    /// As [`Self::check`], within long computations: in an engine, it also lets other calls run.
    pub fn checkpoint(&self) -> Outcome<()> {
        engine::pause_if_long();
        self.check()
    }

    /// The time until the limit, or why the call must end now.
    pub fn time_left(&self) -> Outcome<Duration> {
        if self.is_cancelled() {
            return Err(cancelled());
        }
        match self.deadline().saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(self.timed_out()),
            left => Ok(left),
        }
    }

    /// The failure of a call whose time limit has passed.
    pub fn timed_out(&self) -> Failure {
        Failure::new(Code::Timeout, format!("no answer within the time limit of {} ms", self.limit.as_millis()))
    }

    /// Notes what the call is blocked in from now on, until another is noted or [`Self::unblocked`] is called.
    ///
    /// An earlier cancellation does not interrupt it, so check for one afterwards.
    pub fn blocked_in(&self, wait: Weak<dyn Interrupt>) {
        *lock(&self.blocked_in) = Some(wait);
    }

    /// Notes that the call is no longer blocked.
    pub fn unblocked(&self) {
        *lock(&self.blocked_in) = None;
    }

    /// Waits for a condition that another thread makes true before it calls [`Self::wake`]; `None` if it is still false
    /// at `until`.
    pub fn wait<T>(&self, until: Instant, mut ready: impl FnMut() -> Option<T>) -> Outcome<Option<T>> {
        // The lock makes sure that a wake-up between the check and the sleep is not missed. An engine remembers
        // wake-ups that come before the suspension, so no lock is held across one.
        let is_task = engine::is_task();
        let mut turn = (!is_task).then(|| lock(&self.blocked_in));
        loop {
            if let Some(value) = ready() {
                return Ok(Some(value));
            }
            let call_left = self.time_left()?;
            let left = until.saturating_duration_since(Instant::now()).min(call_left);
            if left.is_zero() {
                return Ok(None);
            }
            match turn.take() {
                Some(asleep) => {
                    turn = Some(self.woken.wait_timeout(asleep, left).unwrap_or_else(PoisonError::into_inner).0);
                }
                None => engine::wait_for_wake(Instant::now() + left),
            }
        }
    }

    /// Sets the task to wake when the call is woken.
    pub fn performed_by(&self, waker: Waker) {
        let _ = self.waker.set(waker);
    }

    /// Makes the call check again what it waits for.
    pub fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            return waker.wake();
        }
        // A call between its check and its sleep holds the lock.
        drop(lock(&self.blocked_in));
        self.woken.notify_all();
    }

    /// Pauses the call.
    pub fn pause(&self, length: Duration) -> Outcome<()> {
        self.wait(Instant::now() + length, || None::<()>).map(|_| ())
    }
}

/// The end of a time limit; one beyond the clock's range becomes a century.
fn after(moment: Instant, limit: Duration) -> Instant {
    let century = Duration::from_secs(100 * 365 * 24 * 3600);
    moment.checked_add(limit).unwrap_or_else(|| moment + century)
}

fn cancelled() -> Failure {
    Failure::new(Code::Cancelled, "the call was cancelled")
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_cancellation_ends_a_pause_at_once() {
        let call = Call::new(Duration::from_secs(60));
        let cancellation = CallGroup::default();
        let membership = cancellation.join(&call).expect("not ended");
        thread::scope(|scope| {
            let pause = scope.spawn(|| call.pause(Duration::from_secs(30)).expect_err("cancelled").code());
            cancellation.cancel();
            assert_eq!(pause.join().expect("no panic"), Code::Cancelled);
        });
        drop(membership);
        assert!(cancellation.join(&Call::new(Duration::ZERO)).is_ok(), "later calls begin");
        cancellation.end();
        assert!(cancellation.join(&Call::new(Duration::ZERO)).is_err(), "none begins after the end");
    }

    #[test]
    fn a_call_uses_each_retry_once() {
        let call = Call::new(Duration::from_secs(60));
        assert_eq!([call.take_retry(2), call.take_retry(2), call.take_retry(2)], [Some(1), Some(0), None]);
        let call = Call::new(Duration::from_secs(60));
        call.limit_retries(0);
        assert_eq!(call.take_retry(2), None, "its own number counts");
    }
}
