//! Listeners and connections, with the faults of connections.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use crate::faults::Fault;
use crate::inject::GARBAGE;
use crate::service::{Connection, handle};
use crate::state::SharedState;
use crate::stream::{HyperStream, PacedStream, SharedStream, Stream};

/// Clients may make thousands of connections at once; the system has a limit of its own.
const BACKLOG: u32 = 16_384;

/// The listener of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Platform,
    /// Only for the control API: no TLS, no faults, not counted.
    Control,
}

pub async fn listen(port: u16) -> Result<(TcpListener, u16), String> {
    let failed = |error| format!("cannot listen on 127.0.0.1:{port}: {error}");
    let socket = TcpSocket::new_v4().map_err(failed)?;
    #[cfg(unix)]
    socket.set_reuseaddr(true).map_err(failed)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into()).map_err(failed)?;
    let listener = socket.listen(BACKLOG).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address.port()))
}

pub async fn serve(sandbox: Arc<SharedState>, listener: TcpListener, acceptor: Option<TlsAcceptor>, side: Side) {
    let mut id = 0;
    loop {
        let Ok((tcp, _)) = listener.accept().await else {
            // No free descriptor: wait until there is one.
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        id += 1;
        tokio::spawn(connection(sandbox.clone(), tcp, acceptor.clone(), side, id));
    }
}

/// Counts an open connection for as long as it lives.
struct Open(Arc<SharedState>);

impl Open {
    fn new(sandbox: &Arc<SharedState>) -> Self {
        sandbox.connections.accepted.fetch_add(1, Ordering::Relaxed);
        sandbox.connections.open.fetch_add(1, Ordering::Relaxed);
        Open(sandbox.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.open.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn connection(sandbox: Arc<SharedState>, tcp: TcpStream, acceptor: Option<TlsAcceptor>, side: Side, id: u64) {
    // Small answers must not wait for acknowledgements. If this fails, the connection is already closed.
    let _ = tcp.set_nodelay(true);
    let mut fault = None;
    let mut _open = None;
    if side == Side::Platform {
        _open = Some(Open::new(&sandbox));
        fault = sandbox.state().faults.choose_for_connection();
    }
    let paced = PacedStream::new(tcp);
    let pace = paced.pace.clone();
    match fault {
        None => {}
        Some(Fault::Delay { ms, .. }) => sleep(Duration::from_millis(ms)).await,
        Some(Fault::DripHandshake { ms }) => pace.store(ms, Ordering::Relaxed),
        Some(fault) => return inject_into_connection(SharedStream::new(Stream::Plain(paced)), fault).await,
    }
    let stream = match acceptor {
        None => Stream::Plain(paced),
        Some(acceptor) => match acceptor.accept(paced).await {
            Ok(tls) => Stream::Tls(Box::new(tls)),
            Err(_) => {
                sandbox.connections.tls_failures.fetch_add(1, Ordering::Relaxed);
                return;
            }
        },
    };
    if matches!(stream, Stream::Tls(_)) {
        pace.store(0, Ordering::Relaxed);
    }
    http(sandbox, stream, side, id).await;
}

/// Injects a fault into a connection instead of serving it.
async fn inject_into_connection(stream: Arc<SharedStream>, fault: Fault) {
    match fault {
        Fault::Reset { .. } => stream.reset(),
        Fault::Garbage {} => {
            let _ = stream.send(GARBAGE).await;
            stream.finish().await;
        }
        // Sends nothing until the client disconnects.
        Fault::Silent {} => stream.drain().await,
        _ => stream.finish().await,
    }
}

async fn http(sandbox: Arc<SharedState>, stream: Stream, side: Side, id: u64) {
    let stream = SharedStream::new(stream);
    let hyper_stream = HyperStream(stream.clone());
    let connection = Arc::new(Connection { id, side, stream, used: AtomicBool::new(false) });
    let service = service_fn(move |request| handle(sandbox.clone(), connection.clone(), request));
    // An error means that the client disconnected, or that a fault was injected: neither is reported.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(hyper_stream), service).await;
}
