//! Threads of the host that alone run certain callbacks, and only while they are inside a function of the library: some
//! hosts (PHP, LuaJIT) cannot be entered on other threads, or at other times.
#![forbid(unsafe_code)]

use std::cell::{Cell, OnceCell};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak, mpsc};
use std::time::Duration;

use crate::fork::{ForkMutex, OfThisProcess};
use crate::panics;

/// Something that a thread of the host may be blocked in, and that ends the wait when callbacks are to run there.
pub trait Wait: Send + Sync {
    /// Makes the thread check for callbacks.
    fn wake(&self);

    /// The thread got something to run, or has run it: for a host that waits for a descriptor of this instead.
    fn jobs_changed(&self) {}
}

type Job = Box<dyn FnOnce() + Send>;

/// A thread of the host, and what it is to run.
#[derive(Clone)]
pub struct HostThread(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// A copy of whether there are jobs, for checks under other locks.
    has_jobs: AtomicBool,
    state: ForkMutex<State>,
}

#[derive(Default)]
struct State {
    ended: bool,
    of_process: OfThisProcess<OfProcess>,
}

/// Left behind at a fork: the library's threads that wait for the jobs are the parent's.
#[derive(Default)]
struct OfProcess {
    jobs: VecDeque<Job>,
    blocked_in: Vec<Weak<dyn Wait>>,
    descriptors: Vec<Weak<dyn Wait>>,
}

/// Ends the thread's jobs with the thread.
struct Own(OnceCell<HostThread>);

thread_local! {
    static OWN: Own = const { Own(OnceCell::new()) };
    /// Whether this thread is a [`HostThread`]. It needs no destructor, unlike `OWN`, so threads without such callbacks
    /// register none.
    static IS_ONE: Cell<bool> = const { Cell::new(false) };
    /// How many callbacks run on this thread, one inside the other.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

impl HostThread {
    /// This thread, from now on one that runs callbacks.
    pub fn own() -> HostThread {
        IS_ONE.with(|is_one| is_one.set(true));
        HostThread::here()
    }

    fn here() -> HostThread {
        let own = OWN.try_with(|own| own.0.get_or_init(|| HostThread(Arc::default())).clone());
        own.unwrap_or_else(|_| {
            // The thread is ending.
            let ended = HostThread(Arc::default());
            ended.0.state.with(|state| state.ended = true);
            ended
        })
    }

    /// This thread, if it is one that runs callbacks.
    pub fn present() -> Option<HostThread> {
        if !IS_ONE.with(Cell::get) {
            return None;
        }
        OWN.try_with(|own| own.0.get().cloned()).ok().flatten()
    }

    /// Whether it is the current thread.
    pub fn is_current(&self) -> bool {
        HostThread::present().is_some_and(|own| self.is(&own))
    }

    /// Whether both are the same thread.
    pub fn is(&self, other: &HostThread) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Has the thread run this as soon as it is inside the library. Gives the job back if the thread has ended.
    pub fn post(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Job> {
        let job: Job = Box::new(job);
        let (blocked_in, descriptors) = self.0.state.with(|state| {
            if state.ended {
                return Err(job);
            }
            let own = state.of_process.get_or_renew();
            own.jobs.push_back(job);
            self.0.has_jobs.store(true, Ordering::SeqCst);
            Ok((own.blocked_in.clone(), own.descriptors.clone()))
        })?;
        blocked_in.iter().filter_map(Weak::upgrade).for_each(|wait| wait.wake());
        descriptors.iter().filter_map(Weak::upgrade).for_each(|wait| wait.jobs_changed());
        Ok(())
    }

    /// Has the thread run this and waits for the result; `None` if the thread ended, or did not begin with it within the
    /// limit.
    pub fn perform<T: Send + 'static>(
        &self,
        limit: Option<Duration>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (send, receive) = mpsc::channel();
        let claimed = Arc::new(AtomicBool::new(false));
        let by_thread = Arc::clone(&claimed);
        let posted = self.post(move || {
            if !by_thread.swap(true, Ordering::SeqCst) {
                let _ = send.send(work());
            }
        });
        posted.ok()?;
        let Some(limit) = limit else { return receive.recv().ok() };
        match receive.recv_timeout(limit) {
            Err(mpsc::RecvTimeoutError::Timeout) if claimed.swap(true, Ordering::SeqCst) => receive.recv().ok(),
            outcome => outcome.ok(),
        }
    }

    /// Whether there is something to run.
    pub fn has_jobs(&self) -> bool {
        self.0.has_jobs.load(Ordering::SeqCst)
    }

    /// Runs what the current thread is to run.
    pub fn run_jobs(&self) {
        while self.0.has_jobs.swap(false, Ordering::SeqCst) {
            let descriptors = self.0.state.with(|state| state.of_process.get_or_renew().descriptors.clone());
            descriptors.iter().filter_map(Weak::upgrade).for_each(|wait| wait.jobs_changed());
            while let Some(job) = self.0.state.with(|state| state.of_process.get_or_renew().jobs.pop_front()) {
                in_callback(job);
            }
        }
    }

    /// Notes what this thread is blocked in, until the result is dropped.
    pub fn blocked_in(&self, wait: Weak<dyn Wait>) -> Blocked {
        self.0.state.with(|state| state.of_process.get_or_renew().blocked_in.push(wait.clone()));
        Blocked { thread: self.clone(), wait }
    }

    /// Notes something with a descriptor for which this thread, which is returned, may wait.
    pub fn waits_for_descriptor(wait: Weak<dyn Wait>) -> HostThread {
        let own = HostThread::here();
        own.0.state.with(|state| {
            let descriptors = &mut state.of_process.get_or_renew().descriptors;
            descriptors.retain(|known| known.strong_count() > 0 && !known.ptr_eq(&wait));
            descriptors.push(wait);
        });
        own
    }
}

/// Runs the current thread's callbacks, when it enters or leaves a function of the library. Not inside of a callback:
/// the host expects none there.
pub fn entered_or_leaving() {
    if IS_ONE.with(Cell::get)
        && DEPTH.with(Cell::get) == 0
        && let Some(own) = HostThread::present()
    {
        own.run_jobs();
    }
}

/// Runs a callback on this thread.
pub fn in_callback(callback: impl FnOnce()) {
    DEPTH.with(|depth| depth.set(depth.get() + 1));
    // A bug in one must not lose the others.
    let _ = panics::catch(|| {
        callback();
        Ok(())
    });
    DEPTH.with(|depth| depth.set(depth.get() - 1));
}

/// A thread is blocked, until this is dropped.
pub struct Blocked {
    thread: HostThread,
    wait: Weak<dyn Wait>,
}

impl Drop for Blocked {
    fn drop(&mut self) {
        self.thread.0.state.with(|state| {
            let blocked_in = &mut state.of_process.get_or_renew().blocked_in;
            if let Some(at) = blocked_in.iter().rposition(|wait| wait.ptr_eq(&self.wait)) {
                blocked_in.remove(at);
            }
        });
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let Some(thread) = self.0.get() else { return };
        let left = thread.0.state.with(|state| {
            state.ended = true;
            std::mem::take(&mut state.of_process.get_or_renew().jobs)
        });
        // Those who wait for them see it.
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_runs_its_jobs_in_order_when_it_comes() {
        let own = HostThread::own();
        assert!(own.is_current());
        let ran: Arc<Mutex<Vec<u32>>> = Arc::default();
        thread::scope(|scope| {
            let theirs = [Arc::clone(&ran), Arc::clone(&ran)];
            let [first, second] = theirs;
            assert!(own.post(move || first.lock().unwrap().push(1)).is_ok());
            let other = scope.spawn(|| {
                assert!(HostThread::present().is_none() && !own.is_current());
                own.perform(None, move || {
                    // Nothing runs inside a callback unless it waits.
                    entered_or_leaving();
                    second.lock().unwrap().push(2);
                    7
                })
            });
            while !other.is_finished() {
                entered_or_leaving();
                thread::yield_now();
            }
            assert_eq!(other.join().expect("no panic"), Some(7));
        });
        assert_eq!(*ran.lock().unwrap(), [1, 2]);
        assert!(!own.has_jobs());
    }

    #[test]
    fn a_job_is_withdrawn_after_its_limit_and_ends_with_the_thread() {
        let own = HostThread::own();
        let outcome = thread::scope(|scope| {
            let withdrawn = || own.perform(Some(Duration::from_millis(5)), || panic!("it was withdrawn"));
            scope.spawn(withdrawn).join().expect("no panic")
        });
        assert_eq!(outcome, None::<()>);
        entered_or_leaving();
        let (send, receive) = mpsc::channel();
        let ending = thread::spawn(move || {
            let own = HostThread::own();
            send.send(own.clone()).expect("it is awaited");
            while !own.has_jobs() {
                thread::yield_now();
            }
        });
        let other = receive.recv().expect("a thread");
        assert_eq!(other.perform(None, || ()), None, "the thread ends without running it");
        ending.join().expect("no panic");
        assert_eq!(other.perform(None, || ()), None);
    }

    #[test]
    fn a_bug_in_one_does_not_lose_the_others() {
        let own = HostThread::own();
        let (send, receive) = mpsc::channel();
        assert!(own.post(|| panic!("a bug")).is_ok());
        assert!(own.post(move || send.send(()).expect("it is awaited")).is_ok());
        entered_or_leaving();
        assert!(receive.try_recv().is_ok());
        assert_eq!(DEPTH.with(Cell::get), 0);
    }
}
