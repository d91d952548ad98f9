//! OAuth: how a session gets its tokens, keeps them, and renews them once for all its threads.
#![forbid(unsafe_code)]

pub mod grant;
mod mask;
pub mod redirect;
pub mod store;
pub mod tokens;
