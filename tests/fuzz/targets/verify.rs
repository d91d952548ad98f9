//! No two different sets of (kind, names, values) pass with one signature, whatever the text that was signed.

use super::oracle;

/// Choices as the fuzzer's bytes say; when they are used up, always the first.
struct Bytes<'a>(std::slice::Iter<'a, u8>);

impl oracle::Choices for Bytes<'_> {
    fn below(&mut self, end: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or_default()) % end.max(1)
    }
}

pub fn run(bytes: &[u8]) {
    let mut choices = Bytes(bytes.iter());
    let mut search = oracle::Search::default();
    search.round(&mut choices);
}
