//! Threads of the library's own: for token requests, name look-ups and queued calls.
#![forbid(unsafe_code)]

use std::thread;

use crate::error::{Code, Failure, Outcome};
use crate::panics;

/// Room for a TLS handshake, the system's resolver, and a callback of the host. Only what is touched is used. It is
/// set here because the standard library otherwise takes it from `RUST_MIN_STACK` in the host's environment.
const STACK: usize = 2 << 20;

/// Starts a thread that does this work; `name` says what for, as debuggers show it.
///
/// The thread blocks every signal, so that none of the host's is delivered to it. A panic ends the thread alone and
/// prints nothing; work whose outcome somebody waits for catches its own.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Outcome<()> {
    // A new thread inherits the mask: blocked before it starts, no signal can arrive in between.
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
        if let Some(former) = &self.0 {
            // It fails for no mask that was in force before.
            let _ = former.thread_set_mask();
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::sync::mpsc;

    use super::*;

    /// A thread's blocked signals, as the kernel tells them.
    fn blocked(status: &str) -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).expect("Linux tells the mask");
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
    fn no_thread_is_told_truthfully() {
        let failure = no_thread("resolve", &std::io::ErrorKind::WouldBlock.into()).into_json();
        assert!(failure.contains("\"error_code\":-24") && failure.contains("\"transient\":true"), "{failure}");
        assert!(failure.contains("limit of threads"), "{failure}");
    }
}
