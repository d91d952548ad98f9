//! A thousand random token endpoints: status, body, delay, cut. A model predicts what the host sees of each, and the
//! library must agree.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

use crate::support::*;

const ENDPOINTS: u64 = 1000;
const ROWS: u64 = 4;

/// The content of a body besides the tokens, or instead of them.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Body {
    Tokens,
    /// Tokens without this field.
    Without(&'static str),
    /// Tokens for this user.
    For(&'static str),
    /// Tokens and this `error`.
    Beside(&'static str),
    /// An object with this `error`, as JSON.
    Error(&'static str),
    /// Something else.
    Other(&'static str),
}

/// Where the connection ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    No,
    BeforeTheAnswer,
    InTheBody,
}

#[derive(Clone, Debug)]
struct Endpoint {
    kind: &'static str,
    status: u16,
    body: Body,
    mark: bool,
    delay: Duration,
    cut: Cut,
}

/// What the host sees.
#[derive(Debug, PartialEq)]
struct Seen {
    code: &'static str,
    transient: bool,
    field: Option<&'static str>,
    /// The number of sets delivered during the first call.
    delivered: usize,
    /// The grants sent for the first call, and for a second one.
    first: Vec<&'static str>,
    second: Vec<&'static str>,
    /// The outcome of the second call, for which the endpoint issues tokens.
    then: &'static str,
}

const STATUSES: [u16; 14] = [200, 200, 200, 201, 302, 400, 400, 401, 403, 408, 425, 429, 500, 503];
const BODIES: [Body; 24] = [
    Body::Tokens,
    Body::Tokens,
    Body::Without("access_token"),
    Body::Without("refresh_token"),
    Body::Without("expires_in"),
    Body::Without("token_type"),
    Body::Without("x_mailru_vid"),
    Body::For("15410773191172635989"),
    Body::For("me"),
    Body::Beside("\"\""),
    Body::Beside("null"),
    Body::Beside("[]"),
    Body::Beside("\"odd\""),
    Body::Error("\"invalid_grant\""),
    Body::Error("\"rate_limited\""),
    Body::Error("\"temporarily_unavailable\""),
    Body::Error("\"server_error\""),
    Body::Error("\"slow_down\""),
    Body::Error("{\"error_code\":5}"),
    Body::Other("{\"message\":\"x\"}"),
    Body::Other("<html>"),
    Body::Other("[]"),
    Body::Other("null"),
    Body::Other(""),
];

impl Endpoint {
    fn random(random: &mut Rng) -> Endpoint {
        Endpoint {
            kind: random
                .choice(["code_client", "password_client", "refresh_client", "stored", "stored_password"])
                .unwrap(),
            status: random.choice(STATUSES).unwrap(),
            body: random.choice(BODIES).unwrap(),
            mark: random.u8(..8) == 0,
            delay: Duration::from_millis(if random.u8(..4) == 0 { random.u64(..80) } else { 0 }),
            cut: match random.u8(..8) {
                0 => Cut::BeforeTheAnswer,
                1 => Cut::InTheBody,
                _ => Cut::No,
            },
        }
    }

    fn has_refresh_token(&self) -> bool {
        self.kind.starts_with("stored")
    }

    /// The user of the tokens, if the answer has a valid user id.
    fn user(&self) -> &'static str {
        match self.body {
            Body::For(user) if user != "me" => user,
            _ => UID,
        }
    }

    /// The grant of the first request.
    fn grant(&self) -> &'static str {
        match self.kind {
            "code_client" => "authorization_code",
            "password_client" => "password",
            _ => "refresh_token",
        }
    }

    /// The model: the rules of the contract.
    fn model(&self) -> Seen {
        let grant = self.grant();
        let once_more = |code, transient, field, delivered| Seen {
            code,
            transient,
            field,
            delivered,
            first: vec![grant],
            second: vec![if delivered > 0 { "refresh_token" } else { grant }],
            then: "MAILRU_OK",
        };
        let good = Seen { first: vec![grant], second: vec![], ..once_more("MAILRU_OK", false, None, 1) };
        let is_code = self.kind == "code_client";
        // A code that was sent is used up, unless a refresh token was received for it.
        let spent = |seen: Seen| match is_code && seen.delivered == 0 {
            true => Seen { transient: false, second: vec![], then: seen.code, ..seen },
            false => seen,
        };
        let is_text = !matches!(self.body, Body::Other(text) if !text.starts_with('{'));
        match self.cut {
            Cut::BeforeTheAnswer => return spent(once_more("MAILRU_NETWORK_ERROR", true, None, 0)),
            Cut::InTheBody if self.text().len() + 3 * usize::from(self.mark) > 1 => {
                return spent(once_more("MAILRU_MALFORMED_RESPONSE", true, None, 0));
            }
            _ => {}
        }
        let is_success = (200..300).contains(&self.status);
        let error = match self.body {
            Body::Error(error) => Some(error),
            Body::Beside(error) if !["\"\"", "null", "[]"].contains(&error) => Some(error),
            _ => None,
        };
        if let Some(error) = error {
            let patient = ["\"temporarily_unavailable\"", "\"server_error\"", "\"slow_down\""].contains(&error);
            let is_final = (400..500).contains(&self.status) && ![408, 425, 429].contains(&self.status) && !patient;
            let delivered = usize::from(is_success && matches!(self.body, Body::Beside(_)));
            if !is_final {
                return spent(once_more("MAILRU_OAUTH_ERROR", true, None, delivered));
            }
            if self.kind == "stored_password" {
                return Seen { first: vec!["refresh_token", "password"], ..good };
            }
            return Seen {
                second: vec![],
                then: "MAILRU_OAUTH_ERROR",
                ..once_more("MAILRU_OAUTH_ERROR", false, None, 0)
            };
        }
        let http = |delivered| spent(once_more("MAILRU_HTTP_ERROR", true, None, delivered));
        let lacks = |field, delivered| match self.status >= 500 {
            true => http(delivered),
            false => spent(once_more("MAILRU_OAUTH_ERROR", true, Some(field), delivered)),
        };
        match self.body {
            Body::Without("access_token") => lacks("access_token", 1),
            Body::Without("x_mailru_vid") if !self.has_refresh_token() => lacks("x_mailru_vid", 1),
            Body::For("me") => lacks("x_mailru_vid", 1),
            // The user of a refresh token or code is unknown, so the answer determines it.
            Body::For(_) if self.has_refresh_token() && is_success => lacks("x_mailru_vid", 0),
            Body::For(_) if self.has_refresh_token() => match self.status {
                500.. => http(0),
                _ => spent(once_more("MAILRU_OAUTH_ERROR", true, None, 0)),
            },
            Body::Other(_) if is_text && is_success => lacks("access_token", 0),
            Body::Other(_) if is_text && self.status < 500 => spent(once_more("MAILRU_OAUTH_ERROR", true, None, 0)),
            Body::Other(_) if !is_success => http(0),
            Body::Other("") if !self.mark => spent(once_more("MAILRU_EMPTY_RESPONSE", true, None, 0)),
            Body::Other("") => spent(once_more("MAILRU_EMPTY_RESPONSE", true, None, 0)),
            Body::Other(_) => spent(once_more("MAILRU_MALFORMED_RESPONSE", true, None, 0)),
            _ => good,
        }
    }

    /// The body, with the sandbox's tokens in place of the words that begin with `@`.
    fn text(&self) -> String {
        let tokens = json!({
            "access_token": "@access", "refresh_token": "@refresh", "expires_in": 86400, "token_type": "bearer",
            "x_mailru_vid": UID,
        });
        let mut object = tokens.as_object().expect("an object").clone();
        match self.body {
            Body::Without(field) => drop(object.remove(field)),
            Body::For(user) => drop(object.insert("x_mailru_vid".into(), user.into())),
            Body::Beside(error) => drop(object.insert("error".into(), serde_json::from_str(error).expect("JSON"))),
            Body::Error(error) => {
                object = [("error".to_owned(), serde_json::from_str(error).expect("JSON"))].into_iter().collect()
            }
            Body::Other(text) => return text.to_owned(),
            Body::Tokens => {}
        }
        Value::Object(object).to_string()
    }
}

/// An authorization server with prepared answers, which records the requests.
struct Server {
    address: String,
    /// The answers to the next requests; the last one is repeated.
    plan: Arc<Mutex<VecDeque<Vec<u8>>>>,
    delay: Arc<Mutex<Duration>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}/oauth/token", listener.local_addr().expect("an address"));
        let server = Server { address, plan: Arc::default(), delay: Arc::default(), asked: Arc::default() };
        let (plan, delay, asked) = (Arc::clone(&server.plan), Arc::clone(&server.delay), Arc::clone(&server.asked));
        std::thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                let Some(form) = request(&mut connection) else { continue };
                let grant = form.split('&').find_map(|field| field.strip_prefix("grant_type=")).unwrap_or("none");
                asked.lock().unwrap().push(grant.to_owned());
                std::thread::sleep(*delay.lock().unwrap());
                let mut plan = plan.lock().unwrap();
                let bytes = if plan.len() > 1 { plan.pop_front() } else { plan.front().cloned() };
                let _ = connection.write_all(&bytes.unwrap_or_default());
            }
        });
        server
    }

    fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

/// The form of a request; each connection has one request.
fn request(connection: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let count = connection.read(&mut part).ok().filter(|count| *count > 0)?;
        bytes.extend(&part[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .to_lowercase()
            .split_once("content-length: ")
            .and_then(|(_, rest)| rest.lines().next().and_then(|line| line.trim().parse::<usize>().ok()))?;
        if body.len() >= length {
            return Some(body.to_owned());
        }
    }
}

fn answer(status: u16, body: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body.as_bytes()].concat()
}

impl Endpoint {
    /// Makes a session whose first call uses this endpoint, and returns what its host sees.
    fn run(&self, sandbox: &Sandbox, server: &Server) -> Seen {
        // A session that learns of another user signs for that user.
        let user = if self.has_refresh_token() { UID } else { self.user() };
        let real = sandbox.post("tokens", json!({ "uid": user }));
        let filled = |text: String| {
            let text = text.replace("@access", real["access_token"].as_str().expect("a token"));
            text.replace("@refresh", real["refresh_token"].as_str().expect("a token"))
        };
        let mut body = filled(self.text());
        if self.mark {
            body.insert(0, '\u{feff}');
        }
        let mut bytes = answer(self.status, &body);
        match self.cut {
            Cut::No => {}
            Cut::BeforeTheAnswer => bytes.clear(),
            Cut::InTheBody if body.len() > 1 => bytes.truncate(bytes.len() - body.len() / 2),
            Cut::InTheBody => {}
        }
        let whole = Endpoint { body: if user == UID { Body::Tokens } else { self.body }, ..self.clone() };
        let good = answer(200, &filled(whole.text()));
        *server.plan.lock().unwrap() = [bytes, good].into_iter().collect();
        *server.delay.lock().unwrap() = self.delay;
        server.take_asked();
        let (_folder, path) = match self.kind {
            "stored_password" => {
                let folder = tempfile::tempdir().expect("a folder");
                let path = folder.path().join("tokens").to_str().expect("UTF-8").to_owned();
                let tokens = json!({ "app_id": APP_ID, "access_token": "old-access-token", "refresh_token": "old-refresh-token", "uid": UID, "expires_at": 1 });
                std::fs::write(&path, tokens.to_string()).expect("written");
                (Some(folder), Some(path))
            }
            _ => (None, None),
        };
        let options = sandbox.options(json!({
            "token_url": server.address, "retries": 0, "retry_delay_ms": 100, "token_file": path,
        }));
        let stored = json!({ "access_token": "old-access-token", "refresh_token": "old-refresh-token", "uid": UID, "expires_at": 1 });
        let session = match self.kind {
            "stored" => session("stored", &[("secret_key", ""), ("tokens_json", &stored.to_string())], &options),
            "stored_password" => session("password_client", &[], &options),
            kind => session(kind, &[], &options),
        };
        let recorder = Recorder::new();
        assert_eq!(recorder.listen(&session), 0);
        let first = session.call("friends.get", None);
        let (delivered, asked) = (recorder.received().len(), server.take_asked());
        let second = session.call("friends.get", None);
        let leak = |grants: Vec<String>| -> Vec<&'static str> {
            let known = ["authorization_code", "password", "refresh_token"];
            grants.iter().map(|grant| *known.iter().find(|known| **known == grant.as_str()).expect("a grant")).collect()
        };
        Seen {
            code: first.name(),
            transient: first.name() != "MAILRU_OK" && first.error("transient") == true,
            field: ["access_token", "x_mailru_vid"]
                .into_iter()
                .find(|field| first.name() != "MAILRU_OK" && first.error("field") == *field),
            delivered,
            first: leak(asked),
            second: leak(server.take_asked()),
            then: second.name(),
        }
    }
}

#[test]
fn the_library_agrees_with_the_model_about_a_thousand_endpoints() {
    let given = std::env::var("MAILRU_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..1 << 40));
    println!("MAILRU_TEST_SEED={seed} repeats this run");
    for secret in ["old-access-token", "old-refresh-token"] {
        watch::secret(secret);
    }
    std::thread::scope(|scope| {
        for row in 0..ROWS {
            scope.spawn(move || {
                let (sandbox, server) = (Sandbox::start(), Server::start());
                sandbox.post("settings", json!({ "record": false }));
                for round in (row..rounds(ENDPOINTS)).step_by(ROWS as usize) {
                    let endpoint = Endpoint::random(&mut Rng::with_seed(seed + round));
                    let seen = endpoint.run(&sandbox, &server);
                    assert_eq!(seen, endpoint.model(), "MAILRU_TEST_SEED={} begins with {endpoint:?}", seed + round);
                }
            });
        }
    });
}
