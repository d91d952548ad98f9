//! What ends a running call before its time: its time limit, and cancellation by other threads.
#![forbid(unsafe_code)]

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use slab::Slab;

use crate::engine::{self, Waker};
use crate::error::{Code, Failure, Outcome};
use crate::fork::{self, ForkMutex, OfThisProcess, lock};

/// Something a call may be blocked in, such as a socket, that another thread can end.
pub trait Interrupt: Send + Sync {
    /// Ends the wait, if it is still this call that waits there.
    fn interrupt(&self, call: &Call);
}

/// How many calls were made in this process.
static NUMBERED: AtomicU64 = AtomicU64::new(0);

/// One running call, as seen by those who may end it.
///
/// Each wait of the call (for a name, a socket, a delay, another thread's renewal) is made known to it, so that each
/// ends in time and within moments of a cancellation.
pub struct Call {
    /// Tells it from the process's other calls in the log.
    number: u64,
    deadline: OnceLock<Instant>,
    limit: Duration,
    cancelled: AtomicBool,
    sending: AtomicU8,
    /// How many retries are left, once it is known how many there may be.
    retries: OnceLock<AtomicU32>,
    progress: OnceLock<BodyProgress>,
    blocked_in: Mutex<Option<Weak<dyn Interrupt>>>,
    /// Wakes a thread that waits for something else than a socket.
    woken: Condvar,
    /// Wakes the task that performs the call, if an engine does.
    waker: OnceLock<Waker>,
}

/// Values of [`Call::sending`]: no byte of a request was sent; one is about to be; one was; none is to be.
const UNSENT: u8 = 0;
const ABOUT_TO_SEND: u8 = 1;
const SENT: u8 = 2;
const NOT_TO_BE_SENT: u8 = 3;

/// How much of the request bodies of some calls was sent.
#[derive(Debug, Default)]
pub struct Progress {
    /// The bytes that were sent.
    pub sent: AtomicU64,
    /// The bytes that there are to send.
    pub total: AtomicU64,
}

/// One call's part in the progress of its group.
#[derive(Debug)]
pub struct BodyProgress {
    group: Arc<Progress>,
    sent: AtomicU64,
    total: AtomicU64,
}

impl BodyProgress {
    /// An attempt begins to send a body of so many bytes: what an earlier attempt sent does not count any more.
    pub fn begin(&self, total: u64) {
        self.group.total.fetch_add(total, Ordering::Relaxed);
        self.group.total.fetch_sub(self.total.swap(total, Ordering::Relaxed), Ordering::Relaxed);
        self.group.sent.fetch_sub(self.sent.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// So many bytes more were sent.
    pub fn add(&self, sent: u64) {
        self.sent.fetch_add(sent, Ordering::Relaxed);
        self.group.sent.fetch_add(sent, Ordering::Relaxed);
    }
}

impl Call {
    /// A call that begins now and may last this long.
    pub fn new(limit: Duration) -> Arc<Call> {
        let call = Call::waiting(limit);
        call.begin();
        call
    }

    /// A call whose time does not run before [`Self::begin`].
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

    /// The number by which the log tells the call from others.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Lets the call's time run from now on.
    pub fn begin(&self) {
        self.begin_at(Instant::now());
    }

    /// Lets the call's time run from a moment on.
    pub fn begin_at(&self, moment: Instant) {
        let _ = self.deadline.set(after(moment, self.limit));
    }

    /// Sets how many retries the call may make, in place of its session's option.
    pub fn limit_retries(&self, retries: u32) {
        let _ = self.retries.set(AtomicU32::new(retries));
    }

    /// Takes one of the call's retries, of which there are `option` unless the call has a number of its own. A call
    /// that is repeated with other tokens has no more of them.
    /// The number that is left then, or `None` if there was none to take.
    pub fn take_retry(&self, option: u32) -> Option<u32> {
        let left = self.retries.get_or_init(|| AtomicU32::new(option));
        let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        taken.ok().map(|left| left - 1)
    }

    /// Where the progress of its request's body is told, if anybody asks for it.
    pub fn progress(&self) -> Option<&BodyProgress> {
        self.progress.get()
    }

    /// How long the call may last.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// When the call's time is over.
    pub fn deadline(&self) -> Instant {
        *self.deadline.get_or_init(|| after(Instant::now(), self.limit))
    }

    /// Ends the call, whatever it waits for.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        let blocked_in = lock(&self.blocked_in).clone();
        self.woken.notify_all();
        self.waker.get().inspect(|waker| waker.wake());
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
        let former = self.sending.compare_exchange(UNSENT, ABOUT_TO_SEND, Ordering::SeqCst, Ordering::SeqCst);
        if former == Err(NOT_TO_BE_SENT) { Err(cancelled()) } else { Ok(()) }
    }

    /// Says whether a byte was sent.
    pub fn note_sent(&self, any: bool) {
        let now = if any { SENT } else { UNSENT };
        let _ = self.sending.compare_exchange(ABOUT_TO_SEND, now, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Whether a byte of a request of this call may have reached a server.
    pub fn was_sent(&self) -> bool {
        self.sending.load(Ordering::Relaxed) == SENT
    }

    /// Ends the call unless a byte of a request was sent: what a server does for it would be lost.
    pub fn cancel_unsent(&self) {
        loop {
            match self.sending.compare_exchange(UNSENT, NOT_TO_BE_SENT, Ordering::SeqCst, Ordering::SeqCst) {
                // Nobody waits between the two steps of sending.
                Err(ABOUT_TO_SEND) => std::thread::yield_now(),
                Err(SENT) => return,
                _ => return self.cancel(),
            }
        }
    }

    /// Fails if the call was cancelled or its time is over.
    pub fn check(&self) -> Outcome<()> {
        self.time_left().map(|_| ())
    }

    /// As [`Self::check`], in long work between two waits: in an engine, other calls go on meanwhile.
    pub fn look(&self) -> Outcome<()> {
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

    /// The failure of a call whose time is over.
    pub fn timed_out(&self) -> Failure {
        Failure::new(Code::Timeout, format!("no answer within the time limit of {} ms", self.limit.as_millis()))
    }

    /// Says in what the call is blocked from now on, until another is named or [`Self::unblocked`].
    ///
    /// A cancellation that came earlier is not delivered to it: check afterwards.
    pub fn blocked_in(&self, wait: Weak<dyn Interrupt>) {
        *lock(&self.blocked_in) = Some(wait);
    }

    /// Says that the call is blocked in nothing.
    pub fn unblocked(&self) {
        *lock(&self.blocked_in) = None;
    }

    /// Waits for a condition that another thread makes true before it calls [`Self::wake`]; `None`
    /// if it did not come true until then.
    pub fn wait<T>(&self, until: Instant, mut ready: impl FnMut() -> Option<T>) -> Outcome<Option<T>> {
        // The lock makes sure that a wake-up between the look and the sleep is not missed. An engine keeps those that
        // come before the suspension, and no lock is held across one.
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

    /// Has this task woken with the call.
    pub fn performed_by(&self, waker: Waker) {
        let _ = self.waker.set(waker);
    }

    /// Lets the call look again at what it waits for.
    pub fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            return waker.wake();
        }
        // A call between its look and its sleep holds the lock.
        drop(lock(&self.blocked_in));
        self.woken.notify_all();
    }

    /// Pauses the call.
    pub fn pause(&self, length: Duration) -> Outcome<()> {
        self.wait(Instant::now() + length, || None::<()>).map(|_| ())
    }
}

/// The time limit's end; one beyond the clock's range is as good as none: a century.
fn after(moment: Instant, limit: Duration) -> Instant {
    let century = Duration::from_secs(100 * 365 * 24 * 3600);
    moment.checked_add(limit).unwrap_or_else(|| moment + century)
}

fn cancelled() -> Failure {
    Failure::new(Code::Cancelled, "the call was cancelled")
}

/// The calls that can be ended together: those of a session, of a cancel handle, of a queue.
#[derive(Default, Clone)]
pub struct CallGroup {
    calls: Arc<ForkMutex<Calls>>,
    progress: Arc<Progress>,
}

#[derive(Default)]
struct Calls {
    ended: bool,
    /// Those of this process: a call from before a fork runs in the parent only.
    running: OfThisProcess<Slab<Arc<Call>>>,
}

impl CallGroup {
    /// Lets a call begin; it takes part until the membership is dropped.
    pub fn join(&self, call: &Arc<Call>) -> Outcome<Membership> {
        self.calls.with(|calls| {
            if calls.ended {
                return Err(cancelled());
            }
            let place = calls.running.get_or_renew().insert(Arc::clone(call));
            Ok(Membership { group: self.clone(), place: OfThisProcess::new(place) })
        })
    }

    /// Has the progress of this call's request body counted with that of the others.
    pub fn count_progress(&self, call: &Call) {
        let progress = BodyProgress { group: Arc::clone(&self.progress), sent: 0.into(), total: 0.into() };
        let _ = call.progress.set(progress);
    }

    /// How much of the request bodies of all calls was sent.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Ends the calls under way; later ones may begin.
    pub fn cancel(&self) {
        let running: Vec<_> = self.calls.with(|calls| {
            let running = calls.running.get().into_iter().flatten();
            running.map(|(_, call)| Arc::clone(call)).collect()
        });
        running.iter().for_each(|call| call.cancel());
    }

    /// Ends the calls under way and lets no other begin.
    pub fn end(&self) {
        self.calls.with(|calls| calls.ended = true);
        self.cancel();
    }
}

/// A call's part in a [`CallGroup`], until dropped.
pub struct Membership {
    group: CallGroup,
    place: OfThisProcess<usize>,
}

impl Drop for Membership {
    fn drop(&mut self) {
        let own = self.place.get().and_then(|place| {
            self.group.calls.with(|calls| calls.running.get_mut().and_then(|running| running.try_remove(*place)))
        });
        drop(own);
    }
}

/// One piece of work that many calls wait for: a name's resolution, a token request.
///
/// The thread that does it completes it once. Each waiting call gets the outcome, or leaves early when its own time is
/// over or it is cancelled, without disturbing the work.
pub struct SharedTask<T>(OfThisProcess<Mutex<TaskState<T>>>);

struct TaskState<T> {
    outcome: Option<T>,
    waiting: Vec<Arc<Call>>,
}

impl<T: Clone> SharedTask<T> {
    /// Work that has just begun.
    pub fn new() -> Arc<SharedTask<T>> {
        let state = TaskState { outcome: None, waiting: Vec::new() };
        Arc::new(SharedTask(OfThisProcess::new(Mutex::new(state))))
    }

    /// Ends the work and wakes those who wait for it.
    pub fn complete(&self, outcome: T) {
        let Some(state) = self.0.get() else { return };
        let waiting = {
            let mut state = lock(state);
            state.outcome = Some(outcome);
            mem::take(&mut state.waiting)
        };
        waiting.iter().for_each(|call| call.wake());
    }

    /// Waits for the outcome on behalf of a call; `None` if it did not come until then.
    pub fn wait(&self, call: &Arc<Call>, until: Instant) -> Outcome<Option<T>> {
        let Some(state) = self.0.get() else { return Ok(None) };
        lock(state).waiting.push(Arc::clone(call));
        fork::wait_for_others(|| call.wait(until, || lock(state).outcome.clone()))
    }
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
    fn a_shared_task_reaches_those_who_waited_before_and_after() {
        let task = SharedTask::new();
        let call = Call::new(Duration::from_secs(60));
        thread::scope(|scope| {
            let early = scope.spawn(|| task.wait(&call, call.deadline()).expect("completed"));
            task.complete(7);
            assert_eq!(early.join().expect("no panic"), Some(7));
        });
        assert_eq!(task.wait(&call, call.deadline()).expect("completed"), Some(7));
        let short = Call::new(Duration::from_millis(5));
        assert_eq!(
            SharedTask::<()>::new().wait(&short, call.deadline()).expect_err("out of time").code(),
            Code::Timeout
        );
    }

    #[test]
    fn a_call_has_its_retries_once() {
        let call = Call::new(Duration::from_secs(60));
        assert_eq!([call.take_retry(2), call.take_retry(2), call.take_retry(2)], [Some(1), Some(0), None]);
        let call = Call::new(Duration::from_secs(60));
        call.limit_retries(0);
        assert_eq!(call.take_retry(2), None, "its own number counts");
    }

    #[test]
    fn progress_counts_each_body_once() {
        let group = CallGroup::default();
        let calls = [Call::new(Duration::from_secs(60)), Call::new(Duration::from_secs(60))];
        calls.iter().for_each(|call| group.count_progress(call));
        let told = || [&group.progress().sent, &group.progress().total].map(|count| count.load(Ordering::Relaxed));
        let progress = calls.each_ref().map(|call| call.progress().expect("asked for"));
        progress.iter().for_each(|progress| progress.begin(10));
        progress[0].add(10);
        progress[1].add(4);
        assert_eq!(told(), [14, 20]);
        progress[1].begin(10);
        assert_eq!(told(), [10, 20], "an attempt is repeated");
    }
}
