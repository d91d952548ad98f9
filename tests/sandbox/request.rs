//! One received request.

use std::io;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart};
use http_body_util::{BodyExt, Limited};
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request};

use crate::params::Params;

/// No platform request is larger, so a larger one is a mistake of the client.
const MOST_BODY: usize = 64 << 20;

pub struct ReceivedRequest {
    pub connection: u64,
    pub at_ms: u64,
    pub http_method: Method,
    /// The request target as received.
    pub target: String,
    pub path: String,
    pub has_query: bool,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Query and body as one set, or why they are invalid.
    pub params: Result<Params, String>,
}

impl ReceivedRequest {
    pub async fn read(
        request: Request<hyper::body::Incoming>,
        connection: u64,
        at_ms: impl FnOnce() -> u64,
    ) -> io::Result<Self> {
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, MOST_BODY).collect().await.map_err(io::Error::other)?.to_bytes();
        // The time at which the request is complete.
        let at_ms = at_ms();
        let params = params(&parts, &body).await;
        Ok(ReceivedRequest {
            connection,
            at_ms,
            target: parts.uri.to_string(),
            path: parts.uri.path().to_owned(),
            has_query: parts.uri.query().is_some_and(|query| !query.is_empty()),
            http_method: parts.method,
            headers: parts.headers,
            body,
            params,
        })
    }

    /// A parameter, if the parameters are valid.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.as_ref().ok()?.get(name)
    }

    /// The platform method that is called.
    pub fn platform_method(&self) -> Option<&str> {
        is_api(&self.path).then(|| self.param("method"))?
    }

    /// The grant of a token request.
    pub fn grant(&self) -> Option<&str> {
        (self.path == "/oauth/token").then(|| self.param("grant_type"))?
    }

    pub fn is_form(&self) -> bool {
        media_type(&self.headers).as_deref() == Some("application/x-www-form-urlencoded")
    }

    pub fn accepts_gzip(&self) -> bool {
        let accepted = self.headers.get_all("accept-encoding").iter().filter_map(|value| value.to_str().ok());
        accepted.flat_map(|value| value.split(',')).any(|coding| {
            let (coding, weight) = coding.split_once(';').unwrap_or((coding, ""));
            coding.trim().eq_ignore_ascii_case("gzip") && !matches!(weight.trim(), "q=0" | "q=0.0")
        })
    }
}

/// Whether this is the address of the methods. Some clients write a slash at its end, some the method's name behind that.
pub fn is_api(path: &str) -> bool {
    path.strip_prefix("/platform/api").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next()?.trim().to_ascii_lowercase())
}

async fn params(parts: &Parts, body: &Bytes) -> Result<Params, String> {
    let mut params = Params::default();
    params.add_form(parts.uri.query().unwrap_or_default().as_bytes())?;
    if body.is_empty() {
        return Ok(params);
    }
    match media_type(&parts.headers).as_deref() {
        Some("application/x-www-form-urlencoded") => params.add_form(body)?,
        Some("multipart/form-data") => add_multipart(&mut params, parts, body).await?,
        Some(other) => return Err(format!("a body of type {other}")),
        None => return Err("a body without a content type".into()),
    }
    Ok(params)
}

async fn add_multipart(params: &mut Params, parts: &Parts, body: &Bytes) -> Result<(), String> {
    let broken = |error: &dyn std::fmt::Display| format!("a multipart body that cannot be read: {error}");
    let mut request = Request::new(Body::from(body.clone()));
    *request.headers_mut() = parts.headers.clone();
    // Already read, and limited by `MOST_BODY`.
    DefaultBodyLimit::disable().apply(&mut request);
    let mut multipart = Multipart::from_request(request, &()).await.map_err(|error| broken(&error))?;
    loop {
        let field = multipart.next_field().await.map_err(|error| broken(&error))?;
        let Some(field) = field else { return Ok(()) };
        let name = field.name().ok_or("a part without a name")?.to_owned();
        let file_name = field.file_name().map(str::to_owned);
        let content_type = field.content_type().map(str::to_owned);
        let bytes = field.bytes().await.map_err(|error| broken(&error))?;
        if file_name.is_some() {
            params.add_file(name, file_name, content_type, &bytes)?;
        } else {
            let text = String::from_utf8(bytes.to_vec()).map_err(|_| format!("part {name} is not UTF-8"))?;
            params.add(name, text)?;
        }
    }
}
