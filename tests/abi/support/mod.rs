//! What the tests share: a sandbox process, and the C functions with Rust's strings around them.

pub mod constructors;
pub mod host;
pub mod recorder;
pub mod sandbox;
pub mod watch;

pub use constructors::*;
pub use host::*;
pub use recorder::*;
pub use sandbox::Sandbox;

use std::path::PathBuf;

/// The application and user of the platform's guide, which the sandbox knows.
pub const APP_ID: &str = "423004";
pub const PRIVATE_KEY: &str = "7815696ecbf1c96e6894b779456d330e";
pub const SECRET_KEY: &str = "3dad9cbf9baaa0360c0f2ba372d25716";
pub const SESSION_KEY: &str = "be6ef89965d58e56dec21acb9b62bdaa";
pub const UID: &str = "1324730981306483817";

/// Cargo's folder for this profile: the library stands in it, the sandbox in `examples` below it.
pub fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its path");
    test.ancestors().nth(2).expect("tests lie in deps").to_owned()
}
