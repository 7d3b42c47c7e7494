//! Where features of Cargo are looked at, other than in the composition root and at the heads of crates.

use std::collections::BTreeSet;
use std::path::Path;

use super::rooms::rooms;
use super::sources;

const COMPOSITION_ROOT: &str = "trunk-server";

/// The files that look at a feature and are no head of a crate. Each states why.
const EXCEPTIONS: [&str; 1] = ["control-plane/routes.rs"];

/// The crate whose types derive their JSON schema with a feature, and the line above each of them.
const SCHEMAS: (&str, &str) =
    ("voipbin-types", r#"#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]"#);

fn is_head(file: &Path) -> bool {
    ["lib.rs", "main.rs"].into_iter().any(|head| file == Path::new(head))
}

/// Whether a line of code looks at a feature, other than to compile a unit test.
fn looks_at_a_feature(line: &str) -> bool {
    !line.starts_with("//")
        && line.contains("feature = \"")
        && !line.starts_with("#[cfg(all(test, feature = ")
}

#[test]
fn features_are_looked_at_in_the_composition_root_and_at_the_heads_of_crates() {
    let mut found = BTreeSet::new();
    for (name, room) in rooms() {
        if name == COMPOSITION_ROOT {
            continue;
        }
        let source = room.folder.join("src");
        for file in sources(&source) {
            let path = file.strip_prefix(&source).unwrap();
            let code = std::fs::read_to_string(&file).unwrap();
            let looks = |line: &str| looks_at_a_feature(line) && (name.as_str(), line) != SCHEMAS;
            if !is_head(path) && code.lines().map(str::trim).any(looks) {
                found.insert(format!("{name}/{}", path.display()));
            }
        }
    }
    assert_eq!(found, BTreeSet::from(EXCEPTIONS.map(str::to_owned)));
}

#[test]
fn a_line_that_looks_at_a_feature_is_known_from_one_that_writes_of_it() {
    assert!(looks_at_a_feature(r#"#[cfg(feature = "sip")]"#));
    assert!(looks_at_a_feature(r#"if cfg!(not(feature = "sip")) {"#));
    assert!(!looks_at_a_feature(r#"/// # #[cfg(feature = "rustls")]"#));
    assert!(!looks_at_a_feature(r#"#[cfg(all(test, feature = "rustls"))]"#));
}
