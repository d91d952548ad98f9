//! Panics that are planted in the library of the tests, seen from C: each is an answer, and the program goes on.

use std::process::Command;

use serde_json::json;

use crate::host::{compiled, quiet};
use crate::random::declared;
use crate::support::*;
use crate::tools::{here, run};

/// Whether the library has places for panics: that of the tests has.
pub fn can_be_planted() -> bool {
    let is_another = std::env::var_os("MAILRU_TEST_LIBRARY").is_some();
    if is_another {
        println!("skipped: only the library of the tests has planted panics");
    }
    !is_another
}

/// Runs a case of `planted.c` with a panic at this place.
fn panics(place: &str, wish: &str) {
    if !can_be_planted() {
        return;
    }
    let Some(host) = compiled("planted.c") else { return };
    let sandbox = Sandbox::start();
    let options = match place {
        "resolve" => json!({ "api_url": "https://planted.invalid/", "retries": 0 }).to_string(),
        _ => sandbox.options(json!({ "retries": 0 })),
    };
    let mut command = Command::new(host.path());
    command.args([place, &options]).env("MAILRU_TEST_PANIC_IN", format!("{place} {wish}"));
    quiet(&run(&mut command), place);
}

#[test]
fn each_function_returns_the_code() {
    panics("export", "1");
}

#[test]
fn each_function_is_in_the_program() {
    let program = std::fs::read_to_string(here("planted.c")).expect("a file");
    let missing: Vec<_> = declared().into_iter().filter(|name| !program.contains(&format!("mailru_{name}("))).collect();
    assert!(missing.is_empty(), "planted.c does not call {missing:?}");
}

#[test]
fn calls_after_a_panic_use_other_connections() {
    panics("answer", "2");
}

#[test]
fn a_panic_in_a_look_up_does_not_stay() {
    panics("resolve", "1 1");
}

#[test]
fn a_panic_in_a_token_request_does_not_stay() {
    panics("token", "1 1");
}
