//! The requests to the authorization server for each grant, and their outcomes.
#![forbid(unsafe_code)]

use std::sync::Arc;

use zeroize::Zeroizing;

use super::now::Now;
pub use super::reply::TokenError;
use super::reply::{self, Expected};
use super::tokens::Tokens;
use crate::address::{Address, encoded, encoded_length};
use crate::call::Call;
use crate::error::{Failure, Outcome};
use crate::http::{AttemptError, Client, Request, RequestBody, RetrySafety};
use crate::large::no_checkpoint;
use crate::secret::Secret;

/// Every privilege of the platform, which is the meaning of an empty scope.
pub const FULL_SCOPE: &str = "photos guestbook stream messages events";

/// The credentials that a session exchanges for its first tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// The code of a redirect, which works once.
    Code {
        /// The code.
        code: Secret,
        /// The redirect address to which it was sent.
        redirect_uri: String,
    },
    /// The user's own e-mail and password.
    Password {
        /// The user name.
        email: String,
        /// The password.
        password: Secret,
        /// Privileges, separated by spaces.
        scope: String,
    },
    /// A refresh token from an earlier session.
    Refresh(Secret),
}

impl Grant {
    /// The value of `grant_type`.
    pub fn name(&self) -> &'static str {
        match self {
            Grant::Code { .. } => "authorization_code",
            Grant::Password { .. } => "password",
            Grant::Refresh(_) => "refresh_token",
        }
    }

    /// Checks that no text is empty; an empty scope becomes the full one.
    pub fn checked(self) -> Outcome<Grant> {
        let given = |name: &str, text: &str| match text {
            "" => Err(Failure::argument(name, "is empty; this kind of session needs it to get tokens")),
            _ => Ok(()),
        };
        match self {
            Grant::Code { code, redirect_uri } => {
                given("code", code.expose())?;
                given("redirect_uri", &redirect_uri)?;
                Ok(Grant::Code { code, redirect_uri })
            }
            Grant::Password { email, password, scope } => {
                given("email", &email)?;
                given("password", password.expose())?;
                let scope = if scope.is_empty() { FULL_SCOPE.to_owned() } else { scope };
                Ok(Grant::Password { email, password, scope })
            }
            Grant::Refresh(token) => {
                given("refresh_token", token.expose())?;
                Ok(Grant::Refresh(token))
            }
        }
    }

    /// Whether the credential is a code, which works only once.
    pub fn is_code(&self) -> bool {
        matches!(self, Grant::Code { .. })
    }

    /// Whether the credential is a refresh token.
    pub fn is_refresh(&self) -> bool {
        matches!(self, Grant::Refresh(_))
    }

    /// The platform's own address for this grant.
    fn address(&self) -> &'static str {
        match self {
            Grant::Code { .. } => "https://connect.mail.ru/oauth/token",
            Grant::Password { .. } | Grant::Refresh(_) => "https://appsmail.ru/oauth/token",
        }
    }

    /// The secret credential.
    fn secret(&self) -> &Secret {
        match self {
            Grant::Code { code: secret, .. } | Grant::Password { password: secret, .. } | Grant::Refresh(secret) => {
                secret
            }
        }
    }

    fn fields(&self) -> Vec<(&'static str, &str)> {
        match self {
            Grant::Code { code, redirect_uri } => vec![("code", code.expose()), ("redirect_uri", redirect_uri)],
            Grant::Password { email, password, scope } => {
                vec![("username", email), ("password", password.expose()), ("scope", scope)]
            }
            Grant::Refresh(token) => vec![("refresh_token", token.expose())],
        }
    }
}

/// The application as the client of the authorization server.
pub struct OauthClient {
    /// The application's id.
    pub client_id: String,
    /// The key that the authorization server expects.
    pub client_secret: Secret,
    /// The address that replaces the grants' own.
    pub token_url: Option<Address>,
    /// The session's keys, which no error may contain, whether they were sent or not.
    pub keys: [Secret; 2],
    /// Whether the session can sign only for a user, whose id the answer must then contain.
    pub needs_uid: bool,
}

impl OauthClient {
    /// Sends one token request; `clock` gives the time of the answer.
    pub fn ask(
        &self,
        client: &Client,
        grant: &Grant,
        previous: &Tokens,
        call: &Arc<Call>,
        clock: impl Fn() -> Now,
    ) -> Result<Tokens, TokenError> {
        let url = self.token_url.as_ref().map_or(grant.address(), Address::as_str).to_owned();
        let common = [
            ("grant_type", grant.name()),
            ("client_id", &self.client_id),
            ("client_secret", self.client_secret.expose()),
        ];
        let fields: Vec<_> = common.into_iter().chain(grant.fields()).collect();
        let length = encoded_length(fields.iter().copied(), &no_checkpoint);
        let form = length.and_then(|length| encoded(fields.into_iter(), length, &no_checkpoint));
        let form = form.map_err(TokenError::unsent)?;
        let request = Request {
            name: grant.name(),
            url,
            body: RequestBody::Form(&form),
            retry_safety: RetrySafety::OneTime,
            pace: None,
        };
        let answer = client.send(request, call).map_err(|error| lost(error, grant))?;
        let mut secrets = vec![grant.secret(), &self.client_secret, &previous.access_token, &previous.refresh_token];
        secrets.extend(&self.keys);
        let expected = Expected {
            previous,
            sent_refresh_token: grant.is_refresh().then(|| grant.secret()),
            needs_uid: self.needs_uid,
            secrets: &secrets,
        };
        let (status, retry_after) = (answer.status, answer.retry_after);
        let body = Zeroizing::new(answer.into_bytes());
        reply::read(status, &String::from_utf8_lossy(&body), &expected, clock()).map_err(|error| TokenError {
            failure: error.failure.sent(true),
            retry_after,
            ..error
        })
    }
}

/// The failure when no complete answer was received.
fn lost(error: AttemptError, grant: &Grant) -> TokenError {
    let mut failure = error.failure.sent(error.sent);
    if let (true, Grant::Refresh(_)) = (error.sent, grant) {
        failure = failure.because(
            "(the refresh token was sent and may be used up: if the next renewal is refused, a new login is needed)",
        );
    }
    TokenError { sent: error.sent, ..TokenError::unsent(failure) }
}
