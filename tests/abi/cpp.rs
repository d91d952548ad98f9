//! Compares `mailru.hpp` and its parts with `mailru.h`: the classes offer each function with its arguments in order, and
//! the same codes.

use std::collections::BTreeSet;
use std::fs;

use crate::header::{functions, root};
use crate::lists;

/// The text without comments.
fn classes() -> String {
    let mut text = fs::read_to_string(root().join("include/mailru.hpp")).expect("the classes");
    for part in fs::read_dir(root().join("include/mailru")).expect("their parts") {
        text += &fs::read_to_string(part.expect("a part").path()).expect("a part");
    }
    let mut code = String::new();
    for part in text.split("/*") {
        code.push_str(if code.is_empty() { part } else { part.split_once("*/").expect("a comment ends").1 });
    }
    code
}

/// The words of a text that begin with a prefix.
fn words<'a>(text: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    let is_end = |character: char| !character.is_ascii_alphanumeric() && character != '_';
    text.split(is_end).filter(|word| word.starts_with(prefix)).collect()
}

#[test]
fn the_classes_offer_each_function_and_code_of_the_header() {
    let classes = classes();
    let functions: Vec<_> = functions().into_iter().map(|function| function.name).collect();
    let offered = words(&classes, "mailru_");
    let missing = functions.iter().map(String::as_str).filter(|function| !offered.contains(function));
    assert_eq!(missing.collect::<Vec<_>>(), [""; 0], "what mailru.hpp does not offer");
    let types = ["mailru_session", "mailru_queue", "mailru_cancel"];
    for word in offered.iter().filter(|word| !word.starts_with("mailru_hpp_") && !types.contains(word)) {
        assert!(functions.iter().any(|function| function == word), "mailru.hpp uses {word}, which mailru.h lacks");
    }
    let codes = lists::codes();
    for code in words(&classes, "MAILRU_").into_iter().filter(|word| !word.ends_with("_HPP")) {
        assert!(codes.iter().any(|(name, _)| *name == code), "mailru.hpp uses {code}, which mailru.h lacks");
    }
}

/// All arguments of the session constructors are texts, so the compiler does not find swapped ones.
#[test]
fn the_session_constructors_pass_the_arguments_in_order() {
    let classes = classes().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut constructors = 0;
    for function in functions().iter().filter(|function| function.name.ends_with("_session_new")) {
        let parameters: Vec<_> = function.parameter_names().filter(|name| *name != "error").collect();
        let expected = parameters.join(", ").replace("options_json", "options");
        let (before, after) = classes.split_once(&format!("made(outcome, {}, ", function.name)).expect(&function.name);
        let passed = after.split(')').next().unwrap_or_default();
        assert_eq!(passed, expected, "{}", function.name);
        let (_, declared) = before.rsplit_once("static session ").expect("a static function");
        let declared = declared.split_once('(').expect("parameters").1.split(')').next().unwrap_or_default();
        let declared = declared.split(", ").filter_map(|parameter| {
            parameter.strip_prefix("text ").or_else(|| parameter.strip_prefix("const json_text &"))
        });
        let names: Vec<_> = declared.filter_map(|parameter| parameter.split(' ').next()).collect();
        assert_eq!(names.join(", "), expected, "{}", function.name);
        constructors += 1;
    }
    assert_eq!(constructors, 14);
}
