//! A session's identity: an application's keys and a user's tokens, and how a request is signed with both.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::call::Call;
use crate::error::{Failure, Outcome};
use crate::http::Client;
use crate::http::answer::{Answer, BodyKind};
use crate::keys::Keys;
use crate::large::Checkpoint;
use crate::log::{self, Level, Line};
use crate::oauth::file::TokenFile;
use crate::oauth::grant::{Grant, OauthClient};
use crate::oauth::now::Now;
use crate::oauth::state::{RejectedCall, Rules, TokenState};
use crate::oauth::store::TokenStore;
use crate::oauth::tokens::Tokens;
use crate::options::Options;
use crate::pace::Pace;
use crate::params::Parameters;
use crate::secret::Secret;
use crate::signature::Circuit;

/// The platform's "session key or uid incorrect".
const TOKEN_REJECTED: i64 = 102;

/// Where a session's tokens come from.
pub enum Source {
    /// The host passes them.
    Host {
        /// Sent as `session_key`, unless empty.
        access_token: Secret,
        /// The session user; may be empty.
        uid: String,
    },
    /// The host stored them from an earlier session, as the JSON of `mailru_tokens`; empty if `token_file` holds them.
    Stored(Secret),
    /// The authorization server issues them.
    Grant(Grant),
}

/// The keys and tokens of a session that is not public.
pub struct Identity {
    /// The application's keys.
    pub keys: Keys,
    /// The user's tokens.
    pub store: Arc<TokenStore>,
    /// The application's rate limit.
    pub pace: Pace,
}

impl Identity {
    /// Checks the keys and the source, and reads the token file if there is one; uses no network.
    pub fn new(keys: Keys, source: Source, options: &Options, client: &Arc<Client>) -> Outcome<Identity> {
        keys.check()?;
        let now = Now::since(Instant::now());
        let has_token_options = !options.refresh_token.is_empty() || options.expires_in.is_some();
        if has_token_options && !matches!(source, Source::Host { .. }) {
            log::event(Level::Warning, || {
                let message = "refresh_token and expires_in are for sessions made with an access token";
                Line::new("ignored_options").with("message", message)
            });
        }
        let (grant, given) = match source {
            Source::Host { access_token, uid } => {
                let refresh_token = options.refresh_token.clone();
                (None, Some(Tokens::given(access_token, &uid, refresh_token, options.expires_in, now)))
            }
            Source::Stored(json) if json.is_empty() => (None, None),
            Source::Stored(json) => (None, Some(Tokens::stored("tokens_json", json.expose(), now)?)),
            Source::Grant(grant) => (Some(grant.checked()?), None),
        };
        let file = options.token_file.as_ref().map(|path| TokenFile::open(path, &keys.app_id)).transpose()?;
        let filed = file.as_ref().map(|file| file.load(now)).transpose()?.flatten();
        let (tokens, is_filed) = newest(given, filed)?;
        if tokens.is_none() && grant.is_none() {
            let problem = "is empty; give the JSON that mailru_tokens returned, or name an existing token file in the option token_file";
            return Err(Failure::argument("tokens_json", problem));
        }
        if let (Some(file), Some(tokens), false) = (&file, &tokens, is_filed) {
            file.save_first(tokens);
        }
        let rules = Rules {
            grant,
            auto_refresh: options.auto_refresh,
            first_pause: spread(options.retry_delay),
            shares_file: file.is_some(),
        };
        let oauth_client = OauthClient {
            client_id: keys.app_id.clone(),
            client_secret: [&options.client_secret, &keys.secret_key, &keys.private_key]
                .into_iter()
                .find(|secret| !secret.is_empty())
                .cloned()
                .unwrap_or_default(),
            token_url: options.token_url.clone(),
            keys: [keys.private_key.clone(), keys.secret_key.clone()],
            needs_uid: keys.sign_only_for_a_user(),
        };
        let pace = Pace::of(&keys.app_id, options.max_calls_per_second);
        let state = TokenState::new(rules, tokens);
        let store = TokenStore::new(state, file, oauth_client, Arc::clone(client), options.timeout);
        Ok(Identity { keys, store: Arc::new(store), pace })
    }

    /// Runs a request with the session's tokens; if the platform refuses them, a second time with renewed ones.
    pub fn with_tokens(
        &self,
        call: &Arc<Call>,
        method: &str,
        parameters: &Parameters<'_>,
        request: impl Fn(&Tokens) -> Outcome<Answer>,
    ) -> Outcome<Answer> {
        self.keys.check_use()?;
        let tokens = self.store.tokens_for(call)?;
        let (number, began) = (number(method, parameters), self.store.now());
        let answer = request(&tokens)?;
        if answer.platform_code() != Some(TOKEN_REJECTED) {
            note(&tokens, number, began, &answer);
            return Ok(answer);
        }
        let names_a_user = parameters.iter().any(|(name, _)| is_user_id(name));
        let refused = RejectedCall { tokens, call: number, names_a_user, began, at: self.store.now() };
        let Some(others) = self.store.tokens_instead_of(&refused, call)? else { return Ok(answer) };
        let began = self.store.now();
        let answer = request(&others)?;
        note(&others, number, began, &answer);
        Ok(answer)
    }

    /// All parameters of a call, sorted, with their signature.
    pub fn sign<'a>(
        &'a self,
        tokens: &'a Tokens,
        method: &'a str,
        parameters: &'a Parameters<'_>,
        checkpoint: Checkpoint<'_>,
    ) -> Outcome<Parameters<'a>> {
        let signer = self.keys.signer(tokens)?;
        let borrowed = |name: &'static str, value: &'a str| (Cow::Borrowed(name), Cow::Borrowed(value));
        let mut all = Parameters::with_capacity(parameters.len() + 5);
        all.extend(
            parameters.iter().map(|(name, value)| (Cow::Borrowed(name.as_ref()), Cow::Borrowed(value.as_ref()))),
        );
        all.push(borrowed("method", method));
        all.push(borrowed("app_id", &self.keys.app_id));
        if !tokens.access_token.is_empty() {
            all.push(borrowed("session_key", tokens.access_token.expose()));
        }
        if signer.circuit == Circuit::ServerServer {
            all.push(borrowed("secure", "1"));
        }
        signer.sign_within(&mut all, checkpoint)?;
        Ok(all)
    }

    /// The tokens as JSON, which the host may store.
    pub fn show(&self, tokens: &Tokens) -> String {
        tokens.to_json(self.keys.circuits().of(tokens))
    }
}

/// If the answer shows that the platform accepts the tokens, notes that.
fn note(tokens: &Tokens, number: u64, began: Now, answer: &Answer) {
    if answer.is_success_status() && matches!(answer.kind, BodyKind::Json | BodyKind::EmptyJson) {
        tokens.note_accepted(number, began);
    }
}

/// Whether a parameter names a user: the platform's error 102 may then be about this user id, not the token.
fn is_user_id(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("uid") || ["vid", "oid", "owner", "user", "users"].contains(&name.as_str())
}

/// A hash that identifies a call by its method and parameters.
fn number(method: &str, parameters: &Parameters<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(method.as_bytes());
    for (name, value) in parameters {
        hasher.write(name.as_bytes());
        hasher.write_usize(value.len());
        // The beginning and the length of a long text are enough, because only the decision to renew depends on the
        // hash.
        hasher.write(&value.as_bytes()[..value.len().min(64)]);
    }
    hasher.finish()
}

/// The newer of the constructor's tokens and the file's, and whether it is the file's. If their ages are unknown, the
/// file's are newer: this or another process wrote them after the host stored its own.
fn newest(given: Option<Tokens>, filed: Option<Tokens>) -> Outcome<(Option<Tokens>, bool)> {
    let (given, mut filed) = match (given, filed) {
        (Some(given), Some(filed)) => (given, filed),
        (given, None) => return Ok((given, false)),
        (None, filed) => return Ok((filed, true)),
    };
    if filed.uid.is_empty() {
        filed.uid.clone_from(&given.uid);
    } else if !given.uid.is_empty() && given.uid != filed.uid {
        let problem = "holds the tokens of a user other than the constructor's; name another file";
        return Err(Failure::argument("token_file", problem));
    }
    let is_older = matches!((filed.end(), given.end()), (Some(filed), Some(given)) if filed < given);
    Ok(if is_older { (Some(given), false) } else { (Some(filed), true) })
}

/// A pause that differs between sessions by up to a quarter, so that sessions that failed together do not retry
/// together.
fn spread(pause: Duration) -> Duration {
    let chance = RandomState::new().hash_one(pause) as u32;
    pause.mul_f64(0.75 + 0.25 * f64::from(chance) / f64::from(u32::MAX))
}
