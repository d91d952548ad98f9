//! What the packages of Python and Node.js promise beyond the cases, and that they install and serve.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::install::prefix;
use crate::journal;
use crate::programs::{DOCUMENTS, marked};
use crate::shell::{Script, finds, folder, root};
use crate::support::{Sandbox, library_folder};

const PYTHON: &str = r#""$TOOLS/venv/bin/python""#;
const NODE: &str = r#"node --version && test -d "$TOOLS/node_modules/koffi""#;

/// Runs a script against a sandbox of its own, if `tools` succeeds: the first line names what the tools are for.
fn run(name: &str, tools: &str, script: &str) {
    let prepared = |text: &str| {
        let script = Script::new(text, prefix()).set("ROOT", root()).set("BUILD", folder(name));
        script.set("NODE_PATH", crate::shell::tools().join("node_modules"))
    };
    if !finds(name, prepared(tools)) {
        return;
    }
    let sandbox = Sandbox::start();
    journal::prepare(&sandbox);
    let outcome = prepared(script).set("MAILRU_OPTIONS", sandbox.options(json!({}))).run();
    outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
}

#[test]
fn python_keeps_its_promises() {
    let script = r#"cd "$ROOT/tests/hosts/python"
        PYTHONPATH="$ROOT/src/bindings/python" python3 -B -X dev -W error -m unittest"#;
    run("python", "python3 -c 'import asyncio; asyncio.timeout'", script);
}

#[test]
fn python_is_typed() {
    let script = r#"cd "$ROOT/src/bindings/python"
        "$TOOLS/venv/bin/python" -m mypy --strict --cache-dir "$BUILD/mypy" mailru build_wheel.py
        MYPYPATH=. "$TOOLS/venv/bin/python" -m mypy --strict --cache-dir "$BUILD/mypy" "$ROOT/tests/hosts/python/typed.py""#;
    run("python", &format!("{PYTHON} -m mypy --version"), script);
}

#[test]
fn node_keeps_its_promises() {
    run("node", NODE, r#"node --test --test-reporter=tap "$ROOT/tests/hosts/node/wrapper.test.mjs""#);
}

/// Installed from the packages alone, in empty folders, with nothing of the project in reach but koffi, which comes
/// from npm's registry or cache.
#[test]
fn packages_install_into_empty_environments() {
    let documents = DOCUMENTS.iter().map(|name| fs::read_to_string(root().join(name)).expect("a document"));
    let programs: Vec<_> = documents.flat_map(|text| marked(&text)).collect();
    let program = |language: &str| &programs.iter().find(|(name, _)| name == language).expect("a program").1;
    let packages = fresh("packages");
    // Without what only a debugger reads, which takes long to pack.
    let make = r#"mkdir -p "$BUILD/lib" && strip -o "$BUILD/lib/libmailru.so" "$BUILT/libmailru.so"
        make -s -C "$ROOT/examples-c" TARGET BUILT="$BUILD/lib" PACKAGES="$BUILD""#;
    let environment = fresh("pip");
    fs::write(environment.join("first.py"), program("python")).expect("cargo's folder can be written");
    let pip = r#"python3 -m venv "$BUILD/../pip/venv"; cd "$BUILD/../pip"
        unset LD_LIBRARY_PATH PYTHONPATH
        venv/bin/python -m pip install -q --no-index --disable-pip-version-check "$BUILD"/mailru-*.whl
        venv/bin/python -B first.py | grep 15410773191172635989
        venv/bin/python -c 'import mailru; assert "pip/venv" in mailru.__file__, mailru.__file__'
        "$TOOLS/venv/bin/python" -m mypy --strict --cache-dir mypy --python-executable venv/bin/python \
            "$ROOT/tests/hosts/python/typed.py""#;
    let built = library_folder();
    let built = built.to_str().expect("UTF-8");
    let script = |target: &str| make.replace("TARGET", target).replace("$BUILT/", &format!("{built}/"));
    let tools = format!("python3 -m venv --help && strip --version && {PYTHON} -m mypy --version");
    run("packages", &tools, &format!("{}\n{pip}", script("wheel")));

    let environment = fresh("npm");
    fs::write(environment.join("first.mjs"), program("javascript")).expect("cargo's folder can be written");
    let types = root().join("tests/hosts/node/types.mts");
    fs::copy(types, environment.join("types.mts")).expect("cargo's folder can be written");
    let npm = r#"cd "$BUILD/../npm"; unset LD_LIBRARY_PATH NODE_PATH
        npm install --silent --no-audit --no-fund --prefer-offline "$BUILD"/mailru-*.tgz
        node first.mjs | grep 15410773191172635989
        node -e 'require("mailru").Session.anonymous().close()'
        # As a package without a type has it, too: require.
        sed 's/^const friends/(async () => {\n&/; $a })();' types.mts > types.cts
        "$TOOLS/node_modules/.bin/tsc" --strict --noEmit --target es2022 --module nodenext types.mts types.cts"#;
    let tools = format!(r#"{NODE} && npm --version && test -d "$TOOLS/node_modules/typescript""#);
    run("packages", &tools, &format!("{}\n{npm}", script("npm-package")));
    drop(packages);
}

fn fresh(name: &str) -> PathBuf {
    fs::remove_dir_all(folder(name)).expect("a test's folder can be removed");
    folder(name)
}

/// Drives a site: the login, 500 requests at once, and a stop while calls are in flight.
fn serve(name: &str, tools: &str, server: &str) {
    let script = format!(
        r#"cd "$ROOT/tests/hosts/servers"
        export PYTHONPATH="$ROOT/src/bindings/python" PYTHONDONTWRITEBYTECODE=1
        exec python3 drive.py {server}"#
    );
    run(name, tools, &script);
}

#[test]
fn flask_serves_under_gunicorn() {
    let tools = format!("{PYTHON} -c 'import flask, gunicorn'");
    let server = format!(
        "{PYTHON} -m gunicorn -w 4 --threads 8 --preload --graceful-timeout 10 -b '127.0.0.1:$PORT' flask_app:app"
    );
    serve("gunicorn", &tools, &server);
}

#[test]
fn flask_serves_under_gunicorn_without_threads() {
    let tools = format!("{PYTHON} -c 'import flask, gunicorn'");
    let server =
        format!("{PYTHON} -m gunicorn -w 4 --preload --graceful-timeout 10 -b '127.0.0.1:$PORT' flask_app:app");
    serve("gunicorn", &tools, &server);
}

#[test]
fn fastapi_serves_under_uvicorn() {
    let tools = format!("{PYTHON} -c 'import fastapi, uvicorn'");
    let uvicorn = "-m uvicorn --port '$PORT' --timeout-graceful-shutdown 10 --log-level warning fastapi_app:app";
    serve("uvicorn", &tools, &format!("{PYTHON} {uvicorn}"));
}

#[test]
fn express_serves() {
    serve("express", &format!(r#"{NODE} && test -d "$TOOLS/node_modules/express""#), "node express_app.js");
}

/// The functions that the header declares.
fn declared() -> Vec<String> {
    let header = fs::read_to_string(root().join("include/mailru.h")).expect("the header");
    let mut names = Vec::new();
    for line in header.lines().filter(|line| !line.starts_with([' ', '/', '#', '}'])) {
        if let Some(name) = line.split('(').next().and_then(|before| before.rsplit([' ', '*']).next())
            && name.starts_with("mailru_")
            && line.contains('(')
        {
            names.push(name.to_owned());
        }
    }
    assert!(names.len() > 50 && names.iter().any(|name| name == "mailru_queue_request"), "{names:?}");
    names
}

#[test]
fn every_function_of_the_header_is_in_both_packages() {
    let package = |name: &str, end: &str| {
        let folder = root().join("src/bindings").join(name);
        let files = fs::read_dir(folder).expect("the package").map(|entry| entry.expect("an entry").path());
        let sources = files.filter(|path| path.to_str().is_some_and(|path| path.ends_with(end)));
        sources.map(|path| fs::read_to_string(path).expect("text")).collect::<String>()
    };
    let python = package("python/mailru", ".py");
    let node = package("node/lib", ".js");
    for name in declared() {
        let constructor =
            name.strip_prefix("mailru_").and_then(|rest| rest.strip_suffix("_session_new")).unwrap_or("\0");
        for (language, source) in [("Python", &python), ("Node.js", &node)] {
            let there =
                source.contains(&format!("{name}\"")) || source.contains(&format!("constructor(\"{constructor}\""));
            // mailru_queue_request and mailru_request do what these do.
            let short = [
                "mailru_call",
                "mailru_call_within",
                "mailru_upload",
                "mailru_public",
                "mailru_authorize",
                "mailru_request",
                "mailru_queue_submit",
            ];
            assert!(
                there || short.contains(&&*name) && source.contains(&name),
                "{name} is not in the package for {language}"
            );
        }
    }
}

#[test]
fn packages_have_the_librarys_numbers() {
    let read = |path: &str| fs::read_to_string(root().join("src/bindings").join(path)).expect(path);
    let package: serde_json::Value = serde_json::from_str(&read("node/package.json")).expect("JSON");
    assert_eq!(package["version"], env!("CARGO_PKG_VERSION"));
    let number = mailru::ffi::MAILRU_ABI_VERSION;
    assert!(read("node/lib/library.js").contains(&format!("const ABI_VERSION = {number};")));
    assert!(read("python/mailru/_library.py").contains(&format!("\nABI_VERSION = {number}\n")));
}
