//! The command `mailru`: a newcomer's first hour as it was recorded, its exit statuses, its keys, its documents.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::shell::{folder, root};
use crate::support::{Sandbox, skip};
use crate::terminal::{self, programs, shell, type_command};

const KEYS: [&str; 3] =
    ["7815696ecbf1c96e6894b779456d330e", "3dad9cbf9baaa0360c0f2ba372d25716", "be6ef89965d58e56dec21acb9b62bdaa"];

/// An empty folder to work in.
fn place(name: &str) -> PathBuf {
    let place = folder(name);
    fs::remove_dir_all(&place).expect("a test's folder can be removed");
    folder(name)
}

/// Standard output, standard error and exit status.
fn run(command: &str, at: &Path) -> (String, String, i32) {
    let output = shell(command, at).output().expect("sh runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap_or(-1))
}

/// What differs from run to run, by a name.
fn without_chance(text: &str, sandbox: &Sandbox) -> String {
    let mut text = text.replace(sandbox.base(), "ADDRESS");
    while let Some(at) = text.find("http://127.0.0.1:") {
        let end = text[at + 17..].find(|character: char| !character.is_ascii_digit()).unwrap_or(0);
        text.replace_range(at..at + 17 + end, "ADDRESS");
    }
    for (before, name, length) in
        [("state=", "STATE", 32), ("code=", "CODE", 32), ("until ", "TIME", "2026-11-30 12:00:00 UTC".len())]
    {
        let mut from = 0;
        while let Some(at) = text[from..].find(before).map(|at| at + from + before.len()) {
            let end = (at + length).min(text.len());
            let is_chance =
                text.as_bytes()[at..end].iter().all(|byte| byte.is_ascii_hexdigit() || b" :-UTC".contains(byte));
            if is_chance {
                text.replace_range(at..end, name);
            }
            from = at;
        }
    }
    text
}

/// The recorded session is what happens: `MAILRU_RECORD=1` records it anew.
#[test]
fn the_first_hour() {
    if !terminal::exists() {
        return skip("the first hour", "script is not installed");
    }
    let file = root().join("tests/hosts/first_hour.txt");
    let recorded = fs::read_to_string(&file).expect("the recorded session");
    let (sandbox, at) = (Sandbox::start(), place("first-hour"));
    fs::write(at.join("photo.jpg"), vec![0xD8; 3_000_000]).expect("a file");
    let mut session = String::new();
    for line in recorded.lines().filter(|line| line.starts_with(['#', '$'])) {
        session.push_str(line);
        session.push('\n');
        let Some(command) = line.strip_prefix("$ ") else {
            session.push('\n');
            continue;
        };
        let seen = type_command(&command.replace("ADDRESS", sandbox.base()), &at, &sandbox);
        session.push_str(without_chance(&seen, &sandbox).trim_end());
        session.push_str("\n\n");
    }
    let session = session.trim_end().to_owned() + "\n";
    if std::env::var_os("MAILRU_RECORD").is_some() {
        fs::write(&file, session).expect("the session can be recorded");
    } else {
        assert!(session == recorded, "MAILRU_RECORD=1 records it; now it is:\n{session}");
    }
}

#[test]
fn the_exit_status_tells_who_can_act() {
    let (sandbox, at) = (Sandbox::start(), place("statuses"));
    let base = sandbox.base();
    for (command, expected) in [
        ("--sandbox=BASE call friends.get", 0),
        ("--sandbox=BASE call no.such", 1),
        ("--sandbox=BASE --private-key=x call friends.get", 1),
        ("", 2),
        ("dance", 2),
        ("--dance", 2),
        ("call", 2),
        ("call friends.get", 2),
        ("--app-id 1 call friends.get", 2),
        ("--sandbox=BASE call friends.get sig=1", 2),
        ("--sandbox=BASE call friends.get uid", 2),
        ("--sandbox=BASE --timeout soon call friends.get", 2),
        ("--sandbox=BASE upload missing.jpg", 2),
        ("--keys missing call friends.get", 2),
        ("--sandbox=BASE verify 'sig=1'", 3),
        ("--sandbox=BASE verify 'app_id=1&transaction_id=1&service_id=1&uid=1&sms_price=1&sig=1'", 3),
        ("--sandbox=BASE sign friends.get --sig 1", 3),
        ("--sandbox=BASE --refresh-token x call friends.get", 4),
        ("--sandbox=http://127.0.0.1:9 --options '{\"retries\":0}' call friends.get", 5),
        ("--sandbox=BASE public mail/nobody", 5),
        ("--help", 0),
        ("--version", 0),
        ("errors 104", 0),
        ("errors 7", 2),
        ("methods", 0),
        ("methods no.such", 2),
    ] {
        let (output, error, status) = run(&format!("mailru {}", command.replace("BASE", base)), &at);
        assert_eq!(status, expected, "mailru {command}\n{output}{error}");
        assert!(status == 0 || !error.is_empty() || !output.is_empty(), "mailru {command} says nothing");
        let (output, error, _) = run(&format!("mailru --json {}", command.replace("BASE", base)), &at);
        if matches!(expected, 1 | 3..=5) && !command.contains("--sig") {
            assert!(output.contains("\"error_code\":") && error.is_empty(), "{command}: {output}{error}");
        }
    }
}

#[test]
fn keys_come_from_flags_variables_and_files() {
    let (sandbox, at) = (Sandbox::start(), place("keys"));
    let base = sandbox.base();
    let keys = format!(
        "# the guide's\napp_id=423004\nprivate_key={}\n\naccess_token={}\nuid=1324730981306483817\n",
        KEYS[0], KEYS[2]
    );
    let write = |name: &str, text: &str, mode: u32| {
        fs::write(at.join(name), text).expect("a file");
        fs::set_permissions(at.join(name), fs::Permissions::from_mode(mode)).expect("a mode");
    };
    write("keys", &keys, 0o600);
    write("open", &keys, 0o640);
    write("odd", "app_id=423004\nhunter2\n", 0o600);
    let options = sandbox.options(serde_json::json!({}));
    let call = |front: &str, flags: &str| {
        let (output, error, status) =
            run(&format!("{front} mailru --options '{options}' {flags} call friends.get"), &at);
        for key in KEYS {
            assert!(!output.contains(key) && !error.contains(key), "{flags}: {output}{error}");
        }
        (status, error)
    };
    assert_eq!(call("", "--keys keys").0, 0);
    assert_eq!(call("MAILRU_KEYS=keys", "").0, 0);
    assert_eq!(call("MAILRU_PRIVATE_KEY=wrong", "--keys keys").0, 1, "a variable counts before the file");
    assert_eq!(call(&format!("MAILRU_PRIVATE_KEY={}", KEYS[0]), "--keys keys --private-key wrong").0, 1);
    assert!(call("", "--keys open").1.contains("chmod 600"));
    let (status, error) = call("", "--keys odd");
    assert!(status == 2 && error.contains("odd, line 2") && !error.contains("hunter2"), "{error}");
    fs::create_dir_all(at.join(".config/mailru")).expect("a folder");
    write(".config/mailru/keys", &keys, 0o600);
    assert_eq!(call("", "").0, 0, "the usual place");
    // A key on the command line is gone from the list of processes when the call is under way.
    sandbox.fault(serde_json::json!({}), serde_json::json!(1), serde_json::json!({ "kind": "delay", "ms": 1500 }));
    let watch = format!(
        "mailru --sandbox={base} --private-key={} --access-token {} call friends.get >/dev/null & sleep 0.7
        tr '\\0' ' ' </proc/$!/cmdline; wait",
        KEYS[0], KEYS[2]
    );
    let (list, _, _) = run(&watch, &at);
    assert!(list.contains("--private-key=xxxx") && !list.contains(KEYS[0]) && !list.contains(KEYS[2]), "{list}");
}

#[test]
fn parameters_are_pairs_or_json() {
    let (sandbox, at) = (Sandbox::start(), place("parameters"));
    let base = sandbox.base();
    let call = format!("mailru --sandbox={base} call sandbox.echo");
    for (command, expected) in [
        (format!(r#"{call} a=1 'b=x "y" \ Ж' c="#), r#""b":"x \"y\" \\ Ж","c":"""#),
        (format!(r#"{call} '{{"a":[1,2],"b":true}}'"#), r#""a":"1,2""#),
        (format!("{call} a=x=y"), r#""a":"x=y""#),
        (format!(r#"printf '{{"a":"from the input"}}' | {call} -"#), r#""a":"from the input""#),
    ] {
        let (output, error, status) = run(&command, &at);
        assert!(status == 0 && output.contains(expected), "{command}: {output}{error}");
    }
}

/// Parameters that are called like members of the answer, and texts that JSON escapes, confuse nobody.
#[test]
fn signatures_are_explained_for_any_parameter() {
    let (sandbox, at) = (Sandbox::start(), place("signatures"));
    let sign = format!("mailru --sandbox={} sign sandbox.echo", sandbox.base());
    let text = "\"q\" \\ \u{1} Ж 🎈";
    let (output, error, status) = run(&format!("{sign} url=u base=b circuit=c 'text={text}'"), &at);
    assert_eq!(status, 0, "{error}");
    let address = format!("url      {}/platform/api?", sandbox.base());
    for line in ["  base=b", "  circuit=c", "  url=u", &format!("  text={text}"), &address, "  <private_key>"] {
        assert!(output.lines().any(|told| told.starts_with(line)), "{line} in {output}");
    }
    // What another program hashed, by the usual mistakes.
    let sum = |base: &str| {
        let script = format!("printf %s '{base}' | md5sum | cut -d ' ' -f 1");
        run(&script, &at).0.trim().to_owned()
    };
    let [private, secret, token] = KEYS;
    let user = "1324730981306483817";
    let params = |text: &str| format!("app_id=423004method=sandbox.echosession_key={token}text={text}");
    for (base, told) in [
        (format!("{user}{}{private}", params("a b")), "is this one"),
        (format!("{user}{}{secret}", params("a b")), "secret key in place of the private key"),
        (format!("{user}{}{private}", params("a%20b")), "percent-encoded"),
        (
            format!("{user}app_id=423004format=jsonmethod=sandbox.echosession_key={token}text=a b{private}"),
            "format=json",
        ),
        (format!("{user}app_id=423004method=sandbox.echotext=a b{private}"), "without session_key"),
        ("something else".to_owned(), "another text"),
    ] {
        let (output, error, _) = run(&format!("{sign} 'text=a b' --sig {}", sum(&base)), &at);
        assert!(output.lines().last().is_some_and(|line| line.contains(told)), "{told} in {output}{error}");
    }
}

#[test]
fn logins_fill_the_token_file() {
    let (sandbox, at) = (Sandbox::start(), place("logins"));
    let mailru = format!("mailru --sandbox={} --token-file", sandbox.base());
    for (file, kind) in [("code.json", "code"), ("token.json", "token")] {
        if terminal::exists() {
            let seen = type_command(&format!("{mailru} {file} login --response-type {kind}"), &at, &sandbox);
            assert!(seen.contains("Logged in as 1324730981306483817"), "{seen}");
            let mode = fs::metadata(at.join(file)).expect("the token file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
            assert_eq!(run(&format!("{mailru} {file} call friends.get"), &at).2, 0);
        }
    }
    let (_, error, status) = run(&format!("printf demo | {mailru} p.json --email demo@mail.ru login"), &at);
    assert!(status == 0 && error.contains("Password of demo@mail.ru"), "{error}");
    let (_, error, status) = run(&format!("printf demo | {mailru} p.json --email demo@mail.ru login"), &at);
    assert!(status == 2 && error.contains("--force"), "{error}");
    assert_eq!(run(&format!("printf demo | {mailru} p.json --email demo@mail.ru login --force"), &at).2, 0);
    assert_eq!(run(&format!("{mailru} q.json --email demo@mail.ru --password wrong login"), &at).2, 4);
    // The day after: the token has expired, and the file has what renews it.
    sandbox.post("expire", serde_json::json!({}));
    assert_eq!(run(&format!("{mailru} p.json call friends.get"), &at).2, 0);
    let (shown, _, _) = run(&format!("{mailru} p.json tokens --renew"), &at);
    assert!(shown.contains("refresh token  yes") && shown.contains("access token   yes, until "), "{shown}");
    let (json, _, _) = run(&format!("{mailru} p.json tokens --json"), &at);
    let tokens: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert!(!shown.contains(tokens["access_token"].as_str().expect("a token")), "{shown}");
}

/// The help fits a screen of 24 lines and 80 columns, and names what the manual explains.
#[test]
fn the_help_fits_a_screen_and_agrees_with_the_manual() {
    let at = place("help");
    let (help, _, _) = run("mailru --help", &at);
    assert!(help.lines().count() <= 23, "{} lines and the prompt", help.lines().count());
    assert!(help.lines().all(|line| line.len() < 80), "{help}");
    let manual = fs::read_to_string(root().join("examples-c/install/mailru.1")).expect("the manual");
    let manual = manual.replace("\\-", "-");
    let source = fs::read_to_string(root().join("examples-c/mailru.c")).expect("the source");
    let options = source.split("{\"").skip(1).filter_map(|part| part.split_once("\", "));
    for (name, rest) in options {
        let is_command = !rest.starts_with("required") && !rest.starts_with("optional") && !rest.starts_with("no_");
        let name =
            if is_command || ["help", "version"].contains(&name) { name.to_owned() } else { format!("--{name}") };
        assert!(name == "help" || help.contains(&name), "--help lacks {name}");
        assert!(name == "help" || manual.contains(&name), "mailru(1) lacks {name}");
    }
    assert!(programs().join("mailru").is_file());
}

/// The examples of the manual, against the sandbox.
#[test]
fn the_examples_of_the_manual_run() {
    let (sandbox, at) = (Sandbox::start(), place("manual"));
    fs::write(at.join("photo.jpg"), [0xFF, 0xD8]).expect("a file");
    let manual = fs::read_to_string(root().join("examples-c/install/mailru.1")).expect("the manual");
    let manual = manual.replace("\\-", "-").replace("\\e", "\\");
    let blocks: Vec<_> = manual.split(".nf\n").skip(1).filter_map(|rest| rest.split_once(".fi\n")).collect();
    let lines = blocks.iter().flat_map(|(block, _)| block.lines()).filter(|line| !line.starts_with('.'));
    let mut commands = 0;
    for line in lines {
        let here = format!("mailru --sandbox={} ", sandbox.base());
        let command = line.replace("mailru --sandbox ", "mailru ").replace("mailru ", &here);
        let command = command.replace(
            "'app_id=1&transaction_id=2&...'",
            "'app_id=1&transaction_id=2&service_id=3&uid=4&sms_price=5&sig=6'",
        );
        let command = format!("KEY={} SECRET={}; {command}", KEYS[0], KEYS[1]);
        let status = if line.contains(" login ") {
            // The address of the login comes from the sandbox, and the file is named: there is no home here.
            let seen = type_command(&command.replace(" login", " --token-file tokens.json login"), &at, &sandbox);
            assert!(seen.contains("Logged in"), "{seen}");
            0
        } else {
            let (output, error, status) = run(&command, &at);
            assert!(status == 0 || !error.is_empty() || output.contains("Your signature"), "{line}: {output}{error}");
            status
        };
        let expected = if line.contains("wrong") {
            1
        } else if line.contains(" verify ") {
            3
        } else {
            0
        };
        assert_eq!(status, expected, "{line}");
        commands += 1;
    }
    assert!(commands >= 9, "{commands}");
}

/// The commands of the documents' blocks for the shell: those of the command are run here, the others by the tests that
/// are named.
#[test]
fn the_commands_of_the_documents_run() {
    const ELSEWHERE: [(&str, &str); 14] = [
        ("make -C examples-c run ", ".ci/run, programs::the_examples_run"),
        ("cargo test ", "itself"),
        ("make -C examples-c install PREFIX=", "install::installs_what_a_packager_expects"),
        ("cargo cinstall ", "by packagers; tests/targets"),
        ("make -C examples-c build ", "install::another_user_installs_without_building"),
        ("sudo make -C examples-c install-built ", "install::another_user_installs_without_building"),
        ("sudo make -C examples-c uninstall ", "install::installs_what_a_packager_expects"),
        ("cc first.c $(pkg-config --cflags --libs mailru)", "programs::programs_of_the_documents_run"),
        (
            "cc first.c $(pkg-config --cflags --libs --static mailru | sed",
            "install::a_program_builds_through_pkg_config",
        ),
        ("sudo ldconfig", "changes the machine"),
        ("LD_LIBRARY_PATH=", "shell::Script sets it for every program"),
        ("jq -r ", "abi stats"),
        ("mailru-sandbox ", "the next test"),
        ("  ", "the line before goes on"),
    ];
    let (sandbox, at) = (Sandbox::start(), place("documents"));
    let mut commands = 0;
    for name in crate::programs::DOCUMENTS {
        let text = fs::read_to_string(root().join(name)).expect("a document");
        for block in text.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block) {
            for line in block.lines() {
                if !line.starts_with("mailru ") {
                    assert!(ELSEWHERE.iter().any(|(front, _)| line.starts_with(front)), "{name}: nobody runs: {line}");
                    continue;
                }
                let command = line.replace("--sandbox ", &format!("--sandbox={} ", sandbox.base()));
                let (output, error, status) = run(&command, &at);
                let expected = if line.contains("wrong") {
                    1
                } else if line.contains("--sig") {
                    3
                } else {
                    0
                };
                assert_eq!(status, expected, "{line}: {output}{error}");
                commands += 1;
            }
        }
    }
    assert!(commands >= 5, "{commands}");
}

#[test]
fn the_sandbox_tells_how_it_is_used() {
    let at = place("sandbox");
    let (help, _, status) = run("mailru-sandbox --help", &at);
    assert!(status == 0 && help.contains("Usage: mailru-sandbox") && help.contains("/oauth/authorize"), "{help}");
    let (lines, _, _) = run("mailru-sandbox --exit-with-stdin </dev/null | head -n 4", &at);
    assert!(lines.starts_with("http://127.0.0.1:") && lines.contains("options {\"api_url\":"), "{lines}");
}
