//! `docs/why.md` against the checks, the causes of refusals and the default response codes.

use std::collections::BTreeSet;
use std::path::Path;

use sip_dialler::Outcome;
use trunk_rules::carrier::{Cause as DisconnectCause, Check, DigestFailure, MediaRefusal, Settings};
use trunk_rules::outbound::{Cause, NextRoute};

use super::pages::{path, read, section};

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
    let codes: BTreeSet<u16> = DisconnectCause::ALL
        .iter()
        .map(|cause| cause.code())
        .chain(configured)
        .filter(|code| *code >= 300)
        .collect();
    let page = read("docs/why.md");
    let rows = first_cells(section(&page, "## By response code"));
    for code in codes {
        assert!(rows.contains(&code.to_string()), "docs/why.md has no row for the code {code}");
    }
}

/// What precedes a response code where one is written as a number; `ome((` is the end of `Some((` and of `then_some((`.
const SENDERS: [&str; 10] = [
    "Reply::new(",
    "finish(",
    "respond(",
    "respond_in_background(",
    "refuse(",
    "refuse_unchecked(",
    "ome((",
    "Ending::new(",
    "Ending {",
    "let code = ",
];

/// The response codes from 300 up that the sources below a folder send, apart from those of tests.
fn sent_codes(folder: &Path, codes: &mut BTreeSet<u16>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        if file.is_dir() {
            sent_codes(&file, codes);
        } else if file.extension().is_some_and(|is| is == "rs") && !file.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&file).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let code: String = code.flat_map(|line| [line, "\n"]).collect();
            for sender in SENDERS {
                for rest in code.split(sender).skip(1) {
                    let arguments = rest.split([')', ';']).next().unwrap();
                    let numbers = arguments
                        .split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
                        .filter(|word| word.len() == 3)
                        .filter_map(|word| word.parse::<u16>().ok());
                    codes.extend(numbers.filter(|number| (300..700).contains(number)));
                }
            }
        }
    }
}

#[test]
fn every_code_that_the_edge_sends_has_its_row_on_the_page_that_says_why() {
    let mut codes = BTreeSet::new();
    for room in ["carrier-edge", "sip-transport"] {
        sent_codes(&path(&format!("crates/{room}/src")), &mut codes);
    }
    let known = [400, 403, 405, 416, 469, 481, 482, 483, 487, 491, 500, 501, 503, 504, 505];
    let overlooked: Vec<u16> = known.into_iter().filter(|code| !codes.contains(code)).collect();
    assert!(overlooked.is_empty(), "the sources are not read as they are written: {overlooked:?}");
    let rows = rows_below("## By response code");
    let missing: Vec<&u16> = codes.iter().filter(|code| !rows.contains(&code.to_string())).collect();
    assert!(missing.is_empty(), "docs/why.md has no row for the codes {missing:?}");
}

/// The first cells of the rows below a heading.
fn rows_below(heading: &str) -> BTreeSet<String> {
    first_cells(section(&read("docs/why.md"), heading))
}

#[test]
fn every_outcome_of_an_attempt_at_a_carrier_has_its_row_on_the_page_that_says_why() {
    let rows = rows_below("### By outcome of an attempt");
    for outcome in Outcome::samples() {
        let sentence = outcome.to_string();
        // A row can name another code too.
        let (before, after) = sentence.split_once(" 401").unwrap_or((&sentence, ""));
        let has_row = rows.iter().any(|row| row.starts_with(before) && row.contains(after));
        assert!(has_row, "docs/why.md has no row for the outcome `{sentence}`");
    }
}

#[test]
fn every_reason_for_which_no_other_route_is_tried_has_its_row_on_the_page_that_says_why() {
    let rows = rows_below("### Why no other provider was tried");
    let causes = [Cause::BUSY, Cause::NO_ANSWER, Cause::REJECTED, Cause::NORMAL].map(NextRoute::Final);
    let others = [NextRoute::Tried(1), NextRoute::Answered, NextRoute::HungUp, NextRoute::NoneLeft];
    for next in causes.into_iter().chain(others) {
        assert!(rows.contains(&next.to_string()), "docs/why.md has no row for `{next}`");
    }
}

#[test]
fn every_cause_of_an_ended_call_is_named_on_the_page_that_says_why() {
    let page = read("docs/why.md");
    let ends = first_cells(section(&page, "## By cause, for calls that ended"));
    for cause in DisconnectCause::ALL.iter().filter(|cause| cause.code() == 200) {
        let id = cause.id().to_string();
        assert!(ends.contains(&id), "docs/why.md has no row for the cause {id}, {}", cause.text());
    }
}

#[test]
fn every_sentence_of_an_ending_has_its_row_on_the_page_that_says_why() {
    let source = read("crates/carrier-edge/src/ending_sentence.rs");
    let source = source.split("#[cfg(test)]").next().unwrap();
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: String = code.flat_map(|line| [line, "\n"]).collect();
    let texts = code.split('"').skip(1).step_by(2);
    // The texts of causes begin with a capital letter.
    let sentences: Vec<&str> =
        texts.filter(|text| text.starts_with(|first: char| first.is_ascii_lowercase())).collect();
    assert!(sentences.len() > 15, "{sentences:?}");
    for sentence in sentences {
        assert_has_sentence(sentence);
    }
}

/// Checks that the page has a row for a sentence about missing audio. In its rows `…` stands for any text.
#[track_caller]
pub fn assert_has_row(sentence: &str) {
    let page = read("docs/why.md");
    let why = sentence.strip_prefix("no audio, because ").expect("a sentence about missing audio");
    let rows = first_cells(section(&page, "## No audio"));
    assert!(rows.iter().any(|row| fits(row, why)), "docs/why.md has no row for \"{why}\"");
}

/// Checks that the page has a row for a sentence about a call that was refused or that ended.
#[track_caller]
pub fn assert_has_sentence(sentence: &str) {
    let page = read("docs/why.md");
    let rows = first_cells(section(&page, "## By sentence"));
    let plain = sentence.replace('`', "");
    assert!(rows.iter().any(|row| fits(row, &plain)), "docs/why.md has no row for \"{sentence}\"");
}

#[test]
fn every_flaw_of_a_digest_and_of_a_session_description_has_its_row_on_the_page_that_says_why() {
    let failures = [
        DigestFailure::NoHeader,
        DigestFailure::UnsupportedAlgorithm,
        DigestFailure::UnsupportedQop,
        DigestFailure::RealmMismatch,
        DigestFailure::ResponseLength { received: 31, expected: 32 },
        DigestFailure::UserUnknown,
        DigestFailure::NonceForeign,
        DigestFailure::NonceExpired,
        DigestFailure::NonceCountUnparsable,
        DigestFailure::NonceCountReplayed,
        DigestFailure::ResponseMismatch,
    ];
    let media = [
        MediaRefusal::NoAudio,
        MediaRefusal::Profile("RTP/SAVP".to_owned()),
        MediaRefusal::NoKey,
        MediaRefusal::NoFingerprint,
        MediaRefusal::DtlsNotImplemented,
    ];
    let failures = failures.iter().map(ToString::to_string);
    for sentence in failures.chain(media.iter().map(ToString::to_string)) {
        assert_has_sentence(&sentence);
    }
}

/// Whether a text consists of the parts of a pattern in their order, with any text in place of each `…`.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn a_row_fits_the_sentences_that_it_stands_for_and_no_others() {
    assert!(fits("all … packets from …", "all 5 packets from 192.0.2.1") && fits("a", "a"));
    assert!(!fits("all … packets from …", "5 packets from 192.0.2.1") && !fits("a", "ab"));
    assert!(!fits("… is off", "x is off and on"));
}
