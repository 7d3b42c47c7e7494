//! Compares the crates of the workspace with the table of `ARCHITECTURE.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::imports::{circles, of_crate};
use super::sources;

/// Packages that no room depends on, and that ship with none.
const OUTSIDE: [&str; 5] =
    ["trunk-benches", "trunk-examples", "trunk-fuzz-targets", "trunk-shared-features", "trunk-tests"];

/// Most files of a crate that may import each other in a circle.
const LARGEST_CIRCLE: usize = 3;

pub(super) struct Room {
    pub(super) folder: PathBuf,
    /// The workspace's crates that it depends on, tests aside.
    knows: BTreeSet<String>,
}

/// The packages of the workspace, with their own dependencies, as Cargo describes them.
pub fn packages() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").expect("cargo runs this test");
    let output = Command::new(cargo)
        .args(["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    metadata["packages"].as_array().unwrap().clone()
}

pub(super) fn rooms() -> BTreeMap<String, Room> {
    let packages = packages().into_iter().map(|package| {
        let name = package["name"].as_str().unwrap().to_owned();
        let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap());
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let of_the_workspace =
            dependencies.filter(|dependency| dependency["path"].is_string() && dependency["kind"].is_null());
        let knows =
            of_the_workspace.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect();
        (name, Room { folder: manifest.parent().unwrap().to_owned(), knows })
    });
    packages.filter(|(name, _)| !OUTSIDE.contains(&name.as_str())).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The names in backticks of a cell.
fn names(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_table_of_the_rooms_is_what_the_crates_know() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let written: BTreeMap<String, BTreeSet<String>> = rows
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
            (names(cells[0]).into_iter().next().unwrap(), names(cells[2]))
        })
        .collect();
    let real: BTreeMap<String, BTreeSet<String>> =
        rooms().into_iter().map(|(name, room)| (name, room.knows)).collect();
    assert_eq!(written, real);
}

#[test]
fn few_files_of_a_crate_import_each_other_in_a_circle() {
    for (name, room) in rooms() {
        let found = circles(&of_crate(&room.folder.join("src")));
        let too_large: Vec<_> = found.iter().filter(|circle| circle.len() > LARGEST_CIRCLE).collect();
        assert!(too_large.is_empty(), "{name}: {too_large:#?}");
    }
}

#[test]
fn no_crate_holds_more_than_a_quarter_of_the_lines() {
    let lines: BTreeMap<String, usize> = rooms()
        .into_iter()
        .map(|(name, room)| {
            let files = sources(&room.folder.join("src"));
            (name, files.iter().map(|file| std::fs::read_to_string(file).unwrap().lines().count()).sum())
        })
        .collect();
    let all: usize = lines.values().sum();
    for (name, lines) in lines {
        assert!(lines * 4 <= all, "{name} has {lines} of {all} lines");
    }
}
