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
mod pools;
mod process;
mod reads;
mod relationships;
mod tokens;
mod transport;
mod updates;
mod versions;
mod views;

use std::collections::{BTreeMap, BTreeSet};
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

/// Files of other crates with tests of numbered cases of 2026-11-19.
const ELSEWHERE_NEWEST: [&str; 2] = [
    include_str!("../../crates/didww-types/tests/it/strict.rs"),
    include_str!("../../crates/didww-types/tests/it/registry.rs"),
];

/// What cases of 2026-11-19 wait for beside types.
const WAITED_FOR: [&str; 3] = ["the end of live calls", "callback secrets", "price services"];

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

/// The cases of 2026-11-19 in a test's name, such as 38 in `n38_and_n39_...`.
fn newest_numbers(name: &str) -> impl Iterator<Item = u8> + '_ {
    name.split('_').filter_map(|word| word.strip_prefix('n')?.parse().ok())
}

/// The rows of `docs/conformance.md`: the number of a case, and what it waits for.
fn newest_cases() -> BTreeMap<u8, Option<String>> {
    let page = crate::docs::pages::read("docs/conformance.md");
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| N")?.strip_suffix(" |")?.split(" | ");
        let (number, standing) = (cells.next()?.parse().ok()?, cells.last()?);
        let waits = standing.strip_prefix("waits for ").map(str::to_owned);
        assert!(waits.is_some() || standing == "tested", "{line}");
        Some((number, waits))
    };
    page.lines().filter_map(row).collect()
}

#[test]
fn every_case_of_2026_11_19_is_tested_or_waits_for_what_is_not_served() {
    let cases = newest_cases();
    assert!(cases.keys().copied().eq(1..=99), "the page has every case once: {:?}", cases.keys());
    let here = listed();
    let elsewhere = ELSEWHERE_NEWEST.iter().flat_map(|file| file.split("fn ").skip(1));
    let names = here
        .iter()
        .filter_map(|path| path.rsplit("::").next())
        .chain(elsewhere.filter_map(|rest| rest.split('(').next()));
    let tested: BTreeSet<u8> = names.flat_map(newest_numbers).collect();
    for (number, waits) in cases {
        match waits {
            None => assert!(tested.contains(&number), "no test has the number N{number}"),
            Some(waits) => {
                assert!(!tested.contains(&number), "N{number} is tested: the page says that it waits");
                let kind = waits.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
                let is_absent = kind
                    .map_or(WAITED_FOR.contains(&waits.as_str()), |kind| didww_types::find(kind).is_none());
                assert!(is_absent, "N{number} waits for {waits}, which is served: write its test");
            }
        }
    }
}
