//! The documented behaviour of the API, case by case, over plain HTTP.
//!
//! A test of a numbered case of the wire specification begins with the number. The tests are listed by
//! running the harness itself: a case without a test is an error here. `coverage` calls every verb in every version.

mod access;
mod bodies;
mod corrected;
mod creates;
mod decisions;
mod did_groups;
mod ends;
mod lists;
mod numbers;
mod order;
mod page;
mod pools;
mod process;
mod reads;
mod relationships;
mod tokens;
mod transport;
mod updates;
mod versions;
mod views;

use std::collections::BTreeSet;
use std::process::Command;

/// The numbers of the specification's cases.
const CASES: std::ops::RangeInclusive<u8> = 1..=90;

/// Cases that cannot be tested yet, and the reason.
const WAITING: [(u8, &str); 3] = [
    (3, "public_keys is not declared yet"),
    (84, "nothing spends money yet, so no threshold is reached and no callback is due"),
    (90, "voice_in_trunks is not declared yet"),
];

/// Cases that are tested beside the code: the file, and a test in it.
const ELSEWHERE: [(u8, &str, &str); 1] = [(
    85,
    include_str!("../../crates/didww-types/tests/it/signatures.rs"),
    "every_vector_is_verified_or_refused_as_recorded",
)];

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
    found.extend(WAITING.map(|(number, _)| number));
    let all: BTreeSet<u8> = found.iter().copied().collect();
    let missing: Vec<u8> = CASES.filter(|number| !all.contains(number)).collect();
    assert!(missing.is_empty(), "no test has the numbers {missing:?}");
    assert_eq!(found.len(), all.len(), "a case is tested, or it waits, once");
    assert!(all.iter().all(|number| CASES.contains(number)));
}
