//! `docs/conformance.md` against the registry and the sources of the tests: a case names tests that exist, at each
//! version in which it holds, or the type that it waits for.

use std::collections::{BTreeMap, BTreeSet};

use crate::docs::conformance::tests;
use crate::docs::pages::read;

/// The words in the source of a test that send a request at a version: its own names, and helpers that use it.
const SENDS_AT: [(&str, &[&str]); 2] = [
    ("2026-04-16", &["2026-04-16", "V2026_04_16", "NEW", "CORRECTED", "TRUNK_VERSIONS", "each"]),
    (
        "2026-11-19",
        &["2026-11-19", "V2026_11_19", "NEWEST", "TOKENS", "CORRECTED", "each", "with_token", "read"],
    ),
];

/// Cases that hold in no version in particular.
const WITHOUT_VERSION: [&str; 3] = ["every", "token service", "price services"];

/// A row of the page.
struct Case {
    versions: Vec<String>,
    shown: String,
}

impl Case {
    fn tests(&self) -> impl Iterator<Item = &str> {
        self.shown.split('`').skip(1).step_by(2)
    }
}

/// The rows of the page by their numbers.
fn cases() -> BTreeMap<u8, Case> {
    let page = read("docs/conformance.md");
    let mut cases = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| N")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, what, versions, shown] = cells.as_slice() else { panic!("not four cells: {line}") };
        assert!(!what.is_empty(), "{line}");
        let versions = match *versions {
            none if WITHOUT_VERSION.contains(&none) => Vec::new(),
            versions => versions.split(", ").map(str::to_owned).collect(),
        };
        let case = Case { versions, shown: (*shown).to_owned() };
        assert!(cases.insert(number.strip_prefix('N').unwrap().parse().unwrap(), case).is_none(), "{line}");
    }
    cases
}

/// The numbers in a test's name, such as 38 and 39 in `n38_and_n39_...`.
fn numbers(name: &str) -> impl Iterator<Item = u8> + '_ {
    name.split('_').filter_map(|word| word.strip_prefix('n')?.parse().ok())
}

fn sends_at(source: &str, version: &str) -> bool {
    let (_, words) =
        SENDS_AT.iter().find(|(known, _)| *known == version).unwrap_or_else(|| panic!("{version}"));
    source
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
        .any(|word| words.contains(&word))
}

#[test]
fn every_case_of_2026_11_19_names_its_tests_at_each_version_or_waits_for_what_is_not_served() {
    let (cases, tests) = (cases(), tests());
    assert!(cases.keys().copied().eq(1..=99), "the page has every case once: {:?}", cases.keys());
    for (number, case) in &cases {
        if let Some(awaited) = case.shown.strip_prefix("waits for ") {
            let kind = awaited.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
            let is_absent = kind.is_some_and(|kind| didww_types::find(kind).is_none());
            assert!(is_absent, "N{number} waits for {awaited}, which is served: write its tests");
            continue;
        }
        let sources: Vec<&String> = case
            .tests()
            .map(|name| tests.get(name).unwrap_or_else(|| panic!("N{number}: there is no test `{name}`")))
            .collect();
        assert!(!sources.is_empty(), "N{number} names no test");
        for version in &case.versions {
            let is_sent = sources.iter().any(|source| sends_at(source, version));
            assert!(is_sent, "no test of N{number} sends a request at {version}");
        }
    }
}

#[test]
fn a_test_with_the_number_of_a_case_is_named_by_the_case() {
    let cases = cases();
    let named =
        |number: &u8, name: &str| cases.get(number).is_some_and(|case| case.tests().any(|test| test == name));
    let unnamed: BTreeSet<String> = tests()
        .keys()
        .flat_map(|name| numbers(name).map(move |number| (number, name)))
        .filter(|(number, name)| !named(number, name))
        .map(|(number, name)| format!("N{number}: {name}"))
        .collect();
    assert!(unnamed.is_empty(), "{unnamed:?}");
}
