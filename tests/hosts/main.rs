//! The library in other languages: the same cases in each, installed as a user would install it, and the
//! programs of the documents. Linux only: names of files, `ldd`, Debian's packages.
#![cfg(target_os = "linux")]

#[path = "../abi/support/mod.rs"]
// The harness is shared with the tests that use all of it, and calls C functions.
#[allow(dead_code, unsafe_code, unused_imports)]
mod support;

mod clients;
mod command;
mod complete;
mod in_flight;
mod install;
mod journal;
mod list;
mod matrix;
mod others;
mod programs;
mod python_node;
mod server;
mod shell;
mod terminal;
mod wrappers;
