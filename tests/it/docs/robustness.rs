//! `docs/robustness.md` against the attacks of `tests/attack`.

use std::collections::BTreeSet;

use super::pages::{path, read, section};

/// The names of all attacks.
pub fn attacks() -> BTreeSet<String> {
    let mut attacks = BTreeSet::new();
    for file in std::fs::read_dir(path("tests/attack/rows")).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_none_or(|extension| extension != "py") {
            continue;
        }
        let text = std::fs::read_to_string(file).unwrap();
        attacks.extend(
            text.split("\n@attack(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()),
        );
    }
    attacks
}

#[test]
fn every_attack_has_its_figures_on_the_page() {
    let attacks = attacks();
    assert!(attacks.len() > 20, "{attacks:?}");
    let page = read("docs/robustness.md");
    let figures = section(&page, "## Figures");
    let described: BTreeSet<String> =
        figures.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect();
    assert_eq!(described, attacks, "scripts/attack --report docs/robustness.md writes the page");
}
