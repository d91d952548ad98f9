//! The client of the Mail.ru platform's REST API behind the C interface of `include/mailru.h`.
//!
//! Floors, from the ground up; each imports only from those below it:
//!
//! 0. [`error`], [`json`], [`secret`], [`fork`], [`call`], [`log`], `memory`: failures, answers, secrets,
//!    what a fork and a cancellation mean.
//! 1. [`params`], [`signature`], [`verify`], [`catalogue`], [`address`], [`options`]: pure functions.
//! 2. [`http`]: a request out, a checked answer back.
//! 3. [`oauth`]: tokens obtained, kept, renewed.
//! 4. [`keys`], [`upload`], [`session`]: the platform's calls.
//! 5. [`queue`]: many calls for few threads of the host.
//! 6. [`ffi`]: every exported function, and all `unsafe`.
#![deny(unsafe_code)]

pub mod address;
mod background;
pub mod call;
pub mod catalogue;
mod environment;
pub mod error;
pub mod ffi;
pub mod fork;
pub mod http;
pub mod json;
mod json_scan;
pub mod keys;
pub mod log;
mod memory;
pub mod oauth;
pub mod options;
mod panics;
pub mod params;
pub mod queue;
mod request;
pub mod secret;
pub mod session;
pub mod signature;
pub mod verify;
