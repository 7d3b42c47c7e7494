//! The examples in the documentation of what both SDKs re-export: their readers depend on an SDK, and on no crate
//! behind it. And those that no test would compile.

use std::path::{Path, PathBuf};

use super::rooms::packages;
use super::sources;

/// The crates whose documentation is shown as a part of an SDK's.
const SHOWN: [&str; 4] = ["client-core", "didww-types", "voipbin-types", "wire-core"];
/// The files of macros that only the crates behind the SDKs call.
const OF_MACROS: [&str; 2] = ["wire-core/src/enumeration.rs", "wire-core/src/timestamp.rs"];

/// The lines of a file's examples that are shown: those that do not begin with a sharp sign.
fn shown(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut is_example = false;
    for line in text.lines().map(str::trim_start) {
        let Some(line) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) else {
            is_example = false;
            continue;
        };
        let line = line.trim_start();
        if line.starts_with("```") {
            is_example = !is_example;
        } else if is_example && !line.starts_with("# ") && line != "#" {
            lines.push(line);
        }
    }
    lines
}

#[test]
fn examples_that_users_of_an_sdk_read_name_no_crate_behind_it() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("crates");
    let files: Vec<PathBuf> = SHOWN.iter().flat_map(|name| sources(&crates.join(name).join("src"))).collect();
    let mut seen = 0;
    for file in files.iter().filter(|file| !OF_MACROS.iter().any(|end| file.ends_with(end))) {
        let text = std::fs::read_to_string(file).unwrap();
        for line in shown(&text) {
            seen += 1;
            for name in SHOWN {
                let path = format!("{}::", name.replace('-', "_"));
                assert!(!line.contains(&path), "{}: `{line}` names {name}", file.display());
            }
        }
    }
    assert!(seen > 100, "{seen} lines of examples");
}

#[test]
fn hidden_lines_of_an_example_are_not_shown() {
    let text = "/// Text of a::b.\n///\n/// ```\n/// # use a as b;\n/// use b::C;\n/// ```\n/// More a::d.\nlet a = 1;";
    assert_eq!(shown(text), ["use b::C;"]);
}

/// Whether rustdoc takes a line for the first one of an example.
fn begins_an_example(line: &str) -> bool {
    let line = line.trim_start();
    let text = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
    text.is_some_and(|text| {
        let fence = text.trim_start();
        fence.starts_with("```") || fence.starts_with("~~~") || text.starts_with("     ")
    })
}

#[test]
fn crates_of_which_no_example_is_compiled_have_none() {
    let mut seen = 0;
    for package in packages() {
        let targets = package["targets"].as_array().unwrap();
        let library = targets.iter().find(|target| {
            target["kind"][0].as_str() == Some("lib") && target["doctest"].as_bool() == Some(false)
        });
        let Some(library) = library else { continue };
        let folder = Path::new(library["src_path"].as_str().unwrap()).parent().unwrap();
        // Those of the tests themselves are no documentation.
        if !folder.ends_with("src") {
            continue;
        }
        for file in sources(folder) {
            let text = std::fs::read_to_string(&file).unwrap();
            let example = text.lines().find(|line| begins_an_example(line));
            assert_eq!(example, None, "{}: `doctest = false` in the manifest is in its way", file.display());
        }
        seen += 1;
    }
    assert!(seen > 10, "{seen} crates");
}

#[test]
fn an_example_is_known_from_other_text() {
    assert!(begins_an_example("    /// ```") && begins_an_example("//! ~~~rust"));
    assert!(begins_an_example("///     let a = 1;"));
    assert!(!begins_an_example("/// - A list,\n///   continued."));
    assert!(!begins_an_example("let fence = \"```\";"));
}
