//! The examples in the documentation of what both SDKs re-export: their readers depend on an SDK, and on no crate
//! behind it.

use std::path::{Path, PathBuf};

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
