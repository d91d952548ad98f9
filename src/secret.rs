//! Secret texts: keys, passwords, codes and tokens.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::fmt;

use zeroize::Zeroizing;

/// A secret text: absent from `Debug` output, and wiped from memory when dropped.
///
/// It has no `Display`, so that no message can contain it by accident; `expose` marks each place that uses the text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Copies the text.
    pub fn new(text: &str) -> Secret {
        Secret(Zeroizing::new(text.to_owned()))
    }

    /// Takes the text; an owned one is not copied.
    pub fn taken(text: Cow<'_, str>) -> Secret {
        Secret(Zeroizing::new(text.into_owned()))
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the text is empty, which means "not given".
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.is_empty() { "Secret(empty)" } else { "Secret(…)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_nothing() {
        let shown = format!("{:?} {:#?}", Secret::new("hunter2"), vec![Secret::new("hunter2")]);
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
