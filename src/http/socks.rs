//! SOCKS 5 proxies (RFC 1928, with the user name and password of RFC 1929).
//!
//! ureq's own client of this protocol opens its own socket, which a cancelled call could not shut down.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::IpAddr;

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const LOGIN: u8 = 2;
const LOGIN_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Why the proxy did not connect.
pub enum ProxyError {
    /// The connection to the proxy failed.
    Io(io::Error),
    /// The proxy failed or refused, with the reason; `true` if that may be transient.
    Refused(String, bool),
}

impl From<io::Error> for ProxyError {
    fn from(error: io::Error) -> ProxyError {
        ProxyError::Io(error)
    }
}

fn refused(what: &str, transient: bool) -> ProxyError {
    ProxyError::Refused(what.to_owned(), transient)
}

/// Makes the proxy at the other end connect to a server, whose name the proxy looks up.
pub fn connect(
    stream: &mut (impl Read + Write),
    login: Option<(&str, &str)>,
    host: &str,
    port: u16,
) -> Result<(), ProxyError> {
    let offer: &[u8] = if login.is_some() { &[VERSION, 2, NO_LOGIN, LOGIN] } else { &[VERSION, 1, NO_LOGIN] };
    stream.write_all(offer)?;
    match (read::<2>(stream)?, login) {
        ([VERSION, NO_LOGIN], _) => {}
        ([VERSION, LOGIN], Some((name, password))) => log_in(stream, name, password)?,
        ([VERSION, _], None) => return Err(refused("requires a user name and password", false)),
        ([VERSION, _], Some(_)) => return Err(refused("does not accept a user name and password", false)),
        _ => return Err(refused("does not speak SOCKS 5", false)),
    }
    stream.write_all(&request(host, port)?)?;
    // The answer contains an address, which is not needed.
    let [version, reply, _, kind] = read(stream)?;
    if version != VERSION {
        return Err(refused("does not speak SOCKS 5", false));
    }
    if let Some(reply_error) = reply_error(reply) {
        return Err(reply_error);
    }
    let length = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => usize::from(read::<1>(stream)?[0]),
        _ => return Err(refused("answered with an address of an unknown kind", false)),
    };
    let mut address = [0; u8::MAX as usize + 2];
    stream.read_exact(&mut address[..length + 2])?;
    Ok(())
}

fn read<const LENGTH: usize>(stream: &mut impl Read) -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn log_in(stream: &mut (impl Read + Write), name: &str, password: &str) -> Result<(), ProxyError> {
    let mut message = zeroize::Zeroizing::new(vec![LOGIN_VERSION]);
    for text in [name, password] {
        let length = u8::try_from(text.len())
            .map_err(|_| refused("does not accept a user name or password of this length", false))?;
        message.push(length);
        message.extend_from_slice(text.as_bytes());
    }
    stream.write_all(&message)?;
    match read(stream)? {
        [LOGIN_VERSION, 0] => Ok(()),
        _ => Err(refused("refused the user name or password", false)),
    }
}

fn request(host: &str, port: u16) -> Result<Vec<u8>, ProxyError> {
    let mut message = vec![VERSION, CONNECT, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            message.push(IPV4);
            message.extend_from_slice(&address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            message.push(IPV6);
            message.extend_from_slice(&address.octets());
        }
        Err(_) => {
            let length =
                u8::try_from(host.len()).map_err(|_| refused("does not accept a host name of this length", false))?;
            message.extend_from_slice(&[NAME, length]);
            message.extend_from_slice(host.as_bytes());
        }
    }
    message.extend_from_slice(&port.to_be_bytes());
    Ok(message)
}

fn reply_error(reply: u8) -> Option<ProxyError> {
    let (what, transient) = match reply {
        0 => return None,
        1 => ("failed", true),
        2 => ("does not allow this connection", false),
        3 => ("could not reach the server's network", true),
        4 => ("could not reach the server, or find its name", true),
        5 => ("was refused by the server", true),
        6 => ("could not reach the server in time", true),
        7 => ("does not support connecting", false),
        8 => ("does not support this kind of address", false),
        _ => ("failed for a reason that SOCKS does not define", false),
    };
    Some(refused(what, transient))
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
            // One byte at a time, as on a slow network.
            let most = buffer.len().min(1);
            self.says.read(&mut buffer[..most])
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

    fn talk(says: &[u8], login: Option<(&str, &str)>, host: &str) -> (Result<(), String>, Vec<u8>) {
        let mut proxy = Scripted { says, heard: Vec::new() };
        let outcome = connect(&mut proxy, login, host, 443).map_err(|reply_error| match reply_error {
            ProxyError::Io(error) => error.kind().to_string(),
            ProxyError::Refused(what, _) => what,
        });
        (outcome, proxy.heard)
    }

    #[test]
    fn requests_follow_the_standard() {
        let (outcome, heard) = talk(b"\x05\0\x05\0\0\x01\x7f\0\0\x01\0\x50", None, "appsmail.ru");
        assert_eq!(outcome, Ok(()));
        assert_eq!(heard, b"\x05\x01\0\x05\x01\0\x03\x0bappsmail.ru\x01\xbb");
        let (outcome, heard) = talk(b"\x05\x02\x01\0\x05\0\0\x03\x02ab\0\x50", Some(("u", "pw")), "127.0.0.1");
        assert_eq!(outcome, Ok(()));
        assert_eq!(heard, b"\x05\x02\0\x02\x01\x01u\x02pw\x05\x01\0\x01\x7f\0\0\x01\x01\xbb");
        let (outcome, heard) = talk(&[b"\x05\0\x05\0\0\x04".as_slice(), &[0; 18]].concat(), None, "::1");
        assert_eq!(outcome, Ok(()));
        assert_eq!(&heard[3..7], b"\x05\x01\0\x04");
    }

    #[test]
    fn refusals_say_why() {
        for (says, login, reason) in [
            (b"\x05\xff".as_slice(), None, "requires a user name"),
            (b"\x05\xff", Some(("u", "p")), "does not accept a user name"),
            (b"\x05\x02\x01\x01", Some(("u", "p")), "refused the user name"),
            (b"\x04\x5b", None, "does not speak SOCKS 5"),
            (b"HTTP/1.1 400", None, "does not speak SOCKS 5"),
            (b"\x05\0\x05\x05\0\x01", None, "was refused by the server"),
            (b"\x05\0\x05\x02\0\x01", None, "does not allow"),
            (b"\x05\0\x05\x63\0\x01", None, "not define"),
            (b"\x05\0\x05\0\0\x09", None, "unknown kind"),
            (b"\x05\0\x05\0\0\x01\x7f", None, "unexpected end of file"),
            (b"", None, "unexpected end of file"),
        ] {
            let (outcome, _) = talk(says, login, "appsmail.ru");
            assert!(outcome.as_ref().is_err_and(|text| text.contains(reason)), "{says:?}: {outcome:?}");
        }
        let (outcome, _) = talk(b"\x05\0", None, &"x".repeat(256));
        assert!(outcome.is_err());
    }
}
