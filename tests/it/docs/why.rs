//! `docs/why.md` against the checks, the causes of refusals and the default response codes.

use std::collections::BTreeSet;

use trunk_rules::carrier::{Cause, Check, Settings};

use super::pages::{read, section};

/// The first cells of a table's rows, without their code marks.
fn first_cells(text: &str) -> BTreeSet<String> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    rows.map(|row| row.split(" |").next().unwrap().replace('`', "")).collect()
}

#[test]
fn every_check_has_its_row_on_the_page_that_says_why() {
    let page = read("docs/why.md");
    let rows = first_cells(section(&page, "## By check"));
    for check in Check::ALL {
        assert!(rows.contains(check.name()), "docs/why.md has no row for the check `{check}`");
    }
    let headings = ["check", "---"].map(str::to_owned);
    let known: BTreeSet<String> =
        Check::ALL.iter().map(|check| check.name().to_owned()).chain(headings).collect();
    assert_eq!(rows.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn every_default_code_has_its_row_on_the_page_that_says_why() {
    let settings = Settings::default();
    let configured = [
        settings.challenge_code,
        settings.ip_reject_code,
        settings.blocked_code,
        settings.cli_reject_code,
        settings.dst_reject_code,
        settings.bad_number_code,
        settings.no_route_code,
        settings.capacity_reject_code,
        settings.media_profile_reject_code,
        settings.codec_reject_code,
        settings.sdp_reject_code,
    ];
    let codes: BTreeSet<u16> =
        Cause::ALL.iter().map(|cause| cause.code()).chain(configured).filter(|code| *code >= 300).collect();
    let page = read("docs/why.md");
    let rows = first_cells(section(&page, "## By response code"));
    for code in codes {
        assert!(rows.contains(&code.to_string()), "docs/why.md has no row for the code {code}");
    }
}

#[test]
fn every_cause_of_an_ended_call_is_named_on_the_page_that_says_why() {
    let page = read("docs/why.md");
    let ends = first_cells(section(&page, "## By cause, for calls that ended"));
    for cause in Cause::ALL.iter().filter(|cause| cause.code() == 200) {
        let id = cause.id().to_string();
        assert!(ends.contains(&id), "docs/why.md has no row for the cause {id}, {}", cause.text());
    }
}
