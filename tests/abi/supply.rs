//! What is linked into the library besides its own code: `CONTRIBUTING.md`, section "Run-time dependencies".

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::header::root;

/// Licences that ask for no more than their own text. A crate has to offer one of them.
const PERMISSIVE: [&str; 9] =
    ["0BSD", "Apache-2.0", "BSD-3-Clause", "CDLA-Permissive-2.0", "ISC", "MIT", "Unlicense", "Zlib", "BSD-2-Clause"];

/// What cargo says without network.
fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--locked", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

const LINKED: [&str; 7] = ["tree", "-p", "mailru", "-e", "normal", "--target", "x86_64-unknown-linux-gnu"];

/// The linked crates with licence and features.
fn linked() -> BTreeMap<String, [String; 2]> {
    let told = cargo(&[&LINKED[..], &["--prefix", "none", "--format", "{p}\t{l}\t{f}"]].concat());
    let lines = told.lines().filter(|line| !line.contains("(proc-macro)") && !line.starts_with("mailru "));
    let row = |line: &str| {
        let mut parts = line.split('\t').map(|part| part.trim_end_matches(" (*)").trim().to_owned());
        let mut part = || parts.next().expect("three parts");
        let name = part().split(' ').next().expect("a word").to_owned();
        (name, [part(), part().replace(',', ", ")])
    };
    lines.map(row).collect()
}

#[test]
fn the_table_of_dependencies_is_what_cargo_links() {
    let text = std::fs::read_to_string(root().join("CONTRIBUTING.md")).expect("the document");
    let section = text.split_once("\n## Run-time dependencies\n").expect("a section").1;
    let rows = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let mut documented = BTreeMap::new();
    for row in rows.skip(2) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, licence, features, size, why] = cells[..] else { panic!("{row}") };
        assert!(size.parse::<u32>().is_ok() && why.len() >= 3, "{row}");
        documented.insert(name.to_owned(), [licence, features].map(str::to_owned));
    }
    assert_eq!(documented, linked(), "CONTRIBUTING.md against cargo tree; sizes are told by tests/targets/sizes.py");
}

#[test]
fn licences_are_permissive_and_sources_the_registry() {
    for (name, [licence, _]) in linked() {
        let permits = |part: &str| PERMISSIVE.contains(&part.trim());
        let fits = licence.split(" AND ").all(|all| all.split(" OR ").any(permits));
        assert!(fits, "{name} is under {licence}");
    }
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("the lock file");
    for package in lock.split("[[package]]").skip(1).filter(|package| package.contains("source = ")) {
        let registry = package.contains("source = \"registry+https://github.com/rust-lang/crates.io-index\"");
        assert!(registry && package.contains("checksum = \""), "{package}");
    }
}

#[test]
fn no_crate_is_linked_twice() {
    let told = cargo(&[&LINKED[..], &["--prefix", "none", "--format", "{p}"]].concat());
    let versions: BTreeSet<_> = told.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    let names: Vec<_> = versions.iter().filter_map(|line| line.split(' ').next()).collect();
    for pair in names.windows(2) {
        assert_ne!(pair[0], pair[1], "two versions of {} are linked", pair[0]);
    }
}
