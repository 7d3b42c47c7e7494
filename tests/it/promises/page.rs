//! `docs/promises.md` against the sources: each promise names its tests and attacks, and all of them exist.

use std::collections::{BTreeMap, BTreeSet};

use crate::docs::conformance::tests;
use crate::docs::pages::{path, read, section};
use crate::docs::robustness::attacks;

/// The numbers of the promises.
const PROMISES: std::ops::RangeInclusive<u8> = 1..=23;

/// The engines on which a promise may be tested.
const ENGINES: [&str; 5] = ["any", "both", "in memory", "SQLite", "SQLite; PostgreSQL in part"];

/// The text before the tests of a promise that only the long form runs.
const LONG_ALONE: &str = "; in the long form alone: ";

/// A row of the table.
struct Promise {
    what: String,
    engines: String,
    shown: String,
    figure: String,
}

/// The names in backticks of a cell.
fn named(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn promises() -> BTreeMap<u8, Promise> {
    let page = read("docs/promises.md");
    let mut promises = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| P")) {
        let cells: Vec<String> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        let Ok([number, what, engines, shown, figure]) = <[String; 5]>::try_from(cells) else {
            panic!("not five cells: {line}");
        };
        let number = number.strip_prefix('P').unwrap().parse().unwrap();
        let promise = Promise { what, engines, shown, figure };
        assert!(promises.insert(number, promise).is_none(), "{line}");
    }
    promises
}

/// The tests of several servers that no change runs, because their module needs the feature of the long form.
fn long_tests() -> BTreeSet<String> {
    let modules = read("tests/it/several_nodes.rs");
    let gated = modules.split("#[cfg(feature = \"nodes-full\")]\nmod ").skip(1);
    let gated = gated.filter_map(|rest| rest.split(';').next());
    let mut found = BTreeSet::new();
    for module in gated {
        let text = read(&format!("tests/it/several_nodes/{module}.rs"));
        let functions = text.split("#[tokio::test").skip(1).filter_map(|rest| rest.split_once(" fn "));
        found.extend(functions.filter_map(|(_, rest)| rest.split('(').next()).map(str::to_owned));
    }
    found
}

/// The attacks that no change runs, because they have no short form.
fn long_attacks() -> BTreeSet<String> {
    let files = std::fs::read_dir(path("tests/attack/rows")).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.filter(|file| file.extension().is_some_and(|extension| extension == "py"));
    let text: String = texts.map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let marked = text.split("\n@attack(\"").skip(1).filter_map(|rest| rest.split_once("\", short=False)"));
    // What follows an attack with a short form is more than a name.
    marked.map(|(name, _)| name.to_owned()).filter(|name| !name.contains('"')).collect()
}

/// The cases of the contract of the store, which a macro makes a test of for each engine.
fn contract() -> BTreeSet<String> {
    let text = read("crates/trunk-store/tests/it/store_contract.rs");
    let is_case = |line: &&str| {
        line.contains('_') && line.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    text.lines().map(str::trim).filter(is_case).map(str::to_owned).collect()
}

#[test]
fn every_promise_names_the_tests_and_the_attacks_that_show_it() {
    let (promises, tests, contract, attacks) = (promises(), tests(), contract(), attacks());
    let long = long_tests();
    assert!(contract.len() > 50, "{contract:?}");
    assert!(long.len() >= 3, "{long:?}");
    assert!(promises.keys().copied().eq(PROMISES), "each promise has a row: {:?}", promises.keys());
    for (number, promise) in &promises {
        assert!(!promise.what.is_empty() && !promise.figure.is_empty(), "P{number} has an empty cell");
        assert!(ENGINES.contains(&promise.engines.as_str()), "P{number}: {}", promise.engines);
        let (always, sometimes) =
            promise.shown.split_once(LONG_ALONE).unwrap_or((promise.shown.as_str(), ""));
        for name in named(sometimes) {
            assert!(long.contains(name), "P{number}: every change runs `{name}`, or it does not exist");
        }
        let mut of_tests = 0;
        for name in named(always) {
            assert!(!long.contains(name), "P{number}: no change runs `{name}`");
            if let Some(attack) = name.strip_prefix("scripts/attack --only ") {
                assert!(attacks.contains(attack), "P{number}: there is no attack `{attack}`");
                continue;
            }
            let exists = tests.contains_key(name) || contract.contains(name);
            assert!(exists, "P{number}: there is no test `{name}`");
            of_tests += 1;
        }
        assert!(of_tests > 0, "P{number} names no test that every change runs");
    }
}

#[test]
fn what_holds_across_servers_names_the_tests_that_show_it() {
    let page = read("docs/promises.md");
    let (tests, contract, long) = (tests(), contract(), long_tests());
    let table = section(&page, "## Across servers").lines().filter(|line| line.starts_with("| "));
    let mut rows = 0;
    for row in table.skip(2) {
        let (what, shown) = row.trim_matches('|').split_once('|').unwrap();
        let (always, sometimes) = shown.split_once(LONG_ALONE).unwrap_or((shown, ""));
        for name in named(sometimes) {
            assert!(long.contains(name), "{what}: every change runs `{name}`, or it does not exist");
        }
        assert!(named(always).count() > 0, "{what}: no test that every change runs");
        for name in named(always) {
            let exists = tests.contains_key(name) || contract.contains(name);
            assert!(exists && !long.contains(name), "{what}: no change runs a test `{name}`");
        }
        rows += 1;
    }
    assert!(rows >= 10, "{rows} rows");
}

#[test]
fn every_long_form_is_a_script_or_a_setting_that_a_test_reads() {
    let page = read("docs/promises.md");
    let long = section(&page, "## Long forms");
    for (number, promise) in &promises() {
        for name in named(&promise.shown).filter_map(|name| name.strip_prefix("scripts/attack --only ")) {
            let is_long = long_attacks().contains(name);
            assert_eq!(is_long, long.contains(&format!("`{name}`")), "P{number}: {name} has no short form");
        }
    }
    let sources: String = tests().into_values().chain([read("scripts/test")]).collect();
    let mut forms = 0;
    for command in long.lines().filter_map(|line| line.strip_prefix("| `")) {
        let command = command.split('`').next().unwrap();
        for word in command.split(' ') {
            if let Some((setting, _)) = word.split_once('=') {
                assert!(sources.contains(&format!("\"{setting}\"")), "no test reads {setting}: {command}");
            } else if word.starts_with("scripts/") {
                assert!(path(word).exists(), "{word} is not there");
            }
        }
        forms += 1;
    }
    assert!(forms >= 4, "{forms} long forms");
}
