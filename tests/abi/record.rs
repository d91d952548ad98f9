//! The binary interface as it was promised, in `record/`: what an old program may use must be there, unchanged.
//!
//! `record/mailru.h` is the header against which old programs were compiled, `record/vocabulary.txt` what they may write
//! into JSON and read from it, with the name, the needs and the glibc floor of the shared object.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use mailru::ffi::mailru_stats;
use serde_json::{Value, json};

use crate::header::{self, root};
use crate::lists;
use crate::shared_object::Built;
use crate::support::constructors::Constructor;
use crate::support::*;

/// What to do when something was removed or changed.
const BREAKS: &str = "programs that were built with the recorded interface would break: bring it back and add the new \
    beside it, or raise MAILRU_ABI_VERSION (src/ffi/version.rs), which renames the library, and begin the record anew";

fn recorded(name: &str) -> String {
    let path = root().join("tests/abi/record").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The record's lines after this word, each as the words that follow.
fn vocabulary(kind: &str) -> BTreeSet<String> {
    let text = recorded("vocabulary.txt");
    let lines = text.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' ').map(str::to_owned));
    let lines: BTreeSet<_> = lines.collect();
    assert!(!lines.is_empty(), "record/vocabulary.txt has no line of {kind}");
    lines
}

/// Compares a part of today's interface with the record.
#[track_caller]
fn compare(kind: &str, today: &BTreeSet<String>) {
    let recorded = vocabulary(kind);
    let lost: Vec<_> = recorded.difference(today).collect();
    assert!(lost.is_empty(), "{kind} {lost:?} is gone or has changed; {BREAKS}");
    let new: Vec<_> = today.difference(&recorded).map(|name| format!("{kind} {name}")).collect();
    assert!(new.is_empty(), "new: add to tests/abi/record/vocabulary.txt\n{}", new.join("\n"));
}

/// The constants, types and functions of a header, each as one line without comments.
fn declarations(header: &str) -> BTreeSet<String> {
    let mut code = String::new();
    for part in header.split("/*") {
        code.push_str(if code.is_empty() { part } else { part.split_once("*/").expect("a comment ends").1 });
    }
    let is_constant = |line: &&str| line.starts_with("#define MAILRU_") && line.split(' ').count() == 3;
    let mut found: BTreeSet<_> = code.lines().map(str::trim_end).filter(is_constant).map(str::to_owned).collect();
    let plain: String = code.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    let plain = plain.replace("extern \"C\" {", "").replace('}', "");
    let statements = plain.split(';').map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    found.extend(statements.filter(|text| text.contains("mailru_")));
    found
}

/// Names, argument order, types and values are the contract.
#[test]
fn every_declaration_is_as_recorded() {
    let (old, new) = (recorded("mailru.h"), fs::read_to_string(root().join("include/mailru.h")).expect("the header"));
    let (old, new) = (declarations(&old), declarations(&new));
    assert!(old.iter().filter(|line| line.contains('(')).count() > 30, "{old:?}");
    let lost: Vec<_> = old.difference(&new).collect();
    assert!(lost.is_empty(), "the header lacks {lost:#?}; {BREAKS}");
    let added: Vec<_> = new.difference(&old).collect();
    assert!(added.is_empty(), "new: cp include/mailru.h tests/abi/record/mailru.h records {added:#?}");
}

#[test]
fn the_shared_object_is_as_recorded() {
    let built = Built::read();
    compare("soname", &built.sonames().into_iter().collect());
    // What the file needs beyond the record breaks programs on systems without it; less breaks nothing.
    let more: Vec<_> = built.needed().into_iter().filter(|name| !vocabulary("needs").contains(name)).collect();
    assert!(more.is_empty(), "{more:?} is needed and was not; {BREAKS}");
    let ([major, minor], symbol) = built.newest_glibc();
    let floor = vocabulary("glibc").pop_first().expect("a version");
    let floor: Vec<u32> = floor.split('.').map(|part| part.parse().expect("a number")).collect();
    assert!(vec![major, minor] <= floor, "{symbol} needs glibc {major}.{minor}, more than {floor:?}; {BREAKS}");
}

/// Every recorded option is accepted with the value that an old program gave it.
#[test]
fn options_are_as_recorded() {
    let recorded = vocabulary("option");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    drop(Sandbox::start_with(&["--tls", "--write-ca", &format!("{path}/ca.pem")]));
    let mut lines = BTreeMap::new();
    for line in &recorded {
        let (name, value) = line.split_once(' ').expect("a name and a value");
        lines.insert(name, value);
    }
    let today: BTreeSet<_> = lists::options().into_iter().map(|[name, ..]| name).collect();
    let new: Vec<_> = today.iter().filter(|name| !lines.contains_key(*name)).collect();
    assert!(new.is_empty(), "new: add \"option NAME VALUE\" to tests/abi/record/vocabulary.txt for {new:?}");
    for (name, value) in lines {
        assert!(today.contains(name), "the option {name} is gone; {BREAKS}");
        let options = format!("{{\"{name}\":{}}}", value.replace("FOLDER", path));
        if let Err(error) = Constructor::of("token").make(&[], Some(&options)) {
            panic!("{options} is refused with {error}; {BREAKS}");
        }
    }
}

/// Every recorded form of a request is accepted; the members of a request are those that the library's own error lists.
#[test]
fn requests_are_as_recorded() {
    let sandbox = Sandbox::start();
    let session = client(&sandbox.options(json!({})));
    for request in vocabulary("request") {
        let data = request.contains("\"file\"").then_some(&b"data"[..]);
        let answer = session.request(&request, data, 0);
        assert_eq!(answer.name(), "MAILRU_OK", "{request}: {}; {BREAKS}", answer.json);
    }
    let known = |request: &str, data: Option<&[u8]>| {
        let message = session.request(request, data, 0).expect("MAILRU_INVALID_ARGUMENT").error("error_msg");
        let message = message.as_str().expect("a text").to_owned();
        let names = message.split_once("known members: ").expect("a list").1.split(", ");
        names.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    compare("request_member", &known("{\"no_such\":1}", None));
    let file = "{\"method\":\"sandbox.echo\",\"file\":{\"no_such\":1}}";
    compare("file_member", &known(file, Some(b"data")));
}

/// The members of an object with the types of their values, and those of the objects in it.
fn members(object: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (name, value) in object.as_object().expect("an object") {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "text",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        found.insert(format!("{path}{name} {kind}"));
        match value {
            Value::Object(_) => members(value, &format!("{path}{name}."), found),
            Value::Array(items) if items.first().is_some_and(Value::is_object) => {
                members(&items[0], &format!("{path}{name}[]."), found);
            }
            _ => {}
        }
    }
}

fn members_of(answers: &[Value]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    answers.iter().for_each(|answer| members(answer, "", &mut found));
    found
}

/// What programs read from answers that are the library's own.
#[test]
fn members_of_answers_are_as_recorded() {
    let sandbox = Sandbox::start();
    let session = refreshing(&sandbox, json!({}));
    session.authorize().expect_ok();
    let known = session.tokens().value();
    let unknown = Constructor::of("public").make(&[], None).expect("a session").tokens().value();
    compare("tokens", &members_of(&[known, unknown]));
    compare("sign", &members_of(&[session.sign("friends.get", None).value()]));
    // SAFETY: the code is a local variable.
    let stats = Answer::of(|code| unsafe { mailru_stats(session.0, code) }).value();
    compare("stats", &members_of(&[stats]));

    // One failure of each kind that has members of its own.
    let fault = |on: Value, fault: Value| sandbox.fault(on, json!(1), fault);
    let wrong = client("{}").call("friends.get", "[]").expect("MAILRU_INVALID_ARGUMENT").value();
    fault(json!({}), json!({ "kind": "status", "status": 500, "body": "oops" }));
    let options = sandbox.options(json!({ "retries": 0 }));
    let status = client(&options).call("friends.get", None).expect("MAILRU_HTTP_ERROR").value();
    let code = |options: &str| crate::support::session("code_client", &[("code", "none")], options);
    let refused = code(&options).call("friends.get", None).expect("MAILRU_OAUTH_ERROR").value();
    fault(json!({}), json!({ "kind": "too_many", "retry_after": 1 }));
    let later = client(&options).call("friends.get", None).expect("MAILRU_API_ERROR").value();
    fault(json!({ "path": "/oauth" }), json!({ "kind": "omit", "members": ["access_token"] }));
    let stored = sandbox.post("tokens", json!({}))["refresh_token"].as_str().expect("a token").to_owned();
    let lacking = crate::support::session("refresh_client", &[("refresh_token", &stored)], &options);
    let lacking = lacking.call("friends.get", None).expect("MAILRU_OAUTH_ERROR").value();
    let errors = [wrong, status, refused, later, lacking].map(|error| {
        let mut error = error["error"].clone();
        // The server's own words.
        for verbatim in ["oauth", "platform"] {
            if let Some(theirs) = error.get_mut(verbatim) {
                *theirs = json!({});
            }
        }
        error
    });
    compare("error", &members_of(&errors));
}

/// A program that was compiled against the recorded header, with each constant's value and each function's type as
/// they were, runs with today's library.
#[test]
fn an_old_program_runs() {
    let folder = tempfile::tempdir().expect("a folder for the program");
    let program = folder.path().join("old");
    let library = library_folder();
    let output = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
        .arg(format!("-I{}", root().join("tests/abi/record").display()))
        .arg(root().join("tests/abi/record/old.c"))
        .arg("-o")
        .arg(&program)
        .arg(format!("-L{}", library.display()))
        .arg(format!("-Wl,--disable-new-dtags,-rpath,{}", library.display()))
        .args(["-lmailru", "-pthread"])
        .output()
        .expect("cc runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let source = recorded("old.c");
    for function in header::functions() {
        assert!(source.contains(&function.name), "record/old.c does not use {}", function.name);
    }
    let sandbox = Sandbox::start();
    let refresh_token = sandbox.post("tokens", json!({}))["refresh_token"].as_str().expect("a token").to_owned();
    let run = Command::new(&program).arg(sandbox.options(json!({}))).arg(refresh_token).output().expect("it runs");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.trim() == "as ever", "{}: {said}; {BREAKS}", run.status);
}
