//! Whatever the network, the server or the host process does: a call ends in time with a truthful
//! answer, and no write happens twice. All through the C functions, over real sockets.
// The C functions are unsafe to call.
#![allow(unsafe_code)]

// The harness serves two test programs; neither uses all of it.
#[allow(dead_code, unused_imports)]
#[path = "../abi/support/mod.rs"]
mod support;
mod tools;

mod cancel;
mod citizen;
mod fork;
mod host;
mod hostile;
mod log;
mod matrix;
mod memory;
mod names;
mod process;
mod proxy;
mod races;
mod retry;
mod shortage;
mod time;
mod tls;
mod upload;
