//! Any bytes as the answer of a server, through the real transport. Where the framing is right, a second reader judges the
//! body; else what is handed over has to be JSON by this reader. What came unasked is never the next answer.

use std::io::Write;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use mailru::ffi::*;

use super::host::*;
use super::json;
use super::server::{self, LATER, Reply, Server, with_length};

const STATUSES: [u16; 14] = [200, 200, 201, 206, 299, 301, 400, 403, 404, 429, 500, 502, 503, 599];
const LARGEST: usize = 2000;

/// The first byte chooses the framing, the second its details.
pub fn run(bytes: &[u8]) {
    static HOST: OnceLock<(Server, [Session; 2])> = OnceLock::new();
    let (server, sessions) = HOST.get_or_init(|| {
        let server = Server::start(server::http);
        let session = |pass_error: bool| {
            let options = format!(
                "{{\"public_url\":\"http://{}/\",\"retries\":0,\"max_response_bytes\":{LARGEST},\"timeout_ms\":5000,\
                 \"pass_error\":{pass_error}}}",
                server.address
            );
            client_session(&c(options).expect("no NUL")).expect("valid")
        };
        let sessions = [session(false), session(true)];
        (server, sessions)
    });
    let [kind, detail, body @ ..] = bytes else { return };
    if json::is_deep(body) {
        return;
    }
    let detail = usize::from(*detail);
    let status = if *kind & 16 == 0 { 200 } else { STATUSES[detail % STATUSES.len()] };
    let pass_error = kind & 32 != 0;
    let sure = |bytes: Vec<u8>, ends: bool| (Reply { bytes, ends }, true);
    let open = |bytes: Vec<u8>| (Reply { bytes, ends: true }, false);
    let head = |fields: &str| format!("HTTP/1.1 {status} OK\r\n{fields}\r\n").into_bytes();
    let (reply, is_sure) = match kind % 8 {
        0 => open(body.to_vec()),
        1 | 7 => sure(with_length(status, "", body), false),
        2 => sure([head("Transfer-Encoding: chunked\r\n"), chunked(body, 1 + detail)].concat(), false),
        3 => sure(with_length(status, "Content-Encoding: gzip\r\n", &gzip(body)), false),
        4 => sure([head(""), body.to_vec()].concat(), true),
        5 => open([head("Transfer-Encoding: chunked\r\n"), body.to_vec()].concat()),
        _ => open([head("Content-Encoding: gzip\r\n"), body.to_vec()].concat()),
    };
    let ends = reply.ends;
    let unasked = kind % 8 == 7;
    let reply = if unasked { Reply { bytes: [&reply.bytes[..], &reply.bytes].concat(), ends } } else { reply };
    server.set(vec![reply]);
    let begun = Instant::now();
    let session = &sessions[usize::from(pass_error)];
    let get = || {
        // SAFETY: the strings outlive the call.
        answer(|code| unsafe { mailru_public(session.0, c"mail/demo".as_ptr(), std::ptr::null(), code) })
    };
    let given = get();
    assert!(begun.elapsed() < Duration::from_secs(4), "nothing had to be waited for: {given:?}");
    if is_sure {
        let (code, text) = judged(status, body, pass_error);
        assert_eq!(given.code, code, "{status} {:?} {}", String::from_utf8_lossy(body), given.json);
        assert!(text.is_none_or(|text| text == given.json), "{:?} {}", String::from_utf8_lossy(body), given.json);
    }
    if matches!(given.code, 0 | 10) {
        assert!(json::read(&given.json).is_some(), "{}", given.json);
    } else {
        assert!((12..=20).contains(&given.code), "{given:?}");
    }
    if ends || unasked {
        let later = get();
        // A server that closes the connection after a whole answer may do so while the next request is on its way.
        if ends && later.code == 20 {
            return;
        }
        assert_eq!((later.code, &*later.json), (0, LATER), "after {:?}", String::from_utf8_lossy(bytes));
    }
}

/// The code of an answer, and the text that has to be handed over, if it is known.
fn judged(status: u16, body: &[u8], pass_error: bool) -> (i32, Option<&str>) {
    if body.len() > LARGEST {
        return (14, None);
    }
    let success = (200..300).contains(&status);
    let Ok(text) = std::str::from_utf8(body) else { return (if success { 13 } else { 15 }, None) };
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    let node = json::read(text).filter(|node| node.depth() <= 128);
    let Some(node) = node else {
        let code = if text.is_empty() { 12 } else { 13 };
        return (if success { code } else { 15 }, None);
    };
    if pass_error {
        return (0, Some(text));
    }
    let error = node.last("error").filter(|error| !["null", "false", "0"].contains(&error.raw));
    if let Some(error) = error {
        let is_number = error.last("error_code").is_some_and(|code| code.raw.parse::<i64>().is_ok());
        return (10, is_number.then_some(text));
    }
    let is_empty = node.is_null() || node.members().is_some_and(<[_]>::is_empty);
    match (success, is_empty) {
        (false, _) => (15, None),
        (true, true) => (12, None),
        (true, false) => (0, Some(text)),
    }
}

fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut framed = Vec::new();
    for chunk in body.chunks(size) {
        framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        framed.extend_from_slice(chunk);
        framed.extend_from_slice(b"\r\n");
    }
    framed.extend_from_slice(b"0\r\n\r\n");
    framed
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}
