//! Tests in separate processes: runs this program again for one of its tests.

use std::process::{Child, Command, Stdio};

const MARK: &str = "MAILRU_TEST_PROCESS";

/// The command that runs one test of this program; `mark` is passed to that test.
pub fn command(test: &str, mark: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a test knows its path"));
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(MARK, mark);
    command
}

/// The mark of a test run by [`command`].
pub fn mark() -> Option<String> {
    std::env::var(MARK).ok()
}

/// Runs the body of the test of this name in a separate process: for tests of threads, the log, memory.
pub fn in_a_separate_process(test: &str, body: impl FnOnce()) {
    if mark().is_some_and(|marked| marked == test) {
        return body();
    }
    let output = command(test, test).output().expect("the program runs");
    let [said, printed] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success() && said.contains("1 passed"), "{test}: {}\n{said}\n{printed}", output.status);
    said.lines().filter(|line| line.contains("measured:")).for_each(|line| println!("{line}"));
}

/// A process that is killed when dropped.
pub struct Worker(pub Child);

impl Worker {
    /// Starts one, ignoring its output.
    pub fn start(test: &str, mark: &str) -> Worker {
        let process = command(test, mark).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Worker(process.expect("the program runs"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Raises this process's limit of descriptors, which its children inherit, as far as it may be raised. Returns how many
/// connections it allows.
// Used by the tests of `network` and `hosts`, which share this module.
#[allow(dead_code)]
pub fn allow_connections() -> u64 {
    /// What a process has open besides.
    const OTHERS: u64 = 200;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure is a local variable.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
    limit.rlim_max.saturating_sub(OTHERS)
}
