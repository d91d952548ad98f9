//! A session: an application's keys, a user's tokens, and the requests made with them.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::address::{Address, encode_into, encoded, encoded_length};
use crate::call::{Call, CallGroup, Membership};
use crate::catalogue;
use crate::error::{Code, Failure, Outcome};
use crate::host_thread::HostThread;
use crate::http::answer::Answer;
use crate::http::multipart::Upload;
use crate::http::{self, Client, RequestBody, RetrySafety};
use crate::identity::Identity;
pub use crate::identity::Source;
use crate::json::{self, Json};
pub use crate::keys::Keys;
use crate::large::no_checkpoint;
use crate::memory::{check_room, room_for_call};
use crate::oauth::store::{RenewalListener, TokenListener};
use crate::oauth::tokens::Tokens;
use crate::options::Options;
use crate::params::{self, Parameters};
use crate::request::{self, Action, Request};

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
    callbacks_in_calls: bool,
}

/// A checked request that is performed later.
pub struct PreparedRequest {
    request: Request<'static>,
    data: Vec<u8>,
    call: Arc<Call>,
    _membership: [Option<Membership>; 2],
}

impl PreparedRequest {
    /// The call, which may be cancelled.
    pub fn call(&self) -> &Arc<Call> {
        &self.call
    }
}

impl Session {
    /// A session that reads public pages and signs nothing.
    pub fn public(options: Options) -> Outcome<Session> {
        room_for_call()?;
        let client = Arc::new(Client::new(&options)?);
        Ok(Session::assemble(None, client, options))
    }

    /// A session that signs. Nothing is sent yet.
    pub fn new(keys: Keys, source: Source, options: Options) -> Outcome<Session> {
        room_for_call()?;
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
            callbacks_in_calls: options.callbacks_in_calls,
        }
    }

    /// Sets the number that identifies the session in the log.
    pub fn set_number(&self, number: u64) {
        self.client.set_session_number(number);
    }

    /// Performs a request and waits for its answer; `data` is the file of an upload.
    pub fn request(&self, request: &Request<'_>, data: &[u8], cancel: Option<&CallGroup>) -> Outcome<Json> {
        self.check(&request.action)?;
        let (call, _membership) = self.begin(request, cancel)?;
        call.begin_at(request.received);
        self.perform(request, data, &call)
    }

    /// Checks a request that is performed later, as [`Self::request`] does before it begins.
    ///
    /// While the prepared request exists, cancelling the session's calls cancels it too.
    pub fn prepare(&self, request: Request<'_>, data: Vec<u8>, cancel: Option<&CallGroup>) -> Outcome<PreparedRequest> {
        self.check(&request.action)?;
        room_for_call()?;
        check_room(request.action.size(), "a copy of the parameters")?;
        if !matches!(request.action, Action::Public { .. }) {
            self.identity()?.store.refuse_reentry()?;
        }
        let (call, membership) = self.begin(&request, cancel)?;
        Ok(PreparedRequest { request: request.into_owned(), data, call, _membership: membership })
    }

    /// Performs a prepared request of this session.
    pub fn perform_prepared(&self, prepared: &PreparedRequest) -> Outcome<Json> {
        self.perform(&prepared.request, &prepared.data, &prepared.call)
    }

    /// Fails if this kind of session cannot do this.
    fn check(&self, action: &Action<'_>) -> Outcome<()> {
        match (action, &self.identity) {
            (Action::Public { .. }, _) | (_, Some(_)) => Ok(()),
            (Action::Authorize, None) => self.with_tokens().map(|_| ()),
            (_, None) => Err(signs_nothing()),
        }
    }

    /// A call that belongs to the session's group and to the cancel handle's; its time limit has not started yet.
    fn begin(
        &self,
        request: &Request<'_>,
        cancel: Option<&CallGroup>,
    ) -> Outcome<(Arc<Call>, [Option<Membership>; 2])> {
        let call = Call::waiting(request.limit.unwrap_or(self.timeout));
        if let Some(retries) = request.retries {
            call.limit_retries(retries);
        }
        let of_session = self.calls.join(&call)?;
        let of_cancel = cancel.map(|cancel| cancel.join(&call)).transpose()?;
        cancel.iter().for_each(|cancel| cancel.count_progress(&call));
        Ok((call, [Some(of_session), of_cancel]))
    }

    fn perform(&self, request: &Request<'_>, data: &[u8], call: &Arc<Call>) -> Outcome<Json> {
        let in_flight = self.client.stats().begin_call();
        let outcome = self.perform_uncounted(request, data, call);
        in_flight.end(&outcome);
        outcome
    }

    fn perform_uncounted(&self, request: &Request<'_>, data: &[u8], call: &Arc<Call>) -> Outcome<Json> {
        room_for_call()?;
        let answer = match &request.action {
            // An outcome of a token request that another call made is returned as it is; this call's own request waits
            // for it.
            Action::Authorize => {
                return self.authorize(call).map(Json::from).map_err(|failure| failure.sent_unless_known(true));
            }
            Action::Call(action) => self.call_method(action, call),
            Action::Upload(action, file) => self.upload(action, &file.with(data), call),
            Action::Public { path, parameters } => self.public_page(path, parameters, call),
        };
        let outcome = answer.and_then(|answer| answer.into_outcome(request.pass_error.unwrap_or(self.pass_error)));
        outcome.map_err(|failure| failure.sent(call.was_sent()))
    }

    fn call_method(&self, action: &request::Call<'_>, call: &Arc<Call>) -> Outcome<Answer> {
        let identity = self.identity()?;
        identity.with_tokens(call, &action.method, &action.parameters, |tokens| {
            self.send_signed(identity, tokens, action, call)
        })
    }

    // Not inlined: its variables would enlarge the caller's frame, which a suspended call keeps on its stack.
    #[inline(never)]
    fn upload(&self, action: &request::Call<'_>, upload: &Upload<'_>, call: &Arc<Call>) -> Outcome<Answer> {
        let identity = self.identity()?;
        let method = action.method.as_ref();
        identity.with_tokens(call, method, &action.parameters, |tokens| {
            let signed = identity.sign(tokens, method, &action.parameters, &|| call.checkpoint())?;
            let multipart = upload.multipart(&signed)?;
            let url = self.api_url.as_str().to_owned();
            let body = RequestBody::Multipart(&multipart);
            let (retry_safety, pace) = (retry_safety(method), Some(&identity.pace));
            self.send(http::Request { name: method, url, body, retry_safety, pace }, call)
        })
    }

    #[inline(never)]
    fn public_page(&self, path: &str, parameters: &Parameters<'_>, call: &Arc<Call>) -> Outcome<Answer> {
        let checkpoint = || call.checkpoint();
        if encoded_length(pairs(parameters), &checkpoint)? > http::LONGEST_ADDRESS {
            return Err(http::too_long());
        }
        let mut url = format!("{}/{path}", self.public_url.as_str());
        if !parameters.is_empty() {
            url.push('?');
            encode_into(&mut url, pairs(parameters), &checkpoint)?;
        }
        let retry_safety = RetrySafety::ReadOnly;
        self.send(http::Request { name: path, url, body: RequestBody::None, retry_safety, pace: None }, call)
    }

    fn authorize(&self, call: &Arc<Call>) -> Outcome<String> {
        let identity = self.identity()?;
        let tokens = identity.store.authorize(call)?;
        Ok(identity.show(&tokens))
    }

    /// The current tokens, without network.
    pub fn tokens(&self) -> String {
        let tokens = self.identity.as_ref().and_then(|identity| Some(identity.show(&*identity.store.latest()?)));
        tokens.unwrap_or_else(|| Tokens::default().to_json(None))
    }

    /// The session's statistics, as JSON.
    pub fn stats(&self) -> String {
        self.client.stats().to_json()
    }

    /// Returns a call as it would be sent now as GET, and the text hashed for its signature.
    pub fn sign(&self, method: &str, params_json: Option<&str>) -> Outcome<String> {
        params::check_method(method)?;
        let parameters = params::call_parameters(params_json)?;
        let identity = self.identity()?;
        let tokens = identity.store.usable()?.ok_or_else(|| {
            Failure::new(Code::SignatureUndefined, "the session has no token yet; call mailru_authorize first")
        })?;
        let signer = identity.keys.signer(&tokens)?;
        let signed = identity.sign(&tokens, method, &parameters, &no_checkpoint)?;
        let length = encoded_length(pairs(&signed), &no_checkpoint)?;
        let url = Zeroizing::new(self.api_url.with_query(pairs(&signed), length));
        let base = signer.base(&signed);
        let params = BTreeMap::from_iter(pairs(&signed));
        let shown = BTreeMap::from([
            ("url", Shown::Text(&url)),
            ("sig", Shown::Text(params["sig"])),
            ("circuit", Shown::Text(signer.circuit.name())),
            ("base", Shown::Text(&base)),
            ("params", Shown::Texts(&params)),
        ]);
        json::written(&shown, "what is signed")
    }

    /// Replaces the session's tokens by newer ones, given as the JSON of `mailru_tokens`.
    pub fn set_tokens(&self, tokens_json: &str) -> Outcome<()> {
        let store = &self.with_tokens()?.store;
        store.set_tokens(Tokens::stored("tokens_json", tokens_json, store.now())?)
    }

    /// The current thread, if this session's callbacks run only on the thread that sets them.
    pub fn callbacks_thread(&self) -> Option<HostThread> {
        self.callbacks_in_calls.then(HostThread::own)
    }

    /// Sets the callback that receives each new set of tokens, as JSON, before it is used.
    pub fn on_token(&self, callback: impl Fn(&str) + Send + Sync + 'static) -> Outcome<()> {
        let identity = self.with_tokens()?;
        let circuits = identity.keys.circuits();
        let tell = move |tokens: &Tokens| callback(&Zeroizing::new(tokens.to_json(circuits.of(tokens))));
        identity.store.set_listener(Some(TokenListener::new(tell, self.callbacks_thread())));
        Ok(())
    }

    /// Sets the callback for the phases of renewals.
    pub fn on_renewal(&self, callback: impl Fn(i32) + Send + Sync + 'static) -> Outcome<()> {
        let listener = RenewalListener::new(move |phase: &i32| callback(*phase), self.callbacks_thread());
        self.with_tokens()?.store.set_renewal_listener(Some(listener));
        Ok(())
    }

    /// Removes the callback for new tokens.
    pub fn forget_on_token(&self) -> Outcome<()> {
        self.with_tokens()?.store.set_listener(None);
        Ok(())
    }

    /// Removes the callback for renewals.
    pub fn forget_on_renewal(&self) -> Outcome<()> {
        self.with_tokens()?.store.set_renewal_listener(None);
        Ok(())
    }

    /// Has the callback that runs now count as running after it has returned; or ends that.
    pub fn hold(&self, hold: bool) -> Outcome<()> {
        let store = &self.with_tokens()?.store;
        if hold {
            return store.hold();
        }
        store.end_hold();
        Ok(())
    }

    /// The identity of a session with tokens; a public session is refused.
    fn with_tokens(&self) -> Outcome<&Arc<Identity>> {
        self.identity.as_ref().ok_or_else(|| {
            Failure::argument("session", "is a public session, which has no tokens; make one of another kind")
        })
    }

    /// Cancels the running calls; later ones work.
    pub fn cancel(&self) {
        self.calls.cancel();
        self.identity.iter().for_each(|identity| identity.store.cancel());
    }

    /// Cancels the running calls and refuses later ones: the host freed the session.
    pub fn end(&self) {
        self.calls.end();
        self.identity.iter().for_each(|identity| identity.store.end());
    }

    fn identity(&self) -> Outcome<&Arc<Identity>> {
        self.identity.as_ref().ok_or_else(signs_nothing)
    }

    fn send_signed(
        &self,
        identity: &Identity,
        tokens: &Tokens,
        action: &request::Call<'_>,
        call: &Arc<Call>,
    ) -> Outcome<Answer> {
        let (method, parameters) = (action.method.as_ref(), &action.parameters);
        let checkpoint = || call.checkpoint();
        let signed = identity.sign(tokens, method, parameters, &checkpoint)?;
        let (retry_safety, pace) = (retry_safety(method), Some(&identity.pace));
        let length = encoded_length(pairs(&signed), &checkpoint)?;
        if self.api_url.request_line(length) <= self.get_limit {
            let (url, body) = (self.api_url.with_query(pairs(&signed), length), RequestBody::None);
            return self.send(http::Request { name: method, url, body, retry_safety, pace }, call);
        }
        let form = encoded(pairs(&signed), length, &checkpoint)?;
        let url = self.api_url.as_str().to_owned();
        self.send(http::Request { name: method, url, body: RequestBody::Form(&form), retry_safety, pace }, call)
    }

    fn send(&self, request: http::Request, call: &Arc<Call>) -> Outcome<Answer> {
        Ok(self.client.send(request, call)?)
    }
}

/// A member of the result of [`Session::sign`].
enum Shown<'a> {
    Text(&'a str),
    Texts(&'a BTreeMap<&'a str, &'a str>),
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Shown::Text(text) => text.serialize(serializer),
            Shown::Texts(texts) => texts.serialize(serializer),
        }
    }
}

fn signs_nothing() -> Failure {
    Failure::new(
        Code::SignatureUndefined,
        "a public session cannot sign; use it for mailru_public, or make a session of another kind",
    )
}

fn retry_safety(method: &str) -> RetrySafety {
    if catalogue::only_reads(method) { RetrySafety::ReadOnly } else { RetrySafety::Write }
}

fn pairs<'a>(parameters: &'a Parameters<'_>) -> impl Iterator<Item = (&'a str, &'a str)> + Clone {
    parameters.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
}
