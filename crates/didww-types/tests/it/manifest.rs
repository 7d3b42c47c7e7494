//! The README of `fixtures/` lists every file in it and no other, except the bodies of the generic test.

use std::collections::BTreeSet;
use std::path::Path;

use crate::fixtures::directory;

/// Whether a file is a body, or a whole request.
fn is_document(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json" || extension == "http")
}

fn files(directory: &Path, below: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(directory, &path, found);
        } else if is_document(&path) {
            let name: Vec<&str> =
                path.strip_prefix(directory).unwrap().iter().map(|part| part.to_str().unwrap()).collect();
            found.insert(name.join("/"));
        }
    }
}

#[test]
fn the_manifest_names_every_fixture_once_and_no_other() {
    let mut present = BTreeSet::new();
    files(&directory(), &directory(), &mut present);
    present.retain(|name| !name.starts_with("coverage/"));
    let text = std::fs::read_to_string(directory().join("README.md")).unwrap();
    let rows: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .filter(|name| is_document(Path::new(name)))
        .collect();
    let named: BTreeSet<String> = rows.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(named, present);
    assert_eq!(named.len(), rows.len(), "a file is listed twice");
}

#[test]
fn every_row_of_the_manifest_ends_with_a_degree_of_trust() {
    let text = std::fs::read_to_string(directory().join("README.md")).unwrap();
    for row in text
        .lines()
        .filter(|line| line.starts_with("| `") && (line.contains(".json`") || line.contains(".http`")))
    {
        let trust = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap();
        for degree in trust.split(',') {
            assert!(
                ["recorded", "official", "sdk", "composed", "computed"].contains(&degree.trim()),
                "{row}"
            );
        }
    }
}
