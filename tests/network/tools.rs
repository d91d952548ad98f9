//! Shared by the network tests: servers that misbehave below HTTP, inspection of this process, separate processes for
//! tests.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::support::{Answer, Sandbox, watch};

/// A server whose connections are handled by a function of the test.
pub struct RawServer {
    pub port: u16,
    connections: Arc<AtomicUsize>,
}

impl RawServer {
    /// Starts one on a free port; its threads end with the test program.
    pub fn start(handle: impl Fn(TcpStream) + Send + Sync + 'static) -> RawServer {
        RawServer::start_at((Ipv4Addr::LOCALHOST, 0), handle)
    }

    /// Starts one at this address.
    pub fn start_at(address: (Ipv4Addr, u16), handle: impl Fn(TcpStream) + Send + Sync + 'static) -> RawServer {
        let listener = TcpListener::bind(address).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (handle, counted) = (Arc::new(handle), Arc::clone(&connections));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                let handle = Arc::clone(&handle);
                thread::spawn(move || handle(stream));
            }
        });
        RawServer { port, connections }
    }

    /// A proxy that answers any request with these bytes and closes.
    pub fn answering(bytes: impl Into<Vec<u8>>) -> RawServer {
        let bytes = bytes.into();
        RawServer::start(move |mut stream| {
            let mut first = [0];
            if stream.peek(&mut first).is_ok_and(|_| first == [5]) {
                let _ = stream.read(&mut [0; 16]);
            } else {
                read_head(&mut stream);
            }
            let _ = stream.write_all(&bytes);
        })
    }

    /// A server that accepts connections and sends nothing.
    pub fn silent() -> RawServer {
        RawServer::start(|stream| {
            // It does not read either, so that sent data fills the network's buffers.
            thread::sleep(ms(120_000));
            drop(stream);
        })
    }

    /// Options that direct a session's calls here.
    pub fn options(&self, more: serde_json::Value) -> String {
        let mut options = serde_json::json!({ "api_url": format!("http://127.0.0.1:{}/platform/api", self.port) });
        options.as_object_mut().expect("an object").extend(more.as_object().expect("options").clone());
        options.to_string()
    }

    /// The number of accepted connections.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Reads up to the empty line that ends a request's head; `None` at the end of the connection.
pub fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// A sandbox that speaks TLS, with the file of the authority to trust.
pub struct TlsSandbox {
    pub sandbox: Sandbox,
    pub ca_file: String,
    _folder: tempfile::TempDir,
}

impl TlsSandbox {
    pub fn start(arguments: &[&str]) -> TlsSandbox {
        let folder = tempfile::tempdir().expect("a folder");
        let ca_file = folder.path().join("ca.pem").to_str().expect("UTF-8").to_owned();
        let sandbox = Sandbox::start_with(&[&["--tls", "--write-ca", &ca_file], arguments].concat());
        TlsSandbox { sandbox, ca_file, _folder: folder }
    }

    /// Options that direct a session here and, by default, trust only this sandbox.
    pub fn options(&self, more: serde_json::Value) -> String {
        let mut all = serde_json::json!({ "ca_file": self.ca_file });
        all.as_object_mut().expect("an object").extend(more.as_object().expect("options").clone());
        self.sandbox.options(all)
    }
}

/// A port on which nothing listens at the moment.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("bound").port()
}

/// A server program on a port; it ends when dropped.
pub struct Service(Child);

impl Service {
    pub fn start(command: &mut Command, port: u16) -> Service {
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let service = Service(process.unwrap_or_else(|error| panic!("{command:?}: {error}")));
        eventually("the service listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        service
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // SIGTERM also ends its worker processes, SIGKILL would not.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// An address that neither accepts nor refuses a connection, because the listener's queue is full.
pub struct BlackHole {
    pub port: u16,
    _kept: Vec<Socket>,
}

impl BlackHole {
    pub fn open() -> BlackHole {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
        listener.listen(0).expect("a listener");
        let address = listener.local_addr().expect("bound");
        let mut kept = vec![listener];
        for _ in 0..4 {
            let filler = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            filler.set_nonblocking(true).expect("an option");
            let _ = filler.connect(&address);
            kept.push(filler);
        }
        let hole = BlackHole { port: address.as_socket().expect("IPv4").port(), _kept: kept };
        let reached = TcpStream::connect_timeout(&hole.address(), Duration::from_millis(100));
        assert!(reached.is_err(), "the queue of a listener with backlog 0 is full");
        hole
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }
}

/// The duration and the result of a function.
pub fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begun = Instant::now();
    let value = work();
    (begun.elapsed(), value)
}

/// Makes a call that must end with this code, not before its limit in the case of a timeout, and at most 100 ms after
/// it: in one of three tries, because the machine may be busy.
#[track_caller]
pub fn in_time(limit: u64, code: &str, call: impl Fn() -> Answer) -> Answer {
    let mut tries = Vec::new();
    loop {
        let (took, answer) = timed(&call);
        assert_eq!(answer.name(), code, "{}", answer.json);
        assert!(code != "MAILRU_TIMEOUT" || took >= ms(limit), "limit {limit} ms: {took:?}");
        if took < ms(limit + 100) {
            return answer;
        }
        tries.push(took);
        assert!(tries.len() < 3, "limit {limit} ms: {tries:?}");
    }
}

pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Waits until a condition is true, long enough for a busy machine.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + ms(10_000);
    while !holds() {
        assert!(Instant::now() < until, "not within 10 s: {what}");
        thread::sleep(ms(5));
    }
}

/// Runs a function that hangs on a thread of the scope, and returns when it hangs: when the thread sleeps in three
/// consecutive checks.
#[track_caller]
pub fn hanging<'scope, 'env, T: Send + 'scope>(
    scope: &'scope thread::Scope<'scope, 'env>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> thread::ScopedJoinHandle<'scope, T> {
    let (send, number) = mpsc::channel();
    let running = scope.spawn(move || {
        // SAFETY: the function has no arguments and cannot fail.
        send.send(unsafe { libc::gettid() }).expect("it is waited for");
        work()
    });
    let status = format!("/proc/self/task/{}/stat", number.recv().expect("the thread begins"));
    let mut looks = 0;
    eventually("the thread hangs", || {
        thread::sleep(ms(10));
        // The state follows the name, which is in parentheses.
        let is_asleep = fs::read_to_string(&status).is_ok_and(|text| text.contains(") S "));
        looks = if is_asleep { looks + 1 } else { 0 };
        looks == 3
    });
    assert!(!running.is_finished(), "it hangs");
    running
}

/// The threads of this process, by name.
pub fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("proc is mounted").flatten();
    tasks.filter_map(|task| Some(fs::read_to_string(task.path().join("comm")).ok()?.trim().to_owned())).collect()
}

/// The number of open descriptors of this process.
pub fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("proc is mounted").count()
}

/// A line of `/proc/self/status`, such as `VmRSS`, in KiB.
pub fn memory(line: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("proc is mounted");
    let line = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':')).expect("a line of status");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Runs the test of this name in a separate process, for tests of the environment, threads, descriptors or the log.
/// `wrapper` is a command that runs it.
pub fn alone(name: &str, wrapper: &[&str], body: impl FnOnce()) {
    const MARK: &str = "MAILRU_TEST_ALONE";
    if std::env::var(MARK).is_ok_and(|marked| marked == name) {
        // The harness keeps every log line, which would count as the library's memory.
        watch::begin();
        // SAFETY: no callback is given.
        unsafe { mailru::ffi::mailru_set_log(None, std::ptr::null_mut(), None, 0) };
        return body();
    }
    let program = std::env::current_exe().expect("a test knows its path");
    let mut words = wrapper.iter().map(|word| word.to_string()).collect::<Vec<_>>();
    words.push(program.to_str().expect("UTF-8").to_owned());
    words.extend(["--exact", name, "--nocapture", "--test-threads=1"].map(str::to_owned));
    let output = run(Command::new(&words[0]).args(&words[1..]).env(MARK, name));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{name} in a process of its own: {}\n{text}\n{}", output.status, errors(&output));
    assert!(text.contains("1 passed"), "{name} names no test:\n{text}");
    for measured in text.lines().filter_map(|line| line.find("measured:").map(|at| &line[at..])) {
        println!("{measured}");
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The path of a program; without it the test is skipped, or fails if every host is required.
pub fn program(name: &str) -> Option<PathBuf> {
    let folders = std::env::var("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        crate::support::skip(name, "is not installed");
    }
    found
}

/// A file of this folder.
pub fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/network").join(name)
}
