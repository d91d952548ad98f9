//! The header: its declarations, its compilers and parsers, and the completeness of its manual.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mailru::ffi;

use crate::support::name;

/// A function that the header declares.
pub struct Function {
    pub name: String,
    /// The comment before it.
    pub comment: String,
    /// The return type and each parameter, as written in C.
    pub result: String,
    pub parameters: Vec<String>,
}

impl Function {
    /// The names of the parameters.
    pub fn parameter_names(&self) -> impl Iterator<Item = &str> {
        let name = |parameter: &'_ str| parameter.rfind([' ', '*']).map_or(0, |space| space + 1);
        self.parameters.iter().map(move |parameter| &parameter[name(parameter)..]).filter(|name| *name != "void")
    }
}

/// The crate's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn header() -> String {
    fs::read_to_string(root().join("include/mailru.h")).expect("the build wrote the header")
}

/// Every function that the header declares, in its order.
pub fn functions() -> Vec<Function> {
    let header = header();
    let body = header.split_once("extern \"C\" {").expect("the functions are C, also for C++").1;
    let mut functions = Vec::new();
    for part in body.split("/*").skip(1) {
        let (comment, declaration) = part.split_once("*/").expect("a comment ends");
        let declaration = declaration.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some((front, rest)) = declaration.split_once(");").and_then(|(text, _)| text.split_once('(')) else {
            continue;
        };
        let name = front.rfind([' ', '*']).map_or(0, |space| space + 1);
        functions.push(Function {
            name: front[name..].to_owned(),
            comment: comment.to_owned(),
            result: front[..name].trim().to_owned(),
            parameters: rest.split(", ").map(str::to_owned).collect(),
        });
    }
    functions
}

/// The constants and their numbers.
fn constants() -> Vec<(String, i64)> {
    let header = header();
    let defines = header.lines().filter_map(|line| line.strip_prefix("#define MAILRU_"));
    let numbers = defines.filter_map(|line| line.split_once(' '));
    numbers.map(|(name, number)| (format!("MAILRU_{name}"), number.parse().expect("a plain number"))).collect()
}

/// The installed compilers of a language; with `MAILRU_REQUIRE_HOSTS=all` all must be installed.
fn compilers(names: [&'static str; 2]) -> Vec<&'static str> {
    let runs = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    let present: Vec<_> = names.into_iter().filter(runs).collect();
    assert!(!present.is_empty(), "one of {names:?} is needed");
    if present.len() < names.len() {
        crate::support::skip(&format!("the header with another compiler than {present:?}"), "one is not installed");
    }
    present
}

/// Compiles a program that includes only the header, twice.
fn check(compiler: &str, language: &str, standard: &str, flags: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder for the program");
    let source = folder.path().join("program");
    let program = "#include <mailru.h>\n#include <mailru.h>\nint main(void) { return MAILRU_OK; }\n";
    fs::write(&source, program).expect("the program can be written");
    let output = Command::new(compiler)
        .args(["-x", language, &format!("-std={standard}"), "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
        .args(flags)
        .args(["-fsyntax-only", "-I"])
        .arg(root().join("include"))
        .arg(&source)
        .output()
        .expect("the compiler runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{compiler} -std={standard}: {said}");
}

#[test]
fn every_c_standard_reads_it_without_a_warning() {
    for compiler in compilers(["cc", "clang"]) {
        for standard in ["c99", "c11", "c17", "c2x", "gnu17"] {
            check(compiler, "c", standard, &["-Wstrict-prototypes"]);
        }
    }
}

#[test]
fn every_cpp_standard_reads_it_without_a_warning() {
    for compiler in compilers(["c++", "clang++"]) {
        for standard in ["c++11", "c++14", "c++17", "c++20", "c++2b"] {
            check(compiler, "c++", standard, &[]);
        }
    }
}

/// Parsers such as cffi's, cgo's and bindgen's support only plain declarations of plain types.
#[test]
fn the_preprocessed_header_holds_plain_declarations_only() {
    let output = Command::new("cc")
        .args(["-std=c99", "-E", "-x", "c"])
        .arg(root().join("include/mailru.h"))
        .output()
        .expect("cc runs");
    let text = String::from_utf8(output.stdout).expect("the header is ASCII");
    let mut ours = false;
    let mut declarations = String::new();
    for line in text.lines() {
        if line.starts_with('#') {
            ours = line.contains("/mailru.h\"");
        } else if ours {
            declarations.push_str(line);
            declarations.push('\n');
        }
    }
    let known_types = ["char", "const", "int32_t", "int64_t", "size_t", "uint32_t", "uint64_t", "uint8_t", "void"];
    let mut counts = (0, 0);
    for declaration in declarations.split(';').map(str::trim).filter(|declaration| !declaration.is_empty()) {
        assert!(
            declaration.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_*(), \n".contains(&byte)),
            "{declaration}"
        );
        let tokens = declaration.replace(['*', '(', ')', ','], " ");
        let is_typedef = tokens.starts_with("typedef ");
        for word in tokens.split_whitespace().filter(|word| word.ends_with("_t") || *word == "enum") {
            assert!(known_types.contains(&word), "{word} in {declaration}");
        }
        let opening = declaration.trim_start_matches("typedef ").split([' ', '*']).next().expect("a word");
        assert!(known_types.contains(&opening) || opening.starts_with("mailru_"), "{opening} in {declaration}");
        if is_typedef { counts.0 += 1 } else { counts.1 += 1 }
    }
    assert_eq!(counts.1, functions().len(), "each declaration is a function that this file's reader found");
    assert!(counts.0 >= 6, "the handles' and callbacks' types");
}

/// Every export is in the header exactly once: the exports of a file that `build.rs` does not name would be missing.
#[test]
fn it_declares_each_export_once() {
    let folder = root().join("src/ffi");
    let sources: Vec<PathBuf> =
        fs::read_dir(folder).expect("the boundary").map(|file| file.expect("a file").path()).collect();
    let mut exported = Vec::new();
    for source in sources.iter().filter(|source| source.extension().is_some_and(|extension| extension == "rs")) {
        let text = fs::read_to_string(source).expect("a source file");
        let names = text.split("extern \"C\" fn mailru_").skip(1).filter_map(|rest| rest.split_once('('));
        exported.extend(names.map(|(name, _)| format!("mailru_{name}")));
    }
    let mut declared: Vec<_> = functions().into_iter().map(|function| function.name).collect();
    exported.sort();
    declared.sort();
    assert!(exported.len() > 30, "{exported:?}");
    assert_eq!(declared, exported);
}

/// The build rewrites the header, so only the committed header can be stale. If the sources are unchanged since the
/// commit, the header must be unchanged too. Outside of a git work tree there is nothing to compare with.
#[test]
fn the_committed_header_is_what_the_build_makes() {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(root()).output().ok()?;
        output.status.success().then_some(output.stdout)
    };
    let Some(committed) = git(&["show", "HEAD:./include/mailru.h"]) else {
        assert!(!root().join(".git").exists(), "git cannot show the committed header");
        return;
    };
    let changed = git(&["status", "--porcelain", "--", "src", "build.rs", "cbindgen.toml", "Cargo.toml", "Cargo.lock"]);
    if changed.expect("git status works where git show did").is_empty() {
        assert!(
            committed == header().into_bytes(),
            "include/mailru.h is stale in the last commit; commit the generated file"
        );
    }
}

#[test]
fn its_numbers_are_the_librarys() {
    let (mut codes, others): (Vec<_>, Vec<_>) = constants()
        .into_iter()
        .partition(|(name, _)| !["MAILRU_ABI_VERSION", "MAILRU_LOG_IN_CALLS"].contains(&&**name));
    let version = ("MAILRU_ABI_VERSION".to_owned(), i64::from(ffi::mailru_abi_version()));
    assert_eq!(others, [version, ("MAILRU_LOG_IN_CALLS".to_owned(), i64::from(ffi::MAILRU_LOG_IN_CALLS))]);
    codes.sort_by_key(|(_, number)| *number);
    let named = (-200..=200).chain([i32::MIN, i32::MAX]).map(|number| (name(number).to_owned(), i64::from(number)));
    let known: Vec<_> = named.filter(|(name, _)| name != "MAILRU_UNKNOWN_CODE").collect();
    assert_eq!(codes, known, "a constant of the header against mailru_code_name of its number");
}

/// A comment with those of the functions to which it refers ("As mailru_call, ...", "as for mailru_call"), recursively.
fn with_references(function: &Function, functions: &[Function]) -> String {
    let mut text = function.comment.clone();
    let mut seen = BTreeSet::from([function.name.as_str()]);
    let refers = |text: &str, name: &str| {
        let mentions = ["as for ", "As ", "as "].map(|word| format!("{word}{name}"));
        mentions.iter().any(|mention| text.contains(mention)) || text.trim_start().starts_with(&format!("{name} with "))
    };
    while let Some(other) =
        functions.iter().find(|other| !seen.contains(other.name.as_str()) && refers(&text, &other.name))
    {
        seen.insert(&other.name);
        text.push_str(&other.comment);
    }
    text
}

#[test]
fn it_is_a_manual() {
    let functions = functions();
    for function in &functions {
        let Function { name, comment, result, .. } = function;
        let sentences = comment.matches(['.', ':']).count();
        assert!(comment.trim().len() > 60 && sentences >= 2, "{name} has no manual: {comment}");
        let text = with_references(function, &functions);
        // The handle of a function, or its only argument, needs no explanation; the beginning of the manual explains
        // codes.
        let receiver = usize::from(function.parameters.len() == 1 || function.parameters[0].starts_with("mailru_"));
        for parameter in function.parameter_names().skip(receiver) {
            assert!(parameter == "code" || text.contains(parameter), "{name}: nothing is said of {parameter}");
        }
        if result.ends_with('*') {
            let released = text.contains("mailru_string_free") || text.contains("not to be released");
            assert!(released, "{name}: who releases the string?");
        }
        if result.starts_with("mailru_") {
            let free = format!("{result}_free");
            assert!(text.contains(&free), "{name}: {free} is not named");
        }
        if function.parameters.iter().any(|parameter| parameter.starts_with("char **")) {
            assert!(text.contains("mailru_string_free"), "{name}: who releases the error?");
        }
        let is_static = text.contains("Static") || result == "uint32_t";
        let blocking = ["lock", "time limit", "wait"].iter().any(|word| text.contains(word));
        assert!(is_static || blocking || text.contains("at once"), "{name}: may it block?");
    }
}
