//! Host names: look-ups are limited in time, cancellable, share threads, and happen only for new connections. The test
//! runs its own name server, in its own mount namespace.

use std::collections::HashMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cancel::{Stuck, ends_in_time, friends};
use crate::support::*;
use crate::tools::*;

/// A name server whose behaviour depends on the first label of a name.
pub struct NameServer {
    asked: Arc<Mutex<HashMap<String, usize>>>,
}

impl NameServer {
    /// Starts at the address that this process's `/etc/resolv.conf` names.
    fn start() -> NameServer {
        let text = std::fs::read_to_string("/etc/resolv.conf").expect("a resolver's configuration");
        let address = text.lines().find_map(|line| line.strip_prefix("nameserver ")).expect("a name server");
        let socket = Arc::new(UdpSocket::bind((address, 53)).expect("a free address"));
        let asked = Arc::new(Mutex::new(HashMap::new()));
        let counted = Arc::clone(&asked);
        thread::spawn(move || {
            let mut packet = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut packet) {
                let Some((name, kind)) = question(&packet[..length]) else { continue };
                // Each look-up has a question for each address family.
                if kind == 1 {
                    *counted.lock().expect("no panic").entry(name.clone()).or_default() += 1;
                }
                let Some((pause, reply)) = reply(&packet[..length], &name, kind) else { continue };
                let socket = Arc::clone(&socket);
                thread::spawn(move || {
                    thread::sleep(pause);
                    let _ = socket.send_to(&reply, client);
                });
            }
        });
        NameServer { asked }
    }

    fn asked(&self, name: &str) -> usize {
        self.asked.lock().expect("no panic").get(name).copied().unwrap_or_default()
    }
}

fn question(packet: &[u8]) -> Option<(String, u16)> {
    let (mut at, mut labels) = (12, Vec::new());
    while *packet.get(at)? > 0 {
        let length = usize::from(packet[at]);
        labels.push(String::from_utf8_lossy(packet.get(at + 1..at + 1 + length)?).into_owned());
        at += 1 + length;
    }
    Some((labels.join("."), u16::from_be_bytes([*packet.get(at + 1)?, *packet.get(at + 2)?])))
}

fn reply(packet: &[u8], name: &str, kind: u16) -> Option<(Duration, Vec<u8>)> {
    let label = name.split('.').next()?;
    let (play, number) = label.split_once('-').unwrap_or((label, "0"));
    let pause = ms(number.parse().unwrap_or(0));
    let addresses: &[[u8; 4]] = if play == "two" { &[[127, 0, 0, 99], [127, 0, 0, 1]] } else { &[[127, 0, 0, 1]] };
    let found = if kind == 1 { addresses } else { &[] };
    let code = match play {
        "dead" => return None,
        "garbage" => return Some((pause, vec![0xff; 40])),
        "none" => 3,
        _ => 0,
    };
    let mut reply = packet[..2].to_vec();
    reply.extend([0x81, 0x80 | code, 0, 1, 0, if code == 0 { found.len() as u8 } else { 0 }, 0, 0, 0, 0]);
    // The question again, without additional records.
    let end = 12 + packet[12..].iter().position(|byte| *byte == 0)? + 5;
    reply.extend_from_slice(&packet[12..end]);
    if code == 0 {
        for address in found {
            reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
            reply.extend(address);
        }
    }
    Some((pause, reply))
}

/// Runs a test with only its own name server; `false` if that is not possible here.
pub fn with_name_server(name: &str, body: impl FnOnce(NameServer)) -> bool {
    let permitted = run(std::process::Command::new("unshare").args(["-m", "true"])).status.success();
    if !permitted {
        skip("a name server of the test's own", "a mount namespace is not permitted");
        return false;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file: PathBuf = folder.path().join("resolv.conf");
    // A separate address for each test, so that tests may run in parallel.
    let hash = name.bytes().fold(std::process::id(), |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    let [_, a, b, c] = hash.to_be_bytes();
    let text = format!("nameserver 127.{a}.{b}.{}\noptions timeout:2 attempts:1\n", c | 2);
    std::fs::write(&file, text).expect("written");
    let script = format!("mount --bind {} /etc/resolv.conf && exec \"$@\"", file.display());
    alone(name, &["unshare", "-m", "sh", "-c", &script, "sh"], || body(NameServer::start()));
    true
}

/// Options that direct calls to the sandbox by a name.
pub fn named(sandbox: &Sandbox, name: &str, more: Value) -> String {
    let port = sandbox.base().rsplit(':').next().expect("a port");
    let mut options = json!({ "api_url": format!("http://{name}:{port}/platform/api"), "allow_http": true });
    options.as_object_mut().expect("an object").extend(more.as_object().expect("options").clone());
    sandbox.options(options)
}

#[test]
fn a_silent_name_server_delays_no_call_and_leaves_no_thread() {
    with_name_server("names::a_silent_name_server_delays_no_call_and_leaves_no_thread", |names| {
        let sandbox = Sandbox::start();
        let resolvers = || threads().iter().filter(|name| *name == "mailru-resolve").count();
        for (limits, limit) in
            [(json!({"timeout_ms":300}), 300), (json!({"timeout_ms":5000,"connect_timeout_ms":200}), 200)]
        {
            let session = client(&named(&sandbox, "dead.sandbox.test", limits));
            in_time(limit, "MAILRU_TIMEOUT", || session.call("friends.get", None));
        }
        let session = client(&named(&sandbox, "dead.sandbox.test", json!({"timeout_ms":20})));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        session.call("friends.get", None).expect("MAILRU_TIMEOUT");
                    }
                });
            }
        });
        println!("measured: 200 timed-out calls to a silent name server left {} thread(s)", resolvers());
        assert!(resolvers() <= 1, "one for the name, however many calls wait for it");
        assert!(names.asked("dead.sandbox.test") <= 5, "not one question for each call");
        eventually("the system's resolver gives up", || resolvers() == 0);
        // A call that waits long enough gets the resolver's error.
        let patient = client(&named(&sandbox, "dead.sandbox.test", json!({"retries":0})));
        let answer = patient.call("friends.get", None).expect("MAILRU_NETWORK_ERROR");
        assert!(answer.error("error_msg").as_str().is_some_and(|text| text.contains("name")), "{}", answer.json);
    });
}

/// However many names wait for a silent name server, there are few threads, and another name is still looked up.
#[test]
fn many_unanswered_names_share_a_few_threads() {
    with_name_server("names::many_unanswered_names_share_a_few_threads", |_| {
        let sandbox = Sandbox::start();
        let resolvers = || threads().iter().filter(|name| *name == "mailru-resolve").count();
        let most = Mutex::new(0);
        thread::scope(|scope| {
            for worker in 0..43 {
                let (sandbox, most) = (&sandbox, &most);
                scope.spawn(move || {
                    for number in 0..7 {
                        let name = format!("dead-{worker}x{number}.sandbox.test");
                        let session = client(&named(sandbox, &name, json!({"timeout_ms":50,"retries":0})));
                        session.call("friends.get", None).expect("MAILRU_TIMEOUT");
                        let mut most = most.lock().expect("no panic");
                        *most = resolvers().max(*most);
                    }
                });
            }
        });
        let most = most.into_inner().expect("no panic");
        println!("measured: 301 names at a silent name server used {most} threads");
        assert!(most <= 32, "{most} threads");
        let patient = client(&named(&sandbox, "good.sandbox.test", json!({"timeout_ms":10000})));
        patient.call("friends.get", None).expect_ok();
        eventually("the threads end", || resolvers() == 0);
    });
}

/// An unreachable address costs a quarter of a second once, not each time.
#[test]
fn an_unreachable_address_is_skipped_and_remembered() {
    with_name_server("names::an_unreachable_address_is_skipped_and_remembered", |_| {
        // The system's resolver puts 127.0.0.1 before 127.0.0.99 (RFC 6724).
        let hole = BlackHole::open();
        let server = RawServer::start_at((Ipv4Addr::new(127, 0, 0, 99), hole.port), |mut stream| {
            read_head(&mut stream);
            let _ = std::io::Write::write_all(
                &mut stream,
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]",
            );
        });
        let options = json!({ "api_url": format!("http://two.sandbox.test:{}/api", server.port), "allow_http": true,
            "retries": 0 });
        let session = client(&options.to_string());
        let (first, answer) = timed(|| session.call("friends.get", None));
        answer.expect_ok();
        assert!(first >= ms(250) && first < ms(1500), "{first:?}");
        let mut took = Vec::new();
        for _ in 0..3 {
            let (later, answer) = timed(|| session.call("friends.get", None));
            answer.expect_ok();
            took.push(later);
        }
        println!("measured: with an unreachable address first {first:?}, then {took:?}");
        assert!(took.iter().filter(|took| **took < ms(200)).count() >= 2, "{took:?}");
        assert_eq!(server.connections(), 4);
    });
}

#[test]
fn names_without_an_address() {
    with_name_server("names::names_without_an_address", |_| {
        let sandbox = Sandbox::start();
        for (name, code) in [
            ("none.sandbox.test", "MAILRU_NETWORK_ERROR"),
            // The system's resolver ignores garbage and continues to wait.
            ("garbage.sandbox.test", "MAILRU_TIMEOUT"),
        ] {
            let session = client(&named(&sandbox, name, json!({"timeout_ms":300,"retries":0})));
            let answer = in_time(300, code, || session.call("friends.get", None));
            let text = answer.error("error_msg").to_string();
            assert!(code == "MAILRU_TIMEOUT" || text.contains(&format!("the name of {name}:")), "{text}");
            assert_eq!(answer.error("sent"), false);
        }
    });
}

#[test]
fn names_are_looked_up_only_for_new_connections_and_once_for_all_calls() {
    with_name_server("names::names_are_looked_up_only_for_new_connections_and_once_for_all_calls", |names| {
        let sandbox = Sandbox::start();
        let session = client(&named(&sandbox, "slow-300.sandbox.test", json!({})));
        let (took, answer) = timed(|| session.call("friends.get", None));
        answer.expect_ok();
        assert!(took >= ms(300), "{took:?}");
        for _ in 0..20 {
            session.call("friends.get", None).expect_ok();
        }
        assert_eq!(names.asked("slow-300.sandbox.test"), 1);
        assert_eq!(sandbox.get("stats")["connections_platform"], 1);
        // Twenty calls at once, each with a new connection, wait for one look-up.
        let fresh = client(&named(&sandbox, "slow-301.sandbox.test", json!({})));
        thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| fresh.call("friends.get", None).expect_ok());
            }
        });
        assert_eq!(names.asked("slow-301.sandbox.test"), 1);
    });
}

#[test]
fn after_a_failed_address_the_next_is_tried() {
    with_name_server("names::after_a_failed_address_the_next_is_tried", |_| {
        let sandbox = Sandbox::start();
        // Nothing listens at the first of the two addresses.
        client(&named(&sandbox, "two.sandbox.test", json!({"retries":0}))).call("friends.get", None).expect_ok();
    });
}

#[test]
fn cancellation_while_a_name_is_looked_up() {
    with_name_server("names::cancellation_while_a_name_is_looked_up", |_| {
        let sandbox = Sandbox::start();
        let options = named(&sandbox, "dead.sandbox.test", json!({}));
        ends_in_time("name look-up", || Stuck {
            session: client(&options),
            call: &friends,
            works: &crate::cancel::public_page,
        });
    });
}

/// Plain http is allowed to `localhost`, so that name must not be looked up.
#[test]
fn localhost_is_this_machine_whoever_says_otherwise() {
    if !run(std::process::Command::new("unshare").args(["-m", "true"])).status.success() {
        return skip("a name server of the test's own", "a mount namespace is not permitted");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hosts");
    std::fs::write(&file, "192.0.2.1 localhost\n").expect("written");
    let script = format!("mount --bind {} /etc/hosts && exec \"$@\"", file.display());
    let command = ["unshare", "-m", "sh", "-c", &script, "sh"];
    alone("names::localhost_is_this_machine_whoever_says_otherwise", &command, || {
        let sandbox = Sandbox::start();
        for name in ["localhost", "LocalHost"] {
            let session = client(&named(&sandbox, name, json!({ "allow_http": false, "timeout_ms": 5000 })));
            session.call("friends.get", None).expect_ok();
        }
    });
}

/// IP addresses of both families need no name server.
#[test]
fn addresses_by_number() {
    let Ok(listener) = std::net::TcpListener::bind(("::1", 0)) else {
        return println!("skipped: this machine has no IPv6");
    };
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            while let Some(head) = read_head(&mut stream) {
                let body = format!("[{}]", head.contains("[::1]"));
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                let _ = std::io::Write::write_all(&mut stream, answer.as_bytes());
            }
        }
    });
    let session = client(&json!({ "api_url": format!("http://[::1]:{port}/api") }).to_string());
    for _ in 0..2 {
        assert_eq!(session.call("friends.get", None).expect_ok(), "[true]", "the Host header has the brackets");
    }
}
