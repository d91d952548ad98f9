//! Shared by the tests: a sandbox process, and wrappers of the C functions.

pub mod constructors;
pub mod extent;
pub mod host;
pub mod process;
pub mod recorder;
pub mod sandbox;
pub mod watch;

pub use constructors::*;
pub use extent::*;
pub use host::*;
pub use process::*;
pub use recorder::*;
pub use sandbox::Sandbox;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The application and user of the platform's guide, which the sandbox knows.
pub const APP_ID: &str = "423004";
pub const PRIVATE_KEY: &str = "7815696ecbf1c96e6894b779456d330e";
pub const SECRET_KEY: &str = "3dad9cbf9baaa0360c0f2ba372d25716";
pub const SESSION_KEY: &str = "be6ef89965d58e56dec21acb9b62bdaa";
pub const UID: &str = "1324730981306483817";

/// Cargo's output folder for this profile; the sandbox is in its subfolder `examples`.
pub fn profile_folder() -> PathBuf {
    PathBuf::from(env!("MAILRU_OUTPUT_FOLDER"))
}

/// The folder of the tested `libmailru.so` and `libmailru.a`: that of `MAILRU_TEST_LIBRARY`, such as `target/release`,
/// else the one that cargo built with this test.
pub fn library_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| match std::env::var_os("MAILRU_TEST_LIBRARY") {
        Some(folder) => Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
        None => library_of_this_build(),
    })
}

/// Cargo builds the libraries of `tests/library` next to the test, under that package's name; a folder of links gives
/// them their usual names.
fn library_of_this_build() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its path");
    let built = test.parent().expect("a file lies in a folder");
    let profile = profile_folder();
    let profile = profile.file_name().expect("a profile's folder has its name");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("library").join(profile);
    std::fs::create_dir_all(&folder).expect("cargo's folder can be written");
    let recorded = format!("libmailru.so.{}", mailru::ffi::MAILRU_ABI_VERSION);
    for (name, file) in [
        ("libmailru.a", "libmailru_for_tests.a"),
        ("libmailru.so", "libmailru_for_tests.so"),
        (&recorded, "libmailru_for_tests.so"),
    ] {
        let (link, file) = (folder.join(name), built.join(file));
        assert!(file.is_file(), "{} is not there; cargo builds it with the tests", file.display());
        if std::fs::read_link(&link).ok().as_ref() != Some(&file) {
            let _ = std::fs::remove_file(&link);
            std::os::unix::fs::symlink(&file, &link).expect("cargo's folder can be written");
        }
    }
    folder
}
