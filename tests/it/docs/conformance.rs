//! `docs/conformance-sip.md` against the sources: each test that a row names exists, and no cell is empty.

use std::collections::BTreeMap;
use std::path::Path;

use super::pages::{path, read};

/// All tests of the repository: their names and their sources. Of tests with the same name, the sources are joined.
pub fn tests() -> BTreeMap<String, String> {
    let mut tests = BTreeMap::new();
    for folder in ["tests/it", "crates", "didww-client", "voipbin-client", "trunk-server"] {
        collect(&path(folder), &mut tests);
    }
    tests
}

fn collect(folder: &Path, tests: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        if file.is_dir() {
            collect(&file, tests);
        } else if file.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&file).unwrap();
            let (mut is_test, mut name) = (false, None);
            for line in text.lines() {
                let start = line.trim();
                if start.starts_with("#[") {
                    is_test |= start.starts_with("#[test]") || start.starts_with("#[tokio::test");
                    name = None;
                } else if let Some((_, rest)) = start.split_once("fn ").filter(|_| is_test) {
                    name = rest.split('(').next().map(str::to_owned);
                    is_test = false;
                }
                if let Some(name) = &name {
                    let source: &mut String = tests.entry(name.clone()).or_default();
                    source.push_str(line);
                    source.push('\n');
                }
            }
        }
    }
}

/// The rows of the tables, as their cells.
fn rows(page: &str) -> Vec<Vec<String>> {
    let is_row =
        |line: &&str| line.starts_with("| ") && !line.starts_with("| ---") && !line.starts_with("| § |");
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    page.lines().filter(is_row).map(cells).collect()
}

#[test]
fn every_requirement_names_a_test_that_exists_or_says_why_not() {
    let (page, tests) = (read("docs/conformance-sip.md"), tests());
    assert!(tests.len() > 1_000, "{}", tests.len());
    let rows = rows(&page);
    assert!(rows.len() > 90, "{}", rows.len());
    for row in &rows {
        let [section, requirement, level, shown] = row.as_slice() else { panic!("not four cells: {row:?}") };
        assert!([section, requirement].iter().all(|cell| !cell.is_empty()), "{row:?}");
        assert!(["MUST", "SHOULD"].contains(&level.as_str()), "{row:?}");
        let (named, reason) = shown.split_once("**Not** ").unwrap_or((shown, ""));
        let named: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty() || reason.len() > 20, "neither a test nor a reason: {row:?}");
        for name in named {
            assert!(tests.contains_key(name), "there is no test `{name}`: {row:?}");
        }
    }
    for section in ["8.2", "12.2.2", "13.3.1", "17.2.1", "18.3"] {
        assert!(rows.iter().any(|row| row[0] == section), "§{section}");
    }
}

#[test]
fn every_torture_message_has_a_test_of_its_name() {
    for rfc in ["rfc4475", "rfc5118"] {
        let sources = read(&format!("tests/it/sip/torture/{rfc}.rs"));
        for file in std::fs::read_dir(path(&format!("fixtures/sip-torture/{rfc}"))).unwrap() {
            let name = file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
            let test = format!("async fn {}()", name.replace('-', "_"));
            assert!(sources.contains(&test), "{name} has no test in {rfc}.rs");
        }
    }
}
