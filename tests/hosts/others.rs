//! What the wrappers of Java, C#, Ruby, PHP and LuaJIT promise beyond the cases: each has a program `behaviour` that
//! prints "ok NAME" for each promise. And what no host's program can say of itself: that nothing is left out.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::install::prefix;
use crate::journal;
use crate::list::HOSTS;
use crate::shell::{Script, finds, folder, root};
use crate::support::Sandbox;

/// Runs a script in a host's folder against a sandbox; its output, or nothing without the host's tools and these.
fn run(host: &str, tools: &str, script: &str) -> Option<String> {
    let host = HOSTS.iter().find(|known| known.name == host).expect("a host of the list");
    let prepared = |text: &str| {
        let source = root().join("tests/hosts").join(host.folder);
        let build = folder(&format!("{}-others", host.name));
        let script = Script::new(text, prefix()).set("SOURCE", source).set("BUILD", build);
        script.set("BINDINGS", root().join("src/bindings").join(host.folder))
    };
    if !finds(host.name, prepared(host.tools)) || !finds(host.name, prepared(tools)) {
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
    let Some(output) = run(host, "true", script) else { return };
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

/// A login before the fork, logins after it, calls from all threads of all workers, and a clean stop with a call in flight.
#[test]
fn puma_serves_with_a_preloaded_application() {
    let script = r#"
        rm -f "$BUILD/puma.sock"
        echo "force_shutdown_after 1" > "$BUILD/puma.rb"
        RUBYLIB="$BINDINGS/lib" puma -C "$BUILD/puma.rb" --preload -w 2 -t 8:8 -b "unix://$BUILD/puma.sock" "$SOURCE/puma.ru" >"$BUILD/puma.log" 2>&1 &
        puma=$!
        trap 'kill -9 $puma 2>/dev/null || true' EXIT
        ask() { curl -s -m 20 --unix-socket "$BUILD/puma.sock" "http://localhost/$1"; }
        until ask "" >/dev/null; do kill -0 $puma; sleep 0.2; done
        for number in 1 2 3 4 5 6; do ask login | sed 's/^[0-9]* /login /'; done
        seq 500 | xargs -P 32 -I{} curl -s -m 20 --unix-socket "$BUILD/puma.sock" http://localhost/
        ask slow >/dev/null & sleep 0.5
        kill -INT $puma; started=$(date +%s); wait $puma || true
        echo "stopped after $(($(date +%s) - started)) s""#;
    let Some(output) = run("ruby", "puma --version && curl --version", script) else { return };
    assert_eq!(output.matches("login 1 7\n").count(), 6, "{output}");
    assert_eq!(output.matches(" 0 7\n").count(), 500, "{output}");
    let stopped: u64 =
        output.split("stopped after ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok()).expect("a number");
    assert!(stopped < 10, "stopped after {stopped} s");
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
    let Some(output) = run("ruby", "gem --version", script) else { return };
    assert!(output.contains("15410773191172635989") && output.contains("gems/mailru-"), "{output}");
}

#[test]
fn php_keeps_its_promises() {
    keeps(
        "php",
        r#"php -d error_reporting=-1 -d display_errors=1 "$SOURCE/behaviour.php""#,
        &[
            "no copy is a second owner",
            "neither pkg-config nor shell_exec is needed",
            "numbers are not cut",
            "an empty array is no list",
            "texts are whole",
            "a failed queued call keeps its tag",
            "what a listener throws is reported and the answer kept",
            "the log is the library's and tells no secrets",
            "signal handlers run while a call waits and may end it",
            "tokens are told before they are used",
            "a forked child goes on",
            "renewals are told",
            "tokens are told at the end of a session",
            "exit does not wait for calls",
        ],
    );
}

#[test]
fn the_composer_package_installs_and_runs() {
    let script = r#"
        rm -rf "$BUILD/project" && mkdir "$BUILD/project" && cd "$BUILD/project"
        composer validate --quiet --no-check-publish "$BINDINGS/composer.json"
        cat > composer.json <<END
            {"repositories": [{"packagist.org": false},
                {"type": "path", "url": "$BINDINGS", "options": {"symlink": false}}],
             "require": {"libmailru/mailru": "*@dev"}}
END
        composer install --no-interaction --quiet
        php -r 'require "vendor/autoload.php";
            $options = json_decode(getenv("MAILRU_OPTIONS"), true);
            $session = Mailru\Session::client("423004", "7815696ecbf1c96e6894b779456d330e",
                "be6ef89965d58e56dec21acb9b62bdaa", "1324730981306483817", $options);
            echo implode($session->call("friends.get")), (new ReflectionClass($session))->getFileName();'"#;
    let Some(output) = run("php", "composer --version", script) else { return };
    assert!(output.contains("15410773191172635989") && output.contains("project/vendor/"), "{output}");
}

#[test]
fn luajit_keeps_its_promises() {
    keeps(
        "luajit",
        r#"LUA_PATH="$BINDINGS/?.lua;;" luajit "$SOURCE/behaviour.lua""#,
        &[
            "numbers are not cut",
            "long integers are read as strings and strings as they are",
            "texts are whole and an empty table is no list",
            "a failed queued call keeps its tag",
            "what a listener raises is reported and the answer kept",
            "the log is the library's and tells no secrets",
            "compiled code is called back",
            "a hook ends a call and the wait of a queue",
            "tokens are told before they are used",
            "a forked child goes on",
            "renewals are told",
            "tokens are told at the end of a session",
            "what is not used any more is freed",
        ],
    );
}

#[test]
fn the_rock_installs_and_runs() {
    let script = r#"
        rm -rf "$BUILD/rock" && cp -R "$BINDINGS" "$BUILD/rock" && cd "$BUILD/rock"
        luarocks lint mailru-0.1.0-1.rockspec
        luarocks --lua-version 5.1 --tree "$BUILD/rocks" make --deps-mode none mailru-0.1.0-1.rockspec
        cd "$BUILD" && LUA_PATH="$BUILD/rocks/share/lua/5.1/?.lua;;" luajit -e '
            local mailru = require("mailru")
            local given = require("cjson").decode(os.getenv("MAILRU_OPTIONS"))
            given.app_id, given.private_key = "423004", "7815696ecbf1c96e6894b779456d330e"
            given.access_token, given.uid = "be6ef89965d58e56dec21acb9b62bdaa", "1324730981306483817"
            print(assert(assert(mailru.client(given)):call("friends.get"))[1], package.searchpath("mailru", package.path))'"#;
    let Some(output) = run("luajit", "luarocks --version", script) else { return };
    assert!(output.contains("15410773191172635989") && output.contains("rocks/share"), "{output}");
}

#[test]
fn java_keeps_its_promises() {
    keeps(
        "java",
        r#"javac -Xlint:all,-try -Werror -cp "$TOOLS/jna.jar:$TOOLS/gson.jar" -d "$BUILD" \
            "$BINDINGS"/src/main/java/libmailru/*.java "$SOURCE"/Behaviour.java
        java -cp "$TOOLS/jna.jar:$TOOLS/gson.jar:$BUILD" libmailru.Behaviour"#,
        &[
            "dependent stages may wait for other calls and may fail",
            "cancelling or limiting a future ends its call",
            "interrupts end calls",
            "what is forgotten is freed and what is used is not",
            "no thread is left when there is nothing to do",
            "a class loader is collected",
            "limits and texts are whole",
            "what a listener throws is reported and the answer kept",
            "exit does not wait and a missing library is named",
        ],
    );
}

/// The dependencies come from the tools' folder, so that nothing but Maven's own plugins is needed.
#[test]
fn the_maven_package_builds_and_runs() {
    let script = r#"
        rm -rf "$BUILD/maven" && cp -R "$BINDINGS" "$BUILD/maven" && cd "$BUILD/maven"
        mvn -q -B package
        cat > First.java <<END
            import libmailru.Session;
            public final class First {
                public static void main(String[] arguments) {
                    try (Session session = Session.builder("423004")
                            .privateKey("7815696ecbf1c96e6894b779456d330e").options(System.getenv("MAILRU_OPTIONS"))
                            .client("be6ef89965d58e56dec21acb9b62bdaa", "1324730981306483817")) {
                        System.out.println(session.call("friends.get"));
                    }
                }
            }
END
        java -cp "target/mailru-0.1.0.jar:$TOOLS/jna.jar:$TOOLS/gson.jar" First.java"#;
    let Some(output) = run("java", "mvn --version", script) else { return };
    assert!(output.contains("15410773191172635989"), "{output}");
}

#[test]
fn csharp_keeps_its_promises() {
    keeps(
        "csharp",
        r#"cp "$TOOLS/Newtonsoft.Json.dll" "$BUILD"
        mcs -warnaserror -langversion:7 -target:library -r:"$BUILD/Newtonsoft.Json.dll" -out:"$BUILD/Mailru.dll" \
            "$BINDINGS"/*.cs
        mcs -warnaserror -langversion:7 -r:"$BUILD/Newtonsoft.Json.dll" -r:"$BUILD/Mailru.dll" \
            -out:"$BUILD/Behaviour.exe" "$SOURCE/Behaviour.cs"
        mono "$BUILD/Behaviour.exe""#,
        &[
            "no finalizer frees a session under its call",
            "a listener that mentions its session does not keep it",
            "what a listener throws is reported and the answer kept",
            "collections go on after callbacks",
            "limits and texts are whole",
            "a cancellation token and an interrupt end their call alone",
            "tokens are told before they are used",
            "exit does not wait and a missing library is named",
        ],
    );
}

/// By NuGet itself, from a folder of packages into an empty one. Json.NET is packed for it, since nothing is downloaded.
#[test]
fn the_nuget_package_installs_and_runs() {
    let script = r#"
        rm -rf "$BUILD/package" "$BUILD/json" "$BUILD/feed" && mkdir "$BUILD/feed" "$BUILD/json"
        cp -R "$BINDINGS" "$BUILD/package" && cd "$BUILD/package" && mkdir -p bin runtimes/linux-x64/native
        mcs -langversion:7 -target:library -r:"$TOOLS/Newtonsoft.Json.dll" -out:bin/Mailru.dll *.cs
        # NuGet is slow with the symbols of a debug build.
        strip -o runtimes/linux-x64/native/libmailru.so.0 "$PREFIX/lib/libmailru.so.0"
        # Another processor's does not load, and is passed over.
        mkdir -p runtimes/linux-arm64/native && echo "an ELF" > runtimes/linux-arm64/native/libmailru.so.0
        nuget pack Mailru.nuspec -OutputDirectory "$BUILD/feed"
        cd "$BUILD/json" && cp "$TOOLS/Newtonsoft.Json.dll" .
        cat > Newtonsoft.Json.nuspec <<END
            <package><metadata><id>Newtonsoft.Json</id><version>6.0.8</version><authors>James Newton-King</authors>
            <description>JSON</description></metadata>
            <files><file src="Newtonsoft.Json.dll" target="lib/net45" /></files></package>
END
        nuget pack Newtonsoft.Json.nuspec -OutputDirectory "$BUILD/feed"
        empty=$(mktemp -d) && trap 'rm -rf "$empty"' EXIT && cd "$empty"
        export HOME="$empty/home"
        nuget install Mailru -Source "$BUILD/feed" -OutputDirectory packages -NonInteractive
        rm -rf "$BUILD/package" "$BUILD/json" "$BUILD/feed"
        unset LD_LIBRARY_PATH MAILRU_LIBRARY
        awk '/run: csharp/ { on = 1 } /^```$/ && on { exit } on && !/^(```csharp|<!--)/' "$BINDINGS/../../../include/languages.md" > First.cs
        json=packages/Newtonsoft.Json.6.0.8/lib/net45 own=packages/Mailru.0.1.0/lib/net45
        mkdir bin && mcs -r:$json/Newtonsoft.Json.dll -r:$own/Mailru.dll -out:bin/First.exe First.cs
        # Where NuGet put it, and as a project's output has it.
        MONO_PATH=$json:$own mono bin/First.exe
        cp -R $json/*.dll $own/*.dll packages/Mailru.0.1.0/runtimes bin && rm -rf packages
        mono bin/First.exe"#;
    let Some(output) = run("csharp", "command -v nuget", script) else { return };
    assert_eq!(output.matches("15410773191172635989").count(), 2, "{output}");
}

/// What the header declares, each declaration in one line and with single spaces.
fn declarations() -> Vec<String> {
    let header = fs::read_to_string(root().join("include/mailru.h")).expect("the header");
    let mut text = String::new();
    let mut rest = header.as_str();
    while let Some((before, comment)) = rest.split_once("/*") {
        text += before;
        rest = comment.split_once("*/").expect("comments end").1;
    }
    text += rest;
    let lines =
        text.lines().filter(|line| !line.starts_with('#') && !line.starts_with(['}']) && *line != "extern \"C\" {");
    let text = lines.collect::<Vec<_>>().join(" ");
    let declarations = text.split(';').map(|one| one.split_whitespace().collect::<Vec<_>>().join(" "));
    declarations.filter(|one| !one.is_empty()).collect()
}

/// The names of the functions among them.
fn functions() -> Vec<String> {
    let declarations = declarations();
    let heads = declarations.iter().filter(|one| !one.starts_with("typedef")).filter_map(|one| one.split_once('('));
    heads.map(|(head, _)| head.rsplit([' ', '*']).next().unwrap_or_default().to_owned()).collect()
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

/// What a wrapper that waits in a queue does by other functions: those of one kind of request each.
const DONE_BY_REQUESTS: [&str; 6] =
    ["mailru_call", "mailru_call_within", "mailru_upload", "mailru_public", "mailru_authorize", "mailru_request"];

#[test]
fn the_wrappers_have_every_function_of_the_header() {
    let functions = functions();
    assert!(functions.len() > 50 && functions.contains(&"mailru_verify_query".to_owned()), "{functions:?}");
    for language in ["ruby", "php", "luajit", "java", "csharp"] {
        let text = sources(&root().join("src/bindings").join(language));
        let declares = ["php", "luajit"].contains(&language);
        if declares {
            let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let missing: Vec<_> = declarations().into_iter().filter(|one| !flat.contains(&format!("{one};"))).collect();
            assert!(missing.is_empty(), "{language} does not declare {missing:#?}");
        }
        let missing = functions.iter().map(String::as_str).filter(|name| {
            let elsewhere = DONE_BY_REQUESTS.contains(name);
            // Once where it is declared, and where it is used.
            times(&text, name) < if elsewhere { 1 } else { 2 }
        });
        let missing: Vec<_> = missing.collect();
        assert!(missing.is_empty(), "{language} lacks {missing:?}");
    }
}

#[test]
fn the_packages_have_the_librarys_numbers() {
    let read = |path: &str| fs::read_to_string(root().join("src/bindings").join(path)).expect(path);
    let version = env!("CARGO_PKG_VERSION");
    for (file, line) in [
        ("ruby/mailru.gemspec", format!("spec.version = \"{version}\"")),
        ("java/pom.xml", format!("<artifactId>mailru</artifactId>\n  <version>{version}</version>")),
        ("csharp/Mailru.nuspec", format!("<version>{version}</version>")),
        (&format!("luajit/mailru-{version}-1.rockspec"), format!("version = \"{version}-1\"")),
    ] {
        assert!(read(file).contains(&line), "{file} lacks {line}");
    }
    let number = mailru::ffi::MAILRU_ABI_VERSION;
    for (file, line) in [
        ("ruby/lib/mailru/library.rb", format!("ABI_VERSION = {number}\n")),
        ("php/src/Library.php", format!("ABI_VERSION = {number};")),
        ("luajit/mailru/library.lua", format!("ABI_VERSION = {number}\n")),
        ("java/src/main/java/libmailru/Library.java", format!("ABI_VERSION = {number};")),
        ("csharp/Native.cs", format!("AbiVersion = {number};")),
    ] {
        assert!(read(file).contains(&line), "{file} lacks {line}");
    }
}
