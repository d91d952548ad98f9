//! The requests to the authorization server: what each grant sends where, and what comes back.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::mask::masked;
use super::tokens::{Tokens, flat_members};
use crate::address::{Address, encode_into};
use crate::call::Call;
use crate::error::{Code, Failure, Outcome};
use crate::http::answer::{Answer, Verdict};
use crate::http::{AttemptError, Client, Request, RequestBody, RetrySafety};
use crate::secret::Secret;

/// Every privilege that may be asked for with a scope; what an empty scope stands for.
pub const FULL_SCOPE: &str = "photos guestbook stream messages events";

/// What a session trades for its first tokens.
#[derive(Debug, Clone)]
pub enum Grant {
    /// The code of a redirect, which works once.
    Code {
        /// The code.
        code: Secret,
        /// The address to which it was sent.
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

    /// The grant, if its texts are all there; an empty scope becomes the full one.
    pub fn checked(self) -> Outcome<Grant> {
        let given = |name: &str, text: &str| match text {
            "" => Err(Failure::argument(name, "is empty; the grant needs it")),
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

    /// Whether what it trades works only once.
    pub fn is_code(&self) -> bool {
        matches!(self, Grant::Code { .. })
    }

    /// The platform's own address for this grant.
    fn address(&self) -> &'static str {
        match self {
            Grant::Code { .. } => "https://connect.mail.ru/oauth/token",
            Grant::Password { .. } | Grant::Refresh(_) => "https://appsmail.ru/oauth/token",
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

/// Who asks: the application, as the authorization server knows it.
pub struct OauthClient {
    /// The application's id.
    pub client_id: String,
    /// The key that the authorization server expects.
    pub client_secret: Secret,
    /// An address to use instead of the grants' own.
    pub token_url: Option<Address>,
    /// The session's own keys, which no refusal may show, whether they were sent or not.
    pub keys: [Secret; 2],
    /// Whether the session can sign only for a user, whose id the answer must then hold.
    pub needs_uid: bool,
}

/// Why no tokens came.
#[derive(Debug)]
pub struct TokenError {
    /// What the host is told.
    pub failure: Failure,
    /// Whether the authorization server may have seen what was traded.
    pub sent: bool,
    /// Whether asking again with the same cannot help.
    pub is_final: bool,
    /// The next refresh token, from an answer that lacks something else: the former one may be spent.
    pub next: Option<Secret>,
}

impl From<AttemptError> for TokenError {
    fn from(error: AttemptError) -> TokenError {
        let failure = error.failure.sent(error.sent);
        TokenError { failure, sent: error.sent, is_final: false, next: None }
    }
}

impl OauthClient {
    /// Asks for tokens, once.
    pub fn ask(&self, client: &Client, grant: &Grant, former: &Tokens, call: &Arc<Call>) -> Result<Tokens, TokenError> {
        let url = self.token_url.as_ref().map_or(grant.address(), Address::as_str).to_owned();
        let common = [
            ("grant_type", grant.name()),
            ("client_id", &self.client_id),
            ("client_secret", self.client_secret.expose()),
        ];
        let mut form = zeroize::Zeroizing::new(String::with_capacity(512));
        encode_into(&mut form, common.into_iter().chain(grant.fields()));
        let request = Request {
            name: grant.name(),
            url,
            body: RequestBody::Form(&form),
            retry_safety: RetrySafety::OneTime,
            pace: None,
        };
        let answer = client.send(request, call)?;
        self.read(&answer, grant, former).map_err(|failure| TokenError {
            is_final: answer.status < 500 && failure.code() == Code::OauthError,
            next: next_refresh_token(&answer, grant),
            failure: failure.status(answer.status).retry_after(answer.retry_after).sent(true),
            sent: true,
        })
    }

    fn read(&self, answer: &Answer, grant: &Grant, former: &Tokens) -> Outcome<Tokens> {
        let is_error = matches!(answer.verdict, Verdict::PlatformError(_) | Verdict::OtherError);
        let members = flat_members(answer.body.as_str());
        if is_error || (!answer.is_success_status() && answer.status < 500 && members.is_some()) {
            let shown = self.without_secrets(grant, former, answer.body.as_str());
            let named = flat_members(&shown).unwrap_or_default();
            let reason = |name: &str| named.iter().find(|member| member.0 == name).map(|member| &member.1);
            let mut message = "the authorization server refused".to_owned();
            let reasons = [reason("error"), reason("error_description")];
            for text in reasons.into_iter().flatten().filter(|text| !text.is_empty()) {
                message.push_str(": ");
                message.push_str(text);
            }
            let failure = Failure::new(Code::OauthError, message).transient(answer.status >= 500);
            return Err(failure.oauth(&shown));
        }
        if !answer.is_success_status() {
            let message = format!("the authorization server answered with HTTP status {}", answer.status);
            return Err(Failure::new(Code::HttpError, message).transient(answer.status >= 500));
        }
        match (&answer.verdict, members) {
            (Verdict::NoBody, _) => {
                Err(Failure::new(Code::EmptyResponse, "the authorization server's answer is empty"))
            }
            (_, Some(members)) => {
                let mut tokens = Tokens::read(&members, former, self.needs_uid)?;
                if let (true, Grant::Refresh(sent)) = (tokens.refresh_token.is_empty(), grant) {
                    tokens.refresh_token = sent.clone();
                }
                Ok(tokens)
            }
            (_, None) => {
                Err(Failure::new(Code::MalformedResponse, "the authorization server's answer is not a JSON object"))
            }
        }
    }

    /// A refusal is shown to people, and may quote what was sent.
    fn without_secrets(&self, grant: &Grant, former: &Tokens, body: &str) -> String {
        let sent = match grant {
            Grant::Code { code: secret, .. } | Grant::Password { password: secret, .. } | Grant::Refresh(secret) => {
                secret
            }
        };
        let others = [sent, &self.client_secret, &former.access_token, &former.refresh_token];
        masked(body, others.into_iter().chain(&self.keys))
    }
}

fn next_refresh_token(answer: &Answer, grant: &Grant) -> Option<Secret> {
    if !matches!(grant, Grant::Refresh(_)) || !answer.is_success_status() {
        return None;
    }
    let members = flat_members(answer.body.as_str())?;
    let next = members.iter().find(|member| member.0 == "refresh_token")?;
    Some(Secret::new(&next.1)).filter(|next| !next.is_empty())
}
