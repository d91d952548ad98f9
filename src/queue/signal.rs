//! The descriptor of a queue, readable exactly while a completion waits.
#![forbid(unsafe_code)]

#[cfg(not(unix))]
pub use self::elsewhere::Signal;
#[cfg(unix)]
pub use self::unix::Signal;

/// A pair of sockets that holds one byte while a completion waits, and none else.
#[cfg(unix)]
mod unix {
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use crate::error::{Code, Failure, Outcome};

    /// The two ends of the pair.
    pub struct Signal {
        readable: UnixStream,
        writable: UnixStream,
    }

    impl Signal {
        /// A descriptor that is not readable.
        pub fn new() -> Outcome<Signal> {
            let pair = UnixStream::pair().and_then(|(readable, writable)| {
                // A host that reads the byte itself must not make the library wait for it.
                readable.set_nonblocking(true)?;
                writable.set_nonblocking(true)?;
                Ok(Signal { readable, writable })
            });
            pair.map_err(|error| {
                Failure::new(Code::NetworkError, format!("no descriptor could be made: {}", error.kind()))
            })
        }

        /// The end to wait on.
        pub fn descriptor(&self) -> i32 {
            self.readable.as_raw_fd()
        }

        /// A completion waits now.
        pub fn raise(&self) {
            let _ = (&self.writable).write(&[1]);
        }

        /// None waits any more.
        pub fn lower(&self) {
            let _ = (&self.readable).read(&mut [0]);
        }
    }
}

/// Systems without descriptors to wait for: a thread of the host takes completions there.
#[cfg(not(unix))]
mod elsewhere {
    use crate::error::{Code, Failure, Outcome};

    /// Never made.
    pub enum Signal {}

    impl Signal {
        /// Always refused.
        pub fn new() -> Outcome<Signal> {
            Err(Failure::new(Code::InternalError, "this system has no descriptors; use mailru_queue_next with a wait"))
        }

        /// There is none.
        pub fn descriptor(&self) -> i32 {
            -1
        }

        /// Does nothing.
        pub fn raise(&self) {}

        /// Does nothing.
        pub fn lower(&self) {}
    }
}
