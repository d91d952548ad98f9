//! The matrix: each phase of a call with each kind of failure. For each cell, for a method that reads and one that
//! writes: the code, the time, the requests that reached the server, and the connection of the next call.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::names::{named, with_name_server};
use crate::support::*;
use crate::tools::*;

const READ: &str = "friends.get";
const WRITE: &str = "sandbox.echoWrite";
/// The time limit of each call, and the tolerance for a busy machine, in milliseconds.
const LIMIT: u64 = 700;
const GRACE: u64 = 100;

/// Where a call fails.
#[derive(Clone)]
enum Place {
    /// The name server has the fault that the name says.
    Name(&'static str),
    /// A port without a server.
    Port(u16),
    /// The sandbox injects a fault into each new connection; over TLS or not.
    Connection { tls: bool, fault: Value },
    /// The sandbox injects a fault into each request.
    Request { tls: bool, fault: Value },
    /// A server with an invalid certificate.
    Certificate(&'static [&'static str]),
}

struct Cell {
    phase: &'static str,
    fault: &'static str,
    place: Place,
    /// The code, and the number of requests that reach the server, for reading and for writing.
    read: (&'static str, usize),
    write: (&'static str, usize),
    /// Whether the next call uses the same connection.
    kept: bool,
}

fn cell(phase: &'static str, fault: &'static str, place: Place, code: &'static str, requests: [usize; 2]) -> Cell {
    let [read, write] = requests;
    let kept = code == "MAILRU_OK" && phase != "resolve";
    Cell { phase, fault, place, read: (code, read), write: (code, write), kept }
}

const OK: &str = "MAILRU_OK";
const TIMEOUT: &str = "MAILRU_TIMEOUT";
const NETWORK: &str = "MAILRU_NETWORK_ERROR";
const MALFORMED: &str = "MAILRU_MALFORMED_RESPONSE";
const TLS: &str = "MAILRU_TLS_ERROR";

fn cells(with_names: bool, black_hole: u16, refused: u16) -> Vec<Cell> {
    let mut cells = Vec::new();
    if with_names {
        for (fault, name, code, requests) in [
            ("slow", "slow-100.sandbox.test", OK, [1, 1]),
            ("dead", "dead.sandbox.test", TIMEOUT, [0, 0]),
            ("no such name", "none.sandbox.test", NETWORK, [0, 0]),
            ("garbage", "garbage.sandbox.test", TIMEOUT, [0, 0]),
        ] {
            cells.push(cell("resolve", fault, Place::Name(name), code, requests));
        }
    }
    cells.push(cell("connect", "refused", Place::Port(refused), NETWORK, [0, 0]));
    cells.push(cell("connect", "no answer", Place::Port(black_hole), TIMEOUT, [0, 0]));
    for (phase, tls) in [("accept", false), ("handshake", true)] {
        let mut add = |fault, play: Value, code, requests| {
            cells.push(cell(phase, fault, Place::Connection { tls, fault: play }, code, requests));
        };
        add("slow", json!({"kind":"delay","ms":100}), OK, [1, 1]);
        add("silent", json!({"kind":"silent"}), TIMEOUT, [0, 0]);
        add("drip", json!({"kind":"drip_handshake","ms":30}), TIMEOUT, if tls { [0, 0] } else { [1, 1] });
        add("reset", json!({"kind":"reset"}), NETWORK, [0, 0]);
        add("close", json!({"kind":"close"}), NETWORK, [0, 0]);
        add("garbage", json!({"kind":"garbage"}), if tls { TLS } else { MALFORMED }, [0, 0]);
    }
    for (fault, arguments) in [
        ("expired", &["--tls-expired"][..]),
        ("another name", &["--tls-name", "other.example"]),
        ("unknown issuer", &["--tls-name", "localhost"]),
    ] {
        cells.push(cell("certificate", fault, Place::Certificate(arguments), TLS, [0, 0]));
    }
    for (phase, tls, part) in
        [("head", false, "head"), ("head, TLS", true, "head"), ("body", false, "body"), ("body, TLS", true, "body")]
    {
        let mut add = |fault, play: Value, code, requests| {
            cells.push(cell(phase, fault, Place::Request { tls, fault: play }, code, requests));
        };
        let cut = |kind: &str| json!({"kind":kind,"phase":part});
        add("slow", json!({"kind":"delay","phase":part,"ms":100}), OK, [1, 1]);
        add("drip", json!({"kind":"drip","phase":part,"ms":50}), TIMEOUT, [1, 1]);
        add("reset", cut("reset"), MALFORMED, [3, 1]);
        add("close", cut("close"), MALFORMED, [3, 1]);
        if part == "head" {
            add("silent", json!({"kind":"silent"}), TIMEOUT, [1, 1]);
            add("reset before", json!({"kind":"reset","phase":"after"}), NETWORK, [3, 1]);
            add("close before", json!({"kind":"close","phase":"after"}), NETWORK, [3, 1]);
            add("garbage", json!({"kind":"garbage"}), MALFORMED, [1, 1]);
        } else {
            add("silent", json!({"kind":"hang_body"}), TIMEOUT, [1, 1]);
            add("chunks cut", json!({"kind":"truncate","chunked":true}), MALFORMED, [3, 1]);
            add("garbage", json!({"kind":"answer","body":"<garbage>"}), MALFORMED, [1, 1]);
            cells.last_mut().expect("just added").kept = true;
        }
    }
    cells
}

/// The outcome of one call.
struct Seen {
    code: &'static str,
    took: Duration,
    requests: usize,
    kept: Option<bool>,
}

fn run_call(place: &Place, method: &str) -> Seen {
    let limits = json!({ "timeout_ms": LIMIT, "retry_delay_ms": 1 });
    let (plain, mut secure) = (Sandbox::start(), None);
    if let Place::Connection { tls: true, .. } | Place::Request { tls: true, .. } = place {
        secure = Some(TlsSandbox::start(&[]));
    }
    if let Place::Certificate(arguments) = place {
        secure = Some(TlsSandbox::start(arguments));
    }
    let sandbox = secure.as_ref().map_or(&plain, |tls| &tls.sandbox);
    let mut options = secure.as_ref().map_or_else(|| plain.options(limits.clone()), |tls| tls.options(limits.clone()));
    match place {
        Place::Name(name) => options = named(&plain, name, limits),
        Place::Port(port) => {
            let elsewhere = format!("http://127.0.0.1:{port}/platform/api");
            options = json!({ "api_url": elsewhere, "timeout_ms": LIMIT, "retry_delay_ms": 1 }).to_string();
        }
        Place::Certificate(["--tls-name", "localhost"]) => {
            options = sandbox.options(json!({ "timeout_ms": LIMIT }));
        }
        Place::Connection { fault, .. } => sandbox.fault(json!({ "connection": true }), Value::Null, fault.clone()),
        Place::Request { .. } | Place::Certificate(_) => {}
    }
    let session = client(&options);
    if let Place::Request { fault, .. } = place {
        session.call_within(READ, None, 10_000, 0).expect_ok();
        sandbox.fault(json!({}), Value::Null, fault.clone());
    }
    let before = sandbox.requests().len();
    let (took, answer) = timed(|| session.call(method, None));
    let connections = |requests: &[Value]| requests.last().map(|request| request["connection"].clone());
    let after = sandbox.requests();
    let (requests, used) = (after.len() - before, connections(&after));
    sandbox.behave();
    let is_led_here = !matches!(place, Place::Port(_) | Place::Certificate(_));
    let name_works = !matches!(place, Place::Name(name) if !name.starts_with("slow"));
    let kept = (is_led_here && name_works).then(|| {
        session.call_within(READ, None, 10_000, 0).expect_ok();
        used.is_some() && connections(&sandbox.requests()) == used
    });
    Seen { code: answer.name(), took, requests, kept }
}

/// Runs a cell; returns the lines of the table, and the differences from the expectation.
fn run_cell(cell: &Cell) -> (String, Vec<String>) {
    let (mut line, mut wrong) = (format!("{:<12} {:<15}", cell.phase, cell.fault), Vec::new());
    for (kind, method, (code, requests)) in [("read", READ, cell.read), ("write", WRITE, cell.write)] {
        let mut seen = run_call(&cell.place, method);
        // Two more tries, because the machine may have been busy.
        for _ in 0..2 {
            if seen.took > ms(LIMIT + GRACE) {
                seen = run_call(&cell.place, method);
            }
        }
        let Seen { code: was, took, requests: made, kept } = seen;
        let next = match kept {
            Some(true) => "kept",
            Some(false) => "new",
            None => "-",
        };
        let _ = write!(line, " | {kind:<5} {was:<25} {:>4} ms {made:>2} {next:<4}", took.as_millis());
        let mut check = |what: &str, is: String, should: String| {
            if is != should {
                wrong.push(format!("{} {} {kind}: {what} {is}, not {should}", cell.phase, cell.fault));
            }
        };
        check("code", was.to_owned(), code.to_owned());
        check("requests", made.to_string(), requests.to_string());
        check("in time", (took <= ms(LIMIT + GRACE)).to_string(), true.to_string());
        if code == TIMEOUT {
            check("not before its time", (took >= ms(LIMIT)).to_string(), true.to_string());
        }
        if let Some(kept) = kept.filter(|_| cell.phase != "resolve") {
            check("kept", kept.to_string(), cell.kept.to_string());
        }
    }
    (line, wrong)
}

fn matrix(with_names: bool) {
    let (hole, refused) = (BlackHole::open(), free_port());
    let cells = cells(with_names, hole.port, refused);
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let Some(cell) = cells.get(number) else { return };
                    let outcome = run_cell(cell);
                    outcomes.lock().expect("no panic").push((number, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().expect("no panic");
    outcomes.sort_by_key(|outcome| outcome.0);
    let mut table = format!(
        "Limit {LIMIT} ms, 2 retries. Time, requests that reached the server, and the connection of the next call.\n"
    );
    let mut wrong = Vec::new();
    for (_, (line, problems)) in outcomes {
        table.push_str(line.trim_end());
        table.push('\n');
        wrong.extend(problems);
    }
    std::fs::write(file(), &table).expect("the table can be written");
    assert!(wrong.is_empty(), "{table}\n{}", wrong.join("\n"));
}

/// In cargo's target folder.
fn file() -> std::path::PathBuf {
    profile_folder().parent().expect("below the target folder").join("network-matrix.txt")
}

#[test]
fn every_phase_and_every_fault() {
    if !with_name_server("matrix::every_phase_and_every_fault", |_| matrix(true)) {
        matrix(false);
    }
    println!("{}", std::fs::read_to_string(file()).expect("the table was written"));
}
