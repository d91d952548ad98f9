//! Other people's clients of the platform against the sandbox, unchanged but for its address: what it answers is what they
//! expect of the platform.

use crate::install::prefix;
use crate::shell::{Script, finds, root};
use crate::support::Sandbox;

/// Runs a client of Python's package index, if `install-tools.sh` has installed it.
fn run(module: &str, program: &str) {
    let script =
        |text: &str| Script::new(text, prefix()).set("PROGRAM", root().join("tests/hosts/clients").join(program));
    if !finds(module, script(&format!("\"$TOOLS/venv/bin/python\" -c 'import {module}'"))) {
        return;
    }
    let sandbox = Sandbox::start();
    let output = script(r#""$TOOLS/venv/bin/python" -B "$PROGRAM" "$BASE""#).set("BASE", sandbox.base()).run();
    let output = output.unwrap_or_else(|error| panic!("{module}: {error}"));
    assert!(output.ends_with("done\n"), "{output}");
}

#[test]
fn aiomailru() {
    run("aiomailru", "aiomailru_client.py");
}

#[test]
fn the_login_of_social_auth_core() {
    run("social_core", "social_auth_client.py");
}

/// The requests of omniauth-mail_ru, and of clients that write the method's name into the address.
#[test]
fn spellings_of_the_address() {
    let sandbox = Sandbox::start();
    let call = "app_id=423004&format=json&method=users.getInfo&secure=1&session_key=be6ef89965d58e56dec21acb9b62bdaa";
    let secret = "3dad9cbf9baaa0360c0f2ba372d25716";
    let script = r#"sig=$(printf '%s%s' "$(printf %s "$CALL" | tr -d '&')" "$SECRET" | md5sum | cut -d ' ' -f 1)
        for path in '' / /users/getInfo; do curl -sf "$BASE/platform/api$path?$CALL&sig=$sig"; echo; done"#;
    if !finds("curl", Script::new("curl --version", prefix())) {
        return;
    }
    let script = Script::new(script, prefix()).set("BASE", sandbox.base()).set("CALL", call).set("SECRET", secret);
    let output = script.run().expect("answers");
    assert_eq!(output.matches("\"email\":\"demo@mail.ru\"").count(), 3, "{output}");
}
