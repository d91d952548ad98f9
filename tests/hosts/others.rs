//! What the wrappers of Java, C#, Ruby, PHP and LuaJIT promise beyond the cases: each has a program `behaviour` that
//! prints "ok NAME" for each promise. And what no host's program can say of itself: that nothing is left out.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::install::prefix;
use crate::journal;
use crate::list::HOSTS;
use crate::shell::{Script, all_required, folder, root};
use crate::support::Sandbox;

/// Runs a script in a host's folder against a sandbox; its output, or nothing without the host's tools.
fn run(host: &str, script: &str) -> Option<String> {
    let host = HOSTS.iter().find(|known| known.name == host).expect("a host of the list");
    let prepared = |text: &str| {
        let source = root().join("tests/hosts").join(host.folder);
        let build = folder(&format!("{}-others", host.name));
        let script = Script::new(text, prefix()).set("SOURCE", source).set("BUILD", build);
        script.set("BINDINGS", root().join("src/bindings").join(host.folder))
    };
    if let Err(error) = prepared(host.tools).run() {
        assert!(!all_required(), "{} is required: {error}", host.name);
        return None;
    }
    let sandbox = Sandbox::start();
    journal::prepare(&sandbox);
    for number in 1..10 {
        let method = format!("sandbox.echo.expired{number}");
        sandbox.fault(json!({ "method": method }), json!(1), json!({ "kind": "expire_token" }));
    }
    let outcome = prepared(script).set("MAILRU_OPTIONS", sandbox.options(json!({}))).run();
    Some(outcome.unwrap_or_else(|error| panic!("{}: {error}", host.name)))
}

/// Runs a host's program of promises, which has to print each of these.
fn keeps(host: &str, script: &str, promises: &[&str]) {
    let Some(output) = run(host, script) else { return };
    for promise in promises {
        let line = format!("ok {promise}");
        assert!(output.lines().any(|said| said == line), "{host}: no word of \"{promise}\" in {output}");
    }
    assert!(!output.contains("FAIL"), "{host}: {output}");
}

#[test]
fn ruby_keeps_its_promises() {
    keeps(
        "ruby",
        r#"ruby -w -I "$BINDINGS/lib" "$SOURCE/behaviour.rb""#,
        &[
            "fork with on_token",
            "one listener for two sessions and set twice",
            "what a listener raises is reported and the answer kept",
            "interrupts end a call at once",
            "interrupts end the wait of a queue",
            "exit does not wait for calls",
            "a failed queued call keeps its tag",
            "the log reaches a Logger whatever that raises",
        ],
    );
}

#[test]
fn the_gem_installs_and_runs() {
    let script = r#"
        rm -rf "$BUILD/gem" && cp -R "$BINDINGS" "$BUILD/gem" && cd "$BUILD/gem"
        gem build --silent --output mailru.gem mailru.gemspec
        gem install --silent --local --force --no-document --install-dir "$BUILD/gems" mailru.gem
        cd "$BUILD" && GEM_PATH="$BUILD/gems:$(gem env path)" ruby -w -e '
            gem "mailru"
            require "mailru"
            options = JSON.parse(ENV["MAILRU_OPTIONS"], symbolize_names: true)
            session = Mailru::Session.client(app_id: "423004", private_key: "7815696ecbf1c96e6894b779456d330e",
              access_token: "be6ef89965d58e56dec21acb9b62bdaa", uid: "1324730981306483817", **options)
            puts session.call("friends.get", { ext: 0 }).inspect, $LOADED_FEATURES.grep(/mailru.session/)'"#;
    let Some(output) = run("ruby", script) else { return };
    assert!(output.contains("15410773191172635989") && output.contains("gems/mailru-"), "{output}");
}

/// The names of the functions that the header declares.
fn functions() -> Vec<String> {
    let header = fs::read_to_string(root().join("include/mailru.h")).expect("the header");
    let mut names: Vec<String> = Vec::new();
    let mut comment = false;
    for line in header.lines() {
        comment = (comment || line.trim_start().starts_with("/*")) && !line.contains("*/");
        if comment || line.contains("*/") || !line.starts_with(|first: char| first.is_ascii_lowercase()) {
            continue;
        }
        let Some((before, _)) = line.split_once('(') else { continue };
        let name = before.rsplit([' ', '*']).next().unwrap_or_default();
        if name.starts_with("mailru_") {
            names.push(name.to_owned());
        }
    }
    names
}

/// The text of all sources below a folder.
fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).expect("a wrapper's folder").map(|entry| entry.expect("an entry").path());
    let texts = entries.map(|path| match path.is_dir() {
        true => sources(&path),
        false => fs::read_to_string(&path).expect("text"),
    });
    texts.collect()
}

/// How often a name stands in a text as a word of its own.
fn times(text: &str, name: &str) -> usize {
    let continues = |rest: &str| rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_');
    text.match_indices(name).filter(|(at, _)| !continues(&text[at + name.len()..])).count()
}

#[test]
fn the_wrappers_have_every_function_of_the_header() {
    let functions = functions();
    assert!(functions.len() > 50 && functions.contains(&"mailru_verify_query".to_owned()), "{functions:?}");
    // Java, C# and Ruby declare a function before they use it; the others read the header.
    for (language, least) in [("ruby", 1)] {
        let text = sources(&root().join("src/bindings").join(language));
        let missing: Vec<_> = functions.iter().filter(|name| times(&text, name) < least).collect();
        assert!(missing.is_empty(), "{language} lacks {missing:?}");
    }
}
