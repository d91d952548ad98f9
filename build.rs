//! Generates the header and what the code needs of the catalogues, and names the shared object.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "src/ffi/version.rs"]
mod version;

fn main() {
    // tests/library, the package that the tests link, is built by this script, too.
    let for_tests = env::var("CARGO_PKG_NAME").as_deref() == Ok("mailru-for-tests");
    let root = if for_tests { "../../" } else { "" };
    // What this script reads, and not all of src: a change of a wrapper in src/bindings is no reason to build anew.
    let inputs = ["src/ffi", "src/catalogue", "src/codes.in", "src/option_names.in"];
    for input in inputs.iter().chain(&["build.rs", "cbindgen.toml", "include/mailru.h"]) {
        println!("cargo:rerun-if-changed={root}{input}");
    }
    println!("cargo:rustc-check-cfg=cfg(planted_panics)");
    if for_tests {
        println!("cargo:rustc-cfg=planted_panics");
        env::set_current_dir(root).expect("tests/library lies in the project's folder");
    }
    catalogues();
    name_the_shared_object();
    if !for_tests {
        header();
        let folder = output_folder();
        // For the tests, which start the sandbox that lies there.
        println!("cargo:rustc-env=MAILRU_OUTPUT_FOLDER={}", folder.display());
        link_under_the_recorded_name(&folder);
    }
}

fn read_catalogue(name: &str) -> Vec<serde_json::Value> {
    let catalogue = fs::read_to_string(format!("src/catalogue/{name}.json")).expect("the catalogue can be read");
    serde_json::from_str(&catalogue).expect("the catalogue is an array of objects")
}

/// What the code needs of the catalogues, as Rust constants: the names of the methods that only read, sorted, and of
/// each of the platform's errors its number, whether it may pass, and its meaning.
fn catalogues() {
    let methods = read_catalogue("methods");
    let reads = |method: &&serde_json::Value| method["write"] == false;
    let name = |method: &serde_json::Value| method["name"].as_str().expect("a method has a name").to_owned();
    let mut names: Vec<_> = methods.iter().filter(reads).map(name).collect();
    names.sort_unstable();
    let mut rust = format!("const READING_METHODS: &[&str] = &{names:?};\n");
    rust.push_str("const PLATFORM_ERRORS: &[(i64, bool, &str)] = &[");
    for error in read_catalogue("errors") {
        let code = error["code"].as_i64().expect("an error has a code");
        let transient = error["transient"].as_bool().expect("an error may pass or not");
        let meaning = error["meaning"].as_str().expect("an error has a meaning");
        write!(rust, "({code},{transient},{meaning:?}),").expect("a string can be written to");
    }
    rust.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("catalogues.rs"), rust).expect("cargo's output folder can be written");
}

/// The files of the boundary, in the order in which the header should be read. `mod` is not among them: cbindgen
/// would read the files that it names as well, and declare everything twice.
const BOUNDARY: [&str; 11] = [
    "version",
    "handles",
    "callbacks",
    "constructors",
    "calls",
    "errors",
    "cancels",
    "tokens",
    "queue",
    "stats",
    "helpers",
];

/// Writes `include/mailru.h` if it would change: a build without changes leaves the tree alone.
fn header() {
    let mut config = cbindgen::Config::from_file("cbindgen.toml").expect("cbindgen.toml is valid");
    let manual = fs::read_to_string("src/ffi/manual.h").expect("the manual can be read");
    config.header = Some(manual.trim_end().replace("@OPTIONS@", &options()).replace("@ERRORS@", &errors()));
    config.after_includes = Some(codes());
    let boundary = BOUNDARY.iter().fold(cbindgen::Builder::new().with_config(config), |builder, file| {
        builder.with_src(format!("src/ffi/{file}.rs"))
    });
    let bindings = boundary.generate().expect("cbindgen can read the boundary");
    let mut header = Vec::new();
    bindings.write(&mut header);
    let current = fs::read("include/mailru.h").unwrap_or_default();
    if header != current {
        fs::create_dir_all("include").expect("the source folder can be written");
        fs::write("include/mailru.h", header).expect("include/mailru.h can be written");
    }
}

/// The options' names and defaults, as lines of the manual.
fn options() -> String {
    macro_rules! options {
        ($($name:literal = $default:literal, $meaning:literal;)*) => {
            [$(format!(" *     {:<20}  {:<36}  {}", $name, $default, $meaning)),*].join("\n")
        };
    }
    include!("src/option_names.in")
}

/// The platform's errors, as lines of the manual: each with its meaning, and below it what to do.
fn errors() -> String {
    let mut lines = Vec::new();
    for error in read_catalogue("errors") {
        let text = |name: &str| error[name].as_str().expect("an error has a meaning and an advice").to_owned();
        lines.push(format!(" *     {:>3}  {}", error["code"].to_string(), text("meaning")));
        lines.push(String::from(" *         "));
        for word in text("advice").split(' ') {
            if lines.last().is_some_and(|line| line.len() + word.len() > 105) {
                lines.push(String::from(" *         "));
            }
            lines.last_mut().into_iter().for_each(|line| line.extend([" ", word]));
        }
    }
    lines.join("\n")
}

/// The codes, as constants with their meanings.
fn codes() -> String {
    macro_rules! codes {
        ($($variant:ident = $number:literal, $name:literal, $meaning:literal;)*) => {
            [$(format!("\n/* {} */\n#define {} {}\n", $meaning, $name, $number)),*].concat()
        };
    }
    include!("src/codes.in")
}

/// Programs that are linked with the library look for it under this name when they start; `None` where linkers know no
/// such name, or (macOS) where it is a path that `make install` knows.
fn recorded_name() -> Option<String> {
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let (system, family, vendor) =
        (variable("CARGO_CFG_TARGET_OS"), variable("CARGO_CFG_TARGET_FAMILY"), variable("CARGO_CFG_TARGET_VENDOR"));
    if family != "unix" || vendor == "apple" {
        return None;
    }
    // Packages for Android take no file whose name ends in a number.
    let number = if system == "android" { String::new() } else { format!(".{}", version::MAILRU_ABI_VERSION) };
    Some(format!("libmailru.so{number}"))
}

/// The name under which linkers record the library, and the promise that it is never unloaded: its threads and its fork
/// hook outlive a dlclose. Windows and macOS have no such flag: src/ffi/process.rs.
fn name_the_shared_object() {
    if let Some(name) = recorded_name() {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{name}");
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}

/// Makes the library's recorded name a link to it in cargo's output folder, so that a program linked against that
/// folder also runs from there.
fn link_under_the_recorded_name(folder: &Path) {
    let Some(recorded) = recorded_name().filter(|name| name != "libmailru.so") else { return };
    #[cfg(unix)]
    {
        let (link, library) = (folder.join(recorded), Path::new("libmailru.so"));
        if fs::read_link(&link).is_ok_and(|target| target == library) {
            return;
        }
        let made = fs::create_dir_all(folder).and_then(|()| std::os::unix::fs::symlink(library, &link));
        made.unwrap_or_else(|error| panic!("{} cannot be made a link to libmailru.so: {error}", link.display()));
    }
}

/// Where cargo puts this build's libraries and examples: `<target directory>/[<target>/]<profile>`.
///
/// Cargo tells a build script no more than OUT_DIR, which is `[<target>/]<profile>/build/...` below the build directory.
/// The two directories are the same unless `build.build-dir` is configured; `cargo metadata` knows both as configured.
fn output_folder() -> PathBuf {
    for variable in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let build = out.ancestors().find(|folder| folder.ends_with("build"));
    let profile = build.and_then(Path::parent).unwrap_or_else(|| {
        panic!("OUT_DIR is {}; expected a folder below <target directory>/<profile>/build", out.display())
    });
    let metadata = cargo_metadata();
    let directory = |name: &str| metadata[name].as_str().map(Path::new);
    let target_directory = directory("target_directory").expect("cargo metadata tells target_directory");
    // Cargo has told it since 1.91, the first release that can be configured to separate the two.
    let build_directory = directory("build_directory").unwrap_or(target_directory);
    match profile.strip_prefix(build_directory) {
        Ok(below) => target_directory.join(below),
        // The option --target-dir, which cargo tells only by OUT_DIR, sets both directories.
        Err(_) if build_directory == target_directory => profile.to_owned(),
        Err(_) => panic!(
            "OUT_DIR is {}, which is not below the build directory {}: with build.build-dir configured, set the target \
             directory by CARGO_TARGET_DIR instead of --target-dir, and build from the project's folder",
            out.display(),
            build_directory.display()
        ),
    }
}

fn cargo_metadata() -> serde_json::Value {
    let cargo = env::var_os("CARGO").expect("cargo sets CARGO");
    let output = Command::new(cargo).args(["metadata", "--format-version", "1", "--no-deps"]).output();
    let output = output.expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}
