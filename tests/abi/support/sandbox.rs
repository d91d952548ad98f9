//! A sandbox process for one test.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::profile_folder;

/// A running sandbox; it ends when dropped, or when the test process ends.
pub struct Sandbox {
    process: Child,
    control: String,
    base: String,
    agent: ureq::Agent,
}

impl Sandbox {
    /// Starts one on a free port.
    pub fn start() -> Sandbox {
        Sandbox::start_with(&[])
    }

    /// Starts one with further arguments of its command line.
    pub fn start_with(arguments: &[&str]) -> Sandbox {
        let program = profile_folder().join("examples/sandbox");
        let mut process = Command::new(&program)
            .arg("--exit-with-stdin")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; `cargo build --example sandbox` makes it", program.display()));
        let mut lines = BufReader::new(process.stdout.take().expect("stdout is piped")).lines();
        let mut line = || lines.next().expect("the sandbox prints its addresses").expect("the sandbox prints text");
        let base = line();
        let control = line().strip_prefix("control ").expect("the second line is the control address").to_owned();
        Sandbox { process, control, base, agent: ureq::Agent::new_with_defaults() }
    }

    /// The base address, in place of the platform's.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The address of the control interface.
    // Used by the tests of `hosts`, which share this module.
    #[allow(dead_code)]
    pub fn control(&self) -> &str {
        &self.control
    }

    /// Options that direct a session here, and further options.
    pub fn options(&self, more: Value) -> String {
        let base = &self.base;
        let mut options = json!({
            "api_url": format!("{base}/platform/api"),
            "public_url": format!("{base}/platform"),
            "token_url": format!("{base}/oauth/token"),
        });
        let all = options.as_object_mut().expect("an object");
        all.extend(more.as_object().expect("options are an object").clone());
        options.to_string()
    }

    /// Sends a GET to the control interface.
    pub fn get(&self, path: &str) -> Value {
        let mut answer =
            self.agent.get(format!("{}/sandbox/{path}", self.control)).call().expect("the control answers");
        serde_json::from_str(&answer.body_mut().read_to_string().expect("text")).expect("the control answers JSON")
    }

    /// Sends a POST to the control interface.
    pub fn post(&self, path: &str, body: Value) -> Value {
        let request = self.agent.post(format!("{}/sandbox/{path}", self.control));
        let mut answer = request.send(body.to_string()).unwrap_or_else(|error| panic!("{path} {body}: {error}"));
        serde_json::from_str(&answer.body_mut().read_to_string().expect("text")).expect("the control answers JSON")
    }

    /// Injects a fault into requests that match `on`: `times` of them, or all with `null`.
    pub fn fault(&self, on: Value, times: Value, fault: Value) {
        self.post("faults", json!({ "on": on, "times": times, "fault": fault }));
    }

    /// Removes all faults.
    pub fn behave(&self) {
        self.agent.delete(format!("{}/sandbox/faults", self.control)).call().expect("the control answers");
    }

    /// Every request since the start.
    pub fn requests(&self) -> Vec<Value> {
        self.get("requests").as_array().expect("an array").clone()
    }
}

impl Sandbox {
    /// The last received request.
    pub fn last(&self) -> Value {
        self.requests().pop().expect("a request came")
    }

    /// The number of token requests.
    pub fn token_requests(&self) -> u64 {
        let counts = self.get("stats")["token_requests"].clone();
        counts.as_object().expect("an object").values().filter_map(Value::as_u64).sum()
    }

    /// Makes this text the answer to all requests that match `on`.
    pub fn answer(&self, on: Value, status: u16, body: &str) {
        self.behave();
        self.fault(on, Value::Null, json!({ "kind": "answer", "status": status, "body": body }));
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
