//! Requests out, checked answers back: within the call's time, cancellable, repeated where harmless.
#![forbid(unsafe_code)]

pub mod answer;

mod agent;
mod connector;
mod exchange;
mod failure;
mod line;
mod proxy;
mod resolver;
mod retry;
mod socks;
mod wire;

use std::io::Read;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::SendBody;
use ureq::http::{self, HeaderValue, Uri, header};

use self::agent::AgentSource;
use self::answer::Answer;
use self::exchange::Exchange;
pub use self::failure::Broken;
use crate::control::Control;
use crate::error::{Code, Failure, Outcome};
use crate::log::{self, Level};
use crate::options::Options;

/// What a request carries besides its address.
pub enum Content<'a> {
    /// A GET, with everything in the address.
    Nothing,
    /// A POST of form fields, percent-encoded.
    Form(&'a str),
    /// A POST of form fields and a file.
    Multipart(&'a Multipart<'a>),
}

/// A file among form fields, sent from the caller's memory without a copy.
pub struct Multipart<'a> {
    /// The boundary that the text around the file uses.
    pub boundary: String,
    /// The form fields and the file's head.
    pub before: String,
    /// The file.
    pub file: &'a [u8],
    /// What follows the file.
    pub after: String,
}

/// A request, ready to be sent, perhaps more than once.
pub struct Request<'a> {
    /// What the log calls it: no address, which may hold secrets.
    pub name: &'a str,
    /// The whole address.
    pub url: String,
    /// What it carries.
    pub content: Content<'a>,
    /// What a repetition may do.
    pub repetition: Repetition,
}

/// What it would mean to send a request twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repetition {
    /// Nothing: the request only reads.
    Harmless,
    /// A write could be done twice, unless the platform says that it was not done.
    Risky,
    /// What the request holds works only once: no repetition after any byte has left.
    Useless,
}

/// A session's way to the network.
pub struct Client {
    agents: Arc<AgentSource>,
    retries: u32,
    retry_delay: Duration,
    max_response_bytes: u64,
}

impl Client {
    /// Checks the options that concern the network; nothing is sent.
    pub fn new(options: &Options) -> Outcome<Client> {
        Ok(Client {
            agents: AgentSource::of(options)?,
            retries: options.retries,
            retry_delay: options.retry_delay,
            max_response_bytes: options.max_response_bytes,
        })
    }

    /// Sends a request until it is answered for good, has failed for good, or its time is over.
    pub fn send(&self, mut request: Request, call: &Arc<Control>) -> Result<Answer, Broken> {
        let uri = Uri::try_from(mem::take(&mut request.url)).map_err(|_| {
            Broken::unsent(Failure::new(
                Code::InvalidArgument,
                "the request's address is longer than 64 KiB; lower get_limit",
            ))
        })?;
        let mut failed = 0;
        loop {
            let outcome = self.attempt(&request, &uri, call, failed + 1);
            failed += 1;
            if failed > self.retries || !retry::may_repeat(&outcome, request.repetition) {
                return outcome;
            }
            let pause = retry::pause(self.retry_delay, failed);
            if !call.is_cancelled() && call.time_left().map_or(true, |left| left <= pause) {
                return outcome;
            }
            log::line(Level::Warning, || {
                let (next, most) = (failed + 1, self.retries + 1);
                format!("{}: attempt {next} of at most {most} follows in {} ms", request.name, pause.as_millis())
            });
            // Cancelled in the pause: what the earlier attempts sent stays sent.
            call.pause(pause).map_err(|failure| Broken {
                sent: outcome.as_ref().map_or_else(|it| it.sent, |_| true),
                ..Broken::unsent(failure)
            })?;
        }
    }

    fn attempt(&self, request: &Request, uri: &Uri, call: &Arc<Control>, number: u32) -> Result<Answer, Broken> {
        let begun = Instant::now();
        let outcome = {
            let exchange = Exchange::begin(call, uri.clone());
            match call.check() {
                Ok(()) => self.run(request, uri).map_err(|error| Broken::new(error, &exchange)),
                Err(failure) => Err(Broken::unsent(failure)),
            }
        };
        let milliseconds = || begun.elapsed().as_millis();
        match &outcome {
            Ok(answer) => log::line(Level::Debug, || {
                let Answer { status, size, .. } = answer;
                format!("{} attempt {number}: status {status}, {size} bytes, {} ms", request.name, milliseconds())
            }),
            Err(broken) => log::line(Level::Warning, || {
                format!("{} attempt {number}: {}, {} ms", request.name, broken.failure.message(), milliseconds())
            }),
        }
        outcome
    }

    fn run(&self, request: &Request, uri: &Uri) -> Result<Answer, ureq::Error> {
        let mut head = http::Request::new(());
        *head.uri_mut() = uri.clone();
        let headers = head.headers_mut();
        // Set here for ureq's own way to this header passes a lock that a fork may leave held.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let agent = self.agents.agent();
        let response = match request.content {
            Content::Nothing => agent.run(head)?,
            Content::Form(form) => {
                let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
                headers.insert(header::CONTENT_TYPE, kind);
                *head.method_mut() = http::Method::POST;
                agent.run(head.map(|()| form))?
            }
            Content::Multipart(multipart) => {
                let Multipart { boundary, before, file, after } = multipart;
                let kind = HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}"));
                headers.insert(header::CONTENT_TYPE, kind.map_err(http::Error::from)?);
                headers.insert(header::CONTENT_LENGTH, (before.len() + file.len() + after.len()).into());
                *head.method_mut() = http::Method::POST;
                let mut parts = before.as_bytes().chain(*file).chain(after.as_bytes());
                agent.run(head.map(|()| SendBody::from_reader(&mut parts)))?
            }
        };
        Answer::read(response, self.max_response_bytes)
    }
}
