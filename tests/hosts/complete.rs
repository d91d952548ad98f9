//! The wrappers against the header: which function each of them calls, and what it lacks.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use crate::shell::{folder, root};

/// A wrapper, and how to see what it calls.
struct Wrapper {
    language: &'static str,
    places: &'static [&'static str],
    comments: Comments,
    /// One of these stands right before the name of a function that is called. Before one that is only declared, none
    /// does.
    before_calls: &'static [&'static str],
}

/// What begins and what ends a comment.
type Comments = &'static [(&'static str, &'static str)];

const LIKE_C: Comments = &[("//", "\n"), ("/*", "*/")];
const LIKE_PYTHON: Comments = &[("\"\"\"", "\"\"\""), ("#", "\n")];

const WRAPPERS: [Wrapper; 9] = [
    // What the classes declare has other names.
    wrapper("cpp", &["include/mailru.hpp", "include/mailru"], LIKE_C, &["(", " ", "!", "handle<"]),
    // The second is a file in C.
    wrapper("go", &["src/bindings/go"], LIKE_C, &["C.", "return "]),
    wrapper("python", &["src/bindings/python"], LIKE_PYTHON, &["library.", "_set(\""]),
    wrapper("node", &["src/bindings/node"], LIKE_C, &["functions.", "\"str\", "]),
    wrapper("java", &["src/bindings/java"], LIKE_C, &[".", "::"]),
    wrapper("csharp", &["src/bindings/csharp"], LIKE_C, &["Function<C."]),
    wrapper("ruby", &["src/bindings/ruby"], &[("#", "\n")], &["Library.", "(:", "=> :", "client: :", "server: :"]),
    wrapper("php", &["src/bindings/php"], LIKE_C, &["->", "'"]),
    wrapper("luajit", &["src/bindings/luajit"], &[("--", "\n")], &["C.", "\""]),
];

const fn wrapper(
    language: &'static str,
    places: &'static [&'static str],
    comments: Comments,
    before_calls: &'static [&'static str],
) -> Wrapper {
    Wrapper { language, places, comments, before_calls }
}

/// What mailru_request and mailru_queue_request do as well: they can be interrupted in each language's own way.
const REQUESTS: [&str; 6] =
    ["mailru_call", "mailru_call_within", "mailru_upload", "mailru_public", "mailru_authorize", "mailru_queue_submit"];

/// Those whose options are fields: a new option is a new field of theirs.
const WITH_FIELDS: [&str; 2] = ["cpp", "go"];

/// The option that a wrapper cannot offer: a goroutine has no thread of its own.
const NOT_OFFERED: [(&str, &str); 1] = [("go", "callbacks_in_calls")];

/// The one whose constants are not the header's own: each code needs one.
const WITH_CONSTANTS: &str = "go";

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// The words of a text: names of C.
fn words(text: &str) -> BTreeSet<&str> {
    text.split(|character| !is_word(character)).collect()
}

/// A text without its comments. What begins one within a string does not count; a string in single or double quotation
/// marks ends with its line at the latest.
fn code(text: &str, comments: Comments) -> String {
    let (mut code, mut rest) = (String::new(), text);
    let mut string = None;
    while let Some(next) = rest.chars().next() {
        if string.is_none()
            && let Some((begin, end)) = comments.iter().find(|(begin, _)| rest.starts_with(begin))
        {
            let body = &rest[begin.len()..];
            // The end of the line belongs to the code.
            rest = body.find(end).map_or("", |at| &body[at + if *end == "\n" { 0 } else { end.len() }..]);
            continue;
        }
        let mut length = next.len_utf8();
        match string {
            Some(_) if next == '\\' => length += rest[1..].chars().next().map_or(0, char::len_utf8),
            Some(mark) if next == mark || next == '\n' && mark != '`' => string = None,
            None if ['"', '\'', '`'].contains(&next) => string = Some(next),
            _ => {}
        }
        code.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    code
}

/// Whether a name stands in code right after one of these.
fn stands_after(code: &str, name: &str, before: &[&str]) -> bool {
    code.match_indices(name).any(|(at, _)| {
        !code[at + name.len()..].starts_with(is_word) && before.iter().any(|before| code[..at].ends_with(before))
    })
}

/// The header's functions, in its order: the names right before a parenthesis.
fn functions(header: &str) -> Vec<String> {
    let mut names = Vec::new();
    for before in code(header, LIKE_C).split('(') {
        let name = before.rsplit(|character| !is_word(character)).next();
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

impl Wrapper {
    /// Everything that it says, without comments.
    fn code(&self) -> String {
        self.places.iter().map(|place| code_of(&root().join(place), self.comments)).collect()
    }

    /// Whether this code of the wrapper's calls a function.
    fn calls(&self, code: &str, function: &str) -> bool {
        if stands_after(code, function, self.before_calls) {
            return true;
        }
        // A constructor may be named by its kind, and be called by a name that is made of it.
        let kind = function.strip_prefix("mailru_").and_then(|rest| rest.strip_suffix("_session_new"));
        let makes_names = stands_after(code, "_session_new", &["mailru_{_constructor}", "mailru_${kind}"]);
        if kind.is_some_and(|kind| makes_names && code.contains(&format!("\"{kind}\""))) {
            return true;
        }
        // Node.js calls functions by names of its own, which their declarations give: `tokens: json("mailru_tokens"`, or
        // `const release = library.func("mailru_string_free"`.
        let own = code.split_once(&format!("(\"{function}\"")).and_then(|(before, _)| {
            let line = before.rsplit('\n').next()?;
            line.split([':', '=']).next()?.split_whitespace().last()
        });
        self.language == "node" && own.is_some_and(|own| stands_after(code, own, self.before_calls))
    }
}

/// The code of a file or a folder; nothing if it is not there.
fn code_of(path: &Path, comments: Comments) -> String {
    if path.is_file() {
        // Of other kinds are documents, and what is built or declared for others.
        let is_source = path
            .extension()
            .and_then(|end| end.to_str())
            .is_some_and(|end| ["hpp", "go", "c", "py", "js", "java", "cs", "rb", "php", "lua"].contains(&end));
        let text = if is_source { fs::read_to_string(path).expect("text") } else { String::new() };
        return code(&text, comments) + "\n";
    }
    let Ok(entries) = fs::read_dir(path) else { return String::new() };
    entries.map(|entry| code_of(&entry.expect("a file of a wrapper").path(), comments)).collect()
}

#[test]
fn every_wrapper_calls_every_function() {
    let header = fs::read_to_string(root().join("include/mailru.h")).expect("the header");
    let functions = functions(&header);
    assert!(functions.len() > 50 && functions.contains(&"mailru_stats".to_owned()), "{functions:?}");
    let wrappers: Vec<_> = WRAPPERS.iter().map(|wrapper| (wrapper, wrapper.code())).collect();
    let mut table = format!("{:36}", "");
    for (wrapper, _) in &wrappers {
        write!(table, "{:8}", wrapper.language).expect("a string can be written to");
    }
    let mut missing = Vec::new();
    for function in &functions {
        write!(table, "\n{function:36}").expect("a string can be written to");
        for (wrapper, code) in &wrappers {
            let does_requests = || ["mailru_request", "mailru_queue_request"].iter().any(|it| wrapper.calls(code, it));
            let cell = if wrapper.calls(code, function) {
                "yes"
            } else if (REQUESTS.contains(&&**function) || function == "mailru_request") && does_requests() {
                "request"
            } else {
                missing.push(format!("{} does not call {function}", wrapper.language));
                "LACKS"
            };
            write!(table, "{cell:8}").expect("a string can be written to");
        }
    }
    fs::write(folder("").join("functions.txt"), &table).expect("cargo's folder can be written");
    // Shown for a test that passes, too.
    let _ = std::io::stderr().write_all(format!("\n{table}\n").as_bytes());
    for (wrapper, code) in &wrappers {
        let (language, words) = (wrapper.language, words(code));
        let options = if WITH_FIELDS.contains(&language) { options() } else { Vec::new() };
        let lacks = |option: &&str| !words.contains(option) && !NOT_OFFERED.contains(&(language, option));
        missing.extend(options.into_iter().filter(lacks).map(|option| format!("{language} lacks the option {option}")));
        let codes = header.lines().filter_map(|line| line.strip_prefix("#define MAILRU_")?.split_once(' '));
        for (code, _) in codes.filter(|(code, _)| !["H", "OK", "ABI_VERSION", "LOG_IN_CALLS"].contains(code)) {
            if language == WITH_CONSTANTS && !words.contains(&*format!("MAILRU_{code}")) {
                missing.push(format!("{language} lacks the code MAILRU_{code}"));
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

#[test]
fn a_comment_and_a_declaration_are_no_call() {
    let seen = |language: &str, text: &str| {
        let wrapper = WRAPPERS.iter().find(|wrapper| wrapper.language == language).expect("a wrapper");
        wrapper.calls(&code(text, wrapper.comments), "mailru_stats")
    };
    for (language, text, calls) in [
        ("cpp", "answer(mailru_stats)", true),
        ("cpp", "/** As (mailru_stats). */ // (mailru_stats)", false),
        ("cpp", "\"// no comment\"; f(mailru_stats(1));", true),
        ("cpp", "f(mailru_stats_of(1));", false),
        ("go", "x := C.mailru_stats(1)", true),
        ("go", "// C.mailru_stats(1)\n", false),
        ("python", "answer(library.mailru_stats, 1)", true),
        ("python", "\"\"\"library.mailru_stats\"\"\"\n# library.mailru_stats\n\"mailru_stats\": (_OWNED,)", false),
        ("node", "stats: json(\"mailru_stats\", handle),\nanswer(functions.stats, 1)", true),
        ("node", "stats: json(\"mailru_stats\", handle),\n// answer(functions.stats, 1)", false),
        ("java", "Pointer mailru_stats(long session);", false),
        ("java", "c.mailru_stats(1)", true),
        ("csharp", "internal delegate IntPtr mailru_stats(ulong session);", false),
        ("csharp", "Native.Function<C.mailru_stats>.Call(1)", true),
        ("ruby", "attach_function :mailru_stats, [:uint64], :pointer # Library.mailru_stats", false),
        ("ruby", "Library.mailru_stats(1)", true),
        ("php", "char *mailru_stats(mailru_session session);\n/* ->mailru_stats */", false),
        ("php", "#[\\Attribute] $c->mailru_stats(1)", true),
        ("luajit", "char *mailru_stats(mailru_session session); -- C.mailru_stats", false),
        ("luajit", "library.answer(\"mailru_stats\", 1)", true),
    ] {
        assert_eq!(seen(language, text), calls, "{language}: {text}");
    }
}
