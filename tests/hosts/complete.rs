//! The wrappers against the header: which function each of them offers, and what it lacks.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use crate::shell::{folder, root};

/// A language, and where its wrapper is.
const WRAPPERS: [(&str, &[&str]); 9] = [
    ("cpp", &["include/mailru.hpp", "include/mailru"]),
    ("go", &["src/bindings/go"]),
    ("python", &["src/bindings/python"]),
    ("node", &["src/bindings/node"]),
    ("java", &["src/bindings/java"]),
    ("csharp", &["src/bindings/csharp"]),
    ("ruby", &["src/bindings/ruby"]),
    ("php", &["src/bindings/php"]),
    ("luajit", &["src/bindings/luajit"]),
];

/// Those whose options are fields: a new option is a new field of theirs.
const WITH_FIELDS: [&str; 2] = ["cpp", "go"];

/// The option that a wrapper cannot offer: a goroutine has no thread of its own.
const NOT_OFFERED: [(&str, &str); 1] = [("go", "callbacks_in_calls")];

/// The one whose constants are not the header's own: each code needs one.
const WITH_CONSTANTS: &str = "go";

/// The words of a text: names of C.
fn words(text: &str) -> BTreeSet<&str> {
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_').collect()
}

/// The header's functions, in its order: the names right before a parenthesis, outside of comments.
fn functions(header: &str) -> Vec<String> {
    let mut code = String::new();
    for part in header.split("/*") {
        code.push_str(part.split_once("*/").map_or(part, |(_, code)| code));
    }
    let mut names = Vec::new();
    for before in code.split('(') {
        let name = before.rsplit(|character: char| !character.is_ascii_alphanumeric() && character != '_').next();
        names.extend(name.filter(|name| name.starts_with("mailru_")).map(str::to_owned));
    }
    names
}

/// The names of the options.
fn options() -> Vec<&'static str> {
    macro_rules! options {
        ($($name:literal = $default:literal, $meaning:literal;)*) => {
            vec![$($name),*]
        };
    }
    include!("../../src/option_names.in")
}

/// Whether a wrapper with these words offers a function. The name of a constructor may be made of its kind.
fn offers(words: &BTreeSet<&str>, function: &str) -> bool {
    let kind = function.strip_prefix("mailru_").and_then(|rest| rest.strip_suffix("_session_new"));
    words.contains(function) || kind.is_some_and(|kind| words.contains(kind) && words.contains("_session_new"))
}

/// Everything that a file or a folder says; nothing if it is not there.
fn text_of(path: &Path) -> String {
    if path.is_file() {
        return fs::read_to_string(path).unwrap_or_default() + "\n";
    }
    let Ok(entries) = fs::read_dir(path) else { return String::new() };
    entries.map(|entry| text_of(&entry.expect("a file of a wrapper").path())).collect()
}

#[test]
fn every_wrapper_offers_every_function() {
    let header = fs::read_to_string(root().join("include/mailru.h")).expect("the header");
    let functions = functions(&header);
    assert!(functions.len() > 50 && functions.contains(&"mailru_stats".to_owned()), "{functions:?}");
    let texts: Vec<(&str, String)> = WRAPPERS
        .iter()
        .map(|(name, places)| (*name, places.iter().map(|place| text_of(&root().join(place))).collect()))
        .collect();
    let offered: Vec<_> = texts.iter().map(|(name, text)| (*name, words(text))).collect();
    let mut table = format!("{:36}", "");
    for (name, _) in &offered {
        write!(table, "{name:8}").expect("a string can be written to");
    }
    let mut missing = Vec::new();
    for function in &functions {
        write!(table, "\n{function:36}").expect("a string can be written to");
        for (wrapper, words) in &offered {
            let cell = match offers(words, function) {
                true => "yes",
                false => {
                    missing.push(format!("{wrapper} lacks {function}"));
                    "LACKS"
                }
            };
            write!(table, "{cell:8}").expect("a string can be written to");
        }
    }
    fs::write(folder("").join("functions.txt"), &table).expect("cargo's folder can be written");
    // Shown for a test that passes, too.
    let _ = std::io::stderr().write_all(format!("\n{table}\n").as_bytes());
    for (wrapper, words) in offered.iter().filter(|(wrapper, _)| WITH_FIELDS.contains(wrapper)) {
        let lacks = |option: &&str| !words.contains(option) && !NOT_OFFERED.contains(&(wrapper, option));
        for option in options().into_iter().filter(lacks) {
            missing.push(format!("{wrapper} lacks the option {option}"));
        }
    }
    let (_, words) = offered.iter().find(|(wrapper, _)| *wrapper == WITH_CONSTANTS).expect("the wrapper");
    let codes = header.lines().filter_map(|line| line.strip_prefix("#define MAILRU_")?.split_once(' '));
    for (code, _) in codes.filter(|(code, _)| !["H", "OK", "ABI_VERSION", "LOG_IN_CALLS"].contains(code)) {
        if !words.contains(&*format!("MAILRU_{code}")) {
            missing.push(format!("{WITH_CONSTANTS} lacks the code MAILRU_{code}"));
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}
