//! What the wrappers of C++ and Go promise beyond the cases.

use serde_json::json;

use crate::install::prefix;
use crate::journal;
use crate::shell::{Script, finds, folder, root};
use crate::support::{Sandbox, takes_long};

/// Runs a script in a host's folder against a sandbox, if `tools` succeeds.
fn run(host: &str, tools: &str, script: &str) {
    let prepared = |text: &str| {
        let source = root().join("tests/hosts").join(host);
        Script::new(text, prefix()).set("SOURCE", source).set("BUILD", folder(host))
    };
    if !finds(host, prepared(tools)) {
        return;
    }
    let sandbox = Sandbox::start();
    journal::prepare(&sandbox);
    let outcome = prepared(script).set("MAILRU_OPTIONS", sandbox.options(json!({}))).run();
    outcome.unwrap_or_else(|error| panic!("{host}: {error}"));
}

#[test]
fn cpp_frees_and_forgets_whatever_happens() {
    if !takes_long("the C++ wrapper with sanitizers") {
        return;
    }
    let script = r#"
        c++ -std=c++17 -g -fsanitize=address,undefined -fno-sanitize-recover=all -Wall -Wextra -Wpedantic -Werror \
            -Wshadow -Wconversion "$SOURCE/wrapper.cpp" $(pkg-config --cflags --libs mailru) -o "$BUILD/wrapper"
        "$BUILD/wrapper""#;
    run("cpp", "c++ --version && pkg-config --version", script);
}

/// Functions that are removed, replaced and outlived while they run, and stop tokens.
#[test]
fn cpp_functions_do_not_run_after_their_removal() {
    if !takes_long("removal of functions in C++ with sanitizers") {
        return;
    }
    let script = r#"
        c++ -std=c++20 -g -fsanitize=address,undefined -fno-sanitize-recover=all -Wall -Wextra -Wpedantic -Werror \
            -Wshadow -Wconversion "$SOURCE/removal.cpp" $(pkg-config --cflags --libs mailru) -pthread -o "$BUILD/removal"
        "$BUILD/removal""#;
    run("cpp", "echo '#include <stop_token>' | c++ -std=c++20 -fsyntax-only -xc++ - && pkg-config --version", script);
}

#[test]
fn the_cpp_example_runs() {
    let script = r#"
        c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion "$SOURCE/../../../examples-c/cpp.cpp" \
            $(pkg-config --cflags --libs mailru) -pthread -o "$BUILD/example"
        "$BUILD/example" | grep 'new tokens'"#;
    run("cpp", "c++ --version && pkg-config --version", script);
}

const GO: &str = "go version && pkg-config --version && cc --version";

#[test]
fn go_is_clean_under_its_race_detector() {
    run("go", GO, r#"cd "$SOURCE" && go vet ./... && go test -race -count=1 -timeout=120s ./..."#);
}

/// What `go doc` shows, run by `go test`, without a sandbox: with the installed library, and with one that is bundled with
/// the module, so that nothing is needed at run time.
#[test]
fn go_examples_run_with_an_installed_and_a_bundled_library() {
    let script = r#"
        cd "$SOURCE/../../../src/bindings/go"
        test -z "$(gofmt -l . "$SOURCE")" && go vet ./... && go test -count=1 ./...
        rm -rf "$BUILD/module" && mkdir -p "$BUILD/module" && cp -r . "$BUILD/module"
        cd "$BUILD/module"
        bundled=bundled/$(go env GOOS)_$(go env GOARCH)
        mkdir -p bundled/include "$bundled"
        cp "$PREFIX/include/mailru.h" bundled/include && cp "$PREFIX/lib/libmailru.a" "$bundled"
        unset PKG_CONFIG_PATH LD_LIBRARY_PATH
        go vet -tags mailru_bundled ./... && go test -count=1 -tags mailru_bundled ./...
        CGO_CFLAGS="-I$PREFIX/include" CGO_LDFLAGS="-L$PREFIX/lib -lmailru -Wl,-rpath,$PREFIX/lib" \
            go test -count=1 -tags mailru_flags ./..."#;
    run("go", GO, script);
}

/// What was seen: "malformed module path", and "build constraints exclude all Go files".
#[test]
fn go_takes_the_module_and_says_what_it_needs() {
    let script = r#"
        rm -rf "$BUILD/newcomer" && mkdir -p "$BUILD/newcomer" && cd "$BUILD/newcomer"
        module=$(sed -n 's/^module //p' "$SOURCE/../../../src/bindings/go/go.mod")
        go mod init example.com/newcomer
        go mod edit -require="$module@v0.0.0" -replace="$module=$SOURCE/../../../src/bindings/go"
        printf 'package main\nimport "%s"\nfunc main() { println(mailru.Version()) }\n' "$module" >main.go
        go run . 2>&1 | grep -F "$(sed -n 's/^Version: //p' "$PREFIX/lib/pkgconfig/mailru.pc")"
        for system in linux windows; do
            if CGO_ENABLED=0 GOOS=$system go build . 2>error; then exit 1; fi
            grep -F install_a_C_compiler_and_build_with_CGO_ENABLED_1 error
        done"#;
    run("go", GO, script);
}

/// The module's path stands in its go.mod; whoever imports it names the same.
#[test]
fn go_has_one_module_path() {
    let module = root().join("src/bindings/go");
    let declared = std::fs::read_to_string(module.join("go.mod")).expect("the module");
    let path = declared.lines().find_map(|line| line.strip_prefix("module ")).expect("its path");
    let host = path.split('/').next().expect("a path");
    assert!(host.ends_with(".example"), "{host} is not reserved: it could be somebody's");
    let tests = root().join("tests/hosts/go");
    for folder in [module, tests.clone(), tests.join("conformance"), tests.join("server")] {
        for entry in std::fs::read_dir(&folder).expect("a folder of Go") {
            let file = entry.expect("a file").path();
            let Ok(text) = std::fs::read_to_string(&file) else { continue };
            for import in text.split('"').filter(|part| part.ends_with("/mailru") && !part.contains(' ')) {
                assert_eq!(import, path, "{}", file.display());
            }
        }
    }
}
