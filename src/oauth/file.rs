//! The file through which processes share tokens (`token_file`): complete at any moment, and written by one process at
//! a time.
//!
//! A new set goes into a temporary file, which is flushed and renamed over the old one. The process that renews locks a
//! second file, with `.lock` appended to the name; the operating system unlocks it when that process ends. If a process
//! is killed while it writes, the next process that takes the lock completes the rename of its temporary file.
#![forbid(unsafe_code)]

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use zeroize::Zeroizing;

use super::now::Now;
use super::tokens::{Tokens, text_of};
use crate::call::Call;
use crate::error::{Code, Failure, Outcome};
use crate::fork::{ForkMutex, OfThisProcess};
use crate::json::members;

/// The option's name, for errors.
const OPTION: &str = "token_file";
/// A larger file was not written by this library.
const LARGEST: u64 = 64 * 1024;
/// The pauses between attempts to take a lock that another process holds: the first and the longest.
const LOCK_PAUSES: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(50)];

/// A token file.
pub struct TokenFile {
    path: PathBuf,
    app_id: String,
    seen: ForkMutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The file as it was last read or written.
    stamp: Option<Stamp>,
    /// This process has newer tokens that could not be written.
    has_unsaved: bool,
}

/// Detects a replaced file: its inode number, time and size.
#[derive(PartialEq, Clone, Copy)]
struct Stamp(u64, Option<SystemTime>, u64);

/// The lock files that this process has open. A forked child must close them, because otherwise the end of the parent
/// would not unlock them.
static OPEN: ForkMutex<Option<OfThisProcess<OpenFiles>>> = ForkMutex::new(None);

/// Each with its number.
type OpenFiles = Vec<(u64, File)>;

/// The lock, held until dropped.
pub struct Lock(u64);

impl Drop for Lock {
    fn drop(&mut self) {
        let file = OPEN.with(|open| {
            let open = open.as_mut()?.get_mut()?;
            let place = open.iter().position(|(number, _)| *number == self.0)?;
            Some(open.swap_remove(place).1)
        });
        if let Some(file) = file {
            // Unlocked explicitly, because a child may have the file open too. After a failure the end of the process
            // unlocks it.
            let _ = file.unlock();
        }
    }
}

/// Closes the lock files inherited from the parent.
pub fn close_inherited() {
    let foreign = OPEN.with(|open| open.take_if(|open| !open.is_here()));
    drop(foreign.and_then(OfThisProcess::into_inner));
}

impl TokenFile {
    /// Checks that the file, if it exists, belongs to this application, and that its folder is writable.
    pub fn open(path: &str, app_id: &str) -> Outcome<TokenFile> {
        // The path is made absolute, because the host may change its working directory, and links are resolved, because
        // a rename would replace a link.
        let given = Path::new(path);
        let path = fs::canonicalize(given).or_else(|_| std::path::absolute(given));
        let path = path.map_err(|error| wrong(given, &format!("is not a valid path ({})", error.kind())))?;
        let file = TokenFile { path, app_id: app_id.to_owned(), seen: ForkMutex::default() };
        let unwritable = |path: &Path, error: &io::Error| {
            let problem =
                format!("cannot be written ({}); name a file in a folder that this program can write", error.kind());
            wrong(path, &problem)
        };
        file.open_lock().map_err(|error| unwritable(&file.beside(".lock"), &error))?;
        // If another process has the lock, the folder is writable.
        if let Some(_lock) = file.try_lock()? {
            let path = file.beside(".tmp");
            file.write(b"").map_err(|error| unwritable(&path, &error))?;
            let _ = fs::remove_file(path);
        }
        Ok(file)
    }

    /// The tokens in the file; `None` if there is no file, or it is empty.
    pub fn load(&self, now: Now) -> Outcome<Option<Tokens>> {
        let stamp = self.stamp();
        let text = match read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wrong(&self.path, &format!("cannot be read ({})", error.kind()))),
        };
        self.seen.with(|seen| seen.stamp = stamp);
        if text.trim().is_empty() {
            return Ok(None);
        }
        let tokens = self.parse(&text, now);
        tokens.map(Some).map_err(|what| wrong(&self.path, &format!("{what}; it was not changed: name another file")))
    }

    /// Parses the file; the error describes other content.
    fn parse(&self, text: &str, now: Now) -> Result<Tokens, String> {
        let foreign = || "is not a token file".to_owned();
        let fields = members(OPTION, text).map_err(|_| foreign())?;
        let app_id = fields.iter().find(|(name, _)| name == "app_id");
        let app_id = app_id.and_then(|(_, raw)| text_of(raw)).ok_or_else(foreign)?;
        if app_id != self.app_id {
            return Err(format!("contains the tokens of application {app_id}, not of {}", self.app_id));
        }
        Tokens::stored(OPTION, text, now).map_err(|_| foreign())
    }

    /// The tokens in the file, if it changed since it was last read or written.
    pub fn load_changed(&self, now: Now) -> Outcome<Option<Tokens>> {
        let stamp = self.stamp();
        if stamp.is_none() || self.seen.with(|seen| seen.has_unsaved || seen.stamp == stamp) {
            return Ok(None);
        }
        self.load(now)
    }

    /// Whether this process has newer tokens than the file.
    pub fn has_unsaved(&self) -> bool {
        self.seen.with(|seen| seen.has_unsaved)
    }

    /// Notes that this process has newer tokens than the file.
    pub fn note_unsaved(&self) {
        self.seen.with(|seen| seen.has_unsaved = true);
    }

    /// Replaces the tokens in the file while the lock is held.
    pub fn save(&self, tokens: &Tokens, _: &Lock) -> Outcome<()> {
        let written = self.write(tokens.to_file(&self.app_id).as_bytes());
        let replaced = written.and_then(|file| self.replace_with(&file));
        let stamp = self.stamp();
        self.seen.with(|seen| {
            seen.has_unsaved = replaced.is_err();
            seen.stamp = stamp.filter(|_| replaced.is_ok());
        });
        replaced.map_err(|error| wrong(&self.path, &format!("could not be written ({})", error.kind())))
    }

    /// Writes a session's first tokens, or leaves that for later if another process is about to write.
    pub fn save_first(&self, tokens: &Tokens) {
        self.note_unsaved();
        if let Ok(Some(lock)) = self.try_lock() {
            // A failure here is reported when the next set is written.
            let _ = self.save(tokens, &lock);
        }
    }

    /// Takes the lock; `None` if another process or session holds it.
    pub fn try_lock(&self) -> Outcome<Option<Lock>> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let failed = |error: &io::Error| wrong(&self.beside(".lock"), &format!("cannot be locked ({})", error.kind()));
        close_inherited();
        let file = self.open_lock().map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => {
                let number = LAST.fetch_add(1, Ordering::Relaxed);
                OPEN.with(|open| open.get_or_insert_default().get_or_renew().push((number, file)));
                self.recover();
                Ok(Some(Lock(number)))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(&error)),
        }
    }

    /// Takes the lock when it is free, within the call's time limit.
    pub fn lock(&self, call: &Call) -> Outcome<Lock> {
        let mut pause = LOCK_PAUSES[0];
        loop {
            if let Some(lock) = self.try_lock()? {
                return Ok(lock);
            }
            let waited = call.pause(pause).and_then(|()| call.check());
            waited.map_err(|failure| match failure.code() {
                Code::Timeout => {
                    let path = self.beside(".lock");
                    let message = format!("{OPTION}: another process has kept {} locked for too long", path.display());
                    Failure::new(Code::Timeout, message)
                }
                _ => failure,
            })?;
            pause = (pause * 2).min(LOCK_PAUSES[1]);
        }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        path.into()
    }

    /// Completes the write of a killed process, because the tokens that it replaces may be used up.
    fn recover(&self) {
        let path = self.beside(".tmp");
        let whole = read(&path).ok().filter(|text| self.parse(text, Now::since(Instant::now())).is_ok());
        let recovered = whole.map(|_| File::open(&path).and_then(|file| self.replace_with(&file)));
        if let Some(Err(_)) | None = recovered {
            let _ = fs::remove_file(path);
        }
    }

    fn open_lock(&self) -> io::Result<File> {
        private().create(true).truncate(false).open(self.beside(".lock"))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<File> {
        let path = self.beside(".tmp");
        // Removes the file of a killed process, or a link that another user created.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = private().create_new(true).open(path)?;
        file.write_all(bytes)?;
        Ok(file)
    }

    /// Renames the temporary file over the file, flushed before and after, so that one of them is complete even after a
    /// loss of power.
    fn replace_with(&self, temporary: &File) -> io::Result<()> {
        temporary.sync_all()?;
        fs::rename(self.beside(".tmp"), &self.path)?;
        #[cfg(unix)]
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    fn stamp(&self) -> Option<Stamp> {
        let metadata = fs::metadata(&self.path).ok()?;
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let number = 0;
        Some(Stamp(number, metadata.modified().ok(), metadata.len()))
    }
}

fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len().min(LARGEST);
    // Allocated once: a buffer that grew would leave copies of secrets in memory.
    let mut text = Zeroizing::new(String::with_capacity(size as usize + 64));
    file.take(LARGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// Options for files that only this user may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn wrong(path: &Path, problem: &str) -> Failure {
    Failure::argument(OPTION, format!("{} {problem}", path.display()))
}
