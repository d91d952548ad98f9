//! The rows of the table.

use serde_json::{Map, Value};

use crate::script::{self, Step};

/// The connection of the next call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Then {
    /// The connection of the last request.
    Kept,
    /// A new one.
    New,
}

/// One answer and its expected outcome.
#[derive(Debug, Clone)]
pub struct Row {
    pub line: usize,
    pub name: &'static str,
    ways: &'static [bool],
    /// Whether an earlier call left a kept connection.
    pub is_warm: bool,
    pub call: &'static str,
    pub code: String,
    pub options: Map<String, Value>,
    /// The expected members of the error object.
    pub members: Map<String, Value>,
    /// The expected JSON of a success.
    pub body: String,
    pub requests: usize,
    pub then: Then,
    pub script: Vec<Step>,
}

impl Row {
    /// Whether it is tried over TLS, over plain http, or both.
    pub fn ways(&self) -> &'static [bool] {
        self.ways
    }
}

/// Reads the table.
pub fn table(text: &'static str) -> Vec<Row> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(number, line)| row(number + 1, line)).collect()
}

fn row(line: usize, text: &'static str) -> Row {
    let columns: Vec<_> = text.splitn(7, '|').map(str::trim).collect();
    let [name, how, code, outcome, requests, then, script] = columns[..] else { panic!("line {line}: {text}") };
    let mut words = how.split_whitespace();
    let call = words.next().expect("a kind of call");
    let words: Vec<_> = words.collect();
    let ways: &[bool] = match (words.contains(&"tls"), words.contains(&"both")) {
        (true, _) => &[true],
        (_, true) => &[false, true],
        _ => &[false],
    };
    let object = |text: &str| -> Map<String, Value> {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("line {line}: {error}: {text}"))
    };
    let is_ok = code == "OK";
    Row {
        line,
        name,
        ways,
        is_warm: words.contains(&"warm"),
        call,
        code: format!("MAILRU_{code}"),
        options: words.iter().find_map(|word| word.strip_prefix("with=")).map(object).unwrap_or_default(),
        members: if is_ok { Map::new() } else { object(outcome) },
        body: match outcome.strip_prefix('=') {
            Some(script) => String::from_utf8(script::flat(script)).expect("UTF-8"),
            None => {
                if is_ok {
                    outcome.to_owned()
                } else {
                    String::new()
                }
            }
        },
        requests: requests.parse().unwrap_or_else(|_| panic!("line {line}: {requests} requests")),
        then: match then {
            "kept" => Then::Kept,
            "new" => Then::New,
            _ => panic!("line {line}: {then}"),
        },
        script: script::parse(script),
    }
}

/// Reads the cases of JSONTestSuite: `y` must be accepted, `n` must be refused, `i` may be either, followed by what
/// this library does.
pub fn json_test_suite(text: &'static str) -> Vec<Row> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| {
            let mut columns = line.splitn(3, ' ');
            let verdict = columns.next().expect("a verdict");
            let name = columns.next().expect("a name");
            let bytes = script::parse(columns.next().unwrap_or_default());
            let body = match bytes.as_slice() {
                [] => Vec::new(),
                [Step::Bytes(bytes)] => bytes.clone(),
                _ => panic!("{line}: bytes alone"),
            };
            let trimmed = body.trim_ascii();
            let code = match verdict {
                "y" | "i+" if matches!(trimmed, b"{}" | b"null") => "MAILRU_EMPTY_RESPONSE",
                "y" | "i+" => "MAILRU_OK",
                "n" | "i-" if trimmed.is_empty() && body.iter().all(|byte| b" \t\r\n".contains(byte)) => {
                    "MAILRU_EMPTY_RESPONSE"
                }
                "n" | "i-" => "MAILRU_MALFORMED_RESPONSE",
                _ => panic!("{line}: {verdict}"),
            };
            let mut all = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
            let outcome = String::from_utf8_lossy(trimmed).into_owned();
            all.extend(&body);
            Row {
                line: number + 1,
                name,
                ways: &[false],
                is_warm: false,
                call: "read",
                code: code.to_owned(),
                options: [("max_response_bytes".to_owned(), Value::from(1_000_000))].into_iter().collect(),
                members: Map::new(),
                body: outcome,
                requests: 1,
                then: Then::Kept,
                script: vec![Step::Bytes(all)],
            }
        })
        .collect()
}
