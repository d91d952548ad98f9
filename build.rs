//! Generates the header and the list of reading methods, and names the shared object.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

#[path = "src/ffi/version.rs"]
mod version;

fn main() {
    for input in ["src", "build.rs", "cbindgen.toml", "include/mailru.h"] {
        println!("cargo:rerun-if-changed={input}");
    }
    reading_methods();
    header();
    name_the_shared_object();
}

/// The names of the catalogue's methods that only read, sorted, as a Rust constant.
fn reading_methods() {
    let catalogue = fs::read_to_string("src/catalogue/methods.json").expect("the catalogue can be read");
    let methods: Vec<serde_json::Value> =
        serde_json::from_str(&catalogue).expect("the catalogue is an array of objects");
    let reads = |method: &&serde_json::Value| method["write"] == false;
    let name = |method: &serde_json::Value| method["name"].as_str().expect("a method has a name").to_owned();
    let mut names: Vec<_> = methods.iter().filter(reads).map(name).collect();
    names.sort_unstable();
    let mut rust = String::from("const READING_METHODS: &[&str] = &[");
    for name in names {
        write!(rust, "{name:?},").expect("a string can be written to");
    }
    rust.push_str("];");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("reading_methods.rs"), rust).expect("cargo's output folder can be written");
}

/// The files of the boundary, in the order in which the header should be read. `mod` is not among them: cbindgen
/// would read the files that it names as well, and declare everything twice.
const BOUNDARY: [&str; 9] =
    ["version", "handles", "callbacks", "constructors", "calls", "cancels", "tokens", "queue", "helpers"];

/// Writes `include/mailru.h` if it would change: a build without changes leaves the tree alone.
fn header() {
    let mut config = cbindgen::Config::from_file("cbindgen.toml").expect("cbindgen.toml is valid");
    let manual = fs::read_to_string("src/ffi/manual.h").expect("the manual can be read");
    config.header = Some(manual.trim_end().replace("@OPTIONS@", &options()));
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

/// The codes, as constants with their meanings.
fn codes() -> String {
    macro_rules! codes {
        ($($variant:ident = $number:literal, $name:literal, $meaning:literal;)*) => {
            [$(format!("\n/* {} */\n#define {} {}\n", $meaning, $name, $number)),*].concat()
        };
    }
    include!("src/codes.in")
}

/// The name under which linkers record the library, and the promise that it is never unloaded: its
/// threads and its fork hook outlive a dlclose.
fn name_the_shared_object() {
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return;
    }
    let recorded = format!("libmailru.so.{}", version::MAILRU_ABI_VERSION);
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{recorded}");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // So that a program linked against cargo's output folder also runs from there.
    #[cfg(unix)]
    for folder in output_folders() {
        let _ = std::os::unix::fs::symlink("libmailru.so", folder.join(&recorded));
    }
}

/// Where cargo puts the library: `target/<profile>`, and `deps` in it for tests.
#[cfg(unix)]
fn output_folders() -> Vec<PathBuf> {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let profile = out.ancestors().nth(3).map(PathBuf::from);
    profile.into_iter().flat_map(|folder| [folder.join("deps"), folder]).collect()
}
