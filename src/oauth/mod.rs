//! OAuth: how a session gets its tokens, keeps them, and renews them once for all its threads.
//!
//! `state` makes the decisions, `store` carries them out; both use the other files.
#![forbid(unsafe_code)]

pub mod file;
pub mod grant;
mod json_object;
mod mask;
pub mod now;
pub mod redirect;
mod reply;
mod share;
pub mod state;
pub mod store;
pub mod tokens;
