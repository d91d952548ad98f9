//! The library's own threads: for token requests, name look-ups and queued calls.
#![forbid(unsafe_code)]

use std::thread;

use crate::error::{Code, Failure, Outcome};
use crate::memory::room_for_thread;
use crate::panics;

/// Enough for a TLS handshake, the system's resolver and a callback of the host. Set here because the standard library
/// would otherwise take it from `RUST_MIN_STACK` in the host's environment.
const STACK: usize = 2 << 20;

/// Starts a thread that does this work; debuggers show `name`.
///
/// The thread blocks every signal, so that none of the host's is delivered to it. A panic ends only the thread and
/// prints nothing; work whose outcome another thread waits for must catch its own panics.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Outcome<()> {
    room_for_thread()?;
    // A new thread inherits the signal mask. Blocking before the start leaves no moment in which a signal can arrive.
    #[cfg(unix)]
    let _blocked = BlockedSignals::new();
    let quiet = move || {
        let _ = panics::catch(|| {
            work();
            Ok(())
        });
    };
    let started = thread::Builder::new().name(format!("mailru-{name}")).stack_size(STACK).spawn(quiet);
    started.map(drop).map_err(|error| no_thread(name, &error))
}

fn no_thread(name: &str, error: &std::io::Error) -> Failure {
    let message = format!(
        "no thread could be started for \"{name}\" ({}): the process is at its limit of threads or memory; raise the \
         limit or try again later",
        error.kind()
    );
    Failure::new(Code::OutOfMemory, message)
}

/// All signals blocked on this thread until dropped.
#[cfg(unix)]
struct BlockedSignals(Option<nix::sys::signal::SigSet>);

#[cfg(unix)]
impl BlockedSignals {
    fn new() -> BlockedSignals {
        use nix::sys::signal::{SigSet, SigmaskHow};
        BlockedSignals(SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK).ok())
    }
}

#[cfg(unix)]
impl Drop for BlockedSignals {
    fn drop(&mut self) {
        if let Some(previous) = &self.0 {
            // Restoring a mask that was in force before cannot fail.
            let _ = previous.thread_set_mask();
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::sync::mpsc;

    use super::*;

    /// A thread's blocked signals, as the kernel reports them.
    fn blocked(status: &str) -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).expect("Linux reports the mask");
        u64::from_str_radix(line.trim(), 16).expect("hexadecimal digits")
    }

    #[test]
    fn the_thread_blocks_signals_and_its_starter_does_not() {
        let before = blocked(&fs::read_to_string("/proc/thread-self/status").expect("a status"));
        let (send, receive) = mpsc::channel();
        spawn("test", move || {
            let _ = send.send(fs::read_to_string("/proc/thread-self/status"));
        })
        .expect("a thread");
        let inside = blocked(&receive.recv().expect("no panic").expect("a status"));
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGALRM, libc::SIGPROF, libc::SIGUSR1, libc::SIGRTMAX()] {
            assert_eq!(inside >> (signal - 1) & 1, 1, "signal {signal} is blocked");
        }
        assert_eq!(blocked(&fs::read_to_string("/proc/thread-self/status").expect("a status")), before);
    }

    #[test]
    fn a_thread_that_cannot_start_is_reported_as_such() {
        let failure = no_thread("resolve", &std::io::ErrorKind::WouldBlock.into()).into_json();
        assert!(failure.contains("\"error_code\":-24") && failure.contains("\"transient\":true"), "{failure}");
        assert!(failure.contains("limit of threads"), "{failure}");
    }
}
