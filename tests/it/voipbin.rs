//! VoIPBIN's outbound side, case by case, over plain HTTP and SIP without the SDKs.
//!
//! A test of a numbered case of the platform's specification begins with the number. The tests are listed by
//! running the harness itself: a case without a test is an error here. The module `permissions` checks that
//! every endpoint is tested.

mod access_keys;
mod actions;
mod bodies;
pub mod caller;
mod calls;
pub mod carrier;
mod credentials;
mod customer;
mod destinations;
mod documents;
mod flows;
mod guessing;
mod isolation;
mod limits;
mod numbers;
mod outbound_configs;
mod permissions;
mod provider_calls;
mod provider_credentials;
mod providers;
mod refusal;
mod retention;
mod routes;
mod setups;
pub mod stage;
mod telnyx;
mod test_calls;
mod timelines;
mod transport;
mod webhooks;

use std::process::Command;

/// The numbers of the specification's cases, without those of endpoints that the server does not have, and those of
/// VoIPBIN's own program (172 to 175), which `tests/python` runs.
const CASES: &[std::ops::RangeInclusive<u8>] =
    &[1..=97, 100..=102, 107..=110, 115..=121, 126..=153, 167..=168];

/// The numbers in the names of this module's tests, as the harness lists them.
fn numbers() -> Vec<u8> {
    let binary = std::env::current_exe().unwrap();
    let output = Command::new(binary).args(["voipbin::", "--list", "--format", "terse"]).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let number = |line: &str| {
        let path = line.strip_suffix(": test")?;
        path.strip_prefix("voipbin::")?
            .rsplit("::")
            .next()?
            .strip_prefix("case_")?
            .split('_')
            .next()?
            .parse()
            .ok()
    };
    text.lines().filter_map(number).collect()
}

#[test]
fn every_numbered_case_is_tested_once() {
    let mut found = numbers();
    found.sort_unstable();
    assert_eq!(found, CASES.iter().cloned().flatten().collect::<Vec<u8>>());
}
