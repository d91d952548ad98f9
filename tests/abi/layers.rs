//! The layers of the library: `src/lib.rs` declares the order of the modules, and each imports only from those before
//! it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::header::root;

/// The modules in the order of the list in `src/lib.rs`: the names in backquotes before the colon of each item.
fn declared(library: &str) -> Vec<&str> {
    let documentation: Vec<_> = library.lines().filter_map(|line| line.strip_prefix("//! ")).collect();
    let begins_item = |line: &str| line.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
    let items = documentation.iter().filter(|line| begins_item(line));
    let names = items.flat_map(|item| {
        let (names, _) = item.split_once(':').unwrap_or_else(|| panic!("src/lib.rs: no colon in: {item}"));
        names.split('`').skip(1).step_by(2)
    });
    names.collect()
}

/// Every Rust file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of the sources") {
        let path = entry.expect("a file of the sources").path();
        match path.extension() {
            _ if path.is_dir() => found.extend(files(&path)),
            Some(extension) if extension == "rs" => found.push(path),
            _ => {}
        }
    }
    found
}

/// The source without comments, with the same line numbers. Strings are kept, so one could look like a path.
fn without_comments(source: &str) -> String {
    let code = |line: &str| match line.trim_start() {
        comment if comment.starts_with("//") => String::new(),
        _ => line.split(" // ").next().unwrap_or_default().to_owned(),
    };
    source.lines().map(code).collect::<Vec<_>>().join("\n")
}

/// The source without the unit tests at its end, which may use any module.
fn without_tests(source: &str) -> &str {
    source.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default()
}

/// The names right after each `prefix`, also those of a group in braces, with the number of their line.
fn names_after<'a>(source: &'a str, prefix: &str) -> Vec<(usize, &'a str)> {
    let mut names = Vec::new();
    for (start, _) in source.match_indices(prefix) {
        let rest = &source[start + prefix.len()..];
        let mut depth = 0;
        let mut begins = true;
        // The path ends with its first name, or at the end of its group.
        for (place, character) in rest.char_indices() {
            match character {
                '{' => depth += 1,
                '}' => {
                    depth -= 1;
                    begins &= depth > 0;
                }
                ',' => begins = depth == 1,
                _ if character.is_whitespace() => {}
                _ if begins && depth <= 1 => {
                    let is_end = |character: char| !character.is_alphanumeric() && character != '_';
                    let name = rest[place..].split(is_end).next().unwrap_or_default();
                    let line = source[..start + prefix.len() + place].lines().count();
                    names.push((line, name));
                    begins = false;
                }
                _ => {}
            }
            if depth == 0 && !begins {
                break;
            }
        }
    }
    names
}

/// The violations in a file, as `file:line: ...`.
fn violations(file: &str, source: &str, order: &[&str]) -> Vec<String> {
    let module = file.trim_start_matches("src/").trim_end_matches(".rs").split('/').next().unwrap_or_default();
    let Some(place) = order.iter().position(|name| *name == module) else {
        return vec![format!("{file}:1: {module} is not in the list of src/lib.rs")];
    };
    let source = without_comments(source);
    let source = without_tests(&source);
    let mut violations = Vec::new();
    for (line, name) in names_after(source, "crate::") {
        match order.iter().position(|other| *other == name) {
            None => violations.push(format!("{file}:{line}: crate::{name} is no module in the list of src/lib.rs")),
            Some(other) if other > place => {
                violations.push(format!("{file}:{line}: {module} uses {name}, which stands after it in src/lib.rs"));
            }
            Some(_) => {}
        }
    }
    // This test does not resolve such a path.
    let is_inner = file.matches('/').count() > 1 && !file.ends_with("/mod.rs");
    let to_the_top = if is_inner { "super::super::" } else { "super::" };
    for (line, name) in names_after(source, to_the_top).into_iter().filter(|(_, name)| is_inner || order.contains(name))
    {
        violations.push(format!("{file}:{line}: write crate::{name} instead of {to_the_top}{name}"));
    }
    violations
}

#[test]
fn each_module_uses_only_those_before_it() {
    let library = fs::read_to_string(root().join("src/lib.rs")).expect("the library's root");
    let order = declared(&library);
    let lines = library.lines().map(|line| line.trim_start_matches("pub "));
    let mut modules: Vec<_> = lines.filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect();
    let mut listed = order.clone();
    modules.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, modules, "the list in src/lib.rs names each of its modules once");

    let mut found = Vec::new();
    let sources = root().join("src");
    for path in files(&sources).into_iter().filter(|path| *path != sources.join("lib.rs")) {
        let source = fs::read_to_string(&path).expect("a source file");
        let file = path.strip_prefix(root()).expect("below the root").to_str().expect("UTF-8").to_owned();
        found.extend(violations(&file, &source, &order));
        // The lint in Cargo.toml could be overridden within a file; `forbid` cannot.
        let forbids = source.lines().find(|line| !line.starts_with("//")) == Some("#![forbid(unsafe_code)]");
        // A file cannot forbid unsafe code if one of its child modules needs it.
        let may_be_unsafe =
            file.starts_with("src/ffi/") || ["src/engine/mod.rs", "src/engine/task.rs"].contains(&&*file);
        if !forbids && !may_be_unsafe {
            found.push(format!("{file}:1: no #![forbid(unsafe_code)] after the file's documentation"));
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn a_use_of_a_later_module_is_found() {
    let order = ["error", "http", "ffi"];
    for (source, line) in [
        ("use crate::http::Client;", Some(1)),
        ("//! a comment\nuse crate::{\n    error::Code,\n    http::{self, Client},\n};", Some(4)),
        ("use std::io;\npub(in crate::http) fn f() {}", Some(2)),
        ("fn f() {\n    let x = crate::ffi::calls::g();\n}", Some(2)),
        ("use super::http::Client;", Some(1)),
        ("use crate::unknown::Name;", Some(1)),
        ("use crate::error::{self, http};", None),
        ("// use crate::http::Client;\nfn f() {} // as crate::http does", None),
        ("fn f() {}\n\n#[cfg(test)]\nmod tests {\n    use super::*;\n    use crate::http::Client;\n}", None),
    ] {
        let found = violations("src/error.rs", source, &order);
        let expected = line.map(|line| format!("src/error.rs:{line}: "));
        match expected {
            Some(start) => assert!(found.len() == 1 && found[0].starts_with(&start), "{source}: {found:?}"),
            None => assert_eq!(found, [""; 0], "{source}"),
        }
    }
    assert_eq!(violations("src/http/tls.rs", "use crate::{error, http};\nuse super::agent;", &order), [""; 0]);
    assert_eq!(violations("src/http/tls.rs", "use super::super::ffi;", &order).len(), 1);
}
