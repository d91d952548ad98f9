//! Makes the manual of the header: man pages and one HTML page. `make -C examples-c manual` compiles it with rustc alone,
//! and gives it the project's folder and the folder for what it makes.
//!
//!     manual ROOT FOLDER
//!
//! mailru(1) is written by hand, in mailru.1 beside this file; libmailru(3), a page for each function, and the page of
//! the platform's methods, libmailru-methods(7), are made of include/mailru.h and src/catalogue.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

mod header;
mod html;
mod roff;

use header::{Block, Header};

fn main() -> io::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [root, folder] = arguments.as_slice() else {
        eprintln!("usage: manual ROOT FOLDER");
        std::process::exit(2);
    };
    let (root, folder) = (Path::new(root), Path::new(folder));
    let read = |path: &str| fs::read_to_string(root.join(path));
    let header = Header::read(&read("include/mailru.h")?);
    let version = version(&read("Cargo.toml")?).to_owned();
    let methods = methods(&read("src/catalogue/methods.json")?);
    let _ = fs::remove_dir_all(folder);
    for section in ["man1", "man3", "man7", "html"] {
        fs::create_dir_all(folder.join(section))?;
    }
    let command = read("examples-c/install/mailru.1")?;
    fs::write(folder.join("man1/mailru.1"), command.replace("@VERSION@", &version))?;
    fs::write(folder.join("man3/libmailru.3"), roff::overview(&header, &version))?;
    for function in &header.functions {
        fs::write(folder.join(format!("man3/{}.3", function.name)), roff::function(function, &version))?;
    }
    fs::write(folder.join("man7/libmailru-methods.7"), roff::methods(&methods, &version))?;
    fs::write(folder.join("html/mailru.html"), html::page(&header, &methods, &command, &version))
}

/// The version in the manifest.
fn version(manifest: &str) -> &str {
    manifest.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"')).unwrap_or("unknown")
}

/// A method of the catalogue.
pub struct Method {
    name: String,
    facts: String,
    params: Vec<(String, String)>,
}

/// The catalogue has a line for each method and one for each parameter; nothing else of JSON is needed.
fn methods(catalogue: &str) -> Vec<Method> {
    let mut methods: Vec<Method> = Vec::new();
    for line in catalogue.lines().filter(|line| line.contains("{\"name\": ")) {
        let text = |name: &str| string(line, name).unwrap_or_default();
        if line.contains("\"write\": ") {
            let mut facts = text("summary");
            facts.push_str(if line.contains("\"write\": true") { " Writes." } else { " Reads only." });
            if let Some(privilege) = string(line, "privilege") {
                let _ = write!(facts, " Needs the privilege {privilege}.");
            }
            methods.push(Method { name: text("name"), facts, params: Vec::new() });
        } else if let Some(method) = methods.last_mut() {
            let needed = if line.contains("\"required\": true") { ", needed" } else { "" };
            method.params.push((format!("{} ({}{needed})", text("name"), text("type")), text("summary")));
        }
    }
    methods
}

/// A string member of a line of JSON.
fn string(line: &str, name: &str) -> Option<String> {
    let rest = line.split_once(&format!("\"{name}\": \""))?.1;
    let mut text = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return Some(text),
            '\\' => text.push(characters.next()?),
            other => text.push(other),
        }
    }
}

/// The first sentence of some blocks, to tell a page from others in a list.
pub fn summary(blocks: &[Block]) -> String {
    let first = blocks.iter().find_map(|block| match block {
        Block::Text(text) => Some(text.as_str()),
        _ => None,
    });
    let first = first.unwrap_or_default();
    // A short beginning says too little: "A queue: ...".
    let far = |mark: &str| first.match_indices(mark).map(|(at, _)| at).find(|at| mark == ". " || *at > 20);
    let end = [". ", ": ", "; ", ", whi", " (", ", so "].into_iter().filter_map(far).min();
    first[..end.unwrap_or(first.len())].trim_end_matches('.').to_owned()
}
