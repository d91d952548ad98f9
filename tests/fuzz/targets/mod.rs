//! What each fuzz target does with its bytes. libFuzzer calls these functions with bytes of its own making
//! (`tests/fuzz/run.sh`), and `cargo test --test abi corpus` with the kept ones, without libFuzzer.
// The C functions are unsafe to call.
#![allow(unsafe_code)]

mod answer;
mod host;
mod json;
mod options;
#[path = "../oracle.rs"]
pub mod oracle;
mod order;
mod order_model;
mod params;
mod proxy;
mod query;
mod redirect;
mod reply;
mod request;
mod server;
mod tokens;
mod verify;

/// A target: its bytes come from anywhere.
pub type Target = fn(&[u8]);

/// The targets by name.
pub const TARGETS: [(&str, Target); 11] = [
    ("answer", answer::run),
    ("options", options::run),
    ("order", order::run),
    ("params", params::run),
    ("proxy", proxy::run),
    ("query", query::run),
    ("redirect", redirect::run),
    ("reply", reply::run),
    ("request", request::run),
    ("tokens", tokens::run),
    ("verify", verify::run),
];
