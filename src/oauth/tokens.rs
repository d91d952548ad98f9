//! A set of tokens, as issued by the authorization server and as stored by the host.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::json_object::JsonObject;
use super::now::Now;
use crate::error::{Code, Failure, Outcome};
use crate::json::{LossyText, members};
use crate::secret::Secret;
use crate::signature::Circuit;

/// A token is renewed this long before its end; a short-lived one in the last tenth of its life.
const MARGIN: Duration = Duration::from_secs(60);
/// A century, in seconds. A longer life means that the end is unknown.
const LONGEST_LIFE: f64 = 100.0 * 365.0 * 86400.0;

/// A set of tokens. Empty texts mean unknown.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    /// Sent as `session_key`.
    pub access_token: Secret,
    /// Exchanged for the next set of tokens.
    pub refresh_token: Secret,
    /// The session user, who signs in the client-server circuit.
    pub uid: String,
    token_type: Option<String>,
    lifetime: Option<Lifetime>,
    accepted: Accepted,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Lifetime {
    seconds: u64,
    /// Since 1970.
    end: Duration,
}

/// The calls with these tokens that the platform accepted. A clone starts without any, because it may be changed.
#[derive(Debug, Default)]
struct Accepted {
    /// When the last of them began, in milliseconds of [`Now::steady`] plus 1; 0 means none.
    last: AtomicU64,
    /// The hashes of accepted calls, each in the slot that its hash selects.
    calls: [AtomicU64; 16],
}

impl Clone for Accepted {
    fn clone(&self) -> Accepted {
        Accepted::default()
    }
}

impl Accepted {
    fn slot(&self, call: u64) -> &AtomicU64 {
        &self.calls[call as usize % self.calls.len()]
    }
}

fn millis(steady: Duration) -> u64 {
    steady.as_millis() as u64 + 1
}

/// Why an answer is not a complete set of tokens, and the tokens in it that must not be lost.
#[derive(Debug)]
pub struct Incomplete {
    /// The missing or wrong field.
    pub failure: Failure,
    /// The previous set, updated with the fields of the answer.
    pub partial: Option<Box<Tokens>>,
}

impl Tokens {
    /// Tokens given by the host; `expires_in` counts from now, 0 means an expired token.
    pub fn given(access_token: Secret, uid: &str, refresh_token: Secret, expires_in: Option<u64>, now: Now) -> Tokens {
        let lifetime = expires_in.map(|seconds| Lifetime::from_now(seconds, now));
        Tokens { access_token, refresh_token, uid: uid.to_owned(), lifetime, ..Tokens::default() }
    }

    /// The same tokens with another refresh token.
    pub fn with_refresh_token(&self, refresh_token: Secret) -> Tokens {
        Tokens { refresh_token, ..self.clone() }
    }

    /// Whether the access token is known to have expired.
    pub fn have_expired(&self, now: Now) -> bool {
        self.lifetime.is_some_and(|lifetime| lifetime.end <= now.wall)
    }

    /// Whether the access token has expired or is about to.
    pub fn need_renewal(&self, now: Now) -> bool {
        self.lifetime.is_some_and(|lifetime| {
            let margin = MARGIN.min(Duration::from_secs(lifetime.seconds) / 10);
            lifetime.end <= now.wall + margin
        })
    }

    /// When the access token expires, as the time since 1970, if that is known.
    pub fn end(&self) -> Option<Duration> {
        self.lifetime.map(|lifetime| lifetime.end)
    }

    /// Whether both sets have the same tokens; other fields are ignored.
    pub fn are_same(&self, other: &Tokens) -> bool {
        self.access_token == other.access_token && self.refresh_token == other.refresh_token
    }

    /// Notes that the platform accepted a call with these tokens; `call` is the call's hash.
    pub fn note_accepted(&self, call: u64, began: Now) {
        self.accepted.last.fetch_max(millis(began.steady), Ordering::Relaxed);
        self.accepted.slot(call).store(call, Ordering::Relaxed);
    }

    /// Whether the platform is known to have accepted the same call with these tokens.
    pub fn accepted_call(&self, call: u64) -> bool {
        self.were_accepted() && self.accepted.slot(call).load(Ordering::Relaxed) == call
    }

    /// Whether the platform ever accepted a call with these tokens.
    pub fn were_accepted(&self) -> bool {
        self.accepted.last.load(Ordering::Relaxed) > 0
    }

    /// Whether the platform accepted a call with these tokens that began after this time.
    pub fn were_accepted_after(&self, time: Now) -> bool {
        self.accepted.last.load(Ordering::Relaxed) > millis(time.steady)
    }

    /// Reads the parameters of a redirect.
    pub fn read(fields: &[(Cow<'_, str>, Cow<'_, str>)], previous: &Tokens, needs_uid: bool) -> Outcome<Tokens> {
        let find = |name: &str| fields.iter().find(|field| field.0 == name).map(|field| field.1.as_ref());
        Tokens::from_fields(find, previous, needs_uid, Now::since(Instant::now()))
            .map_err(|incomplete| incomplete.failure)
    }

    /// Reads the fields of an authorization server's answer.
    ///
    /// Fields that a renewal's answer lacks are kept from the previous set. An `x_mailru_vid` that is neither string
    /// nor number must be found as a text that is not a user id.
    pub fn from_fields<'a>(
        find: impl Fn(&'static str) -> Option<&'a str>,
        previous: &Tokens,
        needs_uid: bool,
        now: Now,
    ) -> Result<Tokens, Incomplete> {
        let find = |name| find(name).filter(|text| !text.is_empty());
        let seconds = find("expires_in").and_then(|text| text.parse::<f64>().ok());
        let seconds = seconds.filter(|seconds| (1.0..=LONGEST_LIFE).contains(seconds));
        let mut tokens = Tokens {
            access_token: find("access_token").map(Secret::new).unwrap_or_default(),
            refresh_token: find("refresh_token").map_or_else(|| previous.refresh_token.clone(), Secret::new),
            uid: previous.uid.clone(),
            token_type: find("token_type").map(str::to_owned).or_else(|| previous.token_type.clone()),
            lifetime: seconds.map(|seconds| Lifetime::from_now(seconds as u64, now)),
            accepted: Accepted::default(),
        };
        let oauth = |name: &'static str, message: String| Failure::new(Code::OauthError, message).field(name);
        let missing = |name| oauth(name, format!("the authorization server's answer has no {name}"));
        let mut wrong_uid = None;
        match find("x_mailru_vid") {
            Some(uid) if !is_user_id(uid) => {
                let message =
                    "x_mailru_vid in the authorization server's answer is not a user id, which is digits only";
                wrong_uid = Some(oauth("x_mailru_vid", message.into()));
            }
            // Another user's tokens must not reach this session's host, so they are dropped.
            Some(uid) if !previous.uid.is_empty() && previous.uid != uid => {
                let message = "the authorization server's answer is for a user (x_mailru_vid) other than the session's";
                return Err(Incomplete { failure: oauth("x_mailru_vid", message.into()), partial: None });
            }
            Some(uid) => tokens.uid = uid.to_owned(),
            None => {}
        }
        if tokens.access_token.is_empty() {
            let brought = find("refresh_token").is_some();
            let partial = brought.then(|| Box::new(previous.with_refresh_token(tokens.refresh_token)));
            return Err(Incomplete { failure: missing("access_token"), partial });
        }
        let no_uid = || missing("x_mailru_vid").because("(the user's id, without which this session cannot sign)");
        match wrong_uid.or_else(|| (needs_uid && tokens.uid.is_empty()).then(no_uid)) {
            Some(failure) => Err(Incomplete { failure, partial: Some(Box::new(tokens)) }),
            None => Ok(tokens),
        }
    }

    /// Reads the JSON of [`Self::to_json`] that a host stored; other members are ignored.
    pub fn stored(argument: &str, json: &str, now: Now) -> Outcome<Tokens> {
        let wrong = |name: &str, right: &str| Failure::argument(argument, format!("{name} must be {right}"));
        let mut tokens = Tokens::default();
        let (mut seconds, mut end) = (None, None);
        for (name, raw) in members(argument, json)? {
            let text = || text_of(raw).ok_or_else(|| wrong(&name, "a string or null"));
            let number = || {
                let number = text_of(raw).and_then(|text| text.parse::<f64>().ok()).filter(|number| *number >= 0.0);
                number.map(|it| it.min(1e12)).ok_or_else(|| wrong(&name, "a number of seconds or null"))
            };
            match name.as_ref() {
                _ if raw.get() == "null" => {}
                "access_token" => tokens.access_token = Secret::new(&text()?),
                "refresh_token" => tokens.refresh_token = Secret::new(&text()?),
                "token_type" => tokens.token_type = Some(text()?.into_owned()),
                "expires_in" => seconds = Some(number()? as u64),
                "expires_at" => end = Some(Duration::from_secs_f64(number()?)),
                "uid" => tokens.uid = text()?.into_owned(),
                _ => {}
            }
        }
        if !tokens.uid.is_empty() && !is_user_id(&tokens.uid) {
            return Err(wrong("uid", "a user id, which is digits only"));
        }
        if tokens.access_token.is_empty() && tokens.refresh_token.is_empty() {
            let problem = "has neither access_token nor refresh_token; give the JSON that mailru_tokens returned";
            return Err(Failure::argument(argument, problem));
        }
        tokens.lifetime = match (seconds, end) {
            (seconds, Some(end)) => {
                let left = end.saturating_sub(now.wall).as_secs();
                Some(Lifetime { seconds: seconds.unwrap_or(left), end })
            }
            (Some(seconds), None) => Some(Lifetime::from_now(seconds, now)),
            (None, None) => None,
        };
        Ok(tokens)
    }

    /// The tokens as JSON, which the host may store; `null` means unknown.
    pub fn to_json(&self, circuit: Option<Circuit>) -> String {
        let mut json = JsonObject::with_capacity(self.json_room());
        self.write_members(&mut json, self.lifetime.map(|lifetime| lifetime.end.as_secs()));
        json.add("circuit", circuit.map(Circuit::name));
        json.end()
    }

    /// The tokens as JSON for [`Self::stored`], with the id of their application. The end is not rounded, because that
    /// would matter for short-lived tokens.
    pub fn to_file(&self, app_id: &str) -> Zeroizing<String> {
        let mut json = JsonObject::with_capacity(self.json_room() + 6 * app_id.len());
        json.add("app_id", app_id);
        self.write_members(&mut json, self.lifetime.map(|lifetime| lifetime.end.as_secs_f64()));
        Zeroizing::new(json.end())
    }

    /// Enough for all members with any escapes: a buffer that grew would leave copies of secrets in memory.
    fn json_room(&self) -> usize {
        let texts = [self.access_token.expose(), self.refresh_token.expose(), &self.uid];
        let texts = texts.into_iter().chain(self.token_type.as_deref());
        texts.map(|text| 6 * text.len()).sum::<usize>() + 256
    }

    fn write_members(&self, json: &mut JsonObject, expires_at: Option<impl Serialize>) {
        let known = |text| Some(text).filter(|text: &&str| !text.is_empty());
        json.add("access_token", known(self.access_token.expose()));
        json.add("refresh_token", known(self.refresh_token.expose()));
        json.add("expires_in", self.lifetime.map(|lifetime| lifetime.seconds));
        json.add("expires_at", expires_at);
        json.add("uid", known(&self.uid));
        json.add("token_type", self.token_type.as_deref());
    }
}

impl Lifetime {
    fn from_now(seconds: u64, now: Now) -> Lifetime {
        let seconds = seconds.min(LONGEST_LIFE as u64);
        Lifetime { seconds, end: now.wall + Duration::from_secs(seconds) }
    }
}

fn is_user_id(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A string or a number as text.
pub fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    match raw.get().as_bytes()[0] {
        b'"' => serde_json::from_str::<LossyText>(raw.get()).ok().map(|text| text.0),
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(raw.get())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::reply::Fields;

    const NOW: Now = Now { steady: Duration::from_secs(5), wall: Duration::from_secs(1_700_000_000) };

    fn read(json: &str, previous: &Tokens, needs_uid: bool) -> Result<Tokens, Incomplete> {
        let fields = Fields::of(json).expect("an object");
        Tokens::from_fields(|name| fields.find(name), previous, needs_uid, NOW)
    }

    fn seconds(tokens: &Tokens) -> Option<u64> {
        tokens.lifetime.map(|lifetime| lifetime.seconds)
    }

    #[test]
    fn answers_are_read_leniently() {
        for (expires_in, expected) in [
            ("86400", Some(86400)),
            ("\"86400\"", Some(86400)),
            ("86400.0", Some(86400)),
            ("1.9", Some(1)),
            ("1e300", None),
            ("null", None),
            ("\"soon\"", None),
            ("-1", None),
            // A token that had expired on arrival would be renewed for every call.
            ("0", None),
            ("\"0\"", None),
            ("0.5", None),
        ] {
            let json = format!(r#"{{"new":{{"a":[]}},"access_token":"a","expires_in":{expires_in}}}"#);
            let tokens = read(&json, &Tokens::default(), false).expect("enough");
            assert_eq!(seconds(&tokens), expected, "{expires_in}");
        }
        let previous = Tokens::given(Secret::new("old"), "7", Secret::new("keep"), None, NOW);
        let renewed = read(r#"{"access_token":"new"}"#, &previous, true).expect("the uid is known");
        assert_eq!((renewed.refresh_token.expose(), renewed.uid.as_str()), ("keep", "7"));
    }

    /// If a field of an answer is missing or wrong, the error names it and the other fields are kept.
    #[test]
    fn what_is_missing_or_wrong_is_named_and_the_rest_is_kept() {
        let previous = Tokens::given(Secret::new("old"), "7", Secret::new("r0"), None, NOW);
        let none = Tokens::default();
        for (json, previous, field, partial) in [
            ("{}", &none, "access_token", None),
            (r#"{"access_token":""}"#, &none, "access_token", None),
            (r#"{"access_token":["a"]}"#, &none, "access_token", None),
            (r#"{"refresh_token":"r1"}"#, &previous, "access_token", Some(("old", "r1", "7"))),
            (r#"{"access_token":"a","refresh_token":"r1"}"#, &none, "x_mailru_vid", Some(("a", "r1", ""))),
            (r#"{"access_token":"a","x_mailru_vid":"me"}"#, &previous, "x_mailru_vid", Some(("a", "r0", "7"))),
            (r#"{"access_token":"a","x_mailru_vid":1.5}"#, &none, "x_mailru_vid", Some(("a", "", ""))),
            (r#"{"access_token":"a","x_mailru_vid":["7"]}"#, &none, "x_mailru_vid", Some(("a", "", ""))),
            (r#"{"access_token":"a","x_mailru_vid":"8"}"#, &previous, "x_mailru_vid", None),
        ] {
            let incomplete = read(json, previous, true).expect_err(json);
            let told = incomplete.failure.into_json();
            assert!(told.contains(&format!("\"field\":\"{field}\"")), "{told}");
            let kept = incomplete.partial;
            let kept = kept.as_ref().map(|it| (it.access_token.expose(), it.refresh_token.expose(), it.uid.as_str()));
            assert_eq!(kept, partial, "{json}");
        }
    }

    #[test]
    fn short_lives_have_short_margins() {
        let living = |seconds| Tokens::given(Secret::new("a"), "", Secret::default(), seconds, NOW);
        let later = |seconds| Now { wall: NOW.wall + Duration::from_secs(seconds), ..NOW };
        assert!(living(Some(0)).have_expired(NOW) && living(Some(0)).need_renewal(NOW));
        for (life, renewed_from) in [(30, 27), (600, 540), (86400, 86340)] {
            let tokens = living(Some(life));
            assert!(!tokens.need_renewal(later(renewed_from - 1)) && tokens.need_renewal(later(renewed_from)));
            assert!(!tokens.have_expired(later(life - 1)) && tokens.have_expired(later(life)));
        }
        assert!(!living(None).need_renewal(later(1 << 40)));
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let tokens = read(
            r#"{"access_token":"a\"\u044f","refresh_token":"r","expires_in":2,"x_mailru_vid":7,"token_type":"bearer"}"#,
            &Tokens::default(),
            true,
        )
        .expect("whole");
        let now = Now { wall: NOW.wall + Duration::from_millis(300), ..NOW };
        for json in [tokens.to_json(Some(Circuit::ClientServer)), tokens.to_file("777").to_string()] {
            let read = Tokens::stored("tokens_json", &json, now).expect("what was written");
            assert!(read.are_same(&tokens), "{json}");
            assert_eq!(
                (&read.uid, &read.token_type, read.lifetime),
                (&tokens.uid, &tokens.token_type, tokens.lifetime)
            );
        }
        for (json, told) in [
            ("[]", "must be a JSON object"),
            ("{}", "neither access_token nor refresh_token"),
            (r#"{"access_token":null,"refresh_token":null}"#, "neither access_token nor refresh_token"),
            (r#"{"access_token":["hunter2"]}"#, "access_token must be a string"),
            (r#"{"access_token":"hunter2","uid":"me"}"#, "uid must be a user id"),
            (r#"{"access_token":"hunter2","expires_at":"soon"}"#, "expires_at must be a number"),
            (r#"{"access_token":"hunter2","expires_in":-1}"#, "expires_in must be a number"),
        ] {
            let failure = Tokens::stored("tokens_json", json, NOW).expect_err(json).into_json();
            assert!(failure.contains(told) && failure.contains(r#""argument":"tokens_json""#), "{failure}");
            assert!(!failure.contains("hunter2"), "{failure}");
        }
        // A time in the past is valid, and one of the two tokens is enough.
        let past = Tokens::stored("t", r#"{"access_token":"a","expires_at":1,"expires_in":"5"}"#, NOW).expect("stored");
        assert!(past.have_expired(NOW));
        assert_eq!(
            seconds(&Tokens::stored("t", r#"{"access_token":"a","expires_in":60}"#, NOW).expect("stored")),
            Some(60)
        );
        assert!(Tokens::stored("t", r#"{"refresh_token":"r"}"#, NOW).is_ok());
        assert!(Tokens::stored("t", r#"{"access_token":"a","expires_at":1e300}"#, NOW).is_ok());
    }
}
