//! Texts that may be large: worked through in pieces, with a look at the call between two of them.
#![forbid(unsafe_code)]

use crate::error::Outcome;

/// Asked between two pieces whether to go on.
pub type Look<'a> = &'a dyn Fn() -> Outcome<()>;

/// As much as is worked through in a moment.
const PIECE: usize = 256 * 1024;

/// For work that nobody may end.
pub fn no_look() -> Outcome<()> {
    Ok(())
}

/// Works through texts, and looks at the call after each piece's worth of them.
pub struct Work<'a> {
    look: Look<'a>,
    since_look: usize,
}

impl<'a> Work<'a> {
    /// Nothing is done yet.
    pub fn new(look: Look<'a>) -> Work<'a> {
        Work { look, since_look: 0 }
    }

    /// Works through a text, piece by piece.
    pub fn through<'t>(&mut self, text: &'t str, mut step: impl FnMut(&'t str)) -> Outcome<()> {
        for piece in pieces(text) {
            step(piece);
            self.since_look += piece.len();
            if self.since_look >= PIECE {
                self.since_look = 0;
                (self.look)()?;
            }
        }
        Ok(())
    }
}

/// A text in pieces.
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
