//! The byte stream under HTTP. hyper reads and writes it through [`HyperStream`]; a handler has the same
//! [`SharedStream`], on which it can send its own bytes, close the connection early or reset it.

use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::server::TlsStream;

/// How long a closed connection waits for the client to close its side.
const LINGER: Duration = Duration::from_secs(5);

/// A TCP stream that can be made to send one byte at a time.
pub struct PacedStream {
    pub tcp: TcpStream,
    /// Milliseconds between bytes; 0 is full speed.
    pub pace: Arc<AtomicU64>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl PacedStream {
    pub fn new(tcp: TcpStream) -> Self {
        PacedStream { tcp, pace: Arc::default(), pause: None }
    }
}

impl AsyncRead for PacedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for PacedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let pace = self.pace.load(Ordering::Relaxed);
        if pace == 0 || buf.is_empty() {
            return Pin::new(&mut self.tcp).poll_write(cx, buf);
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let written = ready!(Pin::new(&mut self.tcp).poll_write(cx, &buf[..1]));
        self.pause = Some(Box::pin(sleep(Duration::from_millis(pace))));
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

pub enum Stream {
    Plain(PacedStream),
    Tls(Box<TlsStream<PacedStream>>),
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Stream::Plain(paced) => &paced.tcp,
            Stream::Tls(tls) => &tls.get_ref().0.tcp,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Plain(paced) => Pin::new(paced).poll_read(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Stream::Plain(paced) => Pin::new(paced).poll_write(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Plain(paced) => Pin::new(paced).poll_flush(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Plain(paced) => Pin::new(paced).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

enum State {
    Open(Stream),
    /// The server's side is closed; further bytes of the client are discarded.
    Ended(Stream),
    Gone,
}

/// One connection, shared by hyper and the handlers of its requests.
pub struct SharedStream {
    state: Mutex<State>,
    /// Odd while a request is being answered.
    turn: AtomicU64,
    /// The step whose answer has left hyper's buffer.
    flushed: AtomicU64,
}

fn gone() -> io::Error {
    io::Error::from(io::ErrorKind::BrokenPipe)
}

impl SharedStream {
    pub fn new(stream: Stream) -> Arc<Self> {
        Arc::new(SharedStream {
            state: Mutex::new(State::Open(stream)),
            turn: AtomicU64::new(0),
            flushed: AtomicU64::new(0),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request begins, or its answer is handed to hyper.
    pub fn step(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Whether the answer that ended `turn` was sent and no request was received after it.
    pub fn idle_since(&self, turn: u64) -> Option<bool> {
        if self.turn.load(Ordering::Acquire) != turn {
            return Some(false);
        }
        (self.flushed.load(Ordering::Acquire) == turn).then_some(true)
    }

    /// Sends bytes without hyper.
    pub async fn send(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = poll_fn(|cx| match &mut *self.state() {
                State::Open(stream) => stream.poll_write(cx, bytes),
                _ => Poll::Ready(Err(gone())),
            })
            .await?;
            if sent == 0 {
                return Err(gone());
            }
            bytes = &bytes[sent..];
        }
        poll_fn(|cx| match &mut *self.state() {
            State::Open(stream) => stream.poll_flush(cx),
            _ => Poll::Ready(Err(gone())),
        })
        .await
    }

    /// Resets the connection: the client sees ECONNRESET.
    pub fn reset(&self) {
        let mut state = self.state();
        if let State::Open(stream) | State::Ended(stream) = &*state {
            // If this fails, the connection is already closed.
            let _ = stream.tcp().set_zero_linger();
        }
        *state = State::Gone;
    }

    /// Closes the server's side of the TCP connection; under TLS without close_notify, as a cut-off connection.
    pub fn half_close(&self) {
        let mut state = self.state();
        *state = match std::mem::replace(&mut *state, State::Gone) {
            State::Open(stream) => {
                let _ = SockRef::from(stream.tcp()).shutdown(Shutdown::Write);
                State::Ended(stream)
            }
            other => other,
        };
    }

    /// Closes the server's side and waits for the client's: dropping a socket with unread bytes would reset it.
    pub async fn finish(&self) {
        self.half_close();
        let drained = poll_fn(|cx| self.poll_drain(cx));
        let _ = timeout(LINGER, drained).await;
        *self.state() = State::Gone;
    }

    /// Discards received bytes until the client closes the connection; the server's side stays open.
    pub async fn drain(&self) {
        poll_fn(|cx| self.poll_drain(cx)).await;
    }

    fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        let (State::Open(stream) | State::Ended(stream)) = &mut *state else {
            return Poll::Ready(());
        };
        let mut sink = [0; 4096];
        loop {
            let mut sink = ReadBuf::new(&mut sink);
            match stream.poll_read(cx, &mut sink) {
                Poll::Ready(Ok(())) if !sink.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// hyper's interface to a [`SharedStream`].
pub struct HyperStream(pub Arc<SharedStream>);

impl AsyncRead for HyperStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self.0.state() {
            State::Open(stream) => return stream.poll_read(cx, buf),
            State::Gone => return Poll::Ready(Ok(())),
            State::Ended(_) => {}
        }
        self.0.poll_drain(cx).map(Ok)
    }
}

impl AsyncWrite for HyperStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self.0.state() {
            State::Open(stream) => stream.poll_write(cx, buf),
            _ => Poll::Ready(Err(gone())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self.0.state() {
            State::Open(stream) => ready!(stream.poll_flush(cx))?,
            _ => return Poll::Ready(Err(gone())),
        }
        self.0.flushed.store(self.0.turn.load(Ordering::Acquire), Ordering::Release);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self.0.state() {
            State::Open(stream) => stream.poll_shutdown(cx),
            _ => Poll::Ready(Ok(())),
        }
    }
}
