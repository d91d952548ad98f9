//! `make install`: what lies where, and that programs build and run from it alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::json;

use crate::shell::{Script, folder, root};
use crate::support::{Sandbox, library_folder};

/// The library of this build, installed once for all tests.
pub fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let prefix = fresh("prefix");
        install(&prefix, None);
        prefix
    })
}

/// An empty folder.
fn fresh(name: &str) -> PathBuf {
    fs::remove_dir_all(folder(name)).expect("a test's folder can be removed");
    folder(name)
}

/// Runs `make install` with the libraries that are tested.
fn install(prefix: &Path, destination: Option<&Path>) {
    let make = r#"make -s -C "$ROOT/examples-c" install BUILT="$BUILT" PREFIX="$PREFIX" DESTDIR="$TO""#;
    let script = Script::new(make, prefix).set("ROOT", root()).set("BUILT", library_folder());
    script.set("TO", destination.unwrap_or(Path::new(""))).run().expect("make install");
}

#[test]
fn installs_what_a_packager_expects() {
    let destination = fresh("destination");
    install(Path::new("/opt/mailru"), Some(&destination));
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
