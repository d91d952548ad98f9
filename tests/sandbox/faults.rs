//! Fault rules: the faults to inject, into which requests or connections, how often.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::request::ReceivedRequest;

/// The phase of a request in which a fault occurs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The request was read, but has no effect.
    #[default]
    Before,
    /// The request has taken effect; no byte of the answer was sent.
    After,
    Head,
    Body,
}

fn head() -> Phase {
    Phase::Head
}

fn body() -> Phase {
    Phase::Body
}

fn ok() -> u16 {
    200
}

fn found() -> u16 {
    302
}

fn bad_request() -> u16 {
    400
}

fn no_ms() -> u64 {
    0
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Never answers; the connection stays open.
    Silent {},
    Delay {
        ms: u64,
        #[serde(default = "head")]
        phase: Phase,
    },
    /// The normal answer, but only after the control API releases what is held.
    Hold {},
    /// One byte every `ms`.
    Drip {
        ms: u64,
        #[serde(default = "body")]
        phase: Phase,
    },
    Close {
        #[serde(default)]
        phase: Phase,
    },
    Reset {
        #[serde(default)]
        phase: Phase,
    },
    /// A body that ends before its announced length, or before the last chunk.
    Truncate {
        #[serde(default)]
        chunked: bool,
    },
    /// A body without a length, cut off: only its syntax shows that.
    CloseDelimitedCut {},
    Garbage {},
    Status {
        status: u16,
        #[serde(default)]
        body: String,
        #[serde(default)]
        content_type: Option<String>,
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    Answer {
        #[serde(default)]
        body: Option<String>,
        #[serde(default)]
        body_base64: Option<String>,
        #[serde(default = "ok")]
        status: u16,
        #[serde(default)]
        content_type: Option<String>,
    },
    /// Sends these bytes, then closes the connection.
    Raw {
        base64: String,
    },
    PlatformError {
        code: i64,
        #[serde(default)]
        status: Option<u16>,
    },
    OauthError {
        error: String,
        #[serde(default)]
        description: String,
        #[serde(default = "bad_request")]
        status: u16,
    },
    /// 429, with Retry-After in seconds.
    TooMany {
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// The normal answer without these members.
    Omit {
        members: Vec<String>,
    },
    Redirect {
        location: String,
        #[serde(default = "found")]
        status: u16,
    },
    /// A JSON string of this many bytes.
    Huge {
        bytes: u64,
    },
    /// The normal answer, compressed if the client accepts it.
    Gzip {},
    /// A JSON string of this many spaces, compressed.
    GzipBomb {
        bytes: u64,
    },
    /// A JSON string of this many spaces, each byte a chunk.
    ChunkBomb {
        bytes: u64,
    },
    EndlessHeaders {},
    ManyHeaders {
        count: u64,
    },
    /// 100 Continue, repeated without end.
    ContinueFlood {},
    /// Nested arrays.
    Deep {
        depth: u64,
    },
    BadUtf8 {},
    Empty {},
    /// Code 102; the session key presented is expired from here on.
    ExpireToken {},
    /// The normal answer; the connection is closed after it was idle for `ms`.
    CloseAfter {
        #[serde(default = "no_ms")]
        ms: u64,
    },
    /// The head and half of the body, then nothing.
    HangBody {},
    /// Connections only: one byte every `ms` until the end of the TLS handshake (without TLS: always).
    DripHandshake {
        ms: u64,
    },
}

impl Fault {
    /// The name of the fault in rules and in the journal.
    pub fn kind(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value["kind"].as_str().unwrap_or_default().to_owned()
    }

    fn is_for_connections(&self) -> bool {
        use Fault::*;
        matches!(self, Silent {} | Delay { .. } | Close { .. } | Reset { .. } | Garbage {} | DripHandshake { .. })
    }

    fn is_for_requests(&self) -> bool {
        !matches!(self, Fault::DripHandshake { .. })
    }
}

/// The conditions of a rule: all that are given must be true.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct On {
    /// A prefix of the request's path.
    pub path: Option<String>,
    /// The platform method; a `*` at the end stands for anything.
    pub method: Option<String>,
    pub grant: Option<String>,
    /// New connections instead of requests.
    pub connection: bool,
}

impl On {
    fn matches(&self, request: &ReceivedRequest) -> bool {
        let path = self.path.as_ref().is_none_or(|prefix| request.path.starts_with(prefix.as_str()));
        let method = self.method.as_ref().is_none_or(|wanted| match request.platform_method() {
            None => false,
            Some(method) => match wanted.strip_suffix('*') {
                Some(prefix) => method.starts_with(prefix),
                None => method == wanted,
            },
        });
        let grant = self.grant.as_deref().is_none_or(|wanted| request.grant() == Some(wanted));
        !self.connection && path && method && grant
    }
}

fn once() -> Option<u64> {
    Some(1)
}

fn always() -> f64 {
    1.0
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    #[serde(skip_deserializing)]
    pub id: u64,
    #[serde(default)]
    pub on: On,
    /// How often it still applies; `None` means always.
    #[serde(default = "once")]
    pub times: Option<u64>,
    /// How many requests still pass without the fault.
    #[serde(default)]
    pub skip: u64,
    #[serde(default = "always")]
    pub probability: f64,
    /// Whether a request takes effect although the fault replaces its answer.
    #[serde(default)]
    pub applied: bool,
    pub fault: Fault,
    #[serde(skip_deserializing)]
    pub fired: u64,
}

impl Rule {
    fn applies(&mut self) -> bool {
        if self.times == Some(0) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if fastrand::f64() >= self.probability {
            return false;
        }
        self.times = self.times.map(|left| left - 1);
        self.fired += 1;
        true
    }
}

#[derive(Default)]
pub struct Faults {
    pub rules: Vec<Rule>,
    added: u64,
    pub fired: u64,
}

impl Faults {
    /// Adds a rule after the others; returns its id.
    pub fn add(&mut self, mut rule: Rule) -> Result<u64, String> {
        let suits = if rule.on.connection { rule.fault.is_for_connections() } else { rule.fault.is_for_requests() };
        if !suits {
            let what = if rule.on.connection { "connections" } else { "requests" };
            return Err(format!("fault {} is not for {what}", rule.fault.kind()));
        }
        self.added += 1;
        rule.id = self.added;
        self.rules.push(rule);
        Ok(self.added)
    }

    /// The first rule that applies to this request: its fault, and whether the request takes effect nevertheless.
    pub fn choose(&mut self, request: &ReceivedRequest) -> Option<(Fault, bool)> {
        let rule =
            self.rules.iter_mut().find_map(|rule| (rule.on.matches(request) && rule.applies()).then_some(rule))?;
        self.fired += 1;
        Some((rule.fault.clone(), rule.applied))
    }

    pub fn choose_for_connection(&mut self) -> Option<Fault> {
        let rule = self.rules.iter_mut().find_map(|rule| (rule.on.connection && rule.applies()).then_some(rule))?;
        self.fired += 1;
        Some(rule.fault.clone())
    }
}
