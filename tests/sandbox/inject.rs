//! Injects a fault into one request.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::Response;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::answer::{Answer, PlatformError, SCRIPT};
use crate::faults::{Fault, Phase};
use crate::oversized::{Repeated, gzip_spaces};
use crate::service::Serving;
use crate::stream::SharedStream;

/// Not HTTP, and not TLS either.
pub const GARBAGE: &[u8] = b"\x00\x01\x02 this is not HTTP \xff\xfe\r\n\r\n220 smtp.example.com ESMTP\r\n";

/// So that sent bytes arrive before the connection is reset.
const ARRIVAL: Duration = Duration::from_millis(20);

/// Makes the caller close the connection after it was idle for this number of milliseconds.
#[derive(Clone)]
pub struct CloseWhenIdle(pub u64);

type Injected = io::Result<Response<Body>>;

/// The connection has ended; hyper sends nothing more.
fn over() -> Injected {
    Err(io::Error::from(io::ErrorKind::ConnectionAborted))
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Injects `fault`. `applied`: a request whose answer is replaced takes effect nevertheless.
pub async fn inject(serving: &Serving<'_>, stream: &Arc<SharedStream>, fault: Fault, applied: bool) -> Injected {
    let outcome = format!("fault {}", fault.kind());
    if let Some(answer) = replacement(serving, &fault) {
        let served = applied.then(|| serving.answer());
        serving.finish(outcome, served.as_ref());
        return Ok(answer.into_response());
    }
    if let Fault::Delay { ms, phase: Phase::Before } = fault {
        // If the client disconnects meanwhile, this outcome stays in the journal.
        serving.finish(format!("{outcome}: client left"), None);
        sleep(millis(ms)).await;
    }
    let serves = applied || needs_answer(&fault);
    let served = serves.then(|| serving.answer());
    serving.finish(outcome, served.as_ref());
    let answer = served.unwrap_or_else(|| Answer::new(200, SCRIPT, "{}", "ok"));
    match fault {
        Fault::Silent {} => {
            stream.drain().await;
            over()
        }
        Fault::Delay { ms, phase } => {
            match phase {
                Phase::Before => {}
                Phase::Body => {
                    let slow = Slow::new(answer.body.clone(), answer.body.len().div_ceil(2).max(1), ms, false);
                    return Ok(answer.respond(Body::new(slow)));
                }
                Phase::After | Phase::Head => sleep(millis(ms)).await,
            }
            Ok(answer.into_response())
        }
        Fault::Hold {} => {
            serving.sandbox.held.wait().await;
            Ok(answer.into_response())
        }
        Fault::Drip { ms, phase: Phase::Body } => {
            let slow = Slow::new(answer.body.clone(), 1, ms, true);
            Ok(answer.respond(Body::new(slow)))
        }
        Fault::Drip { ms, .. } => drip_head(stream, &answer, ms).await,
        Fault::Close { phase } => {
            send_until(stream, &answer, phase).await?;
            end(stream).await
        }
        Fault::Reset { phase } => {
            send_until(stream, &answer, phase).await?;
            sleep(ARRIVAL).await;
            stream.reset();
            over()
        }
        Fault::Truncate { chunked: false } => {
            send_until(stream, &answer, Phase::Body).await?;
            end(stream).await
        }
        Fault::Truncate { chunked: true } => {
            let half = half(&answer.body);
            stream.send(answer.head("Transfer-Encoding: chunked").as_bytes()).await?;
            stream.send(&[format!("{:x}\r\n", half.len()).as_bytes(), half, b"\r\n"].concat()).await?;
            end(stream).await
        }
        Fault::CloseDelimitedCut {} => {
            stream.send(answer.head("Connection: close").as_bytes()).await?;
            stream.send(half(&answer.body)).await?;
            end(stream).await
        }
        Fault::HangBody {} => {
            send_until(stream, &answer, Phase::Body).await?;
            stream.drain().await;
            over()
        }
        Fault::Omit { members } => Ok(without(answer, &members).into_response()),
        Fault::Gzip {} if serving.request.accepts_gzip() => Ok(zipped(answer)?.into_response()),
        Fault::CloseAfter { ms } => {
            let mut response = answer.header("Connection", "keep-alive").into_response();
            response.extensions_mut().insert(CloseWhenIdle(ms));
            Ok(response)
        }
        Fault::Huge { bytes } => {
            let filler = bytes.saturating_sub(2);
            Ok(answer_like(200, SCRIPT).respond(Body::new(Repeated::filled("\"", b'x', filler, "\""))))
        }
        Fault::GzipBomb { bytes } => {
            let head = answer_like(200, SCRIPT).header("Content-Encoding", "gzip");
            Ok(head.respond(Body::new(gzip_spaces(bytes))))
        }
        Fault::Deep { depth } => Ok(answer_like(200, SCRIPT).respond(Body::new(Repeated::nested(depth)))),
        Fault::Garbage {} => raw(stream, GARBAGE).await,
        Fault::Raw { base64 } => raw(stream, &STANDARD.decode(base64).map_err(io::Error::other)?).await,
        Fault::ChunkBomb { bytes } => {
            stream.send(answer_like(200, SCRIPT).head("Transfer-Encoding: chunked").as_bytes()).await?;
            stream.send(b"1\r\n\"\r\n").await?;
            repeat(stream, b"1\r\n \r\n", bytes).await?;
            raw(stream, b"1\r\n\"\r\n0\r\n\r\n").await
        }
        Fault::EndlessHeaders {} => {
            stream.send(b"HTTP/1.1 200 OK\r\n").await?;
            repeat(stream, b"X-More: and more, and more, and more\r\n", u64::MAX).await?;
            over()
        }
        Fault::ManyHeaders { count } => {
            stream.send(b"HTTP/1.1 200 OK\r\n").await?;
            for n in 0..count {
                stream.send(format!("X-More-{n}: {n}\r\n").as_bytes()).await?;
            }
            raw(stream, b"Connection: close\r\nContent-Length: 2\r\n\r\n{}").await
        }
        Fault::ContinueFlood {} => {
            repeat(stream, b"HTTP/1.1 100 Continue\r\n\r\n", u64::MAX).await?;
            over()
        }
        // Gzip for a client that does not accept it.
        _ => Ok(answer.into_response()),
    }
}

/// Whether the fault only changes how the normal answer is sent, so that the request takes effect.
fn needs_answer(fault: &Fault) -> bool {
    match fault {
        Fault::Close { phase } | Fault::Reset { phase } => *phase != Phase::Before,
        Fault::Delay { .. }
        | Fault::Hold {}
        | Fault::Drip { .. }
        | Fault::Truncate { .. }
        | Fault::CloseDelimitedCut {}
        | Fault::HangBody {}
        | Fault::Gzip {}
        | Fault::Omit { .. }
        | Fault::CloseAfter { .. } => true,
        _ => false,
    }
}

/// An empty answer, for its head.
fn answer_like(status: u16, content_type: &str) -> Answer {
    Answer::new(status, content_type, "", "")
}

/// The answer with which a fault replaces the normal one, if it is a plain answer.
fn replacement(serving: &Serving, fault: &Fault) -> Option<Answer> {
    Some(match fault {
        Fault::Status { status, body, content_type, headers } => {
            let kind = content_type.as_deref().unwrap_or("text/html; charset=utf-8");
            let mut answer = Answer::new(*status, kind, body.clone(), "");
            answer.headers = headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
            answer
        }
        Fault::Answer { body, body_base64, status, content_type } => {
            let decoded = body_base64.as_ref().and_then(|text| STANDARD.decode(text).ok());
            let body = decoded.unwrap_or_else(|| body.clone().unwrap_or_default().into_bytes());
            Answer::new(*status, content_type.as_deref().unwrap_or(SCRIPT), body, "")
        }
        Fault::PlatformError { code, status } => PlatformError::new(*code).answer(*status),
        Fault::OauthError { error, description, status } => Answer::oauth_error(*status, error, description),
        Fault::TooMany { retry_after } => {
            let answer = Answer::oauth_error(429, "rate_limited", "too many requests");
            retry_after.iter().fold(answer, |answer, seconds| answer.header("Retry-After", seconds.to_string()))
        }
        Fault::Redirect { location, status } => answer_like(*status, SCRIPT).header("Location", location),
        Fault::BadUtf8 {} => Answer::new(200, SCRIPT, &b"{\"text\":\"\xd0\xff\xfe\"}"[..], ""),
        Fault::Empty {} => answer_like(200, SCRIPT),
        Fault::ExpireToken {} => {
            if let Some(key) = serving.request.param("session_key") {
                serving.sandbox.state().grants.expire(Some(key));
            }
            PlatformError::new(102).answer(None)
        }
        _ => return None,
    })
}

/// The answer without some members of its object.
fn without(mut answer: Answer, members: &[String]) -> Answer {
    if let Ok(serde_json::Value::Object(mut object)) = serde_json::from_slice(&answer.body) {
        object.retain(|name, _| !members.contains(name));
        answer.body = serde_json::Value::Object(object).to_string().into();
    }
    answer
}

fn half(body: &Bytes) -> &[u8] {
    &body[..body.len() / 2]
}

/// Sends the part of the answer before the fault.
async fn send_until(stream: &SharedStream, answer: &Answer, phase: Phase) -> io::Result<()> {
    let head = answer.head_with_length();
    match phase {
        Phase::Before | Phase::After => Ok(()),
        Phase::Head => stream.send(&head.as_bytes()[..head.len() / 2]).await,
        Phase::Body => {
            stream.send(head.as_bytes()).await?;
            stream.send(half(&answer.body)).await
        }
    }
}

async fn end(stream: &SharedStream) -> Injected {
    stream.finish().await;
    over()
}

async fn raw(stream: &SharedStream, bytes: &[u8]) -> Injected {
    stream.send(bytes).await?;
    end(stream).await
}

/// Sends `unit` repeatedly; fails when the client has disconnected.
async fn repeat(stream: &SharedStream, unit: &[u8], times: u64) -> io::Result<()> {
    const BATCH: u64 = 512;
    let batch = unit.repeat(BATCH as usize);
    let mut left = times;
    while left > 0 {
        let now = left.min(BATCH);
        stream.send(&batch[..unit.len() * now as usize]).await?;
        left -= now;
    }
    Ok(())
}

async fn drip_head(stream: &SharedStream, answer: &Answer, ms: u64) -> Injected {
    let head = answer.head(&format!("Connection: close\r\nContent-Length: {}", answer.body.len()));
    for byte in head.as_bytes() {
        stream.send(&[*byte]).await?;
        sleep(millis(ms)).await;
    }
    raw(stream, &answer.body).await
}

fn zipped(mut answer: Answer) -> io::Result<Answer> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&answer.body)?;
    answer.body = encoder.finish()?.into();
    Ok(answer.header("Content-Encoding", "gzip"))
}

/// Closes the connection `ms` after its answer was sent, unless another request came first.
pub async fn close_when_idle(stream: Arc<SharedStream>, turn: u64, ms: u64) {
    loop {
        match stream.idle_since(turn) {
            Some(true) => break,
            Some(false) => return,
            None => sleep(millis(1)).await,
        }
    }
    sleep(millis(ms)).await;
    if stream.idle_since(turn) == Some(true) {
        stream.half_close();
    }
}

/// A body with pauses: before every `step` bytes, or (not `evenly`) only after the first `step`.
struct Slow {
    left: Bytes,
    step: usize,
    evenly: bool,
    pause: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Slow {
    fn new(left: Bytes, step: usize, ms: u64, evenly: bool) -> Self {
        Slow { left, step, evenly, pause: millis(ms), sleep: None }
    }
}

impl hyper::body::Body for Slow {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(sleep) = &mut self.sleep {
            ready!(sleep.as_mut().poll(cx));
        }
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let first = self.sleep.is_none();
        self.sleep = Some(Box::pin(sleep(self.pause)));
        let now = if self.evenly || first { self.step.min(self.left.len()) } else { self.left.len() };
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(now)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
