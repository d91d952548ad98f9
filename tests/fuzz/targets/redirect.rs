//! Any text as the address of a redirect: read as a second reader reads it, and nothing without the state of the login
//! that was begun. What goes into the address of a login comes out of it.

use std::ptr;

use mailru::ffi::*;

use super::host::*;
use super::json::{self, Node};

/// The first line is the state, the rest the address.
pub fn run(bytes: &[u8]) {
    let split = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (state, url) = bytes.split_at(split);
    let url = url.strip_prefix(b"\n").unwrap_or(url);
    let (Ok(state), Ok(url)) = (std::str::from_utf8(state), std::str::from_utf8(url)) else { return };
    if state.contains('\0') {
        return;
    }
    // It depends on the whole address, so the address cannot hold it.
    check(url, Some(&md5(&[url])), true);
    check(url, None, false);
    check(url, Some(state), false);
    login(url, state);
}

fn check(url: &str, state: Option<&str>, is_foreign: bool) {
    let Some(given) = c(url) else { return };
    let expected_state = state.map(|state| c(state).expect("part of a text without NUL"));
    let pointer = expected_state.as_ref().map_or(ptr::null(), |state| state.as_ptr());
    // SAFETY: the strings outlive the call.
    let read = answer(|code| unsafe { mailru_parse_redirect(given.as_ptr(), pointer, code) });
    assert!(!is_foreign || read.code != 0, "a login that nobody began: {url}");
    match expected(url, state) {
        Expected::Failure(code) => assert_eq!(read.code, code, "{state:?} {url} {}", read.json),
        Expected::Members(members) => {
            assert_eq!(read.code, 0, "{state:?} {url} {}", read.json);
            let node = json::read(&read.json).expect("JSON");
            for (name, value) in members {
                let shown = node.last(name).filter(|node| !node.is_null()).map(|node| node.text().expect("a text"));
                assert_eq!(shown, value.filter(|value| !value.is_empty()), "{name} {url} {}", read.json);
            }
        }
    }
}

enum Expected {
    Failure(i32),
    Members(Vec<(&'static str, Option<String>)>),
}

fn expected(url: &str, state: Option<&str>) -> Expected {
    const REFUSED: Expected = Expected::Failure(11);
    if state == Some("") {
        return Expected::Failure(INVALID_ARGUMENT);
    }
    let (front, fragment) = match url.find('#') {
        Some(at) => (&url[..at], &url[at + 1..]),
        None => (url, ""),
    };
    let query = front.find('?').map_or("", |at| &front[at + 1..]);
    if query.is_empty() && fragment.is_empty() {
        return Expected::Failure(INVALID_ARGUMENT);
    }
    let [query, fragment] = [query, fragment].map(pairs);
    let signs: [&[&str]; 3] = [&["state"], &["code", "access_token", "error"], &["status"]];
    let has = |pairs: &Pairs, signs: &[&str]| pairs.iter().any(|pair| signs.contains(&pair.0.as_str()));
    let deciding = signs.iter().find(|signs| has(&query, signs) || has(&fragment, signs));
    let part = match deciding {
        Some(signs) if has(&query, signs) && has(&fragment, signs) => return REFUSED,
        Some(signs) if has(&query, signs) => query,
        Some(_) => fragment,
        None => Vec::new(),
    };
    let names = "access_token code error error_description error_uri expires_in refresh_token scope state status \
                 token_type x_mailru_vid";
    let mut known = std::collections::BTreeMap::new();
    for (name, value) in part.into_iter().filter(|pair| names.split(' ').any(|name| name == pair.0)) {
        let Some(value) = value else { return REFUSED };
        if known.insert(name, value).is_some() {
            return REFUSED;
        }
    }
    let get = |name: &str| known.get(name).cloned();
    let is_refusal = |status: &String| status == "cancel" || status == "error";
    if state.is_some() && get("state").as_deref() != state || get("error").is_some() {
        return REFUSED;
    }
    if get("status").as_ref().is_some_and(is_refusal) {
        return REFUSED;
    }
    if let Some(code) = get("code").filter(|code| !code.is_empty()) {
        return Expected::Members(vec![("code", Some(code))]);
    }
    let is_id = |id: &String| id.bytes().all(|byte| byte.is_ascii_digit());
    if get("access_token").unwrap_or_default().is_empty() || !get("x_mailru_vid").as_ref().is_none_or(is_id) {
        return REFUSED;
    }
    Expected::Members(vec![
        ("access_token", get("access_token")),
        ("refresh_token", get("refresh_token")),
        ("token_type", get("token_type")),
        ("uid", get("x_mailru_vid")),
    ])
}

type Pairs = Vec<(String, Option<String>)>;

/// Names that can be decoded, with their values, if these can.
fn pairs(part: &str) -> Pairs {
    let pair = |pair: &str| {
        let end = pair.find('=').unwrap_or(pair.len());
        Some((decoded(&pair[..end])?, decoded(pair.get(end + 1..).unwrap_or(""))))
    };
    part.split('&').filter_map(pair).collect()
}

/// A name or a value of a query; `None` if it is not percent-encoded UTF-8.
pub fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let high = digit(rest.next())?;
                u8::try_from(16 * high + digit(rest.next())?).ok()?
            }
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The address of a login with these texts in it.
fn login(redirect_uri: &str, scope: &str) {
    let (Some(redirect), Some(words)) = (c(redirect_uri), c(scope)) else { return };
    // SAFETY: the strings outlive the call.
    let made = answer(|code| unsafe {
        let [uri, scope] = [redirect.as_ptr(), words.as_ptr()];
        mailru_authorize_url(APP_ID.as_ptr(), uri, c"code".as_ptr(), scope, scope, code)
    });
    if redirect_uri.is_empty() {
        assert_eq!(made.code, INVALID_ARGUMENT);
        return;
    }
    assert_eq!(made.code, 0, "{}", made.json);
    let url = json::read(&made.json).and_then(|node| node.last("url").and_then(Node::text)).expect("a text");
    let query = url.split_once('?').expect("a query").1;
    let read: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let all = [
        ("client_id", APP_ID.to_str().unwrap_or_default()),
        ("response_type", "code"),
        ("redirect_uri", redirect_uri),
        ("scope", scope),
        ("state", scope),
    ];
    let all = all.iter().filter(|(name, value)| *name != "scope" || !value.is_empty());
    let all: Vec<_> = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    assert_eq!(read, all);
}
