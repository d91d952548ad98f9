//! Processes large texts in pieces, and checks between two pieces whether the call was cancelled.
#![forbid(unsafe_code)]

use crate::error::Outcome;

/// Called between two pieces: fails if the work must stop.
pub type Checkpoint<'a> = &'a dyn Fn() -> Outcome<()>;

/// Small enough that a piece delays a cancellation by a moment only.
const PIECE: usize = 256 * 1024;

/// For work that cannot be cancelled.
pub fn no_checkpoint() -> Outcome<()> {
    Ok(())
}

/// Processes texts, with a checkpoint after each [`PIECE`] bytes.
pub struct Work<'a> {
    checkpoint: Checkpoint<'a>,
    since_checkpoint: usize,
}

impl<'a> Work<'a> {
    /// Work that has not begun.
    pub fn new(checkpoint: Checkpoint<'a>) -> Work<'a> {
        Work { checkpoint, since_checkpoint: 0 }
    }

    /// Processes a text, piece by piece.
    pub fn through<'t>(&mut self, text: &'t str, mut step: impl FnMut(&'t str)) -> Outcome<()> {
        for piece in pieces(text) {
            step(piece);
            self.since_checkpoint += piece.len();
            if self.since_checkpoint >= PIECE {
                self.since_checkpoint = 0;
                (self.checkpoint)()?;
            }
        }
        Ok(())
    }
}

/// Splits a text into pieces.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
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

    #[test]
    fn pieces_end_between_characters() {
        for text in ["".to_owned(), "a".to_owned(), "я".repeat(PIECE), format!("a{}", "я".repeat(PIECE))] {
            assert_eq!(pieces(&text).collect::<String>(), text);
            assert!(pieces(&text).all(|piece| piece.len() <= PIECE));
        }
        assert_eq!(pieces(&"x".repeat(PIECE + 1)).count(), 2);
    }
}
