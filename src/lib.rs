//! The client of the Mail.ru platform's REST API behind the C interface of `include/mailru.h`.
//!
//! The modules from the ground up. Each imports only from those that stand before it; `tests/abi/layers.rs` compares
//! every `crate::` path with this list.
//!
//! 0. `environment`, `error`, `memory`, `panics`, `background`, `secret`, `fork`: failures, threads, secrets, what a fork
//!    means, room for large buffers.
//! 1. `engine`, `call`, `stats`, `log`, `large`, `json`, `outline`: calls that are suspended, what a cancellation means,
//!    what is counted, how JSON is read.
//! 2. `address`, `options`, `params`, `signature`, `verify`, `catalogue`, `error_json`, `pace`: pure functions, and what
//!    the sessions of an application share.
//! 3. `http`: a request out, a checked answer back.
//! 4. `oauth`: tokens obtained, kept, renewed.
//! 5. `request`, `keys`, `identity`, `session`: what the platform is asked for, and with which keys.
//! 6. `queue`: many calls for few threads of the program that uses the library.
//! 7. `ffi`: every exported function, and all `unsafe` but that of `engine/task.rs`.
// The standard streams belong to the program that uses the library.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod ffi;
// What tests/bench/micro.rs measures.
pub mod http;
pub mod params;
pub mod secret;
pub mod signature;

mod address;
mod background;
mod call;
mod catalogue;
mod engine;
mod environment;
mod error;
mod error_json;
mod fork;
mod identity;
mod json;
mod keys;
mod large;
mod log;
mod memory;
mod oauth;
mod options;
mod outline;
mod pace;
mod panics;
mod queue;
mod request;
mod session;
mod stats;
mod verify;

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use crate::oauth::grant::Grant;
    use crate::oauth::now::Now;
    use crate::oauth::tokens::Tokens;
    use crate::options::Options;
    use crate::secret::Secret;
    use crate::signature::{Circuit, Signer};

    /// `Debug` is derived in many places and must be safe in all, for whoever prints something while looking for a bug.
    #[test]
    fn debug_output_shows_no_secret() {
        let secret = || Secret::new("hunter2");
        let options = r#"{"client_secret":"hunter2","refresh_token":"hunter2","proxy":"http://u:hunter2@x.example"}"#;
        let shown = [
            format!("{:#?}", secret()),
            format!("{:#?}", Options::parse(Some(options)).expect("valid")),
            format!("{:?}", Grant::Code { code: secret(), redirect_uri: "u".into() }),
            format!("{:?}", Grant::Password { email: "e".into(), password: secret(), scope: "s".into() }),
            format!("{:?}", Grant::Refresh(secret())),
            format!("{:#?}", Tokens::given(secret(), "1", secret(), Some(1), Now::since(Instant::now()))),
            format!("{:?}", Signer { circuit: Circuit::ServerServer, uid: "1", key: &secret() }),
        ];
        for shown in shown {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
