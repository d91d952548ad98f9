//! The targets for libFuzzer.

mod targets;

/// Runs a target on some bytes.
pub fn run(name: &str, bytes: &[u8]) {
    let target = targets::TARGETS.iter().find(|target| target.0 == name).expect("a target's name");
    (target.1)(bytes);
}
