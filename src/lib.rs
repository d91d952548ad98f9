//! The client of the Mail.ru platform's REST API behind the C interface of `include/mailru.h`.
//!
//! The modules by layer, lowest first. Each imports only from modules named before it; `tests/abi/layers.rs` compares
//! every `crate::` path with this list.
//!
//! 0. `environment`, `error`, `memory`, `panics`, `background`, `secret`, `fork`, `host_thread`: failures, threads,
//!    secrets, forks, allocation of large buffers.
//! 1. `engine`, `call`, `stats`, `log`, `large`, `json`, `outline`: suspended calls, cancellation, counters, reading
//!    JSON.
//! 2. `address`, `options`, `params`, `signature`, `verify`, `catalogue`, `error_json`, `pace`: pure functions, and the
//!    rate limit that the sessions of an application share.
//! 3. `http`: sends a request, returns a checked answer.
//! 4. `oauth`: obtains, keeps and renews tokens.
//! 5. `request`, `keys`, `identity`, `session`: the requests that a session can make, and the keys that sign them.
//! 6. `queue`: many calls in flight for a host with few threads.
//! 7. `ffi`: every exported function, and all `unsafe` but that of `engine/task.rs`.
// The standard streams belong to the host, the program that uses the library.
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
mod host_thread;
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

    /// `Debug` is derived for many types; printing any of them while debugging must show no secret.
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
