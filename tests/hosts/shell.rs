//! Commands as a user would type them, with the installed library in reach and nothing of the build tree.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{profile_folder, skip, takes_long};

/// Longer than anything here takes; what hangs is a failure, not a stuck run.
const LIMIT_SECONDS: &str = "300";

/// The hosts that are looked for where not everything is tested.
const QUICK: [&str; 4] = ["c", "cpp", "python", "asyncio"];

/// Whether a host's tools are there: a script that looks for them succeeds. They must be where everything is tested.
pub fn finds(host: &str, tools: Script) -> bool {
    if !QUICK.contains(&host) && !takes_long(host) {
        return false;
    }
    let found = tools.run();
    if let Err(error) = &found {
        skip(host, &format!("{error}; tests/hosts/install-tools.sh installs what is missing"));
    }
    found.is_ok()
}

/// Cargo's folder for what tests leave behind.
pub fn folder(name: &str) -> PathBuf {
    let folder = profile_folder().join("hosts").join(name);
    std::fs::create_dir_all(&folder).expect("cargo's folder can be written");
    folder
}

/// Where `install-tools.sh` puts packages of the languages.
pub fn tools() -> PathBuf {
    profile_folder().parent().expect("a profile's folder lies in the target folder").join("hosts-tools")
}

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A script of the shell, and its environment besides the test's own.
pub struct Script {
    command: Command,
}

impl Script {
    /// A script that may use the library installed in `prefix`.
    pub fn new(script: &str, prefix: &Path) -> Script {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", LIMIT_SECONDS, "sh", "-euc", script]).stdin(Stdio::null());
        // Cargo's own value leads into the build tree.
        command.env("LD_LIBRARY_PATH", prefix.join("lib")).env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
        command.env("PREFIX", prefix).env("TOOLS", tools());
        Script { command }
    }

    /// Adds a variable.
    pub fn set(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Script {
        self.command.env(name, value);
        self
    }

    /// Runs it: standard output, or what was printed before it failed.
    pub fn run(mut self) -> Result<String, String> {
        let output = self.command.output().map_err(|error| format!("timeout: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match output.status.success() {
            true => Ok(text),
            false => Err(format!("{}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr))),
        }
    }
}
