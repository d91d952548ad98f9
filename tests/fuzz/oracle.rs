//! Looks for two different sets of (kind, names, values) that pass `mailru_verify_query` with one signature.
//!
//! One key signs everything, and the signature is a hash of `name=value` after `name=value` without separators. So the
//! search makes a text, signs it, reads it as parameters in many ways, and has each reading checked as each kind. The
//! fuzz target takes its choices from libFuzzer's bytes, the tests from random numbers.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::ffi::{CStr, CString};
use std::hash::{Hash, Hasher};

use mailru::ffi::{mailru_string_free, mailru_verify_query};

/// The key that signs everything here.
pub const KEY: &str = "3dad9cbf9baaa0360c0f2ba372d25716";

/// The kinds that are signed by `sig`.
pub const SIGNED: [&str; 3] = ["payment", "launch", "cookie"];

/// Every name that one of the kinds or a call has.
pub const NAMES: [&str; 32] = [
    "app_id",
    "authentication_key",
    "cb",
    "connectPartner",
    "debug",
    "exp",
    "ext_perm",
    "format",
    "is_app_user",
    "mailiki_price",
    "method",
    "mobile_spec",
    "oid",
    "other_price",
    "profit",
    "ref_notify",
    "referer_id",
    "referer_type",
    "secure",
    "service_id",
    "session_expire",
    "session_key",
    "sig",
    "sms_price",
    "ss",
    "state",
    "transaction_id",
    "uid",
    "vid",
    "view",
    "window_id",
    "text",
];

/// Names and values.
pub type Fields = Vec<(String, String)>;

/// Where the choices come from.
pub trait Choices {
    /// A number from 0 up to, but without, this one.
    fn below(&mut self, end: usize) -> usize;

    /// Whether something of this probability, in percent, happens.
    fn likely(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// `mailru_verify_query`: the answer, if the query passes.
pub fn passes(kind: &str, query: &str) -> Option<String> {
    let [kind, key, query] = [kind, KEY, query].map(|text| CString::new(text).expect("no NUL"));
    let mut code = -1;
    // SAFETY: the strings outlive the call; the answer is released once.
    unsafe {
        let answer = mailru_verify_query(kind.as_ptr(), key.as_ptr(), query.as_ptr(), &mut code);
        let json = (code == 0).then(|| CStr::from_ptr(answer).to_str().expect("UTF-8").to_owned());
        mailru_string_free(answer);
        json
    }
}

/// A query string of these.
pub fn query(fields: &[(String, String)]) -> String {
    let mut query = String::new();
    for (name, value) in fields {
        if !query.is_empty() {
            query.push('&');
        }
        encode(&mut query, name);
        query.push('=');
        encode(&mut query, value);
    }
    query
}

fn encode(query: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => query.push(byte.into()),
            _ => query.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// What is hashed of these.
pub fn text(fields: &[(String, String)]) -> String {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_by(|one, other| one.0.as_bytes().cmp(other.0.as_bytes()));
    sorted.iter().flat_map(|(name, value)| [name, "=", value]).collect()
}

/// The signature of a text.
pub fn signature(text: &str) -> String {
    format!("{:x}", md5::compute([text, KEY].concat()))
}

/// What the search found so far.
#[derive(Default)]
pub struct Search {
    /// Queries checked.
    pub queries: usize,
    /// Queries that passed.
    pub passed: usize,
    /// Texts that were read in more than one way.
    pub texts: usize,
    /// The one set of each signature that passed.
    sets: HashMap<[u8; 16], u64>,
}

impl Search {
    /// Makes a text and has several readings of it checked; panics at a finding.
    pub fn round(&mut self, choices: &mut impl Choices) {
        if choices.below(32) == 0 {
            return self.by_key(choices);
        }
        let fields = request(choices);
        let whole = text(&fields);
        let sig = signature(&whole);
        // A call needs no check: the application signs it itself, so its signature serves for nothing else.
        let has = |name: &str| fields.iter().any(|field| field.0 == name);
        let mut accepted = (has("method") && has("secure")).then(|| format!("call {fields:?}"));
        let mut readings = vec![fields];
        readings.extend((0..6).filter_map(|_| reading(choices, &whole)));
        readings.sort();
        readings.dedup();
        self.texts += usize::from(readings.len() > 1);
        for fields in readings {
            let mut fields = fields;
            fields.push(("sig".into(), sig.clone()));
            if choices.likely(10) {
                // Not signed at a launch, and not to be handed on.
                fields.push((other_spelling(choices), "1".into()));
            }
            let query = query(&fields);
            for kind in SIGNED {
                self.check(kind, &query, &sig, &whole, &mut accepted);
            }
        }
    }

    /// The same for `authentication_key`, whose text is `app_id`, `_`, `vid`, `_`.
    fn by_key(&mut self, choices: &mut impl Choices) {
        let parts: Vec<_> = (0..3).map(|_| choices.one(&["1", "22", "333", "_", "", "4_", "5x"])).collect();
        let whole = parts.iter().flat_map(|part| [part, "_"]).collect::<String>();
        let key = signature(&whole);
        let mut accepted = None;
        for (at, _) in whole.match_indices('_') {
            let (app_id, vid) = (&whole[..at], whole[at + 1..].strip_suffix('_').unwrap_or_default());
            let fields = [("app_id", app_id), ("vid", vid), ("authentication_key", &key)];
            let query = query(&fields.map(|(name, value)| (name.to_owned(), value.to_owned())));
            self.check("launch_by_key", &query, &key, &whole, &mut accepted);
        }
    }

    fn check(&mut self, kind: &str, query: &str, signature: &str, whole: &str, accepted: &mut Option<String>) {
        self.queries += 1;
        let Some(answer) = passes(kind, query) else { return };
        self.passed += 1;
        let set = format!("{kind} {}", params(&answer));
        if let Some(other) = accepted {
            assert_eq!(*other, set, "two sets pass with the signature of {whole:?}");
        }
        let mut hasher = DefaultHasher::new();
        set.hash(&mut hasher);
        let hash = hasher.finish();
        // Few texts are made twice, and memory is not endless.
        if self.sets.len() < 1 << 22 {
            let known = *self.sets.entry(md5::compute(signature).0).or_insert(hash);
            assert_eq!(known, hash, "another set has passed with the signature of {whole:?}, which is {set}");
        }
        *accepted = Some(set);
    }
}

/// The member `params` of an answer.
fn params(answer: &str) -> String {
    let answer: serde_json::Value = serde_json::from_str(answer).expect("an answer is JSON");
    answer["params"].to_string()
}

/// What a request of some kind may hold, often with a piece of another hidden in it.
fn request(choices: &mut impl Choices) -> Fields {
    let names: &[&str] = match choices.below(9) {
        0 | 1 => &["app_id", "other_price", "service_id", "transaction_id", "uid"],
        2 | 3 => &["app_id", "is_app_user", "oid", "referer_type", "session_expire", "session_key", "vid"],
        4 | 5 => &["app_id", "exp", "is_app_user", "session_key", "ss", "state", "vid"],
        6 | 7 => &["app_id", "ext_perm", "method", "secure", "session_key", "text"],
        _ => &[],
    };
    let mut fields = Fields::new();
    // Mostly only one thing is out of the ordinary, or nothing passes.
    let odd = choices.below(12);
    for (at, name) in names.iter().enumerate() {
        if at != odd {
            let value = if at + 1 == odd { odd_value(choices) } else { value(choices, name) };
            fields.push(((*name).to_owned(), value));
        }
    }
    for _ in 0..choices.below(4) / 2 {
        let name = name(choices);
        let value = if choices.likely(50) { odd_value(choices) } else { value(choices, &name) };
        fields.push((name, value));
    }
    // Two unknown names side by side, whose border may be read elsewhere.
    if choices.likely(30) {
        let front = choices.one(&["b", "on", "x", "1", "2", "_"]);
        for back in ["a", "b"] {
            let value = choices.one(&["", "x", "1", "2", "a1", "1.5", "on", "!", front, front]);
            fields.push(([front, back].concat(), value.to_owned()));
        }
    }
    fields.sort();
    fields.dedup_by(|one, other| one.0 == other.0);
    fields.retain(|field| field.0 != "sig");
    fields
}

fn name(choices: &mut impl Choices) -> String {
    if choices.likely(70) {
        return choices.one(&NAMES).to_owned();
    }
    let parts = (0..1 + choices.below(3)).map(|_| choices.one(&["a", "x", "z", "_", "1", "uid", "id", "price", "A"]));
    parts.collect()
}

const NUMBERS: [&str; 6] = ["1", "0", "22", "1300000000", "18446744073709551616", "007"];

/// A value that the name may have.
fn value(choices: &mut impl Choices, name: &str) -> String {
    let texts = ["stream", "a1", "x", "", "1", "left_menu", "be6ef8", "я"];
    let is_text =
        ["session_key", "ss", "state", "text", "method", "referer_type", "view", "debug", "ext_perm"].contains(&name);
    choices.one(if is_text { &texts } else { &NUMBERS }).to_owned()
}

/// A value as an attacker may choose it.
fn odd_value(choices: &mut impl Choices) -> String {
    const TEXTS: [&str; 14] = ["", "x", "a1", "1.5", "-1", "я", "on", "!", "=", "x=", "1=", "&", " ", "service_"];
    let mut value = String::new();
    for _ in 0..1 + choices.below(4) {
        match choices.below(3) {
            0 => value.push_str(choices.one(&TEXTS)),
            1 => value.push_str(choices.one(&NUMBERS)),
            _ => value.extend([choices.one(&NAMES), "=", choices.one(&NUMBERS)]),
        }
    }
    value
}

/// Reads a text as parameters in some way that would be hashed as this text; `None` where the choices lead nowhere.
fn reading(choices: &mut impl Choices, whole: &str) -> Option<Fields> {
    // As one of these kinds, by its names alone, or by any.
    let only: &[&str] = match choices.below(6) {
        0 => &["app_id", "other_price", "profit", "service_id", "transaction_id", "uid"],
        1 | 2 => &["app_id", "ext_perm", "is_app_user", "oid", "referer_type", "session_expire", "session_key", "vid"],
        3 => &["app_id", "exp", "is_app_user", "session_key", "ss", "state", "vid"],
        _ => &[],
    };
    // Where names may end, and where the one that ends there begins.
    let mut fields = Fields::new();
    let mut begun: Option<(&str, usize)> = None;
    for (at, _) in whole.match_indices('=') {
        let from = begun.map_or(0, |(_, value_at)| value_at);
        let Some(run) = whole.get(from..at) else { continue };
        let Some(name) = name_at_end(choices, run, begun.is_none(), only) else { continue };
        if let Some((former, value_at)) = begun {
            if name.as_bytes() <= former.as_bytes() {
                continue;
            }
            fields.push((former.to_owned(), whole[value_at..at - name.len()].to_owned()));
        }
        begun = Some((name, at + 1));
    }
    let (last, value_at) = begun?;
    fields.push((last.to_owned(), whole[value_at..].to_owned()));
    Some(fields)
}

/// A name with which the run ends, or none: then the sign behind it belongs to a value.
fn name_at_end<'a>(choices: &mut impl Choices, run: &'a str, is_first: bool, only: &[&str]) -> Option<&'a str> {
    let length = run.bytes().rev().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    let word = &run[run.len() - length..];
    if is_first {
        return (length == run.len() && !word.is_empty()).then_some(word);
    }
    let longest = |names: &[&str]| names.iter().filter(|name| word.ends_with(*name)).map(|name| name.len()).max();
    if !only.is_empty() {
        return longest(only).map(|length| &word[word.len() - length..]);
    }
    if word.is_empty() || choices.likely(10) {
        return None;
    }
    match longest(&NAMES) {
        Some(length) if choices.likely(85) => Some(&word[word.len() - length..]),
        _ => Some(&word[choices.below(word.len())..]),
    }
}

/// A name that some servers take for one of a launch.
fn other_spelling(choices: &mut impl Choices) -> String {
    let name = choices.one(&NAMES);
    match choices.below(6) {
        0 => format!(" {name}"),
        1 => format!("{name}[]"),
        2 => format!("{name}\0x"),
        3 => name.to_uppercase(),
        4 => name.replace('_', "."),
        _ => format!("own_{name}"),
    }
}
