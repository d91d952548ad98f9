//! Any text as options: what is surely right is taken and has its effect, what is surely wrong is refused, and no
//! refusal shows a secret.

use mailru::ffi::*;

use super::host::*;
use super::json::{self, Node, Value};
use super::request::whole;

/// Stands in the fuzzer's texts for a secret.
const SECRET: &str = "hunter2-Kq7";

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(options) = c(text) else { return };
    let node = json::read(text);
    // Files would be read and written.
    let has_file = |node: &Node<'_>| ["token_file", "ca_file"].iter().any(|name| node.last(name).is_some());
    if node.as_ref().is_some_and(has_file) {
        return;
    }
    let verdict = if text.is_empty() { Right } else { judged(node.as_ref()) };
    let session = match client_session(&options) {
        Ok(session) => session,
        Err(refused) => {
            assert!(verdict != Right && refused.code == INVALID_ARGUMENT, "{text} {}", refused.json);
            let is_secret = node.as_ref().is_some_and(only_in_secrets);
            assert!(!is_secret || !refused.json.contains(SECRET), "{text} {}", refused.json);
            return;
        }
    };
    assert!(verdict != Wrong, "{text}");
    let given = |name: &str| node.as_ref().and_then(|node| node.last(name)).filter(|node| !node.is_null());
    let shown = tokens(session.0);
    let tokens = json::read(&shown.json).expect("JSON");
    let refresh = given("refresh_token").and_then(Node::text).filter(|text| !text.is_empty());
    assert_eq!(tokens.last("refresh_token").and_then(Node::text), refresh, "{text}");
    if let Some(seconds) = given("expires_in").and_then(whole) {
        // A century is the longest life.
        let shown = tokens.last("expires_in").and_then(whole).expect("a number");
        assert_eq!(shown, seconds.min(3_153_600_000), "{text}");
    }
    // SAFETY: the string outlives the call.
    let signed = answer(|code| unsafe { mailru_sign(session.0, c"a".as_ptr(), std::ptr::null(), code) });
    let signed = json::read(&signed.json).expect("JSON");
    let url = signed.last("url").and_then(Node::text).expect("a text");
    let base = given("api_url").and_then(Node::text).unwrap_or("https://appsmail.ru/platform/api".into());
    assert!(url.starts_with(base.trim_end_matches('/')) && url.contains("?app_id="), "{text} {url}");
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Verdict {
    Right,
    Wrong,
    /// This judge does not know.
    Open,
}

use Verdict::{Open, Right, Wrong};

fn judged(node: Option<&Node<'_>>) -> Verdict {
    let Some(members) = node.and_then(Node::members) else { return Wrong };
    let Some(names) = json::names(members) else { return Wrong };
    let http = node.and_then(|node| node.last("allow_http")).is_some_and(|node| node.raw == "true");
    let each = names.iter().zip(members).map(|(name, (_, value))| option(name, value, http));
    let each: Vec<_> = each.collect();
    [Wrong, Open].into_iter().find(|verdict| each.contains(verdict)).unwrap_or(Right)
}

fn option(name: &str, node: &Node<'_>, http: bool) -> Verdict {
    let is = |right: bool| if right { Right } else { Wrong };
    let number = |least: u64, most: u64| {
        let fits = whole(node).is_some_and(|number| (least..=most).contains(&number));
        if node.is_null() || fits { Right } else { Wrong }
    };
    let text = |judge: fn(&str, bool) -> Verdict| match &node.value {
        Value::Null => Right,
        Value::Text(text) => text.strict().map_or(Wrong, |text| judge(&text, http)),
        _ => Wrong,
    };
    match name {
        "pass_error" | "auto_refresh" | "allow_http" => is(node.is_null() || matches!(node.value, Value::Bool(_))),
        "api_url" | "public_url" | "token_url" => text(address),
        "client_secret" | "refresh_token" => text(|_, _| Right),
        "expires_in" => number(0, (1 << 40) / 1000),
        "timeout_ms" | "connect_timeout_ms" => number(1, 1 << 40),
        "retries" => number(0, 100),
        "retry_delay_ms" => number(0, 3_600_000),
        "max_response_bytes" => number(1, 1 << 40),
        "get_limit" => number(0, 1 << 40),
        "max_idle_connections" => number(0, 10_000),
        "user_agent" => {
            text(
                |text, _| {
                    if !text.is_empty() && text.chars().all(|c| (' '..='~').contains(&c)) { Right } else { Wrong }
                },
            )
        }
        "proxy" => text(proxy),
        "tls_roots" => text(|text, _| if ["webpki", "system"].contains(&text) { Right } else { Wrong }),
        "max_calls_per_second" => match whole(node) {
            _ if node.is_null() => Right,
            Some(number) => is((1..=1_000_000).contains(&number)),
            None => is_rate(node.raw),
        },
        _ => Wrong,
    }
}

fn is_rate(raw: &str) -> Verdict {
    if raw.starts_with(['"', '[', '{', 't', 'f', '-']) { Wrong } else { Open }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase())
}

/// Ordinary addresses are right, and those that no reader could take are wrong.
fn address(text: &str, http: bool) -> Verdict {
    let lower = text.to_ascii_lowercase();
    let Some(rest) = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://")) else { return Wrong };
    let may_not = |c: char| c.is_control() || c.is_whitespace() || "?#\\\"<>{}|^`@".contains(c);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.is_empty() || authority.contains(may_not) || path.contains(['?', '#', ' ', '"', '<', '\n']) {
        return Wrong;
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let is_port = port.len() < 5 && port.parse::<u16>().is_ok_and(|port| port > 0) && !port.starts_with('+');
    if !text.starts_with("https://") && (!http || text != lower) {
        return if host == "example" && !http { Wrong } else { Open };
    }
    let is_ordinary = host.split('.').all(is_plain) && is_port && path.split('/').all(is_plain);
    if is_ordinary && host.len() < 60 && text.len() < 200 { Right } else { Open }
}

fn proxy(text: &str, _: bool) -> Verdict {
    match text.split_once("://") {
        Some((scheme, _)) if !["http", "socks5", "socks5h"].contains(&scheme.to_ascii_lowercase().as_str()) => Wrong,
        None if text != "env" => Wrong,
        _ => Open,
    }
}

/// Whether the secret stands in the values of secret options and nowhere else.
fn only_in_secrets(node: &Node<'_>) -> bool {
    let all = node.raw.matches(SECRET).count();
    let of = |name: &str| node.last(name).map_or(0, |node| node.raw.matches(SECRET).count());
    all > 0 && all == of("client_secret") + of("refresh_token") + of("proxy")
}
