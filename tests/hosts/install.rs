//! `make install`: what lies where, and that programs build and run from it alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::json;

use crate::shell::{Script, folder, root};
use crate::support::{Sandbox, library_folder, profile_folder};

/// The library of this build, installed once for all tests.
pub fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let prefix = fresh("prefix");
        make("install", &prefix, None);
        prefix
    })
}

/// An empty folder.
fn fresh(name: &str) -> PathBuf {
    fs::remove_dir_all(folder(name)).expect("a test's folder can be removed");
    folder(name)
}

/// Runs a target of `make` with the libraries and the sandbox that are tested.
fn make(target: &str, prefix: &Path, destination: Option<&Path>) {
    let build = folder(if destination.is_some() { "build-destination" } else { "build-prefix" });
    let make = r#"make -s -C "$ROOT/examples-c" "$GOAL" BUILT="$BUILT" SANDBOX_BUILT="$SANDBOX" BUILD="$BUILD" \
        PREFIX="$PREFIX" DESTDIR="$TO""#;
    let script = Script::new(make, prefix).set("ROOT", root()).set("BUILT", library_folder()).set("GOAL", target);
    let script = script.set("SANDBOX", profile_folder().join("examples/sandbox")).set("BUILD", build);
    script
        .set("TO", destination.unwrap_or(Path::new("")))
        .run()
        .unwrap_or_else(|error| panic!("make {target}: {error}"));
}

/// Every file below a folder, relative to it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder that was installed").map(|entry| entry.expect("an entry")) {
            let kind = entry.file_type().expect("a kind of file");
            if kind.is_dir() { folders.push(entry.path()) } else { found.push(entry.path()) }
        }
    }
    found.sort();
    found.into_iter().map(|path| path.strip_prefix(folder).expect("below it").to_owned()).collect()
}

#[test]
fn installs_what_a_packager_expects() {
    let destination = fresh("destination");
    make("install", Path::new("/opt/mailru"), Some(&destination));
    let there = destination.join("opt/mailru");
    let version = env!("CARGO_PKG_VERSION");
    let (_, minor_and_patch) = version.split_once('.').expect("three numbers");
    let file = format!("libmailru.so.{}.{minor_and_patch}", mailru::ffi::MAILRU_ABI_VERSION);
    let recorded = format!("libmailru.so.{}", mailru::ffi::MAILRU_ABI_VERSION);
    let link = |name: &str| fs::read_link(there.join("lib").join(name)).expect("a link");
    assert_eq!(link(&recorded), Path::new(&file));
    assert_eq!(link("libmailru.so"), Path::new(&recorded));
    for path in [
        "include/mailru.h",
        "include/mailru.hpp",
        "include/mailru/session.hpp",
        "lib/libmailru.a",
        &format!("lib/{file}"),
    ] {
        assert!(there.join(path).is_file(), "{path}");
    }
    let pc = fs::read_to_string(there.join("lib/pkgconfig/mailru.pc")).expect("the .pc file");
    for line in ["prefix=/opt/mailru", "libdir=${prefix}/lib", &format!("Version: {version}"), "Libs.private: -l"] {
        assert!(pc.contains(line), "{line} in {pc}");
    }
    let cmake = fs::read_to_string(there.join("lib/cmake/mailru/mailru-config-version.cmake")).expect("CMake's");
    assert!(cmake.contains(&format!("set(PACKAGE_VERSION {version})")), "{cmake}");
    for path in ["bin/mailru", "bin/mailru-sandbox", "share/man/man1/mailru.1", "share/doc/mailru/mailru.html"] {
        assert!(there.join(path).is_file(), "{path}");
    }
    make("uninstall", Path::new("/opt/mailru"), Some(&destination));
    assert_eq!(files(&destination), Vec::<PathBuf>::new(), "uninstall leaves something behind");
}

/// What one user built another installs: without cargo or a compiler, and without writing into the sources.
#[test]
fn another_user_installs_without_building() {
    let destination = fresh("another");
    let build =
        r#"make -s -C "$ROOT/examples-c" build BUILT="$BUILT" SANDBOX_BUILT= BUILD="$STAGED" PREFIX=/opt/mailru"#;
    let staged = folder("build-another");
    let script = |text: &str| {
        let script = Script::new(text, prefix()).set("ROOT", root()).set("BUILT", library_folder());
        script.set("STAGED", &staged).set("TO", &destination)
    };
    script(build).run().expect("make build");
    let tools = r#"mkdir -p "$STAGED/tools"
        for tool in make sed sh install ln head uname rm mkdir printf cat; do
            ln -sf "$(command -v $tool)" "$STAGED/tools/$tool"
        done
        env -i PATH="$STAGED/tools" make -s -C "$ROOT/examples-c" install-built BUILD="$STAGED" PREFIX=/opt/mailru \
            DESTDIR="$TO""#;
    script(tools).run().expect("make install-built");
    let installed = files(&destination.join("opt/mailru"));
    assert!(installed.contains(&PathBuf::from("bin/mailru")), "{installed:?}");
    assert!(!installed.contains(&PathBuf::from("bin/mailru-sandbox")), "{installed:?}");
    let moved = r#""$TO/opt/mailru/bin/mailru" version"#;
    let version = script(moved).set("LD_LIBRARY_PATH", "").run().expect("it finds the library beside itself");
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
}

/// A page for each function and each method, none of which troubles the formatter, and one HTML page with all of it.
#[test]
fn the_manual_covers_the_header_and_the_catalogue() {
    let (man, html) = (prefix().join("share/man"), prefix().join("share/doc/mailru/mailru.html"));
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (html, header) = (read(&html), read(&prefix().join("include/mailru.h")));
    let mut functions = 0;
    let exported = Script::new(r#"nm -D --defined-only "$PREFIX/lib/libmailru.so" | sed -n 's/.* T //p'"#, prefix());
    for function in exported.run().expect("nm").lines() {
        let page = read(&man.join(format!("man3/{function}.3")));
        assert!(page.contains(".SH SYNOPSIS") && page.contains(".SH DESCRIPTION"), "{function}");
        assert!(header.contains(&format!("{function}(")) && html.contains(&format!("<h3 id=\"{function}\">")));
        functions += 1;
    }
    assert!(functions > 50, "{functions}");
    let methods: serde_json::Value =
        serde_json::from_str(&read(&root().join("src/catalogue/methods.json"))).expect("JSON");
    let page = read(&man.join("man7/libmailru-methods.7"));
    for method in methods.as_array().expect("an array") {
        let name = method["name"].as_str().expect("a name");
        assert!(page.contains(&format!(".SS {name}\n")) && html.contains(&format!("<h3>{name}</h3>")), "{name}");
        let params = method["params"].as_array().expect("an array").len();
        let section = page.split(&format!(".SS {name}\n")).nth(1).and_then(|rest| rest.split("\n.S").next());
        assert_eq!(section.unwrap_or_default().matches(".TP\n").count(), params, "{name}");
    }
    let formatted = r#"command -v man >/dev/null || exit 0
        for page in "$PREFIX"/share/man/man?/*; do man --warnings -l "$page" 2>&1 >/dev/null; done"#;
    assert_eq!(Script::new(formatted, prefix()).run().expect("man"), "");
    // Whoever removes a function or writes another at the head of the header sees it here.
    let overview = read(&man.join("man3/libmailru.3"));
    for title in ["A FIRST PROGRAM", "WHICH CONSTRUCTOR", "OPTIONS", "ERRORS OF THE PLATFORM", "CODES", "FUNCTIONS"] {
        assert!(
            overview.contains(&format!(".SH \"{title}\"\n")) || overview.contains(&format!(".SH {title}\n")),
            "{title}"
        );
    }
}

/// Runs a program that was built with the installed library, and checks what it loads.
fn runs(program: &Path, dynamic: bool, sandbox: &Sandbox) {
    let script = r#"ldd "$PROGRAM"; exec "$PROGRAM""#;
    let script =
        Script::new(script, prefix()).set("PROGRAM", program).set("MAILRU_OPTIONS", sandbox.options(json!({})));
    let output = script.run().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let installed = prefix().join("lib/libmailru.so");
    let loaded = output.lines().find(|line| line.contains("libmailru")).unwrap_or("statically linked");
    assert_eq!(loaded.contains(installed.to_str().expect("UTF-8")), dynamic, "{loaded}");
    assert!(output.contains("15410773191172635989"), "{output}");
}

#[test]
fn a_program_builds_through_pkg_config() {
    let sandbox = Sandbox::start();
    let build = fresh("pkg-config");
    for (name, libraries) in [
        ("dynamic", "$(pkg-config --libs mailru)"),
        // The archive by its name, since the linker prefers the shared library beside it.
        ("static", "$(pkg-config --static --libs mailru | sed s/-lmailru/-l:libmailru.a/)"),
    ] {
        let compile = format!(
            r#"cc -Wall -Werror "$ROOT/examples-c/quickstart.c" $(pkg-config --cflags mailru) {libraries} -o "$BUILD/{name}""#
        );
        Script::new(&compile, prefix()).set("ROOT", root()).set("BUILD", &build).run().expect(name);
        runs(&build.join(name), name == "dynamic", &sandbox);
    }
}

#[test]
fn a_program_builds_through_cmake() {
    let sandbox = Sandbox::start();
    let build = fresh("cmake");
    let project = "
        cmake_minimum_required(VERSION 3.21)
        project(app C)
        find_package(mailru 0.1 REQUIRED)
        foreach(kind dynamic static)
            add_executable(${kind} $ENV{ROOT}/examples-c/quickstart.c)
        endforeach()
        target_link_libraries(dynamic mailru::mailru)
        target_link_libraries(static mailru::mailru_static)
    ";
    fs::write(build.join("CMakeLists.txt"), project).expect("a test's folder can be written");
    let script = r#"cmake -S "$BUILD" -B "$BUILD/out" -DCMAKE_PREFIX_PATH="$PREFIX" && cmake --build "$BUILD/out""#;
    Script::new(script, prefix()).set("ROOT", root()).set("BUILD", &build).run().expect("CMake");
    for name in ["dynamic", "static"] {
        runs(&build.join("out").join(name), name == "dynamic", &sandbox);
    }
    let newer = "find_package(mailru 99.0 REQUIRED)";
    fs::write(build.join("CMakeLists.txt"), project.replace("find_package(mailru 0.1 REQUIRED)", newer))
        .expect("a test's folder can be written");
    Script::new(script, prefix()).set("ROOT", root()).set("BUILD", &build).run().expect_err("no such version");
}
