//! A server in this process that answers with the fuzzer's bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::thread;

/// What a server does with a connection: reads requests from it and answers.
type Serve = fn(TcpStream, &Shared);

/// What the target's thread and the server's threads share.
#[derive(Default)]
pub struct Shared {
    /// The next answers; once they are used up, [`LATER`].
    pub answers: Mutex<Vec<Reply>>,
    /// Everything that was received.
    pub heard: Mutex<Vec<u8>>,
    /// How many connections have ended.
    pub ended: AtomicUsize,
}

/// Bytes to send, and whether the connection ends with them.
pub struct Reply {
    pub bytes: Vec<u8>,
    pub ends: bool,
}

/// The answer after those of the fuzzer.
pub const LATER: &str = "{\"later\":1}";

pub struct Server {
    pub address: SocketAddr,
    pub shared: Arc<Shared>,
}

impl Server {
    pub fn start(serve: Serve) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::<Shared>::default();
        let of_threads = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&of_threads);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Server { address, shared }
    }

    /// Sets the answers, in this order, and forgets what was heard.
    pub fn set(&self, mut answers: Vec<Reply>) {
        answers.reverse();
        *self.shared.answers.lock().expect("no panic") = answers;
        self.shared.heard.lock().expect("no panic").clear();
    }
}

/// Answers requests of HTTP.
pub fn http(mut stream: TcpStream, shared: &Shared) {
    while read_request(&mut stream).is_some() {
        let answer = shared.answers.lock().expect("no panic").pop();
        let answer = answer.unwrap_or_else(|| Reply { bytes: with_length(200, "", LATER.as_bytes()), ends: false });
        if stream.write_all(&answer.bytes).is_err() || answer.ends {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// Reads a request with its body; `None` at the end of the connection.
pub fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        if let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..end]).into_owned();
            let lines = head.to_ascii_lowercase();
            let length = lines.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length = length.map_or(0, |length| length.trim().parse::<usize>().expect("a length"));
            if request.len() >= end + 4 + length {
                return Some(head);
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(read) => request.extend_from_slice(&buffer[..read]),
        }
    }
}

/// A whole answer.
pub fn with_length(status: u16, fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} X\r\n{fields}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}
