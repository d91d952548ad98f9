//! Allocation of large buffers: a failure of the call instead of the end of the process.
//!
//! Rust ends the process when an allocation fails. So before the library allocates large buffers for the host's data,
//! it allocates and frees a trial block of that size. Small blocks come from a reserve if the system has none
//! (`ffi/reserve.rs`); then no call begins until the system has memory again.
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Failure, Outcome};

/// The largest block that the reserve has; larger ones need a trial.
pub const SMALL: usize = 64 << 10;
/// Texts up to this size need no trial: with every character encoded, and growing by doubling, they stay below [`SMALL`].
const SMALL_TEXT: usize = 8 << 10;
/// The memory of a new connection: a TLS handshake, the trusted certificates and the buffers of its first request.
const CONNECTION: usize = 256 << 10;
/// The memory that a new call must find once a small block could not be had.
const CALL: usize = 128 << 10;

/// Whether the system had no memory for a small block, and may have none still.
static SHORT: AtomicBool = AtomicBool::new(false);

/// Notes that the system had no memory for a small block.
pub fn note_shortage() {
    SHORT.store(true, Ordering::Relaxed);
}

/// Fails if the system had no memory for a small block lately, and still has none. Checked before a call begins, so that
/// what is left is for the calls under way.
pub fn room_for_call() -> Outcome<()> {
    if SHORT.load(Ordering::Relaxed) {
        room(CALL).map_err(|_| Failure::out_of_memory("a new call"))?;
        SHORT.store(false, Ordering::Relaxed);
    }
    Ok(())
}

/// Fails unless there is memory for everything that a call makes of this text at once.
pub fn room_for_text(name: &str, text: &str) -> Outcome<()> {
    if text.len() <= SMALL_TEXT {
        return Ok(());
    }
    room(room_of_text(text)).map_err(|bytes| {
        let what = format!("{name}, {} bytes, for which a call needs up to {bytes} bytes", text.len());
        Failure::out_of_memory(&what).for_argument(name)
    })
}

/// Fails unless there is memory for a new thread: its start ends the process without some small blocks, which the reserve
/// cannot give.
pub fn room_for_thread() -> Outcome<()> {
    room(SMALL + 1).map_err(|_| Failure::out_of_memory("a thread"))
}

/// Fails unless there is memory for a new connection.
pub fn room_for_connection() -> Outcome<()> {
    room(CONNECTION).map_err(|bytes| Failure::out_of_memory(&format!("a connection, up to {bytes} bytes")))
}

/// A buffer of zeros for a request. Fails where only the reserve has memory, which is for blocks that cannot fail.
pub fn buffer(bytes: usize) -> Outcome<Vec<u8>> {
    let what = "the buffers of a request";
    check_room(bytes.max(SMALL + 1), what)?;
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(bytes).map_err(|_| Failure::out_of_memory(what))?;
    buffer.resize(bytes, 0);
    Ok(buffer)
}

/// Fails unless a block of this size can be allocated. For allocations made by other libraries.
pub fn check_room(bytes: usize, what: &str) -> Outcome<()> {
    if bytes <= SMALL {
        return Ok(());
    }
    room(bytes).map_err(|_| Failure::out_of_memory(what))
}

/// An empty text with a capacity of `bytes`.
pub fn text_with_room(bytes: usize, what: &str) -> Outcome<String> {
    let mut text = String::new();
    text.try_reserve_exact(bytes).map_err(|_| Failure::out_of_memory(what))?;
    Ok(text)
}

/// An upper bound of the memory that these parameters need: the members of its objects and the elements of its arrays,
/// the address and the form with three characters for each encoded byte, and the output of `mailru_sign`.
fn room_of_text(text: &str) -> usize {
    let count = |is_one: fn(u8) -> bool| text.bytes().filter(|&byte| is_one(byte)).count();
    let encoded = count(|byte| !byte.is_ascii_alphanumeric());
    let (elements, members) = (count(|byte| byte == b','), count(|byte| byte == b':'));
    let parts = [(text.len(), 9), (encoded, 10), (elements, 32), (members, 192)];
    parts.into_iter().fold(0, |sum: usize, (number, each)| sum.saturating_add(number.saturating_mul(each)))
}

/// Tries to allocate a block of this size; fails with the size.
fn room(bytes: usize) -> Result<(), usize> {
    let mut trial = Vec::<u8>::new();
    trial.try_reserve_exact(bytes).map_err(|_| bytes)?;
    // Without this the optimizer would remove the allocation.
    black_box(&trial);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn a_failed_allocation_is_reported() {
        for refused in [check_room(usize::MAX / 2, "a test"), text_with_room(usize::MAX / 2, "a test").map(drop)] {
            assert_eq!(refused.expect_err("too large").code(), Code::OutOfMemory);
        }
        assert!(room(1 << 20).is_ok());
        assert_eq!(room(usize::MAX / 2), Err(usize::MAX / 2));
        assert!(room_for_text("params_json", &"a".repeat(1 << 20)).is_ok());
    }

    #[test]
    fn members_and_encoded_characters_need_more() {
        let [plain, encoded, members] = ["a", "%", ":"].map(|unit| room_of_text(&unit.repeat(100)));
        assert_eq!((plain, encoded, members), (900, 1900, 21_100));
    }
}
