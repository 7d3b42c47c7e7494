//! `docs/differences.md`: the standing of each choice, and the resources that are not served yet.

use std::collections::BTreeSet;

use didww_types::REGISTRY;

use super::pages::{read, section};

/// Number of resource types of the API.
const TYPES: usize = 38;

#[test]
fn every_choice_says_whether_it_is_documented_or_inferred() {
    let page = read("docs/differences.md");
    let choices = section(&page, "## Choices");
    let rows = choices.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| --- "));
    let mut count = 0;
    for row in rows.filter(|row| !row.starts_with("| point ")) {
        let standing = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap().trim();
        assert!(["documented", "inferred"].contains(&standing), "{row}");
        count += 1;
    }
    assert!(count > 30, "{count} choices were found");
}

#[test]
fn a_resource_is_served_or_waiting_and_never_both() {
    let page = read("docs/differences.md");
    let waiting: BTreeSet<&str> =
        section(&page, "## Resources that are waiting").split('`').skip(1).step_by(2).collect();
    for spec in REGISTRY {
        assert!(!waiting.contains(spec.name), "{} is served", spec.name);
    }
    assert_eq!(waiting.len() + REGISTRY.len(), TYPES);
}
