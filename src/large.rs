//! Texts that may be large: worked through in pieces, with a look at the call between two of them, and refused where
//! there is no memory for them.
#![forbid(unsafe_code)]

use crate::error::{Failure, Outcome};

/// Asked between two pieces whether to go on.
pub type Look<'a> = &'a dyn Fn() -> Outcome<()>;

/// As much as is worked through in a moment.
pub const PIECE: usize = 256 * 1024;
/// What is allocated without asking: below it a process that has no memory left is lost anyway.
const SMALL: usize = 64 * 1024;

/// For work that nobody may end.
pub fn no_look() -> Outcome<()> {
    Ok(())
}

/// Refuses to go on where so much memory cannot be had. For allocations that other libraries make.
pub fn check_room(bytes: usize, what: &str) -> Outcome<()> {
    if bytes < SMALL {
        return Ok(());
    }
    Vec::<u8>::new().try_reserve_exact(bytes).map_err(|_| Failure::out_of_memory(what))
}

/// A text with room for so many bytes.
pub fn text_with_room(bytes: usize, what: &str) -> Outcome<String> {
    let mut text = String::new();
    text.try_reserve_exact(bytes).map_err(|_| Failure::out_of_memory(what))?;
    Ok(text)
}

/// A text in pieces.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = rest.len().min(PIECE);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, left) = rest.split_at(end);
        rest = left;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn pieces_end_between_characters() {
        for text in ["".to_owned(), "a".to_owned(), "я".repeat(PIECE), format!("a{}", "я".repeat(PIECE))] {
            assert_eq!(pieces(&text).collect::<String>(), text);
            assert!(pieces(&text).all(|piece| piece.len() <= PIECE));
        }
        assert_eq!(pieces(&"x".repeat(PIECE + 1)).count(), 2);
    }

    #[test]
    fn what_no_memory_can_hold_is_refused() {
        assert!(check_room(1 << 20, "a test").is_ok());
        for refused in [check_room(usize::MAX / 2, "a test"), text_with_room(usize::MAX / 2, "a test").map(drop)] {
            assert_eq!(refused.expect_err("too large").code(), Code::OutOfMemory);
        }
    }
}
