//! The file in which processes share tokens (`token_file`): whole at any moment, and written by one at a time.
//!
//! A new set goes into a temporary file, which is flushed and renamed over the old one. A second file beside it, with
//! `.lock` appended to the name, is locked by whoever renews; the operating system unlocks it when a process dies. A
//! process that is killed while it writes leaves the temporary file behind: the next one that locks puts it in place.
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

/// The option by which errors call the file.
const OPTION: &str = "token_file";
/// A larger file is none of ours.
const LARGEST: u64 = 64 * 1024;
/// How often a lock that another process holds is tried, at first and at last.
const TRIES: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(50)];

/// A file of tokens.
pub struct TokenFile {
    path: PathBuf,
    app_id: String,
    seen: ForkMutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The file as it was last read or written.
    stamp: Option<Stamp>,
    /// This process has newer tokens, which could not be written.
    is_behind: bool,
}

/// What differs after a rename: the file's number, its time and its size.
#[derive(PartialEq, Clone, Copy)]
struct Stamp(u64, Option<SystemTime>, u64);

/// The lock files that this process has open. A child of a fork has them open, too, and must close them: the parent's
/// death would not unlock them otherwise.
static OPEN: ForkMutex<Option<OfThisProcess<OpenFiles>>> = ForkMutex::new(None);

/// Each with its number.
type OpenFiles = Vec<(u64, File)>;

/// The right to renew, until dropped.
pub struct Lock(u64);

impl Drop for Lock {
    fn drop(&mut self) {
        let file = OPEN.with(|open| {
            let open = open.as_mut()?.get_mut()?;
            let place = open.iter().position(|(number, _)| *number == self.0)?;
            Some(open.swap_remove(place).1)
        });
        if let Some(file) = file {
            // By name, for a child may have it open as well; what fails here ends with the process.
            let _ = file.unlock();
        }
    }
}

/// Closes the lock files of the parent's token requests.
pub fn close_inherited() {
    let foreign = OPEN.with(|open| open.take_if(|open| !open.is_here()));
    drop(foreign.and_then(OfThisProcess::into_inner));
}

impl TokenFile {
    /// Checks that the file, if there is one, is of this application, and that its folder can be written.
    pub fn open(path: &str, app_id: &str) -> Outcome<TokenFile> {
        // A host may change its folder later, and a link is to be followed now: a rename would replace it.
        let given = Path::new(path);
        let path = fs::canonicalize(given).or_else(|_| std::path::absolute(given));
        let path = path.map_err(|error| wrong(given, &format!("is no path ({})", error.kind())))?;
        let file = TokenFile { path, app_id: app_id.to_owned(), seen: ForkMutex::default() };
        let unwritable = |path: &Path, error: &io::Error| {
            let problem =
                format!("cannot be written ({}); name a file in a folder that this program can write", error.kind());
            wrong(path, &problem)
        };
        file.open_lock().map_err(|error| unwritable(&file.beside(".lock"), &error))?;
        // Where another process has the lock, it can write here.
        if let Some(_lock) = file.try_lock()? {
            let path = file.beside(".tmp");
            file.write(b"").map_err(|error| unwritable(&path, &error))?;
            let _ = fs::remove_file(path);
        }
        Ok(file)
    }

    /// The tokens in the file; `None` if there is no file, or nothing in it.
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
        tokens.map(Some).map_err(|what| wrong(&self.path, &format!("{what}; it is left alone: name another file")))
    }

    /// The tokens in a text, or what it is instead.
    fn parse(&self, text: &str, now: Now) -> Result<Tokens, String> {
        let foreign = || "is no file of tokens".to_owned();
        let fields = members(OPTION, text).map_err(|_| foreign())?;
        let app_id = fields.iter().find(|(name, _)| name == "app_id");
        let app_id = app_id.and_then(|(_, raw)| text_of(raw)).ok_or_else(foreign)?;
        if app_id != self.app_id {
            return Err(format!("holds the tokens of application {app_id}, not of {}", self.app_id));
        }
        Tokens::stored(OPTION, text, now).map_err(|_| foreign())
    }

    /// The tokens in the file, if it is another than when it was last read or written.
    pub fn load_news(&self, now: Now) -> Outcome<Option<Tokens>> {
        let stamp = self.stamp();
        if stamp.is_none() || self.seen.with(|seen| seen.is_behind || seen.stamp == stamp) {
            return Ok(None);
        }
        self.load(now)
    }

    /// Whether this process has newer tokens than the file.
    pub fn is_behind(&self) -> bool {
        self.seen.with(|seen| seen.is_behind)
    }

    /// Says that this process has newer tokens than the file.
    pub fn fall_behind(&self) {
        self.seen.with(|seen| seen.is_behind = true);
    }

    /// Replaces the tokens in the file; with the lock held.
    pub fn save(&self, tokens: &Tokens, _: &Lock) -> Outcome<()> {
        let written = self.write(tokens.to_file(&self.app_id).as_bytes());
        let replaced = written.and_then(|file| self.put_in_place(&file));
        let stamp = self.stamp();
        self.seen.with(|seen| {
            seen.is_behind = replaced.is_err();
            seen.stamp = stamp.filter(|_| replaced.is_ok());
        });
        replaced.map_err(|error| wrong(&self.path, &format!("could not be written ({})", error.kind())))
    }

    /// Writes a session's first tokens, unless another process is about to write; then later.
    pub fn save_first(&self, tokens: &Tokens) {
        self.fall_behind();
        if let Ok(Some(lock)) = self.try_lock() {
            // What fails here is tried again with the next set, and told then.
            let _ = self.save(tokens, &lock);
        }
    }

    /// The lock, unless another process or session holds it.
    pub fn try_lock(&self) -> Outcome<Option<Lock>> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let failed = |error: &io::Error| wrong(&self.beside(".lock"), &format!("cannot be locked ({})", error.kind()));
        let file = self.open_lock().map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => {
                let number = LAST.fetch_add(1, Ordering::Relaxed);
                close_inherited();
                OPEN.with(|open| open.get_or_insert_default().get_or_renew().push((number, file)));
                self.recover();
                Ok(Some(Lock(number)))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(&error)),
        }
    }

    /// The lock, as soon as it is free, within the time of a call.
    pub fn lock(&self, call: &Call) -> Outcome<Lock> {
        let mut pause = TRIES[0];
        loop {
            if let Some(lock) = self.try_lock()? {
                return Ok(lock);
            }
            let waited = call.pause(pause).and_then(|()| call.check());
            waited.map_err(|failure| match failure.code() {
                Code::Timeout => {
                    let path = self.beside(".lock");
                    let message = format!("{OPTION}: another process keeps {} locked, for too long", path.display());
                    Failure::new(Code::Timeout, message)
                }
                _ => failure,
            })?;
            pause = (pause * 2).min(TRIES[1]);
        }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        path.into()
    }

    /// Puts in place what a process that was killed had written: the tokens that it replaces may be spent.
    fn recover(&self) {
        let path = self.beside(".tmp");
        let whole = read(&path).ok().filter(|text| self.parse(text, Now::since(Instant::now())).is_ok());
        let recovered = whole.map(|_| File::open(&path).and_then(|file| self.put_in_place(&file)));
        if let Some(Err(_)) | None = recovered {
            let _ = fs::remove_file(path);
        }
    }

    fn open_lock(&self) -> io::Result<File> {
        private().create(true).truncate(false).open(self.beside(".lock"))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<File> {
        let path = self.beside(".tmp");
        // A rest of a process that was killed; a link that somebody else put there is removed as well.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = private().create_new(true).open(path)?;
        file.write_all(bytes)?;
        Ok(file)
    }

    /// Makes the temporary file the file, flushed before and after: also after a loss of power one of them is whole.
    fn put_in_place(&self, temporary: &File) -> io::Result<()> {
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
    // Room for all: a buffer that grew would leave copies of secrets behind.
    let mut text = Zeroizing::new(String::with_capacity(size as usize + 64));
    file.take(LARGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// For files that only this user may read.
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
