//! Links between the pages: to files, and to headings in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::pages::{is_page, pages, path, read};

/// A page without its code, in which nothing is a link or a heading.
pub fn prose(text: &str) -> String {
    let mut is_code = false;
    let mut prose = String::new();
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        if !is_code && !is_fence {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

/// The targets of the links of a page, in order.
pub fn links(text: &str) -> Vec<String> {
    prose(text).split("](").skip(1).map(|link| link.split(')').next().unwrap().to_owned()).collect()
}

/// The anchors of a page: its headings as GitHub and mdBook write them, with a number from the second of a name on.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    for line in prose(text).lines() {
        let heading = line.trim_start_matches('#');
        let level = line.len() - heading.len();
        let Some(heading) = heading.strip_prefix(' ').filter(|_| (1..=6).contains(&level)) else { continue };
        let name = anchor(heading);
        let count = seen.entry(name.clone()).or_default();
        anchors.insert(if *count == 0 { name } else { format!("{name}-{count}") });
        *count += 1;
    }
    anchors
}

/// The anchor of a heading. A link in it counts as its text.
fn anchor(heading: &str) -> String {
    let mut text = String::new();
    let mut rest = heading;
    while let Some((before, link)) = rest.split_once("](") {
        text.push_str(before);
        rest = link.split_once(')').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    let kept = text.trim().chars().filter(|kept| kept.is_alphanumeric() || [' ', '-', '_'].contains(kept));
    kept.flat_map(char::to_lowercase).map(|kept| if kept == ' ' { '-' } else { kept }).collect()
}

/// The path of a link's file below the workspace's root, without `.` and `..`.
pub fn target(page: &str, file: &str) -> String {
    if file.is_empty() {
        return page.to_owned();
    }
    let folder = Path::new(page).parent().unwrap();
    let mut target = PathBuf::new();
    for part in folder.join(file).components() {
        match part {
            Component::ParentDir => assert!(target.pop(), "{page} links to {file}, which is outside"),
            Component::CurDir => {}
            part => target.push(part),
        }
    }
    target.to_str().unwrap().to_owned()
}

/// The fault of a link of a page; `None` if its target exists or is on another host.
fn fault(page: &str, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
    let target = target(page, file);
    if !path(&target).exists() {
        return Some(format!("{page} links to {link}, which is not there"));
    }
    let heading = heading.filter(|_| is_page(&target))?;
    (!anchors(&read(&target)).contains(heading))
        .then(|| format!("{page} links to {link}, and {target} has no such heading"))
}

#[test]
fn every_link_leads_to_a_file_and_to_a_heading_that_it_has() {
    let mut links_seen = 0;
    let mut faults = Vec::new();
    for page in pages() {
        for link in links(&read(&page)) {
            links_seen += 1;
            faults.extend(fault(&page, &link));
        }
    }
    assert!(links_seen > 200, "only {links_seen} links were found");
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_link_to_no_file_and_one_to_no_heading_are_faults() {
    assert!(fault("docs/calls.md", "nowhere.md").is_some_and(|fault| fault.contains("not there")));
    assert!(
        fault("docs/calls.md", "#no-such-heading").is_some_and(|fault| fault.contains("no such heading"))
    );
    assert!(fault("docs/calls.md", "why.md#no-such-heading").is_some());
    for right in [
        "why.md#by-check",
        "../README.md#what-is-supported",
        "#media",
        "https://example.com/#x",
        "kamailio.cfg",
    ] {
        assert_eq!(fault("docs/calls.md", right), None);
    }
}

#[test]
fn an_anchor_is_the_heading_in_small_letters_without_its_signs() {
    for (heading, made) in [
        ("Why was my call refused?", "why-was-my-call-refused"),
        ("`GET /control/v1/trunks/open`", "get-controlv1trunksopen"),
        ("RFC 3261 §8.1: requests", "rfc-3261-81-requests"),
        ("FULL and NORMAL", "full-and-normal"),
        ("See [calls](calls.md) first", "see-calls-first"),
    ] {
        assert_eq!(anchor(heading), made);
    }
    let page = "# One\n```text\n# no heading\n```\n## Two\n## Two\n#no heading\n";
    assert_eq!(anchors(page).into_iter().collect::<Vec<_>>(), ["one", "two", "two-1"]);
}
