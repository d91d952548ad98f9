//! Applications, accounts, and grants: authorization codes, access tokens, refresh tokens.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::demo_users::DEMO_UID;
use crate::state::Settings;

pub const DEMO_APP: &str = "423004";
pub const DEMO_PRIVATE_KEY: &str = "7815696ecbf1c96e6894b779456d330e";
pub const DEMO_SECRET_KEY: &str = "3dad9cbf9baaa0360c0f2ba372d25716";
pub const DEMO_SESSION_KEY: &str = "be6ef89965d58e56dec21acb9b62bdaa";
pub const DEMO_EMAIL: &str = "demo@mail.ru";
pub const DEMO_PASSWORD: &str = "demo";
pub const FULL_SCOPE: &str = "photos guestbook stream messages events notifications emails payments friends widget";

#[derive(Clone)]
pub struct App {
    pub private_key: String,
    pub secret_key: String,
}

#[derive(Clone)]
pub struct Account {
    pub password: String,
    pub uid: String,
}

/// The privileges that a user granted to an application.
#[derive(Clone)]
pub struct Consent {
    pub uid: String,
    pub app_id: String,
    pub scope: String,
}

impl Consent {
    pub fn covers(&self, privilege: &str) -> bool {
        self.scope.split([' ', ',']).any(|granted| granted == privilege)
    }
}

/// The session of an access token, which the platform calls the session key.
#[derive(Clone)]
pub struct Session {
    pub consent: Consent,
    /// `None`: never.
    pub expires_at: Option<Instant>,
    /// The login from which it originates.
    pub family: u64,
}

impl Session {
    pub fn has_expired(&self) -> bool {
        self.expires_at.is_some_and(|at| at <= Instant::now())
    }
}

/// A code or a refresh token; it is kept after its use, to notice a second use.
#[derive(Clone)]
pub struct Voucher {
    pub consent: Consent,
    pub redirect_uri: Option<String>,
    pub spent: bool,
    /// The login from which it originates: all tokens renewed from it are of the same family.
    pub family: u64,
}

/// A pair of tokens as issued.
pub struct Issued {
    pub access_token: String,
    pub refresh_token: String,
    pub expires_in: u64,
    pub uid: String,
}

pub struct Grants {
    pub apps: HashMap<String, App>,
    pub accounts: HashMap<String, Account>,
    pub sessions: HashMap<String, Session>,
    pub codes: HashMap<String, Voucher>,
    pub refresh_tokens: HashMap<String, Voucher>,
    families: u64,
    /// The access tokens issued last, newest first.
    pub newest: VecDeque<String>,
}

/// How many of the newest access tokens are remembered.
const NEWEST: usize = 2;

/// The family of new tokens.
pub enum Family<'a> {
    /// A new one: a login.
    New,
    /// That of the renewed tokens; the refresh token stays the same.
    Keeping(u64, &'a str),
    /// That of the renewed tokens, with a new refresh token.
    Rotating(u64),
}

/// 32 hexadecimal digits.
pub fn token() -> String {
    format!("{:032x}", fastrand::u128(..))
}

impl Grants {
    pub fn demo() -> Self {
        let app = App { private_key: DEMO_PRIVATE_KEY.into(), secret_key: DEMO_SECRET_KEY.into() };
        let account = Account { password: DEMO_PASSWORD.into(), uid: DEMO_UID.into() };
        let consent = Consent { uid: DEMO_UID.into(), app_id: DEMO_APP.into(), scope: FULL_SCOPE.into() };
        Grants {
            apps: HashMap::from([(DEMO_APP.into(), app)]),
            accounts: HashMap::from([(DEMO_EMAIL.into(), account)]),
            sessions: HashMap::from([(DEMO_SESSION_KEY.into(), Session { consent, expires_at: None, family: 0 })]),
            codes: HashMap::new(),
            refresh_tokens: HashMap::new(),
            families: 0,
            newest: VecDeque::new(),
        }
    }

    /// A new access token with its refresh token.
    pub fn issue(&mut self, consent: Consent, expires_in: u64, family: Family<'_>) -> Issued {
        let (family, refresh_token) = match family {
            Family::New => {
                self.families += 1;
                (self.families, token())
            }
            Family::Keeping(family, refresh_token) => (family, refresh_token.to_owned()),
            Family::Rotating(family) => (family, token()),
        };
        let access_token = token();
        let expires_at = Instant::now().checked_add(Duration::from_secs(expires_in));
        let uid = consent.uid.clone();
        self.sessions.insert(access_token.clone(), Session { consent: consent.clone(), expires_at, family });
        self.refresh_tokens.entry(refresh_token.clone()).or_insert(Voucher {
            consent,
            redirect_uri: None,
            spent: false,
            family,
        });
        self.newest.push_front(access_token.clone());
        self.newest.truncate(NEWEST);
        Issued { access_token, refresh_token, expires_in, uid }
    }

    pub fn issue_code(&mut self, consent: Consent, redirect_uri: Option<String>, chosen: Option<String>) -> String {
        let code = chosen.unwrap_or_else(token);
        self.codes.insert(code.clone(), Voucher { consent, redirect_uri, spent: false, family: 0 });
        code
    }

    /// Ends every access token of a login.
    pub fn end_access_tokens(&mut self, family: u64) {
        let now = Instant::now();
        let own = self.sessions.values_mut().filter(|session| session.family == family);
        own.for_each(|session| session.expires_at = session.expires_at.map_or(Some(now), |at| Some(at.min(now))));
    }

    /// Ends every token of a login.
    pub fn end_family(&mut self, family: u64) {
        self.end_access_tokens(family);
        self.refresh_tokens.retain(|_, voucher| voucher.family != family);
    }

    /// Expires one access token, or all of them; returns the number.
    pub fn expire(&mut self, access_token: Option<&str>) -> usize {
        let now = Instant::now();
        let sessions = self.sessions.iter_mut().filter(|(key, _)| access_token.is_none_or(|wanted| wanted == *key));
        sessions.map(|(_, session)| session.expires_at = Some(now)).count()
    }
}

/// The scope of a request that names none.
pub fn scope_or_default(asked: Option<&str>, settings: &Settings) -> String {
    match (&settings.scope, asked) {
        (Some(fixed), _) => fixed.clone(),
        (None, Some(asked)) if !asked.trim().is_empty() => asked.to_owned(),
        (None, _) => FULL_SCOPE.to_owned(),
    }
}
