//! How much is tested: everything with `MAILRU_REQUIRE_HOSTS=all`, as in CI; without it what takes three minutes on two
//! cores.

use std::io::Write as _;

/// Whether everything is tested, so that a tool which this machine lacks is a failure.
pub fn all_required() -> bool {
    std::env::var("MAILRU_REQUIRE_HOSTS").is_ok_and(|value| value == "all")
}

/// Tells on the terminal, although the test passes, that something was not tested. It is a failure if everything must be.
pub fn skip(what: &str, reason: &str) {
    assert!(!all_required(), "{what}: {reason}");
    let _ = writeln!(std::io::stderr(), "skipped: {what}: {reason}");
}

/// The beginnings of variables by which a run asks for more of certain tests: longer, with other tools.
const ASKED: [&str; 5] = ["MAILRU_FAULTS_", "MAILRU_HOST_", "MAILRU_SOAK_", "MAILRU_TEST_CALLS", "MAILRU_TEST_LONG"];

/// Whether something that takes long is tested, too.
pub fn takes_long(what: &str) -> bool {
    let is_asked = |name: &str| ASKED.iter().any(|beginning| name.starts_with(beginning));
    let runs = all_required() || std::env::vars_os().any(|(name, _)| name.to_str().is_some_and(is_asked));
    if !runs {
        skip(what, "takes long; MAILRU_REQUIRE_HOSTS=all tests it");
    }
    runs
}

/// The rounds of a test: all, or a tenth where not everything is tested.
pub fn rounds(all: u64) -> u64 {
    if all_required() { all } else { all / 10 }
}
