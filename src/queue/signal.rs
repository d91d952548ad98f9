//! The descriptor of a queue: readable while a completion waits, or callbacks wait for a thread of the host, and only
//! then.
#![forbid(unsafe_code)]

#[cfg(not(unix))]
pub use self::elsewhere::Signal;
#[cfg(unix)]
pub use self::unix::Signal;

/// A pair of sockets that contains one byte while a completion waits, another while callbacks wait for a thread of the
/// host, and nothing otherwise.
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
                // Non-blocking, so that a host that reads the byte itself does not block the library.
                readable.set_nonblocking(true)?;
                writable.set_nonblocking(true)?;
                Ok(Signal { readable, writable })
            });
            pair.map_err(|error| {
                Failure::new(Code::NetworkError, format!("the queue's descriptor could not be made: {}", error.kind()))
            })
        }

        /// The descriptor to wait on.
        pub fn descriptor(&self) -> i32 {
            self.readable.as_raw_fd()
        }

        /// Makes the descriptor readable, for one more reason.
        pub fn raise(&self) {
            let _ = (&self.writable).write(&[1]);
        }

        /// Takes one reason back.
        pub fn lower(&self) {
            let _ = (&self.readable).read(&mut [0]);
        }
    }
}

/// For systems without descriptors to wait on: there a thread of the host takes completions.
#[cfg(not(unix))]
mod elsewhere {
    use crate::error::{Code, Failure, Outcome};

    /// Never constructed.
    pub enum Signal {}

    impl Signal {
        /// Always fails.
        pub fn new() -> Outcome<Signal> {
            Err(Failure::new(Code::InternalError, "this system has no descriptors; use mailru_queue_next with a wait"))
        }

        /// Never called.
        pub fn descriptor(&self) -> i32 {
            -1
        }

        /// Does nothing.
        pub fn raise(&self) {}

        /// Does nothing.
        pub fn lower(&self) {}
    }
}
