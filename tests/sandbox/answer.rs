//! An answer before it is sent, and the platform's errors.

use axum::body::{Body, Bytes};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::Value;

/// The media type that the platform gives its JSON.
pub const SCRIPT: &str = "text/javascript; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// For the journal: "ok", "error 104", "invalid_grant".
    pub outcome: String,
    /// Whether a write took effect.
    pub applied: bool,
    /// For the journal: the key that was received as client_secret.
    pub client_secret: Option<&'static str>,
}

impl Answer {
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>, outcome: impl Into<String>) -> Self {
        Answer {
            status,
            content_type: content_type.to_owned(),
            headers: Vec::new(),
            body: body.into(),
            outcome: outcome.into(),
            applied: false,
            client_secret: None,
        }
    }

    pub fn ok(value: &Value) -> Self {
        Answer::new(200, SCRIPT, value.to_string(), "ok")
    }

    pub fn html(status: u16, text: &str) -> Self {
        let body = format!("<html><head><title>{status}</title></head><body><h1>{text}</h1></body></html>\n");
        Answer::new(status, HTML, body, format!("status {status}"))
    }

    pub fn text(status: u16, text: &str) -> Self {
        Answer::new(status, "text/plain; charset=utf-8", format!("{text}\n"), format!("status {status}"))
    }

    pub fn oauth_error(status: u16, error: &str, description: &str) -> Self {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'a str,
            error_description: &'a str,
        }
        let body = text_of(&Body { error, error_description: description });
        Answer::new(status, SCRIPT, body, error)
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The head as hyper would send it, for faults that write it themselves. `framing` is the header for the end of the
    /// body.
    pub fn head(&self, framing: &str) -> String {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let reason = status.canonical_reason().unwrap_or("Unknown");
        let mut head = format!("HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\n", self.status, self.content_type);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head + framing + "\r\n\r\n"
    }

    pub fn head_with_length(&self) -> String {
        self.head(&format!("Content-Length: {}", self.body.len()))
    }

    /// The answer for hyper, around `body`.
    pub fn respond(&self, body: Body) -> Response<Body> {
        let mut response = Response::builder().status(self.status).header("content-type", &self.content_type);
        for (name, value) in &self.headers {
            response = response.header(name, value);
        }
        // A fault rule may contain an invalid header; report that instead of panicking.
        response.body(body).unwrap_or_else(|error| {
            let mut response = Response::new(Body::from(format!("sandbox: cannot answer this way: {error}\n")));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        })
    }

    pub fn into_response(self) -> Response<Body> {
        self.respond(Body::from(self.body.clone()))
    }
}

fn text_of(body: &impl Serialize) -> String {
    // Strings and numbers only: this cannot fail.
    serde_json::to_string(body).unwrap_or_default()
}

/// A refusal by the platform.
#[derive(Debug)]
pub struct PlatformError {
    pub code: i64,
    pub message: String,
}

impl PlatformError {
    pub fn new(code: i64) -> Self {
        PlatformError { code, message: message(code).to_owned() }
    }

    pub fn because(code: i64, reason: impl std::fmt::Display) -> Self {
        PlatformError { code, message: format!("{}: {reason}", message(code)) }
    }

    pub fn answer(&self, status: Option<u16>) -> Answer {
        // Members in the order of a real answer.
        #[derive(Serialize)]
        struct Inner<'a> {
            error_msg: &'a str,
            error_token: &'a str,
            extended: Option<()>,
            error_code: i64,
        }
        #[derive(Serialize)]
        struct Outer<'a> {
            error: Inner<'a>,
        }
        let inner = Inner { error_msg: &self.message, error_token: "NONE", extended: None, error_code: self.code };
        let status = status.unwrap_or(match self.code {
            1 => 500,
            3 => 503,
            _ => 400,
        });
        Answer::new(status, SCRIPT, text_of(&Outer { error: inner }), format!("error {}", self.code))
    }
}

fn message(code: i64) -> &'static str {
    match code {
        1 => "Unknown error: please resubmit the request",
        2 => "Unknown method called",
        3 => "Service is unavailable, please try again later",
        4 => "Method is deprecated",
        5 | 105 => "Application is not installed for this user",
        100 | 401 => "One of the parameters is missing or invalid",
        102 => "User authorization failed: the session key or uid is incorrect",
        103 => "Application lookup failed: the application id is not correct",
        104 => "Incorrect signature",
        200 => "Permission error: the application does not have permission to perform this action",
        201 => "Rate limit exceeded",
        202 => "Access to this object is denied",
        301 => "Payments are disabled",
        501 => "Image is incorrect or inaccessible",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_like_a_real_one() {
        let answer = PlatformError::new(104).answer(None);
        let real =
            r#"{"error":{"error_msg":"Incorrect signature","error_token":"NONE","extended":null,"error_code":104}}"#;
        assert_eq!((answer.status, &answer.body[..]), (400, real.as_bytes()));
    }
}
