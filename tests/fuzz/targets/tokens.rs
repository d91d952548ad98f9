//! Any text as stored tokens and as a token file: taken as the header says, and what the library writes is read back
//! unchanged.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use mailru::ffi::*;

use super::host::*;
use super::json::{self, Node, Value};

/// Stands in the fuzzer's texts for a secret.
const SECRET: &str = "hunter2-Kq7";
const TEXTS: [&str; 4] = ["access_token", "refresh_token", "uid", "token_type"];

/// The first byte says whether the rest is also a file.
pub fn run(bytes: &[u8]) {
    let Some((kind, text)) = bytes.split_first() else { return };
    stored(text);
    if kind % 4 == 0 {
        file(text);
    }
}

fn stored(text: &[u8]) {
    let Some(given) = c(text) else { return };
    let expected = given.to_str().ok().and_then(Expected::of);
    match stored_session(Some(&given), c"") {
        Err(refused) => {
            assert!(expected.is_none_or(|expected| expected.is_odd), "{given:?} {}", refused.json);
            assert_eq!(refused.code, INVALID_ARGUMENT);
            assert!(!refused.json.contains(SECRET), "{given:?} {}", refused.json);
        }
        Ok(session) => {
            let shown = tokens(session.0).json;
            expected.unwrap_or_else(|| panic!("{given:?} {shown}")).check(&shown);
            let again = stored_session(Some(&c(&*shown).expect("no NUL")), c"").expect("the library's own");
            assert_eq!(tokens(again.0).json, shown, "{given:?}");
            let other = stored_session(Some(c"{\"access_token\":\"b\",\"refresh_token\":\"c\"}"), c"").expect("valid");
            // SAFETY: the string outlives the call.
            let set = done(|error| unsafe { mailru_session_set_tokens(other.0, given.as_ptr(), error) });
            assert!(set.is_ok(), "{given:?}");
        }
    }
}

/// A name of its own for each process and thread of tests.
fn path() -> PathBuf {
    thread_local! {
        static PATH: PathBuf = {
            static FOLDER: OnceLock<PathBuf> = OnceLock::new();
            static LAST: AtomicU32 = AtomicU32::new(0);
            let folder = FOLDER.get_or_init(|| {
                let memory = PathBuf::from("/dev/shm");
                let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
                let folder = parent.join(format!("mailru-fuzz-{}", std::process::id()));
                fs::create_dir_all(&folder).expect("a folder");
                folder
            });
            folder.join(format!("tokens-{}", LAST.fetch_add(1, Ordering::Relaxed)))
        };
    }
    PATH.with(PathBuf::clone)
}

fn file(text: &[u8]) {
    let path = path();
    fs::write(&path, text).expect("written");
    let options = c(format!("{{\"token_file\":\"{}\"}}", path.display())).expect("no NUL");
    let whole = std::str::from_utf8(text).ok();
    let is_ours = |node: &Node<'_>| node.last("app_id").is_some_and(|node| node.text().is_some_and(is_app_id));
    let is_number = |node: &Node<'_>| node.last("app_id").is_some_and(|node| node.raw == "423004");
    let ours = whole.filter(|text| json::read(text).is_some_and(|node| is_ours(&node) || is_number(&node)));
    let expected = ours.and_then(Expected::of);
    match stored_session(None, &options) {
        Err(refused) => {
            assert!(expected.is_none_or(|expected| expected.is_odd), "{whole:?} {}", refused.json);
            // The text is the file's and may name another application, but shows no token.
            let names_it = whole.and_then(json::read).is_some_and(|node| {
                node.members().is_some_and(|members| {
                    members.iter().any(|(name, value)| name.is("app_id") && value.raw.contains(SECRET))
                })
            });
            assert!(names_it || !refused.json.contains(SECRET), "{whole:?} {}", refused.json);
            assert_eq!(fs::read(&path).expect("still there"), text, "not changed");
        }
        Ok(session) => {
            let shown = tokens(session.0).json;
            expected.unwrap_or_else(|| panic!("{whole:?} {shown}")).check(&shown);
            let newer = c"{\"access_token\":\"newer\",\"refresh_token\":\"r\",\"expires_in\":86400}";
            // SAFETY: the string outlives the call.
            let set = done(|error| unsafe { mailru_session_set_tokens(session.0, newer.as_ptr(), error) });
            assert!(set.is_ok(), "{whole:?} {set:?}");
            let written = fs::read_to_string(&path).expect("UTF-8");
            let node = json::read(&written).expect("JSON");
            assert_eq!(node.last("access_token").and_then(Node::text).as_deref(), Some("newer"), "{whole:?} {written}");
            let again = stored_session(None, &options).expect("the library's own");
            let [one, other] = [&session, &again].map(|session| tokens(session.0).json);
            assert_eq!(one, other, "{whole:?}");
            assert!(!path.with_extension("tmp").exists());
        }
    }
}

fn is_app_id(text: String) -> bool {
    APP_ID.to_str().is_ok_and(|app_id| app_id == text)
}

/// What a session made of these tokens shows.
struct Expected {
    texts: [Option<String>; 4],
    /// A text may be half of a surrogate pair, or a number of an odd form: then this judge does not know.
    is_odd: bool,
}

impl Expected {
    fn of(text: &str) -> Option<Expected> {
        let node = json::read(text)?;
        let members = node.members()?;
        json::names(members)?;
        let mut is_odd = false;
        let mut texts = [const { None }; 4];
        for (shown, name) in texts.iter_mut().zip(TEXTS) {
            *shown = match node.last(name).map(|node| (&node.value, node.raw)) {
                None | Some((Value::Null, _)) => None,
                Some((Value::Text(text), _)) => {
                    is_odd |= text.strict().is_none();
                    text.strict()
                }
                Some((Value::Number, raw)) => Some(raw.to_owned()),
                Some(_) => return None,
            };
        }
        for name in ["expires_in", "expires_at"] {
            match node.last(name).map(|node| (&node.value, node.raw)) {
                None | Some((Value::Null, _)) => {}
                Some((Value::Text(text), _)) => {
                    let text = text.strict().unwrap_or_default();
                    if text.is_empty() || text.starts_with('-') {
                        is_odd |= text.starts_with("-0");
                        is_odd |= text.starts_with("-.0") || text.eq_ignore_ascii_case("-0");
                        if !is_odd {
                            return None;
                        }
                    }
                    is_odd |= !text.bytes().all(|byte| byte.is_ascii_digit());
                }
                Some((Value::Number, raw)) => is_odd |= raw.starts_with('-'),
                Some(_) => return None,
            }
        }
        let is_id = |id: &String| id.bytes().all(|byte| byte.is_ascii_digit());
        let is_empty = |text: &Option<String>| text.as_deref().unwrap_or_default().is_empty();
        if !texts[2].as_ref().is_none_or(is_id) || !is_odd && is_empty(&texts[0]) && is_empty(&texts[1]) {
            return None;
        }
        Some(Expected { texts, is_odd })
    }

    fn check(&self, shown: &str) {
        let node = json::read(shown).expect("JSON");
        if self.is_odd {
            return;
        }
        for (name, expected) in TEXTS.iter().zip(&self.texts) {
            let member = node.last(name).filter(|node| !node.is_null()).and_then(Node::text);
            // An empty token or user is none.
            let expected = expected.clone().filter(|text| !text.is_empty() || *name == "token_type");
            assert_eq!(member, expected, "{name} {shown}");
        }
        let has_user = self.texts[2].as_ref().is_some_and(|uid| !uid.is_empty());
        let circuit = if has_user { "client-server" } else { "server-server" };
        assert_eq!(node.last("circuit").and_then(Node::text).as_deref(), Some(circuit), "{shown}");
    }
}
