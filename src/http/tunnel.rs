//! HTTP proxies, used through CONNECT (RFC 9110, section 9.3.6).
//!
//! ureq's own client accepts only status 200 and 20 headers, and a call could not cancel it.
#![forbid(unsafe_code)]

use std::io::{self, BufRead, Read, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use super::head::{Head, HeadFlaw, MAX_HEAD};
use super::socks::ProxyError;

/// Makes the proxy at the other end connect to a server, whose name the proxy looks up.
pub fn connect(
    stream: &mut (impl Read + Write),
    login: Option<(&str, &str)>,
    host: &str,
    port: u16,
    user_agent: &str,
) -> Result<(), ProxyError> {
    let mut request = Zeroizing::new(format!(
        "CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: {user_agent}\r\n"
    ));
    if let Some((name, password)) = login {
        let pair = Zeroizing::new(format!("{name}:{password}"));
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&Zeroizing::new(BASE64_STANDARD.encode(pair.as_bytes())));
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes())?;
    let mut reader = io::BufReader::with_capacity(1, stream);
    loop {
        let status = answer(&mut reader)?;
        match status {
            100..200 if status != 101 => {}
            200..300 => return Ok(()),
            407 => return Err(refused(
                "requires a user name and password, or does not accept the given ones; set them in the option proxy"
                    .into(),
                false,
            )),
            _ => return Err(refused(format!("refused to connect, with HTTP status {status}"), status >= 500)),
        }
    }
}

fn refused(what: String, transient: bool) -> ProxyError {
    ProxyError::Refused(what, transient)
}

/// The status of the next answer. Nothing after its head is read, because it belongs to the tunnel.
fn answer(reader: &mut impl BufRead) -> Result<u16, ProxyError> {
    let mut head = Vec::new();
    loop {
        let line = reader.by_ref().take((MAX_HEAD + 1 - head.len()) as u64).read_until(b'\n', &mut head)?;
        if line == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        match Head::parse(&head) {
            Ok(Some((head, _))) => return Ok(head.status),
            Ok(None) => {}
            Err(HeadFlaw::TooLarge) => return Err(refused("sent too large a head".into(), false)),
            Err(_) => return Err(refused("sent an answer that is not valid HTTP".into(), false)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A proxy that sends the given bytes and records what it receives.
    struct Scripted<'a> {
        says: &'a [u8],
        heard: Vec<u8>,
    }

    impl Read for Scripted<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.says.read(buffer)
        }
    }

    impl Write for Scripted<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.heard.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn talk(says: &str, login: Option<(&str, &str)>) -> (Result<(), String>, String, String) {
        let mut proxy = Scripted { says: says.as_bytes(), heard: Vec::new() };
        let outcome = connect(&mut proxy, login, "appsmail.ru", 443, "test").map_err(|error| match error {
            ProxyError::Io(error) => error.kind().to_string(),
            ProxyError::Refused(what, _) => what,
        });
        let rest = String::from_utf8(proxy.says.to_vec()).expect("text");
        (outcome, String::from_utf8(proxy.heard).expect("text"), rest)
    }

    #[test]
    fn any_2xx_status_opens_the_tunnel_and_its_bytes_stay_unread() {
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\ntunnel", "X: y\r\n".repeat(100));
        for says in [
            "HTTP/1.1 200 Connection established\r\n\r\ntunnel",
            "HTTP/1.0 201\r\nContent-Length: 5\r\n\r\ntunnel",
            "HTTP/1.1 204 No Content\r\n\r\ntunnel",
            "HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ntunnel",
            &many,
        ] {
            let (outcome, heard, rest) = talk(says, None);
            assert_eq!((outcome, rest.as_str()), (Ok(()), "tunnel"), "{says}");
            assert_eq!(heard, "CONNECT appsmail.ru:443 HTTP/1.1\r\nHost: appsmail.ru:443\r\nUser-Agent: test\r\n\r\n");
        }
        let (_, heard, _) = talk("HTTP/1.1 200 OK\r\n\r\n", Some(("u", "p:")));
        assert!(heard.ends_with("\r\nProxy-Authorization: Basic dTpwOg==\r\n\r\n"), "{heard}");
    }

    #[test]
    fn refusals_say_why() {
        let large = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(MAX_HEAD));
        for (says, reason) in [
            ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "user name"),
            ("HTTP/1.1 403 Forbidden\r\n\r\n", "status 403"),
            ("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "status 302"),
            ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "status 101"),
            ("SSH-2.0-OpenSSH\r\n", "not valid HTTP"),
            ("HTTP/1.1 200 OK\r\nX: y", "unexpected end of file"),
            ("", "unexpected end of file"),
            (&large, "too large"),
        ] {
            let (outcome, _, _) = talk(says, None);
            assert!(outcome.as_ref().is_err_and(|text| text.contains(reason)), "{reason}: {outcome:?}");
        }
    }
}
