//! Any text as the parameters of a call: accepted as the header says, rendered and signed as a second renderer does.

use std::ffi::CStr;
use std::sync::OnceLock;

use mailru::ffi::*;

use super::host::*;
use super::json::{self, Node, Value};

/// The first line is the method's name, the rest the parameters.
pub fn run(bytes: &[u8]) {
    static SESSIONS: OnceLock<[Session; 2]> = OnceLock::new();
    let options = c"{\"api_url\":\"http://127.0.0.1:1/api\",\"retries\":0}";
    let sessions = SESSIONS.get_or_init(|| [client_session, server_session].map(|new| new(options).expect("valid")));
    let split = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (method, params) = bytes.split_at(split);
    let (Some(method), Some(params)) = (c(method), c(params.strip_prefix(b"\n").unwrap_or(params))) else { return };
    let expected = match (method.to_str(), params.to_str()) {
        (Ok(method), Ok("")) if is_method(method) => Some(Vec::new()),
        (Ok(method), Ok(params)) if is_method(method) => rendered(params, true),
        _ => None,
    };
    for (session, [uid, key, name, secure]) in sessions.iter().zip([
        [UID.to_str().unwrap_or_default(), PRIVATE_KEY.to_str().unwrap_or_default(), "<private_key>", ""],
        ["", SECRET_KEY.to_str().unwrap_or_default(), "<secret_key>", "1"],
    ]) {
        // SAFETY: the strings outlive the call.
        let signed = answer(|code| unsafe { mailru_sign(session.0, method.as_ptr(), params.as_ptr(), code) });
        let Some(given) = &expected else {
            assert_eq!(signed.code, INVALID_ARGUMENT, "{params:?} {}", signed.json);
            continue;
        };
        assert_eq!(signed.code, 0, "{params:?} {}", signed.json);
        let mut all = given.clone();
        let known = |text: &CStr| text.to_str().unwrap_or_default().to_owned();
        all.push(("method".into(), known(&method)));
        all.push(("app_id".into(), known(APP_ID)));
        all.push(("session_key".into(), known(TOKEN)));
        if !secure.is_empty() {
            all.push(("secure".into(), secure.into()));
        }
        all.sort();
        let text: String = all.iter().flat_map(|(name, value)| [name, "=", value]).collect();
        let sig = md5(&[uid, &text, key]);
        let signed = json::read(&signed.json).expect("JSON");
        let member = |name: &str| signed.last(name).and_then(Node::text).expect("a text");
        assert_eq!(member("base"), [uid, &text, name].concat());
        assert_eq!(member("sig"), sig);
        all.push(("sig".into(), sig));
        let params = signed.last("params").and_then(Node::members).expect("an object");
        let params: Vec<_> =
            params.iter().map(|(name, value)| (name.strict().expect("text"), value.text().expect("text"))).collect();
        let mut sorted = all.clone();
        sorted.sort();
        assert_eq!(params, sorted);
        let url = member("url");
        let query = url.strip_prefix("http://127.0.0.1:1/api?").expect("the address");
        assert!(query.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%&=".contains(&byte)), "{query}");
        let read: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!(read, all);
    }
}

pub fn is_method(method: &str) -> bool {
    method.split('.').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// The parameters as they are to be sent; `None` if they are to be refused. Names of signed calls are checked.
pub fn rendered(params: &str, is_signed: bool) -> Option<Vec<(String, String)>> {
    let node = json::read(params)?;
    let members = node.members()?;
    let mut sent = Vec::new();
    for (name, (_, value)) in json::names(members)?.into_iter().zip(members) {
        let text = text(value)?;
        if name.is_empty() || is_signed && !may_be_named(&name, text.as_deref()) {
            return None;
        }
        sent.extend(text.map(|text| (name, text)));
    }
    Some(sent)
}

fn may_be_named(name: &str, value: Option<&str>) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || "_-.[]".contains(c);
    let format = |reading: &String| reading == "format";
    name.chars().all(is_letter)
        && !is_reserved(name)
        && (value.is_none() || !readings(name).iter().any(format) || name == "format" && value == Some("json"))
}

/// What servers may take the name for.
fn readings(name: &str) -> [String; 3] {
    let lower = name.to_ascii_lowercase();
    let fronts =
        [&lower[..lower.find(['[', '.']).unwrap_or(lower.len())], lower.split('[').next().unwrap_or(""), &lower];
    fronts.map(|front| front.replace(['.', '['], "_"))
}

pub fn is_reserved(name: &str) -> bool {
    let reserved = ["method", "app_id", "session_key", "secure", "sig", "cb"];
    readings(name).iter().any(|reading| reserved.contains(&reading.as_str()))
}

/// A value's text: `None` if it cannot be sent, `Some(None)` if it is left out.
fn text(node: &Node<'_>) -> Option<Option<String>> {
    Some(Some(match &node.value {
        Value::Null => return Some(None),
        Value::Array(elements) => {
            let is_plain = |node: &Node<'_>| !matches!(node.value, Value::Null | Value::Array(_) | Value::Object(_));
            if elements.iter().all(is_plain) {
                let texts = elements.iter().map(scalar).collect::<Option<Vec<_>>>()?;
                texts.join(",")
            } else {
                compact(node, 128)?
            }
        }
        Value::Object(_) => compact(node, 128)?,
        _ => scalar(node)?,
    }))
}

fn scalar(node: &Node<'_>) -> Option<String> {
    match &node.value {
        Value::Bool(flag) => Some(u8::from(*flag).to_string()),
        Value::Text(text) => text.strict(),
        _ => Some(node.raw.to_owned()),
    }
}

/// Without white space. A name is written anew, as short as possible; all else as it was.
fn compact(node: &Node<'_>, levels: usize) -> Option<String> {
    let inner = |node: &Node<'_>| compact(node, levels.checked_sub(1)?);
    Some(match &node.value {
        Value::Array(elements) => {
            let elements = elements.iter().map(inner).collect::<Option<Vec<_>>>()?;
            format!("[{}]", elements.join(","))
        }
        Value::Object(members) => {
            let member = |member: &(json::Text, Node<'_>)| {
                Some(format!("{}:{}", written(&member.0.strict()?), inner(&member.1)?))
            };
            let members = members.iter().map(member).collect::<Option<Vec<_>>>()?;
            format!("{{{}}}", members.join(","))
        }
        _ => node.raw.to_owned(),
    })
}

fn written(text: &str) -> String {
    let mut json = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\0'..='\u{1f}' => json.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => json.push(character),
        }
    }
    json + "\""
}
