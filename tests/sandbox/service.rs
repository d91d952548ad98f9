//! Routes a request to the control API, or to the platform and its faults.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use hyper::body::Incoming as RequestBody;
use hyper::{Request, Response};

use crate::answer::Answer;
use crate::request::{ReceivedRequest, is_api};
use crate::server::Side;
use crate::state::SharedState;
use crate::stream::SharedStream;
use crate::{control, demo_users, inject, oauth, platform};

/// The connection of a request.
pub struct Connection {
    pub id: u64,
    pub side: Side,
    pub stream: Arc<SharedStream>,
    /// Whether it had a request to the platform.
    pub used: AtomicBool,
}

/// Answers one request. An error means that the connection has ended.
pub async fn handle(
    sandbox: Arc<SharedState>,
    connection: Arc<Connection>,
    request: Request<RequestBody>,
) -> io::Result<Response<Body>> {
    connection.stream.step();
    let path = request.uri().path();
    if path == "/sandbox" || path.starts_with("/sandbox/") {
        return control::handle(&sandbox, request).await;
    }
    if connection.side == Side::Control {
        return Ok(Answer::text(404, "this is the control listener: see /sandbox").into_response());
    }
    if !connection.used.swap(true, Ordering::Relaxed) {
        sandbox.connections.platform.fetch_add(1, Ordering::Relaxed);
    }
    let request = Arc::new(ReceivedRequest::read(request, connection.id, || sandbox.now_ms()).await?);
    let (number, fault) = sandbox.receive(&request);
    let serving = Serving { sandbox: &sandbox, request: &request, number };
    let response = match fault {
        None => {
            let answer = serving.answer();
            serving.finish(answer.outcome.clone(), Some(&answer));
            Ok(answer.into_response())
        }
        Some((fault, applied)) => inject::inject(&serving, &connection.stream, fault, applied).await,
    };
    let turn = connection.stream.step();
    if let Ok(response) = &response
        && let Some(inject::CloseWhenIdle(ms)) = response.extensions().get()
    {
        tokio::spawn(inject::close_when_idle(connection.stream.clone(), turn, *ms));
    }
    response
}

/// A request that is being answered.
pub struct Serving<'a> {
    pub sandbox: &'a SharedState,
    pub request: &'a Arc<ReceivedRequest>,
    pub number: u64,
}

impl Serving<'_> {
    /// The answer of the service itself; a write takes effect here.
    pub fn answer(&self) -> Answer {
        let (sandbox, request) = (self.sandbox, self.request);
        let path = request.path.as_str();
        let method = request.http_method.as_str();
        match (path, method) {
            (path, "GET" | "POST") if is_api(path) => platform::answer(sandbox, self.number, request),
            ("/oauth/token", _) => oauth::token(sandbox, request),
            ("/oauth/authorize", "GET") => oauth::authorize(sandbox, request),
            ("/oauth/authorize", _) => Answer::html(405, "Method Not Allowed"),
            (path, _) if is_api(path) => Answer::html(405, "Method Not Allowed"),
            (_, "GET") => public_page(path),
            _ => Answer::html(404, "Not Found"),
        }
    }

    pub fn finish(&self, outcome: impl Into<String>, served: Option<&Answer>) {
        self.sandbox.finish(self.number, outcome, served);
    }
}

fn public_page(path: &str) -> Answer {
    let name = path.strip_prefix("/platform/").and_then(|rest| rest.trim_end_matches('/').split_once('/'));
    match name.and_then(|(domain, name)| demo_users::public_page(domain, name)) {
        Some(page) => Answer::ok(&page),
        None => Answer::html(404, "Not Found"),
    }
}
