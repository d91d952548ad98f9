//! What the wrappers of C++ and Go promise beyond the cases.

use serde_json::json;

use crate::install::prefix;
use crate::journal;
use crate::shell::{Script, all_required, folder, root};
use crate::support::Sandbox;

/// Runs a script in a host's folder against a sandbox, if `tools` succeeds.
fn run(host: &str, tools: &str, script: &str) {
    let prepared = |text: &str| {
        let source = root().join("tests/hosts").join(host);
        Script::new(text, prefix()).set("SOURCE", source).set("BUILD", folder(host))
    };
    if let Err(error) = prepared(tools).run() {
        assert!(!all_required(), "{host} is required: {error}");
        return;
    }
    let sandbox = Sandbox::start();
    journal::prepare(&sandbox);
    let outcome = prepared(script).set("MAILRU_OPTIONS", sandbox.options(json!({}))).run();
    outcome.unwrap_or_else(|error| panic!("{host}: {error}"));
}

#[test]
fn cpp_frees_and_forgets_whatever_happens() {
    let script = r#"
        c++ -std=c++17 -g -fsanitize=address,undefined -fno-sanitize-recover=all -Wall -Wextra -Wpedantic -Werror \
            -Wshadow -Wconversion "$SOURCE/wrapper.cpp" $(pkg-config --cflags --libs mailru) -o "$BUILD/wrapper"
        "$BUILD/wrapper""#;
    run("cpp", "c++ --version && pkg-config --version", script);
}

#[test]
fn the_cpp_example_runs() {
    let script = r#"
        c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion "$SOURCE/../../../examples-c/cpp.cpp" \
            $(pkg-config --cflags --libs mailru) -pthread -o "$BUILD/example"
        "$BUILD/example" | grep 'new tokens'"#;
    run("cpp", "c++ --version && pkg-config --version", script);
}

#[test]
fn go_is_clean_under_its_race_detector() {
    run("go", "go version && pkg-config --version && cc --version", r#"cd "$SOURCE" && go test -race -count=1 ./..."#);
}
