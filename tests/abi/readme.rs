//! Compares the README and the documents beside the header with the source.

use std::fs;
use std::path::Path;

use crate::lists;

/// The README, and what it leads to.
const DOCUMENTS: [&str; 4] = ["README.md", "include/manual.md", "include/threats.md", "include/languages.md"];

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn manual() -> String {
    document("include/manual.md")
}

/// The cells of the table below a heading.
fn table(document: &str, heading: &str) -> Vec<Vec<String>> {
    let section = document.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no section {heading}")).1;
    let rows = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    rows.skip(2).map(cells).collect()
}

#[test]
fn the_table_of_options() {
    let row = |[name, default, meaning]: [&str; 3]| vec![format!("`{name}`"), default.to_owned(), meaning.to_owned()];
    let documented: Vec<_> = lists::options().into_iter().map(row).collect();
    assert_eq!(table(&manual(), "Options"), documented, "manual.md, section Options, against src/option_names.in");
}

#[test]
fn the_table_of_codes() {
    let header =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("include/mailru.h")).expect("the header");
    let rows = table(&manual(), "Errors and codes");
    let codes = lists::codes();
    assert_eq!(rows.len(), codes.len());
    for (row, (name, number)) in rows.iter().zip(codes) {
        assert_eq!(row[..2], [format!("`{name}`"), number.to_string()]);
        assert!(header.contains(&format!("/* {} */\n#define {name} {number}\n", row[2])), "{name}: {}", row[2]);
    }
}

#[test]
fn the_table_of_the_platforms_numbers() {
    let errors: serde_json::Value =
        serde_json::from_str(include_str!("../../src/catalogue/errors.json")).expect("JSON");
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |error: &serde_json::Value| ["code", "meaning", "advice"].map(|name| text(&error[name])).to_vec();
    let documented: Vec<_> = errors.as_array().expect("an array").iter().map(row).collect();
    assert_eq!(table(&manual(), "The platform's numbers"), documented, "manual.md against src/catalogue/errors.json");
}

#[test]
fn links_lead_somewhere() {
    let anchor = |heading: &str| heading.to_lowercase().replace(' ', "-").replace([',', ':', '\''], "");
    let anchors = |name: &str| -> Vec<_> {
        document(name).lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect()
    };
    for name in DOCUMENTS {
        let text = document(name);
        let folder = Path::new(name).parent().expect("a file's folder");
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        for target in targets.filter(|target| !target.contains("://")) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() { name.to_owned() } else { folder.join(path).display().to_string() };
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            assert!(root.join(&path).exists(), "{name}: {target} does not exist");
            let path = path.replace("include/../", "");
            assert!(anchor.is_empty() || anchors(&path).iter().any(|known| known == anchor), "{name}: no {target}");
        }
    }
}

/// Every test named in the threat model exists.
#[test]
fn the_threat_model_names_tests() {
    fn sources(folder: &Path, found: &mut String) {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            match entry.is_dir() {
                true => sources(&entry, found),
                false if entry.extension().is_some_and(|extension| extension == "rs") => {
                    found.push_str(&fs::read_to_string(entry).expect("a source file"));
                }
                false => {}
            }
        }
    }
    let mut tests = String::new();
    for folder in ["src", "tests/abi", "tests/network"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut tests);
    }
    let threats = document("include/threats.md");
    let [attackers, promises] =
        ["Threat model", "Promises to the process it is loaded into"].map(|heading| table(&threats, heading));
    assert!(attackers.len() >= 6 && promises.len() >= 6);
    for row in attackers.iter().chain(&promises) {
        let names: Vec<_> = row[row.len() - 1].split(", ").map(|name| name.trim_matches('`')).collect();
        assert!(names.len() >= 3 || row.len() == 2 && !names.is_empty(), "{row:?}");
        for name in names {
            assert!(tests.contains(&format!("fn {name}()")), "no test {name}");
        }
    }
}

#[test]
fn the_first_screen_has_the_two_commands() {
    let first_screen: Vec<_> = document("README.md").lines().take(24).map(str::to_owned).collect();
    let commands: Vec<_> =
        first_screen.iter().filter(|line| line.starts_with("make ") || line.starts_with("cargo ")).collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    assert!(
        commands[0].starts_with("make -C examples-c run ") && commands[1].starts_with("cargo test "),
        "{commands:?}"
    );
}

#[test]
fn building_names_the_rust_that_is_needed() {
    let manifest = document("Cargo.toml");
    let needed = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")).expect("a version");
    let told = format!("Rust {} or later", needed.trim_end_matches('"'));
    assert!(document("README.md").contains(&told), "README.md does not say: {told}");
}

#[test]
fn the_contributors_guide_names_files_that_exist() {
    let guide = include_str!("../../CONTRIBUTING.md");
    let named = guide.split('`').skip(1).step_by(2).filter(|text| {
        let is_path =
            ["src/", "tests/", "include/", "ffi/", "oauth/", ".ci/"].iter().any(|root| text.starts_with(root));
        is_path && !text.contains(['<', ' '])
    });
    let missing: Vec<_> = named
        .filter(|path| !["", "src"].iter().any(|root| super::header::root().join(root).join(path).exists()))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(guide.contains("## Recipes") && guide.matches("**Add a").count() == 5);
}

/// What programs of an earlier version rely on is counted in the README.
#[test]
fn the_counts_of_the_interface() {
    let header = document("include/mailru.h");
    let functions = header.lines().filter(|line| line.starts_with(char::is_alphabetic) && line.contains(" mailru_"));
    let functions = functions.filter(|line| !line.starts_with("typedef") && line.contains('(')).count()
        + header
            .lines()
            .filter(|line| line.starts_with("char *mailru_") || line.starts_with("const char *mailru_"))
            .count();
    let options = document("src/option_names.in").lines().filter(|line| line.starts_with("    \"")).count();
    let codes = document("src/codes.in").lines().filter(|line| line.contains(", \"MAILRU_")).count();
    let counts = format!("{functions} functions, {options} options, {codes} codes;");
    assert!(document("README.md").contains(&counts), "the README must say {counts}");
}
