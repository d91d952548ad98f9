//! The example of a server, asked over HTTP as the platform, a player and a forger would.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use md_5::{Digest, Md5};

use crate::install::prefix;
use crate::shell::{Script, finds, folder, root};

const APP_ID: &str = "423004";
const SECRET_KEY: &str = "3dad9cbf9baaa0360c0f2ba372d25716";
const UID: &str = "1324730981306483817";

/// Parameters with their signature, as a query.
fn signed(params: &[(&str, &str)]) -> String {
    let sorted: BTreeMap<_, _> = params.iter().copied().collect();
    let base: String = sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let sum = Md5::digest(base + SECRET_KEY);
    let sig: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    let pairs: Vec<_> = sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{}&sig={sig}", pairs.join("&"))
}

fn payment(transaction: &str, service: &str, price: &str) -> String {
    signed(&[
        ("app_id", APP_ID),
        ("transaction_id", transaction),
        ("service_id", service),
        ("uid", UID),
        ("mailiki_price", price),
    ])
}

/// A running server, and what it printed.
struct Server {
    process: Child,
    base: String,
    printed: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(program: &Path, place: &Path) -> Server {
        let mut process = Command::new(program)
            .arg("127.0.0.1:0")
            .current_dir(place)
            .env("LD_LIBRARY_PATH", prefix().join("lib"))
            .env("MAILRU_APP_ID", APP_ID)
            .env("MAILRU_SECRET_KEY", SECRET_KEY)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(process.stdout.take().expect("stdout is piped")).lines();
        let base = lines.next().expect("a line").expect("its address");
        let printed = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&printed);
        thread::spawn(move || lines.map_while(Result::ok).for_each(|line| kept.lock().expect("no panic").push(line)));
        Server { process, base, printed }
    }

    /// Status and body, and the cookie that is set.
    fn get(&self, target: &str, cookie: &str) -> (u16, String, String) {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let request = config.new_agent().get(format!("{}{target}", self.base)).header("Cookie", cookie);
        let mut answer = request.call().expect("the server answers");
        let cookie = answer.headers().get("set-cookie").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"), cookie)
    }

    fn pay(&self, query: &str) -> String {
        self.get(&format!("/payment?{query}"), "").1
    }

    /// Lines are read by another thread: they may come a moment later than the answer.
    fn printed(&self, expected: &[(&str, usize)]) {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let printed = self.printed.lock().expect("no panic").clone();
            let count = |line: &str| printed.iter().filter(|printed| printed.starts_with(line)).count();
            if expected.iter().all(|(line, times)| count(line) == *times) {
                return;
            }
            assert!(Instant::now() < until, "{expected:?} in {printed:#?}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_server_hands_out_once_and_lets_players_in() {
    let place = folder("server");
    let _ = std::fs::remove_file(place.join("transactions.log"));
    let script = |text: &str| Script::new(text, prefix()).set("ROOT", root()).set("PLACE", &place);
    if !finds("go", script("go version && pkg-config --version && cc --version")) {
        return;
    }
    let build = r#"cp "$ROOT/examples-c/server.go" "$PLACE" && cd "$PLACE" && go vet server.go && go build -race -o server server.go"#;
    script(build).run().expect("the example builds");
    let program = place.join("server");
    let server = Server::start(&program, &place);
    // The platform calls again, also while the first call is under way.
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(server.pay(&payment("7001", "10", "5")), r#"{"status":1}"#));
        }
    });
    assert_eq!(server.pay(&payment("7002", "11", "20")), r#"{"status":1}"#);
    for (query, number) in [
        (payment("7003", "10", "5").replace("uid=1324", "uid=1325"), 700),
        (payment("7003", "10", "4"), 703),
        (payment("7003", "12", "5"), 702),
        (payment("7003", "10", "5") + "&uid=1", 700),
        ("".to_owned(), 700),
    ] {
        assert_eq!(server.pay(&query), format!(r#"{{"status":2,"error_code":{number}}}"#), "{query}");
    }
    server.printed(&[("handed out 10", 1), ("handed out 11", 1), ("repeated", 7), ("refused", 5)]);

    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let launch = |vid: &str, expires: u64| {
        let expires = expires.to_string();
        let rest = [("oid", vid), ("session_key", "be6ef89965d58e56dec21acb9b62bdaa"), ("session_expire", &expires)];
        let all = [&[("app_id", APP_ID), ("vid", vid), ("is_app_user", "1"), ("window_id", "w")][..], &rest].concat();
        format!("/launch?{}", signed(&all))
    };
    let (status, body, cookie) = server.get(&launch(UID, now + 600), "");
    assert!(status == 200 && body.contains(UID) && cookie.starts_with("player="), "{status} {body} {cookie}");
    assert_eq!(server.get("/whoami", &cookie).1, format!("You are player {UID}.\n"));
    assert_eq!(server.get("/whoami", "player=0").0, 403);
    assert_eq!(server.get(&launch(UID, now - 600), "").0, 403, "an old launch");
    assert_eq!(server.get(&launch(UID, now + 600).replace("vid=1324", "vid=1325"), "").0, 403, "somebody else's");
    drop(server);

    // What was handed out before a restart stays handed out.
    let server = Server::start(&program, &place);
    assert_eq!(server.pay(&payment("7001", "10", "5")), r#"{"status":1}"#);
    server.printed(&[("handed out", 0), ("repeated 7001", 1)]);
}
