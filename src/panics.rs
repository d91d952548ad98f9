//! Panics: caught by one function, reported with file and line, never printed to the host's streams.
//!
//! A panic is a bug of this library. Only its location is reported, because its message may quote a secret.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::mem::{self, ManuallyDrop};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Code, Failure, Outcome};

// Neither needs a destructor, so both can still be used in a call from one of the host's destructors.
thread_local! {
    /// How many [`catch`] calls are running on this thread.
    static CATCHING: Cell<u32> = const { Cell::new(0) };
    /// The location of the last panic on this thread.
    static LOCATION: RefCell<ManuallyDrop<Option<String>>> = const { RefCell::new(ManuallyDrop::new(None)) };
}

static HOOKED: AtomicBool = AtomicBool::new(false);

/// Runs the library's own code; a panic in it becomes `MAILRU_INTERNAL_ERROR` with file and line.
///
/// Every exported function and every thread of the library goes through here.
pub fn catch<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    struct Catching;
    impl Drop for Catching {
        fn drop(&mut self) {
            CATCHING.with(|depth| depth.set(depth.get() - 1));
        }
    }
    install_hook();
    CATCHING.with(|depth| depth.set(depth.get() + 1));
    let _catching = Catching;
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(bug(replace_location(None).as_deref())))
}

/// Panics where a test asks for it. `MAILRU_TEST_PANIC_IN` names a place; with `answer 2 500`, every second call of this
/// function for the place `answer` panics, 500 times. The library that ships contains none of this: build.rs allows it in
/// the tests' own.
#[inline]
#[cfg_attr(any(test, planted_panics), track_caller)]
pub fn planted(place: &str) {
    #[cfg(any(test, planted_panics))]
    {
        use std::sync::atomic::AtomicU64;
        static PASSED: AtomicU64 = AtomicU64::new(0);
        let wish = std::env::var("MAILRU_TEST_PANIC_IN").unwrap_or_default();
        let mut words = wish.split(' ');
        if words.next() != Some(place) {
            return;
        }
        let mut number = |otherwise| words.next().map_or(otherwise, |word| word.parse().expect("a number"));
        let (each, times): (u64, u64) = (number(1), number(u64::MAX));
        let passed = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
        assert!(!passed.is_multiple_of(each) || passed / each > times, "hunter2 in {place}");
    }
    #[cfg(not(any(test, planted_panics)))]
    let _ = place;
}

/// The failure for a panic at this location.
fn bug(location: Option<&str>) -> Failure {
    let at = location.map_or_else(String::new, |location| format!(" at {location}"));
    Failure::new(Code::InternalError, format!("a bug in libmailru{at}; please report it"))
}

/// Installs a hook that notes the location of the library's panics instead of printing them. Other panics go to the
/// previous hook, because a Rust program may have linked this library statically.
pub fn install_hook() {
    if HOOKED.load(Ordering::Relaxed) || HOOKED.swap(true, Ordering::SeqCst) {
        return;
    }
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| match CATCHING.with(Cell::get) {
        0 => previous(info),
        _ => drop(replace_location(location_of(info))),
    }));
}

fn location_of(info: &PanicHookInfo<'_>) -> Option<String> {
    let location = info.location()?;
    Some(format!("{}:{}", without_build_folder(location.file()), location.line()))
}

/// A source file's path within its package, without the build machine's folders.
fn without_build_folder(file: &str) -> &str {
    let packages = ["/registry/src/", "\\registry\\src\\"];
    let after = packages.iter().find_map(|folder| file.split_once(folder)).map(|(_, rest)| rest);
    // After the registry's folder comes `package-version/…`.
    after.and_then(|rest| rest.split_once(['/', '\\'])).map_or(file, |(_, rest)| rest)
}

fn replace_location(location: Option<String>) -> Option<String> {
    let previous = LOCATION.with(|slot| mem::replace(&mut *slot.borrow_mut(), ManuallyDrop::new(location)));
    ManuallyDrop::into_inner(previous)
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::thread;

    use super::*;
    use crate::background;
    use crate::session::{Keys, Session, Source};

    #[test]
    fn a_panic_is_reported_with_its_location_and_without_its_message() {
        let failure = catch::<()>(|| panic!("about {}", "hunter2")).expect_err("it panics");
        assert_eq!(failure.code(), Code::InternalError);
        assert!(failure.message().contains("src/panics.rs:"), "{}", failure.message());
        assert!(!failure.message().contains("hunter2"));
        assert_eq!(catch(|| Ok(7)).expect("no panic"), 7);
    }

    #[test]
    fn places_are_reported_without_the_build_folder() {
        for (file, told) in [
            ("src/panics.rs", "src/panics.rs"),
            ("/home/a/.cargo/registry/src/index.example-1cd6/ureq-3.5.2/src/run.rs", "ureq-3.5.2/src/run.rs"),
            ("C:\\a\\registry\\src\\index.example-1cd6\\ureq-3.5.2\\src\\run.rs", "ureq-3.5.2\\src\\run.rs"),
        ] {
            assert_eq!(without_build_folder(file), told);
        }
    }

    /// Each kind of background thread, in a separate process whose output is then checked.
    #[test]
    fn a_panic_in_a_background_thread_is_reported_with_its_location_and_prints_nothing() {
        for (name, file) in [("resolve", "src/http/resolver.rs:"), ("token", "src/oauth/"), ("queue", "src/queue/")] {
            let (said, printed) =
                in_a_process("panics::tests::answers_of_planted_panics", "MAILRU_TEST_PANIC_IN", name);
            assert!(said.contains(&format!("bug in libmailru at {file}")), "{name}: {said}{printed}");
            assert!(!said.contains("hunter2") && printed.is_empty(), "{name}: {said}{printed}");
        }
    }

    #[test]
    fn answers_of_planted_panics() {
        let Ok(planted) = std::env::var("MAILRU_TEST_PANIC_IN") else { return };
        let options = r#"{"api_url":"https://planted.example","token_url":"http://127.0.0.1:1","retries":0}"#;
        let options = crate::options::Options::parse(Some(options)).expect("valid");
        let grant = crate::oauth::grant::Grant::Refresh(crate::secret::Secret::new("r"));
        let token = crate::secret::Secret::new("t");
        let source = match planted.as_str() {
            "token" => Source::Grant(grant),
            _ => Source::Host { access_token: token, uid: String::new() },
        };
        let keys = Keys {
            app_id: "1".into(),
            private_key: crate::secret::Secret::default(),
            secret_key: crate::secret::Secret::new("s"),
            circuit: None,
        };
        let session = std::sync::Arc::new(Session::new(keys, source, options).expect("valid"));
        let queue = crate::queue::Queue::new(1, 1).expect("valid");
        let call = crate::request::Call::new("friends.get", None).expect("valid");
        let request = crate::request::Action::Call(call).into();
        queue.submit(session, request, Vec::new(), None, 1).expect("accepted");
        let failure = queue.next(None).expect("a completion").result.expect_err("it panics");
        println!("{}", failure.into_json());
    }

    /// Runs one test of this program with a variable set; returns its standard output and standard error.
    fn in_a_process(test: &str, variable: &str, value: &str) -> (String, String) {
        let program = std::env::current_exe().expect("a test knows its path");
        let arguments = ["--exact", test, "--nocapture", "--test-threads=1"];
        let output = Command::new(program).args(arguments).env(variable, value).output().expect("the program runs");
        let [said, printed] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        assert!(output.status.success() && said.contains("1 passed"), "{said}{printed}");
        (said, printed)
    }

    const NAME: &str = "panics::tests::a_panic_of_ours_prints_nothing_and_the_hosts_own_does";

    /// In a separate process whose output is then checked.
    #[test]
    fn a_panic_of_ours_prints_nothing_and_the_hosts_own_does() {
        if std::env::var_os("MAILRU_TEST_PANIC").is_some() {
            catch::<()>(|| panic!("hunter2")).expect_err("it panics");
            let (done, wait) = std::sync::mpsc::channel::<()>();
            background::spawn("test", move || {
                let _done = done;
                panic!("hunter2");
            })
            .expect("a thread");
            wait.recv().expect_err("the panic ends the thread");
            thread::spawn(|| panic!("of the host")).join().expect_err("it panics");
            return;
        }
        let (said, printed) = in_a_process(NAME, "MAILRU_TEST_PANIC", "1");
        assert!(!said.contains("hunter2") && !printed.contains("hunter2"), "{said}{printed}");
        assert_eq!(printed.matches("panicked").count(), 1, "{printed}");
        assert!(printed.contains("of the host"), "{printed}");
    }
}
