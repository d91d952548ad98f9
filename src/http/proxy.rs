//! The option `proxy`: an address, or the environment's proxies and their exceptions.
#![forbid(unsafe_code)]

use std::env;
use std::net::IpAddr;

use ureq::http::Uri;
use ureq::{Proxy, ProxyProtocol};

use crate::address::{is_host, is_loopback, is_port};
use crate::environment;
use crate::error::{Failure, Outcome};
use crate::secret::Secret;

/// The proxies of a session.
#[derive(Debug, Default, PartialEq)]
pub struct Proxies {
    /// For https.
    secure: Option<Proxy>,
    /// For plain http.
    plain: Option<Proxy>,
    /// The exceptions, which use no proxy.
    exceptions: Vec<Exception>,
}

impl Proxies {
    /// The proxies that the option selects. No message contains its text, which may contain a password.
    ///
    /// The environment's proxy for plain http is read only if `allow_http` allows plain http to other machines.
    pub fn chosen(option: Option<&Secret>, allow_http: bool) -> Outcome<Proxies> {
        match option.map(Secret::expose) {
            None => Ok(Proxies::default()),
            Some("env") => Proxies::of_environment(
                |name| env::var(name).ok().filter(|_| environment::is_trusted()),
                cfg!(windows),
                allow_http,
            ),
            Some(address) => match parsed(address) {
                Some(proxy) => Ok(Proxies { secure: Some(proxy.clone()), plain: Some(proxy), exceptions: Vec::new() }),
                None => Err(Failure::argument(
                    "proxy",
                    "must be http://host:port or socks5://host:port, with user:password@ before the host where the \
                     proxy wants it (percent-encoded), or \"env\"",
                )),
            },
        }
    }

    fn of_environment(
        variable: impl Fn(&str) -> Option<String>,
        names_ignore_case: bool,
        allow_http: bool,
    ) -> Outcome<Proxies> {
        let first = |names: &[&'static str]| {
            names.iter().find_map(|name| Some((*name, variable(name).filter(|value| !value.is_empty())?)))
        };
        // In a CGI program HTTP_PROXY is the request's header `Proxy`, so it is never read. Where environment names
        // ignore case (Windows), http_proxy is the same variable and is not read in a CGI program either.
        let is_strangers = names_ignore_case && variable("REQUEST_METHOD").is_some();
        let plain: &[_] =
            if is_strangers { &["all_proxy", "ALL_PROXY"] } else { &["http_proxy", "all_proxy", "ALL_PROXY"] };
        let proxy = |named: Option<(&str, String)>| {
            let Some((name, address)) = named else { return Ok(None) };
            let address = if address.contains("://") { address } else { format!("http://{address}") };
            parsed(&address).map(Some).ok_or_else(|| {
                let problem = format!("{name} in the environment must be http://host:port or socks5://host:port");
                Failure::argument("proxy", problem)
            })
        };
        let exceptions = first(&["no_proxy", "NO_PROXY"]).map(|(_, list)| list).unwrap_or_default();
        Ok(Proxies {
            secure: proxy(first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]))?,
            plain: if allow_http { proxy(first(plain))? } else { None },
            exceptions: exceptions.split([',', ' ', '\t']).filter_map(Exception::parse).collect(),
        })
    }

    /// The proxy for an address.
    pub fn for_address(&self, address: &Uri) -> Option<&Proxy> {
        let host = address.host().unwrap_or_default();
        let is_secure = address.scheme_str() != Some("http");
        // A proxy would send the access token unencrypted out of this machine, and reach itself instead of this
        // machine.
        if !is_secure && is_loopback(host) {
            return None;
        }
        let proxy = if is_secure { &self.secure } else { &self.plain };
        let port = address.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        proxy.as_ref().filter(|_| !self.exceptions.iter().any(|exception| exception.covers(host, port)))
    }
}

/// An entry of `NO_PROXY`.
#[derive(Debug, PartialEq)]
struct Exception {
    whom: Target,
    port: Option<u16>,
}

#[derive(Debug, PartialEq)]
enum Target {
    All,
    /// A domain, in lower case, and its subdomains.
    Domain(String),
    /// Addresses with this prefix.
    Network(IpAddr, u32),
}

impl Exception {
    /// Reads an entry; an invalid one is ignored.
    fn parse(entry: &str) -> Option<Exception> {
        if entry == "*" {
            return Some(Exception { whom: Target::All, port: None });
        }
        if let Some((address, bits)) = entry.split_once('/') {
            let address = bare(address).parse::<IpAddr>().ok()?;
            let bits = bits.parse::<u32>().ok().filter(|bits| *bits <= width(address))?;
            return Some(Exception { whom: Target::Network(address, bits), port: None });
        }
        // A bare IPv6 address has colons, but no port.
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if entry.parse::<IpAddr>().is_err() && !entry.ends_with(']') => {
                (host, Some(port.parse().ok()?))
            }
            _ => (entry, None),
        };
        if let Ok(address) = bare(host).parse::<IpAddr>() {
            return Some(Exception { whom: Target::Network(address, width(address)), port });
        }
        let domain = host.strip_prefix('*').unwrap_or(host);
        let domain = domain.strip_prefix('.').unwrap_or(domain).trim_end_matches('.').to_ascii_lowercase();
        (!domain.is_empty()).then_some(Exception { whom: Target::Domain(domain), port })
    }

    fn covers(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|only| only != port) {
            return false;
        }
        match &self.whom {
            Target::All => true,
            Target::Domain(domain) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                host.strip_suffix(domain.as_str()).is_some_and(|front| front.is_empty() || front.ends_with('.'))
            }
            Target::Network(network, bits) => {
                bare(host).parse::<IpAddr>().is_ok_and(|address| has_prefix(address, *network, *bits))
            }
        }
    }
}

/// A host name or address without the brackets of an IPv6 address in a URL.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn has_prefix(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    };
    let rest = width(network) - bits;
    let differing = number(address) ^ number(network);
    width(address) == width(network) && differing.checked_shr(rest).unwrap_or(0) == 0
}

/// Reads a proxy address strictly. The proxy looks up the server's name, because this machine may not be able to.
fn parsed(address: &str) -> Option<Proxy> {
    let (scheme, rest) = address.split_once("://")?;
    let protocol = match scheme.to_ascii_lowercase().as_str() {
        "http" => ProxyProtocol::Http,
        "socks5" | "socks5h" => ProxyProtocol::Socks5h,
        _ => return None,
    };
    if rest.strip_suffix('/').unwrap_or(rest).contains(['/', '?', '#', '\\']) {
        return None;
    }
    let given = Proxy::new(address).ok()?;
    let after_host = rest.rsplit_once('@').map_or(rest, |(_, host)| host).strip_prefix(given.host())?;
    if !is_host(given.host()) || !is_port(after_host.strip_suffix('/').unwrap_or(after_host)) {
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
    proxy.build().ok()
}

/// SOCKS sends the length of each in one byte, and requires both.
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
            let proxy = parsed(address).expect(address);
            assert_eq!((proxy.host(), proxy.port()), (host, port), "{address}");
            assert!(!proxy.resolve_target(), "{address}");
        }
        let proxy = parsed("socks5://u%40x:p%3A%2F@h:1").expect("valid");
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
            "http://h:+3128",
            "http://[127.0.0.1]:3128",
            "http://[h]:3128",
            "http://h:1/path",
            "http://h:1?query",
            "http://h:1\\@h",
            "http://h h:1",
            "socks5://user@h:1",
            "socks5://user:@h:1",
            "http://u:p%ff@h:1",
            "http://пример:1",
        ] {
            assert!(parsed(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn refusals_name_the_option_and_show_nothing() {
        let option = Secret::new("socks4://u:hunter2@h");
        let failure = Proxies::chosen(Some(&option), false).expect_err("no such kind").into_json();
        assert!(failure.contains("\"argument\":\"proxy\"") && !failure.contains("hunter2"), "{failure}");
    }

    /// The proxies of an environment; `windows` if its names ignore case.
    fn named(environment: &[(&str, &str)], windows: bool) -> Outcome<Proxies> {
        let same = |one: &str, other: &str| if windows { one.eq_ignore_ascii_case(other) } else { one == other };
        let variable =
            |name: &str| environment.iter().find(|(known, _)| same(known, name)).map(|(_, value)| (*value).to_owned());
        Proxies::of_environment(variable, windows, true)
    }

    fn host(proxies: &Proxies, address: &str) -> Option<String> {
        proxies.for_address(&address.parse().expect(address)).map(|proxy| proxy.host().to_owned())
    }

    #[test]
    fn each_scheme_has_its_variables() {
        for (environment, secure, plain) in [
            (&[("https_proxy", "a")][..], Some("a"), None),
            (&[("HTTPS_PROXY", "a")], Some("a"), None),
            (&[("https_proxy", ""), ("HTTPS_PROXY", "a")], Some("a"), None),
            (&[("HTTPS_PROXY", "b"), ("https_proxy", "a")], Some("a"), None),
            (&[("http_proxy", "a")], None, Some("a")),
            (&[("HTTP_PROXY", "a")], None, None),
            (&[("all_proxy", "a")], Some("a"), Some("a")),
            (&[("ALL_PROXY", "a")], Some("a"), Some("a")),
            (&[("ALL_PROXY", "b"), ("all_proxy", "a")], Some("a"), Some("a")),
            (&[("ALL_PROXY", "c"), ("HTTPS_PROXY", "a"), ("http_proxy", "b")], Some("a"), Some("b")),
            (&[("ALL_PROXY", "socks5://c"), ("HTTPS_PROXY", "http://a:1")], Some("a"), Some("c")),
            (&[("NO_PROXY", "*")], None, None),
        ] {
            let proxies = named(environment, false).expect("valid");
            let found = (host(&proxies, "https://x.example/"), host(&proxies, "http://x.example/"));
            assert_eq!((found.0.as_deref(), found.1.as_deref()), (secure, plain), "{environment:?}");
        }
        for unusable in ["https://a", "socks4://a", "http://", "a:b"] {
            let failure = named(&[("https_proxy", unusable)], false).expect_err(unusable).into_json();
            assert!(failure.contains("https_proxy"), "{failure}");
        }
        // An unneeded variable may be invalid.
        let variable = |name: &str| (name == "http_proxy").then(|| "https://a".to_owned());
        assert!(Proxies::of_environment(variable, false, false).is_ok());
    }

    #[test]
    fn a_request_header_names_no_proxy() {
        let environment = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "evil"), ("HTTPS_PROXY", "a")];
        for windows in [false, true] {
            let proxies = named(&environment, windows).expect("valid");
            assert_eq!(host(&proxies, "http://x.example/"), None);
            assert_eq!(host(&proxies, "https://x.example/").as_deref(), Some("a"));
        }
        // Outside of CGI the variable is this machine's own.
        assert_eq!(host(&named(&environment[1..], true).expect("valid"), "http://x.example/").as_deref(), Some("evil"));
        let environment = [("REQUEST_METHOD", "GET"), ("http_proxy", "a")];
        assert_eq!(host(&named(&environment, false).expect("valid"), "http://x.example/").as_deref(), Some("a"));
    }

    #[test]
    fn exceptions() {
        for (list, address, excepted) in [
            ("example.org", "https://example.org/", true),
            ("example.org", "https://EXAMPLE.org./", true),
            ("EXAMPLE.ORG.", "https://api.example.org/", true),
            ("example.org", "https://a.b.example.org:8443/", true),
            ("example.org", "https://notexample.org/", false),
            ("example.org", "https://example.org.evil.example/", false),
            (".example.org", "https://a.example.org/", true),
            (".example.org", "https://example.org/", true),
            ("*.example.org", "https://a.example.org/", true),
            ("*", "https://example.org/", true),
            ("a, b\texample.org,,  c", "https://example.org/", true),
            ("a example.org", "https://example.org/", true),
            ("", "https://example.org/", false),
            (" , ,", "https://example.org/", false),
            ("example.org:443", "https://example.org/", true),
            ("example.org:443", "https://a.example.org/", true),
            ("example.org:80", "https://example.org/", false),
            ("example.org:80", "http://example.org/", true),
            ("example.org:8443", "https://example.org:8443/", true),
            ("example.org:", "https://example.org/", false),
            ("10.0.0.1", "https://10.0.0.1/", true),
            ("10.0.0.1", "https://10.0.0.11/", false),
            ("10.0.0.1:8443", "https://10.0.0.1:8443/", true),
            ("10.0.0.1:8443", "https://10.0.0.1/", false),
            ("10.0.0.0/8", "https://10.255.1.2/", true),
            ("10.0.0.0/8", "https://11.0.0.1/", false),
            ("10.1.2.3/8", "https://10.255.1.2/", true),
            ("0.0.0.0/0", "https://8.8.8.8/", true),
            ("0.0.0.0/0", "https://[2001:db8::1]/", false),
            ("0.0.0.0/0", "https://example.org/", false),
            ("10.0.0.1/32", "https://10.0.0.1/", true),
            ("10.0.0.1/32", "https://10.0.0.0/", false),
            ("10.0.0.0/33", "https://10.0.0.1/", false),
            ("10.0.0.0/", "https://10.0.0.1/", false),
            ("example.org/8", "https://example.org/", false),
            ("192.168.128.0/17", "https://192.168.200.1/", true),
            ("192.168.128.0/17", "https://192.168.100.1/", false),
            ("2001:db8::/32", "https://[2001:db8:1::1]/", true),
            ("2001:db8::/32", "https://[2001:db9::1]/", false),
            ("::/0", "https://[2001:db9::1]/", true),
            ("2001:db8::1", "https://[2001:DB8:0::1]:8443/", true),
            ("[2001:db8::1]", "https://[2001:db8::1]/", true),
            ("[2001:db8::1]:443", "https://[2001:db8::1]/", true),
            ("[2001:db8::1]:8443", "https://[2001:db8::1]/", false),
            ("[2001:db8::]/32", "https://[2001:db8::7]/", true),
        ] {
            let proxies = named(&[("no_proxy", list), ("all_proxy", "a")], false).expect("valid");
            assert_eq!(host(&proxies, address).is_none(), excepted, "{list} and {address}");
        }
        let proxies =
            named(&[("no_proxy", ""), ("NO_PROXY", "example.org"), ("all_proxy", "a")], false).expect("valid");
        assert_eq!(host(&proxies, "https://example.org/"), None, "an empty option means not given");
    }

    #[test]
    fn plain_http_to_this_machine_goes_past_any_proxy() {
        let proxies = Proxies::chosen(Some(&Secret::new("http://a:1")), false).expect("valid");
        for (address, past) in [
            ("http://127.0.0.1/", true),
            ("http://127.9.9.9:8080/", true),
            ("http://localhost/", true),
            ("http://LocalHost:1/", true),
            ("http://[::1]:1/", true),
            ("https://127.0.0.1/", false),
            ("https://localhost/", false),
            ("http://10.0.0.1/", false),
            ("http://localhost.example/", false),
        ] {
            assert_eq!(host(&proxies, address).is_none(), past, "{address}");
        }
    }
}
