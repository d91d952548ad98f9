//! Sends requests and returns checked answers: within the call's time limit, cancellable, with retries where they are
//! harmless.
#![forbid(unsafe_code)]

pub mod answer;

mod agent;
mod attempt;
mod attempt_error;
mod body;
mod buffers;
mod connector;
mod framed;
mod happy_eyeballs;
mod head;
mod kept;
pub mod multipart;
mod proxy;
mod reading;
mod resolver;
mod retry;
mod socket;
mod socks;
mod stream;
mod system_error;
mod tls;
mod tls_text;
mod transport;
mod transport_error;
mod tunnel;

use std::io::{self, Read};
use std::mem;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ureq::SendBody;
use ureq::http::{self, HeaderValue, Uri, header};
use zeroize::Zeroize;

use self::agent::AgentSource;
use self::answer::Answer;
use self::attempt::{Attempt, Plan};
pub use self::attempt_error::AttemptError;
use self::kept::Use;
use self::multipart::Multipart;
use crate::call::{BodyProgress, Call};
use crate::error::{Failure, Outcome};
use crate::log::{self, Level, Line};
use crate::options::Options;
use crate::pace::Pace;
use crate::panics::planted;
use crate::stats::{AttemptStats, Stats};

/// The method and body of a request.
pub enum RequestBody<'a> {
    /// A GET with all parameters in the address.
    None,
    /// A POST of form fields, percent-encoded.
    Form(&'a str),
    /// A POST of form fields and a file.
    Multipart(&'a Multipart<'a>),
}

/// A request that can be sent, and sent again.
pub struct Request<'a> {
    /// The request's name in the log; not the address, which may contain secrets.
    pub name: &'a str,
    /// The whole address.
    pub url: String,
    /// Its method and body.
    pub body: RequestBody<'a>,
    /// Whether it may be retried.
    pub retry_safety: RetrySafety,
    /// The application's rate limit, if it is a call of an application.
    pub pace: Option<&'a Pace>,
}

/// Whether a request may be retried after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetrySafety {
    /// The method only reads, so a retry is harmless.
    ReadOnly,
    /// The method may write: retried only if the platform said that it was not carried out, or if no byte was sent.
    Write,
    /// The request contains something that works only once, such as a code: never retried once a byte may have been
    /// sent.
    OneTime,
}

/// The longest address that the HTTP library accepts.
pub const LONGEST_ADDRESS: usize = 65_534;

/// The failure of a public page's request, which must be a GET; a longer signed call becomes a POST.
pub fn too_long() -> Failure {
    Failure::argument("params_json", "makes the address longer than 64 KiB; give fewer or shorter parameters")
}

/// A session's HTTP client.
pub struct Client {
    /// Identifies the session in the log.
    session: OnceLock<u64>,
    stats: Arc<Stats>,
    agents: Arc<AgentSource>,
    retries: u32,
    retry_delay: Duration,
    max_response_bytes: u64,
}

impl Client {
    /// Checks the network options. Nothing is sent.
    pub fn new(options: &Options) -> Outcome<Client> {
        Ok(Client {
            session: OnceLock::new(),
            stats: Arc::default(),
            agents: AgentSource::of(options)?,
            retries: options.retries,
            retry_delay: options.retry_delay,
            max_response_bytes: options.max_response_bytes,
        })
    }

    /// Sets the number that identifies the session in the log.
    pub fn set_session_number(&self, number: u64) {
        let _ = self.session.set(number);
    }

    /// The session's statistics.
    pub fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    /// A log line about a call of this session.
    pub fn line(&self, event: &str, call: &Call) -> Line {
        self.session_line(event).with("call", call.number())
    }

    /// A log line about this session.
    pub fn session_line(&self, event: &str) -> Line {
        Line::new(event).with("session", self.session.get().unwrap_or(&0))
    }

    /// Sends a request, with retries where they are safe and may help, until its time limit.
    pub fn send(&self, mut request: Request, call: &Arc<Call>) -> Result<Answer, AttemptError> {
        let url = SecretAddress(Bytes::from(mem::take(&mut request.url)));
        let uri = Uri::from_maybe_shared(url.0.clone()).map_err(|_| AttemptError::unsent(too_long()))?;
        let mut failed = 0;
        request.pace.map_or(Ok(()), |pace| pace.wait(call)).map_err(AttemptError::unsent)?;
        loop {
            let outcome = self.attempt(&request, &uri, call, failed + 1);
            failed += 1;
            if !retry::may_retry(&outcome, request.retry_safety) {
                return outcome;
            }
            let pause = retry::pause(&outcome, self.retry_delay, failed);
            if !call.is_cancelled() && call.time_left().map_or(true, |left| left <= pause) {
                return outcome;
            }
            let Some(left) = call.take_retry(self.retries) else { return outcome };
            self.log_retry(&request, call, failed + 1, left, pause);
            // Cancelled in the pause: bytes that earlier attempts sent still count.
            call.pause(pause)
                .map_err(|failure| AttemptError { sent: call.was_sent(), ..AttemptError::unsent(failure) })?;
        }
    }

    // Not inlined: its variables would enlarge the caller's frame, which a suspended call keeps on its stack. The same is true
    // of others in this folder.
    #[inline(never)]
    fn log_retry(&self, request: &Request, call: &Call, number: u32, left: u32, pause: Duration) {
        log::event(Level::Warning, || {
            let line = self.line("retry", call).with("method", request.name).with("attempt", number);
            line.with("most", number + left).with("pause_ms", pause.as_millis())
        });
    }

    fn attempt(&self, request: &Request, uri: &Uri, call: &Arc<Call>, number: u32) -> Result<Answer, AttemptError> {
        let begun = Instant::now();
        let outcome = {
            let attempt = Attempt::begin(call, self.plan(request, uri));
            let outcome = match call.check() {
                Ok(()) => self.run(request, &attempt),
                Err(failure) => Err(AttemptError::unsent(failure)),
            };
            self.stats.count_attempt(AttemptStats { is_retry: number > 1, ..attempt.stats() });
            outcome
        };
        self.log_attempt(request, call, number, begun, &outcome);
        outcome
    }

    #[inline(never)]
    fn log_attempt(
        &self,
        request: &Request,
        call: &Call,
        number: u32,
        begun: Instant,
        outcome: &Result<Answer, AttemptError>,
    ) {
        let line = |event| {
            let line = self.line(event, call).with("method", request.name).with("attempt", number);
            line.with("ms", begun.elapsed().as_millis())
        };
        match outcome {
            Ok(answer) => log::event(Level::Debug, || {
                let line = line("answer").with("status", answer.status).with("bytes", answer.size);
                match answer.platform_code() {
                    Some(code) => line.with("error", code),
                    None => line,
                }
            }),
            Err(error) => {
                log::event(Level::Warning, || line("failure").with("sent", error.sent).with_failure(&error.failure))
            }
        }
    }

    fn plan(&self, request: &Request, uri: &Uri) -> Plan {
        Plan {
            target: uri.clone(),
            purpose: if request.retry_safety == RetrySafety::ReadOnly { Use::Read } else { Use::Write },
            body_length: request.body.length(),
            is_secret: request.retry_safety == RetrySafety::OneTime,
            max_response_bytes: self.max_response_bytes,
        }
    }

    fn run(&self, request: &Request, attempt: &Attempt) -> Result<Answer, AttemptError> {
        let told = self.run_ureq(request, attempt);
        planted("answer");
        // The transport reads the answer, sometimes before the whole request was sent.
        match attempt.take_received() {
            Some(received) => Ok(Answer::from(received)),
            None => Err(AttemptError::new(told.err().unwrap_or(ureq::Error::ConnectionFailed), attempt)),
        }
    }

    fn run_ureq(&self, request: &Request, attempt: &Attempt) -> Result<(), ureq::Error> {
        let mut head = http::Request::new(());
        *head.headers_mut() = self.agents.headers(&attempt.plan().target)?;
        *head.uri_mut() = attempt.plan().target.clone();
        let agent = self.agents.agent();
        let progress = attempt.call().progress();
        let size = request.body.length();
        progress.filter(|_| size > 0).inspect(|progress| progress.begin(size as u64));
        match request.body {
            RequestBody::None => drop(agent.run(head)?),
            RequestBody::Form(form) => {
                run_form(&agent, head, form)?;
                progress.inspect(|progress| progress.add(size as u64));
            }
            RequestBody::Multipart(multipart) => run_multipart(&agent, head, multipart, progress)?,
        }
        Ok(())
    }
}

#[inline(never)]
fn run_form(agent: &ureq::Agent, mut head: http::Request<()>, form: &str) -> Result<(), ureq::Error> {
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    head.headers_mut().insert(header::CONTENT_TYPE, kind);
    *head.method_mut() = http::Method::POST;
    agent.run(head.map(|()| form)).map(drop)
}

#[inline(never)]
fn run_multipart(
    agent: &ureq::Agent,
    mut head: http::Request<()>,
    multipart: &Multipart,
    progress: Option<&BodyProgress>,
) -> Result<(), ureq::Error> {
    let Multipart { boundary, before, file, after } = multipart;
    let kind = HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}"));
    let size = RequestBody::Multipart(multipart).length();
    head.headers_mut().insert(header::CONTENT_TYPE, kind.map_err(http::Error::from)?);
    head.headers_mut().insert(header::CONTENT_LENGTH, size.into());
    *head.method_mut() = http::Method::POST;
    let parts = before.as_bytes().chain(*file).chain(after.as_bytes());
    let mut parts = Counted { parts, progress };
    agent.run(head.map(|()| SendBody::from_reader(&mut parts))).map(drop)
}

/// The text of an address, which contains the access token. It is wiped on drop, so everything that shares it must be
/// dropped before.
struct SecretAddress(Bytes);

impl Drop for SecretAddress {
    fn drop(&mut self) {
        if let Ok(mut text) = mem::take(&mut self.0).try_into_mut() {
            text.zeroize();
        }
    }
}

impl RequestBody<'_> {
    fn length(&self) -> usize {
        match self {
            RequestBody::None => 0,
            RequestBody::Form(form) => form.len(),
            RequestBody::Multipart(Multipart { before, file, after, .. }) => before.len() + file.len() + after.len(),
        }
    }
}

/// A body whose bytes count as sent when they are read for writing.
struct Counted<'a, R> {
    parts: R,
    progress: Option<&'a BodyProgress>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.parts.read(buffer)?;
        self.progress.inspect(|progress| progress.add(count as u64));
        Ok(count)
    }
}
