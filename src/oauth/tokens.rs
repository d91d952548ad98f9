//! A set of tokens, as the authorization server gives it and as the host stores it.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use serde_json::value::RawValue;

use crate::error::{Code, Failure, Outcome};
use crate::json::{LossyText, all_members};
use crate::secret::Secret;
use crate::signature::Circuit;

/// A token that lives shorter than this is renewed; of a short-lived one the last tenth is "short".
const MARGIN: Duration = Duration::from_secs(60);

/// A century, in seconds. What claims to live longer tells nothing of its end.
const LONGEST_LIFE: f64 = 100.0 * 365.0 * 86400.0;

/// What a session signs and is renewed with. Empty texts stand for "not known".
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    /// Sent as `session_key`.
    pub access_token: Secret,
    /// Buys the next set of tokens.
    pub refresh_token: Secret,
    /// The session user, who signs in the client-server circuit.
    pub uid: String,
    token_type: Option<String>,
    lifetime: Option<Lifetime>,
}

#[derive(Debug, Clone, Copy)]
struct Lifetime {
    seconds: u64,
    end: SystemTime,
}

impl Lifetime {
    fn from_now(seconds: u64) -> Lifetime {
        let now = SystemTime::now();
        let end = now.checked_add(Duration::from_secs(seconds)).unwrap_or(now + Duration::from_secs(u32::MAX.into()));
        Lifetime { seconds, end }
    }
}

impl Tokens {
    /// Tokens that the host gives; `expires_in` counts from now.
    pub fn given(access_token: &str, uid: &str, refresh_token: Secret, expires_in: Option<u64>) -> Tokens {
        Tokens {
            access_token: Secret::new(access_token),
            refresh_token,
            uid: uid.to_owned(),
            token_type: None,
            lifetime: expires_in.map(Lifetime::from_now),
        }
    }

    /// Whether the access token is known to be of no use any more.
    pub fn have_expired(&self) -> bool {
        self.lifetime.is_some_and(|lifetime| lifetime.end <= SystemTime::now())
    }

    /// Whether the access token has expired or is about to.
    pub fn want_renewal(&self) -> bool {
        self.lifetime.is_some_and(|lifetime| {
            let margin = MARGIN.min(Duration::from_secs(lifetime.seconds) / 10);
            lifetime.end <= SystemTime::now() + margin
        })
    }

    /// Reads the authorization server's answer, or the parameters of a redirect.
    ///
    /// Unknown members are ignored, a number may be a string, and what a renewal does not name is
    /// kept from the former set.
    pub fn read(members: &[(Cow<'_, str>, Cow<'_, str>)], former: &Tokens, needs_uid: bool) -> Outcome<Tokens> {
        let find = |name: &'static str| {
            members
                .iter()
                .find(|member| member.0 == name)
                .map(|member| member.1.as_ref())
                .filter(|text| !text.is_empty())
        };
        let missing = |name: &'static str| {
            Failure::new(Code::OauthError, format!("the authorization server's answer has no {name}")).field(name)
        };
        let access_token = find("access_token").ok_or_else(|| missing("access_token"))?;
        let uid = find("x_mailru_vid").unwrap_or(&former.uid);
        if needs_uid && uid.is_empty() {
            return Err(missing("x_mailru_vid").because("(the user's id, without which this session cannot sign)"));
        }
        let seconds = find("expires_in").and_then(|text| text.parse::<f64>().ok());
        let seconds = seconds.filter(|seconds| (0.0..=LONGEST_LIFE).contains(seconds));
        Ok(Tokens {
            access_token: Secret::new(access_token),
            refresh_token: find("refresh_token").map_or_else(|| former.refresh_token.clone(), Secret::new),
            uid: uid.to_owned(),
            token_type: find("token_type").map(str::to_owned).or_else(|| former.token_type.clone()),
            lifetime: seconds.map(|seconds| Lifetime::from_now(seconds as u64)),
        })
    }

    /// The tokens as JSON, for the host to store; `null` is unknown.
    pub fn to_json(&self, circuit: Option<Circuit>) -> String {
        let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let unix = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        json!({
            "access_token": known(self.access_token.expose()),
            "refresh_token": known(self.refresh_token.expose()),
            "expires_in": self.lifetime.map(|lifetime| lifetime.seconds),
            "expires_at": self.lifetime.map(|lifetime| unix(lifetime.end)),
            "uid": known(&self.uid),
            "token_type": self.token_type,
            "circuit": circuit.map(Circuit::name),
        })
        .to_string()
    }
}

/// The members of a JSON object that are strings or numbers, as texts.
pub fn flat_members(json: &str) -> Option<Vec<(Cow<'_, str>, Cow<'_, str>)>> {
    let text = |raw: &'_ RawValue| -> Option<String> {
        match raw.get().as_bytes()[0] {
            b'"' => serde_json::from_str::<LossyText>(raw.get()).ok().map(|text| text.0.into_owned()),
            b'-' | b'0'..=b'9' => Some(raw.get().to_owned()),
            _ => None,
        }
    };
    let members = all_members(json)?;
    Some(members.into_iter().filter_map(|(name, raw)| Some((name, Cow::Owned(text(raw)?)))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str, former: &Tokens, needs_uid: bool) -> Outcome<Tokens> {
        Tokens::read(&flat_members(json).expect("an object"), former, needs_uid)
    }

    #[test]
    fn answers_are_read_leniently() {
        for (expires_in, seconds) in [
            ("86400", Some(86400)),
            ("\"86400\"", Some(86400)),
            ("86400.0", Some(86400)),
            ("null", None),
            ("\"soon\"", None),
            ("-1", None),
            ("1e308", None),
            ("\"18446744073709551615\"", None),
            ("3153600001", None),
            ("3153600000", Some(3153600000)),
            ("\"inf\"", None),
            ("\"NaN\"", None),
        ] {
            let json = format!(r#"{{"new":{{"a":[]}},"access_token":"a","expires_in":{expires_in}}}"#);
            let tokens = read(&json, &Tokens::default(), false).expect("enough");
            assert_eq!(tokens.lifetime.map(|lifetime| lifetime.seconds), seconds, "{expires_in}");
        }
        let former = Tokens::given("old", "7", Secret::new("keep"), None);
        let renewed = read(r#"{"access_token":"new"}"#, &former, true).expect("the uid is known");
        assert_eq!((renewed.refresh_token.expose(), renewed.uid.as_str()), ("keep", "7"));
    }

    #[test]
    fn missing_fields_are_named() {
        for (json, field) in [
            ("{}", "access_token"),
            (r#"{"access_token":""}"#, "access_token"),
            (r#"{"access_token":"a"}"#, "x_mailru_vid"),
        ] {
            let failure = read(json, &Tokens::default(), true).expect_err(json).into_json();
            assert!(failure.contains(&format!("\"field\":\"{field}\"")), "{failure}");
        }
    }

    #[test]
    fn short_lives_have_short_margins() {
        let living = |seconds| Tokens::given("a", "", Secret::default(), Some(seconds));
        assert!(living(0).have_expired() && living(0).want_renewal());
        assert!(!living(30).want_renewal());
        assert!(!living(86400).want_renewal());
        assert!(!Tokens::given("a", "", Secret::default(), None).want_renewal());
    }
}
