//! The search of `tests/fuzz/oracle.rs` with random numbers: `MAILRU_RANDOM_QUERIES` says how many queries to check.

use std::env;
use std::time::Instant;

use super::oracle::{Choices, Search};
use crate::support::rounds;

struct Random(fastrand::Rng);

impl Choices for Random {
    fn below(&mut self, end: usize) -> usize {
        self.0.usize(..end.max(1))
    }
}

#[test]
fn no_two_sets_pass_with_one_signature() {
    let number = |name: &str| env::var(name).ok().and_then(|number| number.parse().ok());
    let queries = number("MAILRU_RANDOM_QUERIES").unwrap_or(rounds(30_000)) as usize;
    let seed = number("MAILRU_TEST_SEED").unwrap_or(fastrand::u64(..));
    println!("MAILRU_TEST_SEED={seed} repeats this run");
    let begun = Instant::now();
    let (mut random, mut search) = (Random(fastrand::Rng::with_seed(seed)), Search::default());
    while search.queries < queries {
        search.round(&mut random);
    }
    let Search { queries, passed, texts, .. } = search;
    println!(
        "counted: {queries} random queries, {passed} passed, {texts} texts read in more than one way, no finding, in {} s",
        begun.elapsed().as_secs()
    );
    // A search in which no query passes would be useless.
    assert!(passed * 200 > queries && texts * 20 > queries, "{passed} of {queries} passed; {texts} texts");
}
