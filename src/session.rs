//! A session: an application's keys, a user's tokens, and what can be done with them.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use zeroize::Zeroizing;

use crate::address::{Address, encode_into};
use crate::call::{Call, CallGroup, Membership};
use crate::catalogue;
use crate::error::{Code, Failure, Outcome};
use crate::http::answer::Answer;
use crate::http::multipart::Upload;
use crate::http::{Client, Request, RequestBody, RetrySafety};
use crate::identity::Identity;
pub use crate::identity::Source;
use crate::json::Json;
pub use crate::keys::Keys;
pub use crate::oauth::store::RenewalListener;
use crate::oauth::store::TokenListener;
use crate::oauth::tokens::Tokens;
use crate::options::Options;
use crate::params::{self, Parameters};

/// Told of each new set of tokens, as JSON.
pub type TokenCallback = Arc<dyn Fn(&str) + Send + Sync>;

/// A session; any number of threads may use it at once.
pub struct Session {
    identity: Option<Arc<Identity>>,
    client: Arc<Client>,
    calls: CallGroup,
    api_url: Address,
    public_url: Address,
    pass_error: bool,
    get_limit: usize,
    timeout: Duration,
}

/// A call that was checked and waits to be performed.
pub struct PreparedCall {
    method: String,
    parameters: Parameters<'static>,
    call: Arc<Call>,
    _membership: Membership,
}

impl PreparedCall {
    /// The call, for those who may end it.
    pub fn call(&self) -> &Arc<Call> {
        &self.call
    }
}

impl Session {
    /// A session that reads public pages and signs nothing.
    pub fn public(options: Options) -> Outcome<Session> {
        let client = Arc::new(Client::new(&options)?);
        Ok(Session::assemble(None, client, options))
    }

    /// A session that signs. Nothing is sent yet.
    pub fn new(keys: Keys, source: Source, options: Options) -> Outcome<Session> {
        let client = Arc::new(Client::new(&options)?);
        let identity = Identity::new(keys, source, &options, &client)?;
        Ok(Session::assemble(Some(Arc::new(identity)), client, options))
    }

    fn assemble(identity: Option<Arc<Identity>>, client: Arc<Client>, options: Options) -> Session {
        Session {
            identity,
            client,
            calls: CallGroup::default(),
            api_url: options.api_url,
            public_url: options.public_url,
            pass_error: options.pass_error,
            get_limit: options.get_limit,
            timeout: options.timeout,
        }
    }

    /// Calls a method and hands over the platform's own JSON.
    ///
    /// `limit` replaces the session's time limit, `cancellation` may end this call.
    pub fn call(
        &self,
        method: &str,
        params_json: Option<&str>,
        limit: Option<Duration>,
        cancellation: Option<&CallGroup>,
    ) -> Outcome<Json> {
        params::check_method(method)?;
        let parameters = params::call_parameters(params_json)?;
        self.run(limit, cancellation, |call| self.call_method(method, &parameters, call))
    }

    /// Accepts a call that is performed later: refuses now what [`Self::call`] would refuse at once.
    ///
    /// While the prepared call exists, whoever ends the session's calls ends this one, too.
    pub fn prepare(&self, method: &str, params_json: Option<&str>) -> Outcome<PreparedCall> {
        params::check_method(method)?;
        let parameters = params::call_parameters(params_json)?;
        let own = |(name, value): (Cow<'_, str>, Cow<'_, str>)| (name.into_owned().into(), value.into_owned().into());
        let parameters = parameters.into_iter().map(own).collect();
        self.identity()?.store.refuse_reentry()?;
        let call = Call::waiting(self.timeout);
        let membership = self.calls.join(&call)?;
        Ok(PreparedCall { method: method.to_owned(), parameters, call, _membership: membership })
    }

    /// Performs a prepared call of this session.
    pub fn perform(&self, prepared: &PreparedCall) -> Outcome<Json> {
        self.call_method(&prepared.method, &prepared.parameters, &prepared.call)
    }

    fn call_method(&self, method: &str, parameters: &Parameters<'_>, call: &Arc<Call>) -> Outcome<Json> {
        let identity = self.identity()?;
        let answer = identity.with_tokens(call, method, parameters, |tokens| {
            self.send_signed(identity, tokens, method, parameters, call)
        })?;
        answer.into_outcome(self.pass_error)
    }

    /// Calls a method with a file, which is not signed.
    pub fn upload(&self, method: &str, params_json: Option<&str>, upload: &Upload<'_>) -> Outcome<Json> {
        params::check_method(method)?;
        let parameters = params::call_parameters(params_json)?;
        upload.check(&parameters)?;
        let identity = self.identity()?;
        self.run(None, None, |call| {
            let answer = identity.with_tokens(call, method, &parameters, |tokens| {
                let signed = identity.sign(tokens, method, &parameters)?;
                let multipart = upload.multipart(&signed);
                let url = self.api_url.as_str().to_owned();
                let body = RequestBody::Multipart(&multipart);
                self.send(Request { name: method, url, body, retry_safety: retry_safety(method) }, call)
            })?;
            answer.into_outcome(self.pass_error)
        })
    }

    /// Reads a public page: unsigned, and for every kind of session.
    pub fn public_page(&self, path: &str, params_json: Option<&str>) -> Outcome<Json> {
        check_path(path)?;
        let parameters = params::plain_parameters(params_json)?;
        self.run(None, None, |call| {
            let mut url = format!("{}/{path}", self.public_url.as_str());
            if !parameters.is_empty() {
                url.push('?');
                encode_into(&mut url, pairs(&parameters));
            }
            let request = Request { name: path, url, body: RequestBody::None, retry_safety: RetrySafety::ReadOnly };
            self.send(request, call)?.into_outcome(self.pass_error)
        })
    }

    /// Gets tokens, or renews them, and shows them.
    pub fn authorize(&self) -> Outcome<String> {
        let identity = self.with_tokens()?;
        self.run(None, None, |call| {
            let tokens = identity.store.authorize(call)?;
            Ok(identity.show(&tokens))
        })
    }

    /// The tokens as they are, without asking anybody.
    pub fn tokens(&self) -> String {
        let tokens = self.identity.as_ref().and_then(|identity| Some(identity.show(&*identity.store.latest()?)));
        tokens.unwrap_or_else(|| Tokens::default().to_json(None))
    }

    /// Shows a call as it would be sent now as GET, and what was hashed for its signature.
    pub fn sign(&self, method: &str, params_json: Option<&str>) -> Outcome<String> {
        params::check_method(method)?;
        let parameters = params::call_parameters(params_json)?;
        let identity = self.identity()?;
        let tokens = identity.store.usable()?.ok_or_else(|| {
            Failure::new(Code::SignatureUndefined, "the session has no token yet; call mailru_authorize first")
        })?;
        let signer = identity.keys.signer(&tokens)?;
        let signed = identity.sign(&tokens, method, &parameters)?;
        let sent: serde_json::Map<_, _> =
            signed.iter().map(|(name, value)| (name.to_string(), value.as_ref().into())).collect();
        Ok(json!({
            "url": self.api_url.with_query(pairs(&signed), 0),
            "sig": sent["sig"],
            "circuit": signer.circuit.name(),
            "base": signer.base(&signed),
            "params": sent,
        })
        .to_string())
    }

    /// Gives the session newer tokens, as the JSON of `mailru_tokens`.
    pub fn set_tokens(&self, tokens_json: &str) -> Outcome<()> {
        let store = &self.with_tokens()?.store;
        store.set_tokens(Tokens::stored("tokens_json", tokens_json, store.now())?)
    }

    /// Has each new set of tokens told to the host before it is used; `None` ends that.
    pub fn on_token(&self, callback: Option<TokenCallback>) -> Outcome<()> {
        let identity = self.with_tokens()?;
        let circuits = identity.keys.circuits();
        identity.store.listen(callback.map(|callback| {
            let tell: TokenListener =
                Arc::new(move |tokens| callback(&Zeroizing::new(tokens.to_json(circuits.of(tokens)))));
            tell
        }));
        Ok(())
    }

    /// Has the host told of each renewal; `None` ends that.
    pub fn on_renewal(&self, callback: Option<RenewalListener>) -> Outcome<()> {
        self.with_tokens()?.store.listen_to_renewals(callback);
        Ok(())
    }

    /// Who the session is, for what has a meaning only where there are tokens.
    fn with_tokens(&self) -> Outcome<&Arc<Identity>> {
        self.identity.as_ref().ok_or_else(|| {
            Failure::argument("session", "is a public session, which has no tokens; make one of another kind")
        })
    }

    /// Ends the calls under way; later ones work.
    pub fn cancel(&self) {
        self.calls.cancel();
        self.identity.iter().for_each(|identity| identity.store.cancel());
    }

    /// Ends the calls under way and refuses later ones: the host let go of the session.
    pub fn end(&self) {
        self.calls.end();
        self.identity.iter().for_each(|identity| identity.store.end());
    }

    fn identity(&self) -> Outcome<&Arc<Identity>> {
        self.identity.as_ref().ok_or_else(|| {
            Failure::new(Code::SignatureUndefined, "a public session signs nothing; it is for mailru_public only")
        })
    }

    /// Runs one call: within its time, and ended by whoever may end it.
    fn run<T>(
        &self,
        limit: Option<Duration>,
        cancellation: Option<&CallGroup>,
        work: impl FnOnce(&Arc<Call>) -> Outcome<T>,
    ) -> Outcome<T> {
        let call = Call::new(limit.unwrap_or(self.timeout));
        let _of_session = self.calls.join(&call)?;
        let _of_handle = cancellation.map(|cancellation| cancellation.join(&call)).transpose()?;
        work(&call)
    }

    fn send_signed(
        &self,
        identity: &Identity,
        tokens: &Tokens,
        method: &str,
        parameters: &Parameters<'_>,
        call: &Arc<Call>,
    ) -> Outcome<Answer> {
        let signed = identity.sign(tokens, method, parameters)?;
        let expected = parameters.iter().map(|(name, value)| name.len() + value.len() + 2).sum::<usize>() + 192;
        let url = self.api_url.with_query(pairs(&signed), expected);
        let retry_safety = retry_safety(method);
        if self.api_url.request_line(&url) <= self.get_limit {
            return self.send(Request { name: method, url, body: RequestBody::None, retry_safety }, call);
        }
        let mut form = String::with_capacity(url.len());
        encode_into(&mut form, pairs(&signed));
        let url = self.api_url.as_str().to_owned();
        self.send(Request { name: method, url, body: RequestBody::Form(&form), retry_safety }, call)
    }

    fn send(&self, request: Request, call: &Arc<Call>) -> Outcome<Answer> {
        Ok(self.client.send(request, call)?)
    }
}

fn retry_safety(method: &str) -> RetrySafety {
    if catalogue::only_reads(method) { RetrySafety::ReadOnly } else { RetrySafety::Write }
}

/// A path below the public address that cannot leave it.
fn check_path(path: &str) -> Outcome<()> {
    let segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    if path.split('/').all(segment) {
        return Ok(());
    }
    Err(Failure::argument(
        "path",
        "must be segments of letters, digits, '.', '_' and '-' joined by '/', such as mail/nick; none may be '.' or '..'",
    ))
}

fn pairs<'a>(parameters: &'a Parameters<'_>) -> impl Iterator<Item = (&'a str, &'a str)> {
    parameters.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
}
