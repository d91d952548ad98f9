//! The journal: received requests, their outcomes, and the writes that took effect. Limited, so that a long run does
//! not fill the memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::request::ReceivedRequest;

/// The maximum number of requests, and of applied writes, that are kept.
const KEPT: usize = 10_000;

struct Record {
    number: u64,
    request: Arc<ReceivedRequest>,
    /// The intended outcome for the client: "ok", "error 104", "fault reset".
    outcome: String,
    /// The answer of the service itself, if there was one.
    served: Option<String>,
    applied: bool,
    client_secret: Option<&'static str>,
}

struct Applied {
    number: u64,
    uid: Option<String>,
    method: String,
    request: Arc<ReceivedRequest>,
}

#[derive(Default)]
pub struct Journal {
    pub received: u64,
    records: VecDeque<Record>,
    applied: VecDeque<Applied>,
    /// By method, with those no longer kept.
    pub applied_counts: BTreeMap<String, u64>,
}

impl Journal {
    /// Records a request under a number; numbers continue after a reset, so that none is reused.
    pub fn receive(&mut self, number: u64, request: &Arc<ReceivedRequest>, keep: bool) {
        self.received += 1;
        if keep {
            push(
                &mut self.records,
                Record {
                    number,
                    request: request.clone(),
                    outcome: "pending".into(),
                    served: None,
                    applied: false,
                    client_secret: None,
                },
            );
        }
    }

    /// Records the outcome of a request.
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

    pub fn apply(&mut self, number: u64, uid: Option<&str>, method: &str, request: &Arc<ReceivedRequest>) {
        *self.applied_counts.entry(method.to_owned()).or_default() += 1;
        let (uid, method) = (uid.map(str::to_owned), method.to_owned());
        push(&mut self.applied, Applied { number, uid, method, request: request.clone() });
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
        let request = &self.request;
        let headers: Vec<_> = request
            .headers
            .iter()
            .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
            .collect();
        let (body, body_base64) = match request.body.is_empty() {
            true => (Value::Null, Value::Null),
            false => (json!(String::from_utf8_lossy(&request.body)), json!(STANDARD.encode(&request.body))),
        };
        let (params, files, bad_params) = match &request.params {
            Ok(params) => {
                let pairs = params.pairs.iter().map(|(name, value)| (name.clone(), json!(value)));
                let files = params.files.iter().map(|file| file.to_json()).collect();
                (Value::Object(pairs.collect()), files, Value::Null)
            }
            Err(reason) => (Value::Null, Vec::new(), json!(reason)),
        };
        json!({
            "number": self.number,
            "connection": request.connection,
            "at_ms": request.at_ms,
            "http_method": request.http_method.as_str(),
            "target": request.target,
            "path": request.path,
            "headers": headers,
            "body": body,
            "body_base64": body_base64,
            "platform_method": request.platform_method(),
            "grant": request.grant(),
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
        let params = self.request.params.as_ref();
        json!({
            "number": self.number,
            "at_ms": self.request.at_ms,
            "method": self.method,
            "uid": self.uid,
            "params": params.map_or(Value::Null, |params| params.unsigned()),
            "files": params.map_or(Value::Null, |params| params.files.iter().map(|file| file.to_json()).collect()),
        })
    }
}
