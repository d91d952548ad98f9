//! The service's addresses, as the options give them, and the queries appended to them.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rustls::pki_types::ServerName;
use ureq::http::Uri;
use zeroize::Zeroizing;

use crate::error::{Failure, Outcome};
use crate::large::{Checkpoint, Work, no_checkpoint};
use crate::memory::text_with_room;

/// All but the characters that RFC 3986 calls unreserved.
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A checked base address: http or https, a host name, perhaps a port and a path, nothing else.
#[derive(Debug, Clone)]
pub struct Address {
    text: String,
    path_at: usize,
    plain_host: Option<String>,
}

impl Address {
    /// Checks the address given in the option (or argument) of this name.
    ///
    /// Strict, because servers and proxies interpret malformed addresses differently.
    pub fn parse(option: &str, text: &str) -> Outcome<Address> {
        let wrong = |problem: &str| {
            Failure::argument(option, format!("{problem}; give an address such as https://appsmail.ru/platform/api"))
        };
        let uri: Uri = text.parse().map_err(|_| wrong("is not a valid address"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong("must begin with https:// or http://"));
        };
        if !matches!(scheme, "https" | "http") {
            return Err(wrong("must begin with https:// or http://"));
        }
        if authority.as_str().contains('@') {
            return Err(wrong("must not contain a user name or password"));
        }
        let after_host = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        if !is_host(authority.host()) || !is_port(after_host) {
            return Err(wrong("must have a host name and, if it has a port, one from 1 to 65535"));
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(wrong("must not have a query or fragment"));
        }
        let path_at = scheme.len() + "://".len() + authority.as_str().len();
        let path = text.get(path_at..).unwrap_or_default();
        if !path.bytes().all(is_of_a_path) {
            return Err(wrong("has a path with characters that must be percent-encoded"));
        }
        if !path.split('/').all(is_segment) {
            return Err(wrong(
                "has a path with the segment \".\" or \"..\", or with an escaped dot, slash or control character",
            ));
        }
        let plain_host = (scheme == "http").then(|| authority.host().to_owned());
        let text = text.trim_end_matches('/').to_owned();
        Ok(Address { text, path_at, plain_host })
    }

    /// Refuses plain http to another machine, which would send the access token unencrypted.
    pub fn refuse_plain_http(&self, option: &str) -> Outcome<()> {
        match &self.plain_host {
            Some(host) if !is_loopback(host) => Err(Failure::argument(
                option,
                "is plain http to another machine, which would send the access token unencrypted; use https, or set allow_http to true",
            )),
            _ => Ok(()),
        }
    }

    /// The address as text, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The length of a GET's request line, for an address with a query of this length.
    pub fn request_line(&self, query: usize) -> usize {
        let path = (self.text.len() - self.path_at).max("/".len());
        "GET ".len() + path + "?".len() + query + " HTTP/1.1".len()
    }

    /// The address with a query, whose [`encoded_length`] is given: a text that grew would leave copies of the session
    /// key behind.
    pub fn with_query<'a>(&self, parameters: impl Iterator<Item = (&'a str, &'a str)>, length: usize) -> String {
        let mut full = String::with_capacity(self.text.len() + "/?".len() + length);
        full.push_str(&self.text);
        if full.len() == self.path_at {
            full.push('/');
        }
        full.push('?');
        // Without a checkpoint it cannot fail.
        let _ = encode_into(&mut full, parameters, &no_checkpoint);
        full
    }
}

/// Joins parameters as `name=value&…`, percent-encoded, for a query or a form body.
pub fn encode_into<'a>(
    text: &mut String,
    parameters: impl Iterator<Item = (&'a str, &'a str)>,
    checkpoint: Checkpoint<'_>,
) -> Outcome<()> {
    let mut work = Work::new(checkpoint);
    for (position, (name, value)) in parameters.enumerate() {
        if position > 0 {
            text.push('&');
        }
        text.extend(utf8_percent_encode(name, &ENCODED));
        text.push('=');
        work.through(value, |piece| text.extend(utf8_percent_encode(piece, &ENCODED)))?;
    }
    Ok(())
}

/// The length of the parameters as [`encode_into`] joins them.
pub fn encoded_length<'a>(
    parameters: impl Iterator<Item = (&'a str, &'a str)>,
    checkpoint: Checkpoint<'_>,
) -> Outcome<usize> {
    let mut work = Work::new(checkpoint);
    let mut length = 0;
    for (name, value) in parameters {
        length += length_of(name) + "=&".len();
        work.through(value, |piece| length += length_of(piece))?;
    }
    // There is no & before the first.
    Ok(length.saturating_sub("&".len()))
}

/// How long a text is once it is encoded.
fn length_of(text: &str) -> usize {
    text.bytes().map(|byte| usize::from(ENCODED_LENGTH[usize::from(byte)])).sum()
}

/// The length of each byte once it is encoded. To look it up is faster than to compare.
const ENCODED_LENGTH: [u8; 256] = {
    let mut lengths = [3; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            lengths[byte as usize] = 1;
        }
        byte += 1;
    }
    lengths
};

/// The joined parameters as a secret of their own, whose [`encoded_length`] is given.
pub fn encoded<'a>(
    parameters: impl Iterator<Item = (&'a str, &'a str)>,
    length: usize,
    checkpoint: Checkpoint<'_>,
) -> Outcome<Zeroizing<String>> {
    let mut text = Zeroizing::new(text_with_room(length, "the parameters")?);
    encode_into(&mut text, parameters, checkpoint)?;
    debug_assert_eq!(text.len(), length, "it did not grow");
    Ok(text)
}

/// Decodes a name or value of a query strictly: `None` if a `%` is not followed by two hexadecimal digits, or if the
/// result is not UTF-8.
pub fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !escapes(text).all(|byte| byte.is_some()) {
        return None;
    }
    if !text.contains('+') {
        return percent_decode_str(text).decode_utf8().ok();
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(|text| Cow::Owned(text.into_owned()))
}

/// The bytes that the percent-escapes of a text encode; `None` for an invalid escape.
fn escapes(text: &str) -> impl Iterator<Item = Option<u8>> {
    text.split('%').skip(1).map(|rest| {
        let digits = rest.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        u8::from_str_radix(digits, 16).ok()
    })
}

/// Whether a text is a host name, an IPv4 address, or an IPv6 address in brackets.
pub fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => !host.contains(':') && ServerName::try_from(host).is_ok(),
    }
}

/// Whether the text after the host name is empty, or a colon and a port.
pub fn is_port(after_host: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let port = |text: &str| digits(text) && text.parse::<u16>().is_ok_and(|port| port > 0);
    after_host.is_empty() || after_host.strip_prefix(':').is_some_and(port)
}

/// The characters that RFC 3986 allows in paths.
fn is_of_a_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&byte)
}

/// Whether every server reads this path segment in the same way, and none as a step to another folder.
fn is_segment(segment: &str) -> bool {
    let plain = |byte: Option<u8>| byte.is_some_and(|byte| !byte.is_ascii_control() && !b"./\\".contains(&byte));
    // Some servers cut off what follows a semicolon.
    !matches!(segment.split(';').next(), Some("." | "..")) && escapes(segment).all(plain)
}

/// Whether the host name means this machine: `localhost`, 127.0.0.0/8 or `::1`.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        for good in [
            "https://appsmail.ru/platform/api",
            "http://127.0.0.1:8080",
            "http://[::1]:1/x/",
            "https://xn--e1afmkfd.example",
            "https://a_b.example.:8443/a/b..c/.d/%D0%B0%20b/x;y=1/(~!$&'*+,:@)",
            "HTTPS://Example.ORG",
            "https://[2001:db8::1]:8443/x",
            "https://1.2.3.4",
            "https://x//api",
        ] {
            let address = Address::parse("api_url", good).expect(good);
            assert_eq!(address.as_str(), good.strip_suffix('/').unwrap_or(good));
        }
        for text in ["https://x/?a", "https://x?a", "https://x/#a"] {
            let refusal = Address::parse("api_url", text).expect_err(text);
            assert!(refusal.message().contains("must not have a query or fragment"), "{text}: {}", refusal.message());
        }
        for bad in [
            "",
            "x",
            "/x",
            "ftp://x/",
            "https://",
            "https://u:p@x/",
            "https://x:0/",
            "https://x:99999/",
            "https://x:/",
            "https://x/?a",
            "https://x/#a",
            "https://x/a b",
            "https://пример/",
            "https://x/пример",
            "https://x/\u{e9}",
            "https://x/a\\b",
            "https://x\\@evil.example/",
            "https://x\\.evil.example/",
            "https://x/../api",
            "https://x/..",
            "https://x/a/./b",
            "https://x/%2e%2e/api",
            "https://x/.%2E/api",
            "https://x/..;/api",
            "https://x/a%2fb",
            "https://x/a%5Cb",
            "https://x/%0d%0aHost:evil",
            "https://x/%00",
            "https://x/%7f",
            "https://x/%",
            "https://x/%4",
            "https://x/%zz",
            "https://x/\"",
            "https://x/<a>",
            "https://x/a|b",
            "https://x/{a}",
            "https://x/^",
            "https://x/`",
            "https://x/\t",
            "https://x/\r\n",
            "http://[127.0.0.1]/",
            "https://[evil.example]/",
            "http://[]",
            "https://[::1",
            "https://::1/",
            "https://[fe80::1%25eth0]/",
            "https://[v1.x]/",
            "https://h:+443/",
            "https://h:-1/",
            "https://h: 443/",
            "https://h:443x/",
            "https://h:4 43/",
            "https://h%2eexample/",
            "https://h_.-!/",
            "https://a..b/",
            "https://.a/",
            "https://a,b/",
            "https://h:443:443/",
        ] {
            let failure = Address::parse("api_url", bad).expect_err(bad).into_json();
            assert!(failure.contains("\"argument\":\"api_url\""), "{failure}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine() {
        for (text, allowed) in [
            ("http://localhost/", true),
            ("http://127.1.2.3/", true),
            ("http://[::1]/", true),
            ("https://appsmail.ru/", true),
            ("http://appsmail.ru/", false),
            ("http://localhost.example/", false),
            ("http://10.0.0.1/", false),
        ] {
            let address = Address::parse("api_url", text).expect(text);
            assert_eq!(address.refuse_plain_http("api_url").is_ok(), allowed, "{text}");
        }
    }

    #[test]
    fn large_texts_can_be_left() {
        let large = "я &".repeat(200_000);
        let parameters = || [("a", large.as_str()), ("b c", "d")].into_iter();
        let checkpoints = std::cell::Cell::new(0);
        let counted = || {
            checkpoints.set(checkpoints.get() + 1);
            Ok(())
        };
        let length = encoded_length(parameters(), &counted).expect("not ended");
        let made = encoded(parameters(), length, &counted).expect("memory");
        assert_eq!((made.len(), made.capacity()), (length, length));
        assert!(checkpoints.get() >= 6, "{} checkpoints", checkpoints.get());
        let ended = || Err(Failure::argument("test", "is over"));
        assert!(encoded_length(parameters(), &ended).is_err() && encoded(parameters(), length, &ended).is_err());
        assert_eq!(*encoded([("a", "b")].into_iter(), 3, &ended).expect("small"), "a=b");
    }

    #[test]
    fn lengths_are_exact() {
        let every_byte: String = (0..=0x7ff).filter_map(char::from_u32).collect();
        for parameters in [vec![], vec![("", "")], vec![("a", &*every_byte)], vec![(&*every_byte, "я"), ("b", "~.-_ ")]]
        {
            let length = encoded_length(parameters.iter().copied(), &no_checkpoint).expect("not ended");
            let mut text = String::new();
            encode_into(&mut text, parameters.iter().copied(), &no_checkpoint).expect("not ended");
            assert_eq!(text.len(), length, "{parameters:?}");
        }
    }

    #[test]
    fn queries_are_percent_encoded_utf8() {
        let parameters = || [("a b", "Я&=+/~")].into_iter();
        let length = encoded_length(parameters(), &no_checkpoint).expect("not ended");
        for base in ["https://appsmail.ru", "https://appsmail.ru/api"] {
            let address = Address::parse("api_url", base).expect("valid");
            let full = address.with_query(parameters(), length);
            let path = full.strip_prefix("https://appsmail.ru").expect("the server");
            assert!(path.ends_with("?a%20b=%D0%AF%26%3D%2B%2F~") && path.starts_with('/'), "{path}");
            assert_eq!(address.request_line(length), format!("GET {path} HTTP/1.1").len());
        }
    }
}
