//! The kept inputs of the fuzzers, through the same functions without libFuzzer.

use std::fs;
use std::path::Path;

#[path = "../fuzz/targets/mod.rs"]
pub mod targets;

#[test]
fn the_kept_inputs_of_the_fuzzers_pass() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut told = String::new();
    for (name, target) in targets::TARGETS {
        let folder = fs::read_dir(corpus.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut files: Vec<_> = folder.map(|entry| entry.expect("readable").path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no inputs");
        for file in &files {
            let input = fs::read(file).expect("readable");
            let outcome = std::panic::catch_unwind(|| target(&input));
            assert!(outcome.is_ok(), "{}", file.display());
        }
        told += &format!(" {name} {}", files.len());
    }
    println!("inputs:{told}");
}
