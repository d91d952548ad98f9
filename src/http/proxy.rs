//! The option `proxy`: an address, or where the environment names one.
#![forbid(unsafe_code)]

use std::env;

use ureq::{Proxy, ProxyProtocol};

use crate::error::{Failure, Outcome};
use crate::secret::Secret;

/// The variables that name a proxy; the first that is not empty counts.
const VARIABLES: [&str; 6] = ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// The proxy that the option asks for. No message repeats its text, which may hold a password.
pub fn chosen(option: Option<&Secret>) -> Outcome<Option<Proxy>> {
    match option.map(Secret::expose) {
        None => Ok(None),
        Some("env") => from_environment(),
        Some(address) => match parsed(address, &[]) {
            Some(proxy) => Ok(Some(proxy)),
            None => Err(Failure::argument(
                "proxy",
                "must be http://host:port or socks5://host:port, with user:password@ before the host where the \
                 proxy wants it (percent-encoded), or \"env\"",
            )),
        },
    }
}

fn from_environment() -> Outcome<Option<Proxy>> {
    // To a program that a web server runs, this variable comes from whoever sends the request.
    let is_ours = |name: &&str| *name != "HTTP_PROXY" || env::var_os("REQUEST_METHOD").is_none();
    let named = VARIABLES.into_iter().filter(is_ours).find_map(|name| {
        let address = env::var(name).ok().filter(|address| !address.is_empty())?;
        Some((name, address))
    });
    let Some((name, address)) = named else { return Ok(None) };
    let exceptions = env::var("NO_PROXY").or_else(|_| env::var("no_proxy")).unwrap_or_default();
    let exceptions: Vec<_> = exceptions.split(',').map(str::trim).filter(|text| !text.is_empty()).collect();
    let address = if address.contains("://") { address } else { format!("http://{address}") };
    match parsed(&address, &exceptions) {
        Some(proxy) => Ok(Some(proxy)),
        None => Err(Failure::argument(
            "proxy",
            format!("{name} in the environment must be http://host:port or socks5://host:port"),
        )),
    }
}

/// Reads an address strictly. The proxy looks up the server's name: it may be the only one who can.
fn parsed(address: &str, exceptions: &[&str]) -> Option<Proxy> {
    let (scheme, rest) = address.split_once("://")?;
    let protocol = match scheme.to_ascii_lowercase().as_str() {
        "http" => ProxyProtocol::Http,
        "socks5" | "socks5h" => ProxyProtocol::Socks5h,
        _ => return None,
    };
    if rest.strip_suffix('/').unwrap_or(rest).contains(['/', '?', '#']) {
        return None;
    }
    let given = Proxy::new(address).ok()?;
    let after_host = rest.rsplit_once('@').map_or(rest, |(_, host)| host).strip_prefix(given.host())?;
    let port = after_host.strip_suffix('/').unwrap_or(after_host);
    let port_is_good = port.is_empty() || port.strip_prefix(':')?.parse::<u16>().is_ok_and(|port| port > 0);
    if given.host().is_empty() || !port_is_good {
        return None;
    }
    if protocol == ProxyProtocol::Socks5h && !login_fits_socks(&given) {
        return None;
    }
    let mut proxy = Proxy::builder(protocol).host(given.host()).port(given.port()).resolve_target(false);
    if let Some(name) = given.username() {
        proxy = proxy.username(name);
    }
    if let Some(password) = given.password() {
        proxy = proxy.password(password);
    }
    exceptions.iter().fold(proxy, |proxy, exception| proxy.no_proxy(exception)).build().ok()
}

/// SOCKS sends the length of each in one byte, and leaves neither out.
fn login_fits_socks(proxy: &Proxy) -> bool {
    let fits = |text: &str| (1..=usize::from(u8::MAX)).contains(&text.len());
    match (proxy.username(), proxy.password()) {
        (None, None) => true,
        (Some(name), Some(password)) => fits(name) && fits(password),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (address, host, port) in [
            ("http://proxy.example:3128", "proxy.example", 3128),
            ("http://proxy.example", "proxy.example", 80),
            ("HTTP://proxy.example:3128/", "proxy.example", 3128),
            ("socks5://127.0.0.1", "127.0.0.1", 1080),
            ("socks5h://[::1]:9050", "[::1]", 9050),
            ("socks5://u%40x:p%3A%2F@h:1", "h", 1),
        ] {
            let proxy = parsed(address, &[]).expect(address);
            assert_eq!((proxy.host(), proxy.port()), (host, port), "{address}");
            assert!(!proxy.resolve_target(), "{address}");
        }
        let proxy = parsed("socks5://u%40x:p%3A%2F@h:1", &[]).expect("valid");
        assert_eq!((proxy.username(), proxy.password()), (Some("u@x"), Some("p:/")));
        for wrong in [
            "",
            "proxy.example:3128",
            "https://proxy.example",
            "socks4://proxy.example",
            "socks://proxy.example",
            "http://",
            "http://:3128",
            "http://h:0",
            "http://h:99999",
            "http://h:x",
            "http://h:1/path",
            "http://h:1?query",
            "http://h h:1",
            "socks5://user@h:1",
            "socks5://user:@h:1",
            "http://u:p%ff@h:1",
            "http://пример:1",
        ] {
            assert!(parsed(wrong, &[]).is_none(), "{wrong}");
        }
    }

    #[test]
    fn refusals_name_the_option_and_show_nothing() {
        let failure = chosen(Some(&Secret::new("socks4://u:hunter2@h"))).expect_err("no such kind").into_json();
        assert!(failure.contains("\"argument\":\"proxy\"") && !failure.contains("hunter2"), "{failure}");
    }
}
