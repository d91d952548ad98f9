//! Large buffers that cannot be had: a failure of the call, not the end of the process.
//!
//! Rust ends the process where an allocation fails. So before the library makes large buffers of what the host gave,
//! a trial block shows whether they can be had.
#![forbid(unsafe_code)]

use std::hint::black_box;

use crate::error::{Failure, Outcome};

/// Texts up to this size need no trial: what is made of them fits into what every call needs.
const SMALL: usize = 64 << 10;
/// What a new connection needs: its buffers, a TLS handshake and the trusted certificates.
const CONNECTION: usize = 256 << 10;

/// Fails unless a text of the host's leaves room for all that a call makes of it at once.
pub fn room_for_text(name: &str, text: &str) -> Outcome<()> {
    if text.len() <= SMALL {
        return Ok(());
    }
    room(room_of_text(text)).map_err(|bytes| {
        let what = format!("{name}, {} bytes, of which a call makes up to {bytes} bytes", text.len());
        Failure::out_of_memory(&what).for_argument(name)
    })
}

/// Fails unless there is room for a new connection.
pub fn room_for_connection() -> Outcome<()> {
    room(CONNECTION).map_err(|bytes| Failure::out_of_memory(&format!("a connection, up to {bytes} bytes")))
}

/// Fails unless a block of this size can be had. For allocations that other libraries make.
pub fn check_room(bytes: usize, what: &str) -> Outcome<()> {
    if bytes <= SMALL {
        return Ok(());
    }
    room(bytes).map_err(|_| Failure::out_of_memory(what))
}

/// A text with room for so many bytes.
pub fn text_with_room(bytes: usize, what: &str) -> Outcome<String> {
    let mut text = String::new();
    text.try_reserve_exact(bytes).map_err(|_| Failure::out_of_memory(what))?;
    Ok(text)
}

/// At most what parameters of this text need: the members of its objects and the elements of its arrays, the address
/// and the form with three characters for each encoded byte, and what `mailru_sign` shows.
fn room_of_text(text: &str) -> usize {
    let count = |is_one: fn(u8) -> bool| text.bytes().filter(|&byte| is_one(byte)).count();
    let encoded = count(|byte| !byte.is_ascii_alphanumeric());
    let (elements, members) = (count(|byte| byte == b','), count(|byte| byte == b':'));
    let parts = [(text.len(), 9), (encoded, 10), (elements, 32), (members, 192)];
    parts.into_iter().fold(0, |sum: usize, (number, each)| sum.saturating_add(number.saturating_mul(each)))
}

/// Whether a block of this size can be had now; the size where not.
fn room(bytes: usize) -> Result<(), usize> {
    let mut trial = Vec::<u8>::new();
    trial.try_reserve_exact(bytes).map_err(|_| bytes)?;
    // Unobserved, the optimizer would take the block for granted.
    black_box(&trial);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn what_cannot_be_had_is_told() {
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
