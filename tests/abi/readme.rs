//! What the README repeats of the source stays what the source says.

use std::fs;
use std::path::Path;

use crate::lists;

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the README is there")
}

/// The cells of the table below a heading.
fn table(readme: &str, heading: &str) -> Vec<Vec<String>> {
    let section = readme.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no section {heading}")).1;
    let rows = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    rows.skip(2).map(cells).collect()
}

#[test]
fn the_table_of_options() {
    let row = |[name, default, meaning]: [&str; 3]| vec![format!("`{name}`"), default.to_owned(), meaning.to_owned()];
    let documented: Vec<_> = lists::options().into_iter().map(row).collect();
    assert_eq!(table(&readme(), "Options"), documented, "README.md, section Options, against src/option_names.in");
}

#[test]
fn the_table_of_codes() {
    let header =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("include/mailru.h")).expect("the header");
    let rows = table(&readme(), "Errors and codes");
    let codes = lists::codes();
    assert_eq!(rows.len(), codes.len());
    for (row, (name, number)) in rows.iter().zip(codes) {
        assert_eq!(row[..2], [format!("`{name}`"), number.to_string()]);
        assert!(header.contains(&format!("/* {} */\n#define {name} {number}\n", row[2])), "{name}: {}", row[2]);
    }
}

#[test]
fn links_lead_somewhere() {
    let readme = readme();
    let anchor = |heading: &str| heading.to_lowercase().replace(' ', "-").replace([',', ':'], "");
    let anchors: Vec<_> = readme.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect();
    let targets = readme.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    for target in targets.filter(|target| !target.contains("://")) {
        let leads = match target.strip_prefix('#') {
            Some(anchor) => anchors.iter().any(|known| known == anchor),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join(target).exists(),
        };
        assert!(leads, "{target} does not exist");
    }
}

/// Every test that the threat model names is there.
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
    let rows = table(&readme(), "Threat model");
    assert!(rows.len() >= 6);
    for row in rows {
        let names: Vec<_> = row[3].split(", ").map(|name| name.trim_matches('`')).collect();
        assert!(names.len() >= 3, "{row:?}");
        for name in names {
            assert!(tests.contains(&format!("fn {name}()")), "no test {name}");
        }
    }
}

#[test]
fn the_first_screen_has_the_two_commands() {
    let first_screen: Vec<_> = readme().lines().take(24).map(str::to_owned).collect();
    let commands: Vec<_> =
        first_screen.iter().filter(|line| line.starts_with("make ") || line.starts_with("cargo ")).collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    assert!(
        commands[0].starts_with("make -C examples-c run ") && commands[1].starts_with("cargo test "),
        "{commands:?}"
    );
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
