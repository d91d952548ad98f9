//! Any text as the JSON of a request: accepted or refused as the header says. The requests' cancel handle was fired, so
//! that what is accepted ends as cancelled.

use std::ptr;
use std::sync::OnceLock;

use mailru::ffi::*;

use super::host::*;
use super::json::{self, Node, Value};
use super::params::{is_method, is_reserved, rendered};

/// The first byte says whether there is a file.
pub fn run(bytes: &[u8]) {
    static SESSION: OnceLock<Session> = OnceLock::new();
    let session = SESSION.get_or_init(|| client_session(c"{\"retries\":0}").expect("valid"));
    let Some((kind, text)) = bytes.split_first() else { return };
    let Some(request) = c(text) else { return };
    let file = b"a file";
    let (data, size) = match kind % 3 {
        0 => (ptr::null(), 0),
        1 => (file.as_ptr(), file.len()),
        _ => (file.as_ptr(), 0),
    };
    let expected = request.to_str().ok().and_then(|text| accepted(text, !data.is_null()));
    // SAFETY: the string and the file outlive the call.
    let given = answer(|code| unsafe { mailru_request(session.0, request.as_ptr(), data, size, fired(), code) });
    match expected {
        None => assert_eq!(given.code, INVALID_ARGUMENT, "{request:?} {}", given.json),
        // The session has its token, so nothing has to be waited for.
        Some(Kind::Authorize) => assert!(matches!(given.code, 0 | CANCELLED), "{request:?} {}", given.json),
        Some(Kind::Other) => assert_eq!(given.code, CANCELLED, "{request:?} {}", given.json),
    }
}

enum Kind {
    Authorize,
    Other,
}

fn accepted(text: &str, has_file: bool) -> Option<Kind> {
    let node = json::read(text)?;
    let members = node.members()?;
    json::names(members)?;
    let known = ["method", "public", "authorize", "params", "file", "timeout_ms", "retries", "pass_error"];
    if !members.iter().all(|member| known.iter().any(|known| member.0.is(known))) {
        return None;
    }
    let given = |name: &str| node.last(name).filter(|node| !node.is_null());
    let flag = |name: &str| match given(name).map(|node| &node.value) {
        None => Some(false),
        Some(Value::Bool(flag)) => Some(*flag),
        Some(_) => None,
    };
    let is_number = |name: &str, most: u64| given(name).is_none_or(|node| whole(node).is_some_and(|it| it <= most));
    if !is_number("timeout_ms", 1 << 40) || !is_number("retries", 100) {
        return None;
    }
    flag("pass_error")?;
    let authorize = flag("authorize")?;
    let params = match given("params") {
        Some(node) => Some(node.members().map(|_| node.raw)?),
        None => None,
    };
    let file = match given("file") {
        Some(node) => Some(file(node)?),
        None => None,
    };
    let [method, public] = ["method", "public"].map(|name| given(name).map(|node| node.text()));
    match (method, public, authorize) {
        (Some(method), None, false) => {
            if !is_method(&method?) || file.is_some() != has_file {
                return None;
            }
            let params = params.map_or(Some(Vec::new()), |params| rendered(params, true))?;
            if let Some([field, media]) = file {
                let is_free = !is_reserved(&field) && !params.iter().any(|(name, _)| *name == field);
                let is_media = media.contains('/') && media.chars().all(|c| (' '..='~').contains(&c));
                if field.is_empty() || !is_free || !is_media {
                    return None;
                }
            }
            Some(Kind::Other)
        }
        (None, Some(path), false) if !has_file && file.is_none() => {
            let is_segment = |segment: &str| {
                !["", ".", ".."].contains(&segment)
                    && segment.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
            };
            params.map_or(Some(Vec::new()), |params| rendered(params, false))?;
            path?.split('/').all(is_segment).then_some(Kind::Other)
        }
        (None, None, true) if !has_file && file.is_none() && params.is_none() => Some(Kind::Authorize),
        _ => None,
    }
}

pub fn whole(node: &Node<'_>) -> Option<u64> {
    node.raw.bytes().all(|byte| byte.is_ascii_digit()).then(|| node.raw.parse().ok())?
}

/// The field and the media type.
fn file(node: &Node<'_>) -> Option<[String; 2]> {
    let members = node.members()?;
    json::names(members)?;
    if !members.iter().all(|member| ["field", "name", "type"].iter().any(|known| member.0.is(known))) {
        return None;
    }
    let given = |name: &str| node.last(name).filter(|node| !node.is_null()).map(Node::text);
    given("name")??;
    Some([given("field")??, given("type").unwrap_or(Some("a/b".into()))?])
}
