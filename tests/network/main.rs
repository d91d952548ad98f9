//! Failures of the network, the server and the host process: every call ends in time with a correct outcome, and no
//! write happens twice. All tests use the C functions and real sockets.
// The C functions are unsafe to call.
#![allow(unsafe_code)]

// The harness is shared by several test programs; none uses all of it.
#[allow(dead_code, unused_imports)]
#[path = "../abi/support/mod.rs"]
mod support;
mod tools;

mod cancel;
mod citizen;
mod faults;
mod flight;
mod fork;
mod host;
mod hostile;
mod in_calls;
mod log;
mod matrix;
mod memory;
mod names;
mod planted;
mod process;
mod proxy;
mod races;
mod random;
mod retry;
mod shortage;
mod soak;
mod time;
mod tls;
mod upload;
