//! The journal: what was received, what became of it, and which writes took effect. Bounded, so that a long run does
//! not fill the memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::incoming::Incoming;

/// How many requests, and how many applied writes, are kept.
const KEPT: usize = 10_000;

struct Record {
    number: u64,
    incoming: Arc<Incoming>,
    /// What the client was to get: "ok", "error 104", "fault reset".
    outcome: String,
    /// What the service itself answered, where it was asked.
    served: Option<String>,
    applied: bool,
    client_secret: Option<&'static str>,
}

struct Applied {
    number: u64,
    uid: Option<String>,
    method: String,
    incoming: Arc<Incoming>,
}

#[derive(Default)]
pub struct Journal {
    pub received: u64,
    records: VecDeque<Record>,
    applied: VecDeque<Applied>,
    /// Per method, also of those no longer kept.
    pub applied_counts: BTreeMap<String, u64>,
}

impl Journal {
    /// Numbers a request; the numbers go on after a reset, so that none is ever reused.
    pub fn receive(&mut self, number: u64, incoming: &Arc<Incoming>, keep: bool) {
        self.received += 1;
        if keep {
            push(
                &mut self.records,
                Record {
                    number,
                    incoming: incoming.clone(),
                    outcome: "pending".into(),
                    served: None,
                    applied: false,
                    client_secret: None,
                },
            );
        }
    }

    /// Notes how the request ended.
    pub fn finish(&mut self, number: u64, outcome: String, served: Option<&Answer>) {
        let Ok(at) = self.records.binary_search_by_key(&number, |record| record.number) else {
            return;
        };
        let record = &mut self.records[at];
        record.outcome = outcome;
        if let Some(answer) = served {
            record.served = Some(answer.outcome.clone());
            record.applied = answer.applied;
            record.client_secret = answer.client_secret;
        }
    }

    pub fn apply(&mut self, number: u64, uid: Option<&str>, method: &str, incoming: &Arc<Incoming>) {
        *self.applied_counts.entry(method.to_owned()).or_default() += 1;
        let (uid, method) = (uid.map(str::to_owned), method.to_owned());
        push(&mut self.applied, Applied { number, uid, method, incoming: incoming.clone() });
    }

    pub fn forget_requests(&mut self) {
        self.records.clear();
    }

    pub fn kept(&self) -> usize {
        self.records.len()
    }

    pub fn requests(&self, since: u64) -> Value {
        self.records.iter().filter(|record| record.number > since).map(Record::to_json).collect()
    }

    pub fn applied(&self) -> Value {
        self.applied.iter().map(Applied::to_json).collect()
    }
}

fn push<T>(kept: &mut VecDeque<T>, item: T) {
    if kept.len() == KEPT {
        kept.pop_front();
    }
    kept.push_back(item);
}

impl Record {
    fn to_json(&self) -> Value {
        let incoming = &self.incoming;
        let headers: Vec<_> = incoming
            .headers
            .iter()
            .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
            .collect();
        let (body, body_base64) = match incoming.body.is_empty() {
            true => (Value::Null, Value::Null),
            false => (json!(String::from_utf8_lossy(&incoming.body)), json!(STANDARD.encode(&incoming.body))),
        };
        let (params, files, bad_params) = match &incoming.params {
            Ok(params) => {
                let pairs = params.pairs.iter().map(|(name, value)| (name.clone(), json!(value)));
                let files = params.files.iter().map(|file| file.to_json()).collect();
                (Value::Object(pairs.collect()), files, Value::Null)
            }
            Err(reason) => (Value::Null, Vec::new(), json!(reason)),
        };
        json!({
            "number": self.number,
            "connection": incoming.connection,
            "at_ms": incoming.at_ms,
            "http_method": incoming.http_method.as_str(),
            "target": incoming.target,
            "path": incoming.path,
            "headers": headers,
            "body": body,
            "body_base64": body_base64,
            "platform_method": incoming.platform_method(),
            "grant": incoming.grant(),
            "params": params,
            "bad_params": bad_params,
            "files": files,
            "client_secret": self.client_secret,
            "outcome": self.outcome,
            "served": self.served,
            "applied": self.applied,
        })
    }
}

impl Applied {
    fn to_json(&self) -> Value {
        let params = self.incoming.params.as_ref();
        json!({
            "number": self.number,
            "at_ms": self.incoming.at_ms,
            "method": self.method,
            "uid": self.uid,
            "params": params.map_or(Value::Null, |params| params.unsigned()),
            "files": params.map_or(Value::Null, |params| params.files.iter().map(|file| file.to_json()).collect()),
        })
    }
}
