//! The options of a session: names, defaults, ranges and checks.
#![forbid(unsafe_code)]

use std::time::Duration;

use serde_json::value::RawValue;

use crate::address::Address;
use crate::error::{Failure, Outcome};
use crate::json::{Text, members};
use crate::secret::Secret;

/// Which certificate authorities are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsRoots {
    /// Mozilla's list, built into the library.
    WebPki,
    /// Those of the operating system.
    System,
}

/// Checked options; [`Options::default`] is the result of an empty object.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether any JSON body counts as success.
    pub pass_error: bool,
    /// The address of signed calls.
    pub api_url: Address,
    /// The base address of the public pages.
    pub public_url: Address,
    /// The address of token requests; `None`: the grant's own.
    pub token_url: Option<Address>,
    /// Sent to the authorization server as `client_secret`; empty: one of the keys.
    pub client_secret: Secret,
    /// A token session's refresh token.
    pub refresh_token: Secret,
    /// The remaining life of a token session's access token, in seconds.
    pub expires_in: Option<u64>,
    /// A file through which processes share tokens.
    pub token_file: Option<String>,
    /// Whether tokens are renewed without a call of `mailru_authorize`.
    pub auto_refresh: bool,
    /// The time limit of a whole call.
    pub timeout: Duration,
    /// The time limit of making one connection.
    pub connect_timeout: Duration,
    /// The maximum number of retries of a failed request.
    pub retries: u32,
    /// The pause before the first retry; later ones are longer.
    pub retry_delay: Duration,
    /// The largest answer, after decompression.
    pub max_response_bytes: u64,
    /// The longest request line sent as GET.
    pub get_limit: usize,
    /// The maximum number of unused connections that are kept open.
    pub max_idle_connections: usize,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// A proxy's address, or `env`.
    pub proxy: Option<Secret>,
    /// The trusted certificate authorities.
    pub tls_roots: TlsRoots,
    /// A PEM file of certificate authorities to trust instead.
    pub ca_file: Option<String>,
    /// The maximum number of calls that begin in a second, for all sessions of the application together.
    pub max_calls_per_second: Option<f64>,
    /// Whether callbacks run only on the thread that sets them, inside its calls.
    pub callbacks_in_calls: bool,
    /// Whether plain http to other machines is allowed.
    pub allow_http: bool,
}

macro_rules! options {
    ($($name:literal = $default:literal, $meaning:literal;)*) => {
        /// The name, the default and the meaning of each option, as documented.
        pub const DOCUMENTED: &[(&str, &str, &str)] = &[$(($name, $default, $meaning)),*];
    };
}
include!("option_names.in");

/// The longest time limit; a larger number is more likely a mistake.
pub const LONGEST_MS: u64 = 1 << 40;

/// The longest request line sent as GET, whatever `get_limit` says: the HTTP library refuses an address of 64 KiB, and
/// a POST does the same.
const LONGEST_LINE: u64 = 60_000;

impl Default for Options {
    fn default() -> Options {
        let address = |name| {
            let text = DOCUMENTED.iter().find(|row| row.0 == name).expect("an address is documented").1;
            Address::parse(name, text).expect("a documented address is valid")
        };
        Options {
            pass_error: false,
            api_url: address("api_url"),
            public_url: address("public_url"),
            token_url: None,
            client_secret: Secret::default(),
            refresh_token: Secret::default(),
            expires_in: None,
            token_file: None,
            auto_refresh: true,
            timeout: Duration::from_millis(30_000),
            connect_timeout: Duration::from_millis(10_000),
            retries: 2,
            retry_delay: Duration::from_millis(200),
            max_response_bytes: 16_777_216,
            get_limit: 4096,
            max_idle_connections: 16,
            user_agent: concat!("mailru/", env!("CARGO_PKG_VERSION")).to_owned(),
            proxy: None,
            tls_roots: TlsRoots::WebPki,
            ca_file: None,
            max_calls_per_second: None,
            callbacks_in_calls: false,
            allow_http: false,
        }
    }
}

impl Options {
    /// Reads the options object strictly; `None` and the empty string give the defaults.
    pub fn parse(options_json: Option<&str>) -> Outcome<Options> {
        let mut options = Options::default();
        let json = options_json.filter(|json| !json.is_empty()).unwrap_or("{}");
        for (name, raw) in members("options_json", json)? {
            let value = Value { name: &name, raw };
            if raw.get() == "null" {
                known(&name)?;
                continue;
            }
            match name.as_ref() {
                "pass_error" => options.pass_error = value.flag()?,
                "api_url" => options.api_url = value.address()?,
                "public_url" => options.public_url = value.address()?,
                "token_url" => options.token_url = Some(value.address()?),
                "client_secret" => options.client_secret = value.secret()?,
                "refresh_token" => options.refresh_token = value.secret()?,
                "expires_in" => options.expires_in = Some(value.number(0, LONGEST_MS / 1000)?),
                "token_file" => options.token_file = Some(value.text()?),
                "auto_refresh" => options.auto_refresh = value.flag()?,
                "timeout_ms" => options.timeout = Duration::from_millis(value.number(1, LONGEST_MS)?),
                "connect_timeout_ms" => options.connect_timeout = Duration::from_millis(value.number(1, LONGEST_MS)?),
                "retries" => options.retries = value.number(0, 100)? as u32,
                "retry_delay_ms" => options.retry_delay = Duration::from_millis(value.number(0, 3_600_000)?),
                "max_response_bytes" => options.max_response_bytes = value.number(1, 1 << 40)?,
                "get_limit" => options.get_limit = value.number(0, 1 << 40)?.min(LONGEST_LINE) as usize,
                "max_idle_connections" => options.max_idle_connections = value.number(0, 10_000)? as usize,
                "user_agent" => options.user_agent = value.header()?,
                "proxy" => options.proxy = Some(value.secret()?),
                "tls_roots" => options.tls_roots = value.roots()?,
                "ca_file" => options.ca_file = Some(value.text()?),
                "max_calls_per_second" => options.max_calls_per_second = Some(value.rate()?),
                "callbacks_in_calls" => options.callbacks_in_calls = value.flag()?,
                "allow_http" => options.allow_http = value.flag()?,
                _ => known(&name)?,
            }
        }
        options.check_addresses()?;
        Ok(options)
    }

    fn check_addresses(&self) -> Outcome<()> {
        if self.allow_http {
            return Ok(());
        }
        self.api_url.refuse_plain_http("api_url")?;
        self.public_url.refuse_plain_http("public_url")?;
        self.token_url.iter().try_for_each(|address| address.refuse_plain_http("token_url"))
    }
}

fn known(name: &str) -> Outcome<()> {
    if DOCUMENTED.iter().any(|row| row.0 == name) {
        return Ok(());
    }
    let names: Vec<_> = DOCUMENTED.iter().map(|row| row.0).collect();
    Err(Failure::argument(name, format!("unknown option; known options: {}", names.join(", "))))
}

/// One option's value. Error messages name the option and never show the value, which may be secret.
struct Value<'a> {
    name: &'a str,
    raw: &'a RawValue,
}

impl Value<'_> {
    fn wrong(&self, right: &str) -> Failure {
        Failure::argument(self.name, format!("must be {right}"))
    }

    fn flag(&self) -> Outcome<bool> {
        serde_json::from_str(self.raw.get()).map_err(|_| self.wrong("true or false"))
    }

    fn number(&self, least: u64, most: u64) -> Outcome<u64> {
        let number: Option<u64> = serde_json::from_str(self.raw.get()).ok();
        number
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| self.wrong(&format!("a whole number from {least} to {most}")))
    }

    fn rate(&self) -> Outcome<f64> {
        let number: Option<f64> = serde_json::from_str(self.raw.get()).ok();
        number
            .filter(|number| (0.001..=1_000_000.0).contains(number))
            .ok_or_else(|| self.wrong("a number from 0.001 to 1000000"))
    }

    fn text(&self) -> Outcome<String> {
        let text: Option<Text> = serde_json::from_str(self.raw.get()).ok();
        text.map(|text| text.0.into_owned())
            .filter(|text| !text.is_empty())
            .ok_or_else(|| self.wrong("a non-empty string"))
    }

    fn secret(&self) -> Outcome<Secret> {
        let text: Option<Text> = serde_json::from_str(self.raw.get()).ok();
        text.map(|text| Secret::taken(text.0)).ok_or_else(|| self.wrong("a string"))
    }

    fn address(&self) -> Outcome<Address> {
        Address::parse(self.name, &self.text()?)
    }

    fn header(&self) -> Outcome<String> {
        let text = self.text()?;
        let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        printable.then_some(text).ok_or_else(|| self.wrong("printable ASCII characters"))
    }

    fn roots(&self) -> Outcome<TlsRoots> {
        match self.text().as_deref() {
            Ok("webpki") => Ok(TlsRoots::WebPki),
            Ok("system") => Ok(TlsRoots::System),
            _ => Err(self.wrong("\"webpki\" or \"system\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wrong value for each option, which also shows that each documented name is read.
    #[test]
    fn wrong_values_name_the_option() {
        for (name, default, _) in DOCUMENTED {
            let wrong = if ["true", "false"].contains(default) { "\"yes\"" } else { "[]" };
            let json = format!("{{\"{name}\":{wrong}}}");
            let failure = Options::parse(Some(&json)).expect_err(name).into_json();
            assert!(failure.contains(&format!("\"argument\":\"{name}\"")), "{failure}");
            let null = format!("{{\"{name}\":null}}");
            assert!(Options::parse(Some(&null)).is_ok(), "{name}: null means not given");
        }
    }

    /// Each documented default, given as a value, changes nothing.
    #[test]
    fn documented_defaults_are_the_defaults() {
        let defaults = Options::default();
        for (name, default, _) in DOCUMENTED {
            let value = match *default {
                "none" | "the grant's own" | "secret_key, else private_key" => "null".to_owned(),
                "true" | "false" => (*default).to_owned(),
                number if number.parse::<u64>().is_ok() => number.to_owned(),
                text => format!("\"{}\"", text.replace("<version>", env!("CARGO_PKG_VERSION"))),
            };
            let given = Options::parse(Some(&format!("{{\"{name}\":{value}}}"))).expect(name);
            assert_eq!(format!("{given:?}"), format!("{defaults:?}"), "{name}, whose documented default is {default}");
        }
        assert!(defaults.client_secret.is_empty() && defaults.refresh_token.is_empty());
        let Options { token_url, expires_in, proxy, ca_file, .. } = defaults;
        assert!(token_url.is_none() && expires_in.is_none() && proxy.is_none() && ca_file.is_none());
    }

    #[test]
    fn out_of_range_and_unknown() {
        for (json, named) in [
            (r#"{"timeout_ms":0}"#, "timeout_ms"),
            (r#"{"timeout_ms":-1}"#, "timeout_ms"),
            (r#"{"timeout_ms":1.5}"#, "timeout_ms"),
            (r#"{"timeout_ms":18446744073709551616}"#, "timeout_ms"),
            (r#"{"connect_timeout_ms":0}"#, "connect_timeout_ms"),
            (r#"{"retries":101}"#, "retries"),
            (r#"{"max_response_bytes":0}"#, "max_response_bytes"),
            (r#"{"user_agent":"a\r\nb"}"#, "user_agent"),
            (r#"{"tls_roots":"none"}"#, "tls_roots"),
            (r#"{"max_calls_per_second":0}"#, "max_calls_per_second"),
            (r#"{"max_calls_per_second":-1}"#, "max_calls_per_second"),
            (r#"{"max_calls_per_second":1e7}"#, "max_calls_per_second"),
            (r#"{"max_calls_per_second":"5"}"#, "max_calls_per_second"),
            (r#"{"api_url":"http://example.org"}"#, "api_url"),
            (r#"{"timeout":1}"#, "timeout"),
            (r#"{"pass_error":true,"pass_error":true}"#, "pass_error"),
            ("[]", "options_json"),
        ] {
            let failure = Options::parse(Some(json)).expect_err(json).into_json();
            assert!(failure.contains(&format!("\"argument\":\"{named}\"")), "{failure}");
        }
        assert!(Options::parse(Some(r#"{"unknown":null}"#)).is_err());
        assert!(Options::parse(Some(r#"{"api_url":"http://example.org","allow_http":true}"#)).is_ok());
    }

    #[test]
    fn secrets_are_not_shown() {
        let options = Options::parse(Some(
            r#"{"client_secret":"hunter2","refresh_token":"hunter2","proxy":"http://u:hunter2@h"}"#,
        ));
        assert!(!format!("{options:?}").contains("hunter2"));
        let failure = Options::parse(Some(r#"{"client_secret":["hunter2"]}"#)).expect_err("not a string").into_json();
        assert!(!failure.contains("hunter2"));
    }
}
