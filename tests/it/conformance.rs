//! The documented behaviour of the API, case by case, over plain HTTP.
//!
//! The name of a test of a numbered case of `docs/conformance.md` begins with the number. The tests are listed by
//! running the harness itself: a case without a test is an error here. `coverage` calls every verb in every version.

mod access;
mod bodies;
mod buying;
mod corrected;
mod creates;
mod decisions;
mod did_groups;
mod emergency;
mod ends;
mod exports;
mod history;
mod inbound;
mod lists;
mod money;
mod numbers;
mod older_exports;
mod older_groups;
mod older_uploads;
mod order;
mod orders;
mod page;
mod pools;
mod prices;
mod process;
mod reads;
mod reference;
mod regulation;
mod relationships;
mod renewals;
mod shared_capacity;
mod shop;
mod sms;
mod stock;
mod tokens;
mod transport;
mod updates;
mod verifications;
mod versions;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// The numbers of the cases in the second table of `docs/conformance.md`.
const CASES: std::ops::RangeInclusive<u8> = 1..=90;

/// Cases that are tested elsewhere: the file, and a test in it.
const ELSEWHERE: [(u8, &str, &str); 2] = [
    (84, include_str!("sip/charging.rs"), "a_threshold_that_calls_reach_is_sent_to_the_callback_url"),
    (
        85,
        include_str!("../../crates/didww-types/tests/it/signatures.rs"),
        "every_vector_is_verified_or_refused_as_recorded",
    ),
];

/// The tests of this module, as the harness lists them: paths below `conformance`.
fn listed() -> Vec<String> {
    let binary = std::env::current_exe().unwrap();
    let output =
        Command::new(binary).args(["conformance::", "--list", "--format", "terse"]).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let path = |line: &str| Some(line.strip_suffix(": test")?.strip_prefix("conformance::")?.to_owned());
    text.lines().filter_map(path).collect()
}

/// The case number at the beginning of a test's name.
fn number(path: &str) -> Option<u8> {
    path.rsplit("::").next()?.strip_prefix("case_")?.split('_').next()?.parse().ok()
}

#[test]
fn every_numbered_case_is_tested_here_or_elsewhere_or_waits() {
    let mut found: Vec<u8> = listed().iter().filter_map(|path| number(path)).collect();
    for (number, file, test) in ELSEWHERE {
        assert!(file.contains(&format!("fn {test}()")), "case {number}: {test} is gone");
        found.push(number);
    }
    let all: BTreeSet<u8> = found.iter().copied().collect();
    let missing: Vec<u8> = CASES.filter(|number| !all.contains(number)).collect();
    assert!(missing.is_empty(), "no test has the numbers {missing:?}");
    assert_eq!(found.len(), all.len(), "a case is tested once");
    assert!(all.iter().all(|number| CASES.contains(number)));
}

#[test]
fn the_page_has_a_row_for_each_numbered_case_which_names_its_test() {
    let page = crate::docs::pages::read("docs/conformance.md");
    let mut shown: BTreeMap<u8, &str> = BTreeMap::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, what, tests] = cells.as_slice() else { continue };
        let Ok(number) = number.parse() else { continue };
        assert!(!what.is_empty() && shown.insert(number, tests).is_none(), "{line}");
    }
    let tested = listed();
    let mut expected: BTreeMap<u8, String> = BTreeMap::new();
    for path in &tested {
        if let (Some(number), Some(name)) = (number(path), path.rsplit("::").next()) {
            expected.insert(number, format!("`{name}`"));
        }
    }
    expected.extend(ELSEWHERE.map(|(number, _, test)| (number, format!("`{test}`"))));
    let expected: BTreeMap<u8, &str> =
        expected.iter().map(|(number, shown)| (*number, shown.as_str())).collect();
    assert_eq!(shown, expected);
}
