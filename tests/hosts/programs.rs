//! The programs of the documents are run as they stand there. A fenced block is one if the line before it says so:
//!
//! ````text
//! <!-- run: c -->
//! ```c
//! ...
//! ```
//! ````
//!
//! It takes its options from `MAILRU_OPTIONS`, prints the guide's user's friends, and ends with success.

use std::fs;

use serde_json::json;

use crate::install::prefix;
use crate::shell::{Script, finds, folder, root};
use crate::support::Sandbox;

/// Those with programs. Blocks of the shell are run by `command.rs`.
pub const DOCUMENTS: [&str; 3] = ["README.md", "include/manual.md", "include/languages.md"];

/// A language as its mark names it, its file, what must succeed where it is there, and how the file is run.
const LANGUAGES: [[&str; 4]; 10] = [
    ["c", "first.c", "cc --version", "cc -Wall -Werror first.c $(pkg-config --cflags --libs mailru) -o c && ./c"],
    [
        "cpp",
        "first.cpp",
        "c++ --version",
        "c++ -std=c++17 -Wall -Werror first.cpp $(pkg-config --cflags --libs mailru) -o cpp && ./cpp",
    ],
    [
        "go",
        "first.go",
        "go version",
        r#"rm -f go.mod && go mod init example.com/first &&
            go mod edit -require=libmailru.example/mailru@v0.0.0 -replace=libmailru.example/mailru="$ROOT/src/bindings/go" &&
            go vet first.go && go run first.go"#,
    ],
    ["python", "first.py", "python3 --version", r#"PYTHONPATH="$ROOT/src/bindings/python" python3 -B first.py"#],
    [
        "javascript",
        "first.mjs",
        r#"test -d "$TOOLS/node_modules/koffi""#,
        // python_node.rs runs both from their packages.
        r#"mkdir -p node_modules && ln -sfn "$ROOT/src/bindings/node" node_modules/mailru
            NODE_PATH="$TOOLS/node_modules" node first.mjs"#,
    ],
    [
        "java",
        "First.java",
        r#"javac --version && test -f "$TOOLS/jna.jar" && test -f "$TOOLS/gson.jar""#,
        r#"javac -cp "$TOOLS/jna.jar:$TOOLS/gson.jar" -d java "$ROOT"/src/bindings/java/src/main/java/libmailru/*.java First.java
            java -cp "$TOOLS/jna.jar:$TOOLS/gson.jar:java" First"#,
    ],
    [
        "csharp",
        "First.cs",
        r#"mono --version && mcs --version && test -f "$TOOLS/Newtonsoft.Json.dll""#,
        r#"cp "$TOOLS/Newtonsoft.Json.dll" . && mcs -langversion:7 -r:Newtonsoft.Json.dll First.cs "$ROOT"/src/bindings/csharp/*.cs
            mono First.exe"#,
    ],
    ["ruby", "first.rb", "ruby -e 'require \"ffi\"'", r#"ruby -w -I "$ROOT/src/bindings/ruby/lib" first.rb"#],
    [
        "php",
        "first.php",
        "php -r 'exit(extension_loaded(\"ffi\") ? 0 : 1);'",
        r#"php -d include_path="$ROOT" -d error_reporting=-1 -d display_errors=1 first.php"#,
    ],
    [
        "lua",
        "first.lua",
        "luajit -e 'require \"cjson\"'",
        r#"LUA_PATH="$ROOT/src/bindings/luajit/?.lua;;" luajit first.lua"#,
    ],
];

/// The blocks of a document that are marked as programs: language and text.
pub fn marked(document: &str) -> Vec<(String, String)> {
    let mut programs = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("<!-- run: ").and_then(|rest| rest.strip_suffix(" -->")) else {
            continue;
        };
        assert_eq!(lines.next(), Some(&*format!("```{language}")), "a mark stands right before its block");
        let program: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        programs.push((language.to_owned(), program.join("\n") + "\n"));
    }
    programs
}

/// The recipes for tokens: however often they are started, and in however many processes, there is one login.
#[test]
fn recipes_for_tokens_log_in_once() {
    let text = fs::read_to_string(root().join("include/manual.md")).expect("the manual");
    let recipes: Vec<_> = marked(&text)
        .into_iter()
        .filter(|(_, program)| program.contains("stored.json") || program.contains("token_file"))
        .collect();
    assert_eq!(recipes.len(), 2);
    let script = |text: &str| Script::new(text, prefix());
    if !finds("c", script("cc --version")) {
        return;
    }
    for (number, (_, program)) in recipes.iter().enumerate() {
        let sandbox = Sandbox::start();
        let folder = folder(&format!("recipe{number}"));
        forget_tokens(&folder);
        fs::write(folder.join("recipe.c"), program).expect("cargo's folder can be written");
        let compile =
            "cd \"$FOLDER\" && cc -Wall -Wextra -Werror recipe.c $(pkg-config --cflags --libs mailru) -o recipe";
        script(compile).set("FOLDER", &folder).run().unwrap_or_else(|error| panic!("{error}\n{program}"));
        for start in 0..3 {
            if start == 2 {
                // A day off: the access token has expired, here and there.
                sandbox.post("expire", json!({}));
            }
            let run = script("cd \"$FOLDER\" && ./recipe").set("FOLDER", &folder);
            let output = run.set("MAILRU_OPTIONS", sandbox.options(json!({}))).run();
            let output = output.unwrap_or_else(|error| panic!("{error}\n{program}"));
            let workers = if program.contains("fork()") { 4 } else { 1 };
            assert_eq!(output.matches("15410773191172635989").count(), workers, "{output}");
        }
        assert_eq!(sandbox.get("stats")["token_requests"], json!({ "password": 1, "refresh_token": 1 }), "{program}");
    }
}

/// Removes what the programs stored when the tests ran before, with another sandbox's tokens.
fn forget_tokens(folder: &std::path::Path) {
    for file in ["stored.json", "tokens.json", "tokens.json.lock"] {
        let _ = fs::remove_file(folder.join(file));
    }
}

#[test]
fn programs_of_the_documents_run() {
    let documents = DOCUMENTS.map(|name| fs::read_to_string(root().join(name)).expect("a document"));
    let programs: Vec<_> = documents.iter().flat_map(|text| marked(text)).filter(|it| it.0 != "sh").collect();
    let sandbox = Sandbox::start();
    let folder = folder("programs");
    forget_tokens(&folder);
    for (language, program) in &programs {
        let Some([_, file, tools, run]) = LANGUAGES.iter().find(|[name, ..]| name == language) else {
            panic!("no way to run {language} is known");
        };
        let script = |text: &str| {
            Script::new(&format!("cd \"$FOLDER\"\n{text}"), prefix()).set("FOLDER", &folder).set("ROOT", root())
        };
        if !finds(language, script(tools)) {
            continue;
        }
        fs::write(folder.join(file), program).expect("cargo's folder can be written");
        let output = script(run).set("ROOT", root()).set("MAILRU_OPTIONS", sandbox.options(json!({}))).run();
        let output = output.unwrap_or_else(|error| panic!("{language}: {error}\n{program}"));
        assert!(output.contains("15410773191172635989"), "{language}: {output}");
    }
    for [language, ..] in LANGUAGES {
        assert!(programs.iter().any(|(name, _)| name == language), "no program in {language} is shown");
    }
}
