//! From a request to its answer: the control API on the one side, the platform and its faults on the other.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use hyper::body::Incoming as RequestBody;
use hyper::{Request, Response};

use crate::answer::Answer;
use crate::incoming::Incoming;
use crate::server::Side;
use crate::wire::Line;
use crate::world::World;
use crate::{control, oauth, people, platform, play};

/// The connection a request came on.
pub struct Connection {
    pub id: u64,
    pub side: Side,
    pub line: Arc<Line>,
    /// Whether it has carried a request to the platform.
    pub used: AtomicBool,
}

/// Answers one request. An error means that the connection is over.
pub async fn handle(
    world: Arc<World>,
    connection: Arc<Connection>,
    request: Request<RequestBody>,
) -> io::Result<Response<Body>> {
    connection.line.step();
    let path = request.uri().path();
    if path == "/sandbox" || path.starts_with("/sandbox/") {
        return control::handle(&world, request).await;
    }
    if connection.side == Side::Control {
        return Ok(Answer::text(404, "this is the control listener: see /sandbox").into_response());
    }
    if !connection.used.swap(true, Ordering::Relaxed) {
        world.connections.platform.fetch_add(1, Ordering::Relaxed);
    }
    let incoming = Arc::new(Incoming::read(request, connection.id, || world.now_ms()).await?);
    let (number, fault) = world.receive(&incoming);
    let serving = Serving { world: &world, incoming: &incoming, number };
    let response = match fault {
        None => {
            let answer = serving.answer();
            serving.finish(answer.outcome.clone(), Some(&answer));
            Ok(answer.into_response())
        }
        Some((fault, applied)) => play::play(&serving, &connection.line, fault, applied).await,
    };
    let turn = connection.line.step();
    if let Ok(response) = &response
        && let Some(play::CloseWhenIdle(ms)) = response.extensions().get()
    {
        tokio::spawn(play::close_when_idle(connection.line.clone(), turn, *ms));
    }
    response
}

/// A request that is being answered.
pub struct Serving<'a> {
    pub world: &'a World,
    pub incoming: &'a Arc<Incoming>,
    pub number: u64,
}

impl Serving<'_> {
    /// The answer of the service itself; a write takes effect here.
    pub fn answer(&self) -> Answer {
        let (world, incoming) = (self.world, self.incoming);
        let path = incoming.path.as_str();
        let method = incoming.http_method.as_str();
        match (path, method) {
            ("/platform/api", "GET" | "POST") => platform::answer(world, self.number, incoming),
            ("/oauth/token", _) => oauth::token(world, incoming),
            ("/oauth/authorize", "GET") => oauth::authorize(world, incoming),
            ("/platform/api" | "/oauth/authorize", _) => Answer::html(405, "Method Not Allowed"),
            (_, "GET") => public_page(path),
            _ => Answer::html(404, "Not Found"),
        }
    }

    pub fn finish(&self, outcome: impl Into<String>, served: Option<&Answer>) {
        self.world.finish(self.number, outcome, served);
    }
}

fn public_page(path: &str) -> Answer {
    let name = path.strip_prefix("/platform/").and_then(|rest| rest.trim_end_matches('/').split_once('/'));
    match name.and_then(|(domain, name)| people::public_page(domain, name)) {
        Some(page) => Answer::ok(&page),
        None => Answer::html(404, "Not Found"),
    }
}
