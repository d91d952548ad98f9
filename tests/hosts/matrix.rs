//! Every host against every case.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::sync::Mutex;
use std::thread;

use serde_json::json;

use crate::install::prefix;
use crate::journal;
use crate::list::{HOSTS, Host};
use crate::shell::{Script, finds, folder, root};
use crate::support::Sandbox;

/// A line of `cases.tsv`.
pub struct Case {
    name: String,
    pub action: String,
    pub method: String,
    pub parameters: String,
    pub code: String,
}

/// How a host fared.
enum Outcome {
    /// Its tools are not on this machine, or it is one of those that are tested only with everything.
    Skipped,
    /// It could not be built, or ended badly.
    Broken(String),
    /// A word for each case: "ok", "n/a", or what is wrong.
    Ran(BTreeMap<String, String>),
}

#[test]
fn every_host_passes_every_case() {
    let text = fs::read_to_string(root().join("tests/hosts/cases.tsv")).expect("the cases can be read");
    let cases: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).map(case).collect();
    let outcomes: Vec<_> = HOSTS.iter().map(|_| Mutex::new(None)).collect();
    let next = Mutex::new(HOSTS.iter().zip(&outcomes));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    // In a statement of its own, so that the lock is not held meanwhile.
                    let taken = next.lock().expect("no panic").next();
                    let Some((host, outcome)) = taken else { return };
                    *outcome.lock().expect("no panic") = Some(run(host, &text, &cases));
                }
            });
        }
    });
    let outcomes: Vec<_> = outcomes.into_iter().map(|outcome| outcome.into_inner().expect("no panic")).collect();
    let outcomes: Vec<_> = outcomes.into_iter().map(|outcome| outcome.expect("every host was taken")).collect();
    let (table, complaints) = judge(&cases, &outcomes);
    fs::write(folder("").join("matrix.txt"), &table).expect("cargo's folder can be written");
    // Shown for a test that passes, too.
    let _ = std::io::stderr().write_all(format!("\n{table}\n").as_bytes());
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

fn case(line: &str) -> Case {
    let columns: Vec<_> = line.split('\t').map(str::to_owned).collect();
    let [name, action, _, _, method, parameters, code, _] =
        <[String; 8]>::try_from(columns).unwrap_or_else(|columns| panic!("not eight columns: {columns:?}"));
    Case { name, action, method, parameters, code }
}

/// Builds a host's program and runs it against a sandbox of its own.
fn run(host: &Host, cases_text: &str, cases: &[Case]) -> Outcome {
    let build = folder(host.name);
    let script = |text: &str| {
        let source = root().join("tests/hosts").join(host.folder);
        Script::new(text, prefix()).set("SOURCE", source).set("BUILD", &build)
    };
    if !finds(host.name, script(host.tools)) {
        return Outcome::Skipped;
    }
    if let Err(error) = script(host.build).run() {
        return Outcome::Broken(format!("does not build: {error}"));
    }
    let sandbox = Sandbox::start();
    journal::prepare(&sandbox);
    let options = sandbox.options(json!({}));
    let cases_file = build.join("cases.tsv");
    let members = options.trim_start_matches('{').trim_end_matches('}');
    let tokens = build.join("tokens.json");
    for file in [&tokens, &build.join("tokens.json.lock")] {
        let _ = fs::remove_file(file);
    }
    let tokens = tokens.to_str().expect("UTF-8");
    let text = cases_text.replace("TOKENS", tokens).replace("SANDBOX", members);
    fs::write(&cases_file, text).expect("cargo's folder can be written");
    let run = script(host.run).set("MAILRU_CASES", cases_file).set("MAILRU_OPTIONS", &options);
    match run.run() {
        Err(error) => Outcome::Broken(error),
        Ok(output) => Outcome::Ran(cells(&output, &sandbox, cases)),
    }
}

/// What the program's lines say of each case, checked against the sandbox's journal.
fn cells(output: &str, sandbox: &Sandbox, cases: &[Case]) -> BTreeMap<String, String> {
    let mut cells = BTreeMap::new();
    for line in output.lines() {
        let mut words = line.splitn(3, ' ');
        let (verdict, name, why) = (words.next(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let cell = match verdict {
            Some("ok") => "ok".to_owned(),
            Some("n/a") if !why.is_empty() => "n/a".to_owned(),
            _ => line.to_owned(),
        };
        cells.insert(name.to_owned(), cell);
    }
    for case in cases {
        if let Some(cell) = cells.get_mut(&case.name).filter(|cell| *cell == "ok")
            && let Some(contradiction) = journal::contradiction(sandbox, case)
        {
            *cell = format!("the sandbox contradicts: {contradiction}");
        }
    }
    cells
}

/// The table of all outcomes, and what is wrong in it.
fn judge(cases: &[Case], outcomes: &[Outcome]) -> (String, Vec<String>) {
    let mut complaints = Vec::new();
    let mut table = format!("{:16}", "");
    for host in HOSTS {
        write!(table, "{:9}", host.name).expect("a string can be written to");
    }
    for case in cases {
        write!(table, "\n{:16}", case.name).expect("a string can be written to");
        for (host, outcome) in HOSTS.iter().zip(outcomes) {
            let cell = match outcome {
                Outcome::Skipped => "-",
                Outcome::Broken(_) => "BROKEN",
                Outcome::Ran(cells) => match cells.get(&case.name).map(String::as_str) {
                    Some(cell @ ("ok" | "n/a")) => cell,
                    cell => {
                        complaints.push(format!("{}: {}: {}", host.name, case.name, cell.unwrap_or("said nothing")));
                        "FAIL"
                    }
                },
            };
            write!(table, "{cell:9}").expect("a string can be written to");
        }
    }
    for (host, outcome) in HOSTS.iter().zip(outcomes) {
        if let Outcome::Broken(error) = outcome {
            complaints.push(format!("{}: {error}", host.name));
        }
    }
    (table, complaints)
}
