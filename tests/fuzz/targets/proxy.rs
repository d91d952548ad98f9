//! Any bytes as a proxy's answers, and as those of the server behind it: nothing of the request reaches the proxy, and no
//! failure shows the proxy's password.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use mailru::ffi::*;

use super::host::*;
use super::server::{Reply, Server, Shared};

const PASSWORD: &str = "hunter2-Kq7";
/// A parameter of the request.
const INNER: &str = "inner-Zw3";

/// The first byte chooses the kind of proxy, and whether it has opened the tunnel before the fuzzer's bytes.
pub fn run(bytes: &[u8]) {
    static HOST: OnceLock<(Server, [Session; 3])> = OnceLock::new();
    let (server, sessions) = HOST.get_or_init(|| {
        let server = Server::start(serve);
        let session = |proxy: &str| {
            let options = format!(
                "{{\"api_url\":\"https://mailru.invalid/api\",\"proxy\":\"{proxy}{}\",\"retries\":0,\
                 \"timeout_ms\":5000}}",
                server.address
            );
            client_session(&c(options).expect("no NUL")).expect("valid")
        };
        let http = session(&format!("http://user:{PASSWORD}@"));
        let socks = session(&format!("socks5://user:{PASSWORD}@"));
        let bare = session("socks5://");
        (server, [http, socks, bare])
    });
    let Some((kind, rest)) = bytes.split_first() else { return };
    let which = usize::from(kind % 3);
    let opened: &[u8] = match (kind / 3 % 2, which) {
        (0, _) => b"",
        (_, 0) => b"HTTP/1.1 200 OK\r\n\r\n",
        (_, _) => b"\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00",
    };
    server.set(vec![Reply { bytes: [opened, rest].concat(), ends: true }]);
    let (begun, ended) = (Instant::now(), server.shared.ended.load(Ordering::SeqCst));
    let params = c(format!("{{\"a\":\"{INNER}\"}}")).expect("no NUL");
    // SAFETY: the strings outlive the call.
    let given =
        answer(|code| unsafe { mailru_call(sessions[which].0, c"friends.get".as_ptr(), params.as_ptr(), code) });
    assert!(begun.elapsed() < Duration::from_secs(4), "nothing had to be waited for: {given:?}");
    // Nobody here has the name's certificate.
    assert!(matches!(given.code, 20 | 22), "{given:?}");
    assert!(!given.json.contains(PASSWORD), "{given:?}");
    while server.shared.ended.load(Ordering::SeqCst) == ended {
        assert!(begun.elapsed() < Duration::from_secs(4), "the connection to the proxy does not end");
        thread::sleep(Duration::from_micros(20));
    }
    let heard = server.shared.heard.lock().expect("no panic").clone();
    let has = |text: &str| heard.windows(text.len()).any(|window| window == text.as_bytes());
    let token = TOKEN.to_str().unwrap_or_default();
    assert!(!has(token) && !has(INNER) && !has("friends.get"), "{:?}", String::from_utf8_lossy(&heard));
    let asks_for_it = opened.is_empty() && rest.starts_with(&[5, 2]);
    assert!(!has(PASSWORD) || which == 1 && asks_for_it, "{:?}", String::from_utf8_lossy(&heard));
}

/// Answers what comes first with everything, and hears out the rest.
fn serve(mut stream: TcpStream, shared: &Shared) {
    let mut buffer = [0; 4096];
    let mut hear = |stream: &mut TcpStream| {
        let read = stream.read(&mut buffer).unwrap_or(0);
        shared.heard.lock().expect("no panic").extend_from_slice(&buffer[..read]);
        read
    };
    hear(&mut stream);
    let answer = shared.answers.lock().expect("no panic").pop();
    let _ = stream.write_all(&answer.map(|answer| answer.bytes).unwrap_or_default());
    let _ = stream.shutdown(Shutdown::Write);
    while hear(&mut stream) > 0 {}
    shared.ended.fetch_add(1, Ordering::SeqCst);
}
