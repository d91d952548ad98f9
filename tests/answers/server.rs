//! A raw socket server, plain or with TLS, that answers by a script.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::script::Step;

/// The server's certificate, and the file of the authority to trust.
#[derive(Clone)]
pub struct Identity {
    config: Arc<ServerConfig>,
    folder: Arc<tempfile::TempDir>,
}

impl Identity {
    pub fn new() -> Identity {
        let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), certified.cert.pem()).expect("written");
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_no_client_auth();
        let config = config.with_single_cert(vec![certified.cert.der().clone()], key).expect("a key that fits");
        Identity { config: Arc::new(config), folder: Arc::new(folder) }
    }

    pub fn ca_file(&self) -> String {
        self.folder.path().join("ca.pem").to_str().expect("UTF-8").to_owned()
    }
}

/// A server on a free port. Its threads end with the test program.
pub struct Server {
    port: u16,
    pub is_secure: bool,
    shared: Arc<Shared>,
}

struct Shared {
    /// The scripts of the first request, the second, and so on; the last is used for all further ones.
    scripts: Vec<Vec<Step>>,
    /// The connection of each request.
    requests: Mutex<Vec<usize>>,
    played: AtomicUsize,
    behaves: AtomicBool,
    identity: Option<Identity>,
}

impl Server {
    pub fn start(script: Vec<Step>, identity: Option<Identity>) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let is_secure = identity.is_some();
        let shared = Arc::new(Shared {
            scripts: script.split(|step| *step == Step::Next).map(<[_]>::to_vec).collect(),
            requests: Mutex::default(),
            played: AtomicUsize::new(0),
            behaves: AtomicBool::new(false),
            identity,
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let serving = Arc::clone(&serving);
                thread::spawn(move || drop(serving.serve(stream, number)));
            }
        });
        Server { port, is_secure, shared }
    }

    pub fn address(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", if self.is_secure { "https" } else { "http" }, self.port)
    }

    /// From now on it answers correctly.
    pub fn behave(&self) {
        self.shared.behaves.store(true, Ordering::SeqCst);
    }

    /// Runs requests that it answers correctly and does not count.
    pub fn warm(&self, requests: impl FnOnce()) {
        self.behave();
        requests();
        self.shared.behaves.store(false, Ordering::SeqCst);
        self.shared.requests.lock().expect("no panic").clear();
    }

    /// The connection of each request.
    pub fn requests(&self) -> Vec<usize> {
        self.shared.requests.lock().expect("no panic").clone()
    }
}

/// A connection, plain or with TLS.
enum Peer {
    Plain(TcpStream),
    Secure(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Peer {
    fn socket(&self) -> &TcpStream {
        match self {
            Peer::Plain(stream) => stream,
            Peer::Secure(stream) => &stream.sock,
        }
    }
}

impl Read for Peer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Peer::Plain(stream) => stream.read(buffer),
            Peer::Secure(stream) => stream.read(buffer),
        }
    }
}

impl Write for Peer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Peer::Plain(stream) => stream.write(bytes),
            Peer::Secure(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Peer::Plain(stream) => stream.flush(),
            Peer::Secure(stream) => stream.flush(),
        }
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream, number: usize) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut peer = match &self.identity {
            None => Peer::Plain(stream),
            Some(identity) => {
                let tls = ServerConnection::new(Arc::clone(&identity.config)).map_err(io::Error::other)?;
                Peer::Secure(Box::new(StreamOwned::new(tls, stream)))
            }
        };
        loop {
            let body = read_head(&mut peer)?;
            self.requests.lock().expect("no panic").push(number);
            if self.behaves.load(Ordering::SeqCst) {
                skip(&mut peer, body)?;
                peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n[\"next\"]")?;
                peer.flush()?;
                continue;
            }
            let turn = self.played.fetch_add(1, Ordering::SeqCst).min(self.scripts.len() - 1);
            let steps = &self.scripts[turn];
            if steps.first() != Some(&Step::Early) {
                skip(&mut peer, body)?;
            }
            for step in steps {
                perform(step, &mut peer)?;
                if matches!(step, Step::Fin | Step::CloseNotify | Step::Rst) {
                    return Ok(());
                }
            }
        }
    }
}

fn perform(step: &Step, peer: &mut Peer) -> io::Result<()> {
    match step {
        Step::Bytes(bytes) => {
            peer.write_all(bytes)?;
            peer.flush()?;
        }
        Step::Pause(milliseconds) => thread::sleep(Duration::from_millis(*milliseconds)),
        Step::Fin => peer.socket().shutdown(Shutdown::Both)?,
        Step::CloseNotify => {
            if let Peer::Secure(stream) = peer {
                stream.conn.send_close_notify();
                stream.flush()?;
            }
            peer.socket().shutdown(Shutdown::Both)?;
        }
        Step::Rst => {
            // The client must have read the sent bytes first, because the reset would discard them.
            thread::sleep(Duration::from_millis(30));
            socket2::SockRef::from(peer.socket()).set_linger(Some(Duration::ZERO))?;
        }
        Step::Silent => thread::sleep(Duration::from_secs(120)),
        Step::Early | Step::Next => {}
    }
    Ok(())
}

/// Reads a request's head, and returns the length of its body.
fn read_head(peer: &mut Peer) -> io::Result<usize> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        peer.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    Ok(length.unwrap_or(0))
}

fn skip(peer: &mut Peer, length: usize) -> io::Result<()> {
    io::copy(&mut peer.take(length as u64), &mut io::sink()).map(drop)
}
