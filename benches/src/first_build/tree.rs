//! The crates of a package's dependency tree, and those with more than one version in it.

use std::collections::{BTreeMap, BTreeSet};

use super::cargo;
use crate::Outcome;

/// Names and versions of crates.
type Crates = BTreeSet<(String, String)>;

/// The package and its dependencies with default features, on this machine's platform. `edges` are kinds of
/// dependencies as `cargo tree` names them.
pub(super) fn crates(package: &str, edges: &str) -> Outcome<Crates> {
    let mut tree = cargo(&["tree", "--locked", "--package", package, "--edges", edges, "--prefix", "none"]);
    let output = tree.output()?;
    let crates = listed(&String::from_utf8(output.stdout)?);
    if !output.status.success() || crates.is_empty() {
        return Err(format!("cargo tree: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(crates)
}

/// A line is a name, a version and sometimes more, such as a mark that the crate was listed before.
fn listed(tree: &str) -> Crates {
    let words = tree.lines().map(|line| line.split_whitespace());
    words.filter_map(|mut words| Some((words.next()?.to_owned(), words.next()?.to_owned()))).collect()
}

/// The crates with more than one version, each with its versions.
pub(super) fn duplicates(crates: &Crates) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, version) in crates {
        versions.entry(name).or_default().push(version.trim_start_matches('v'));
    }
    let several = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
    several.map(|(name, versions)| format!("`{name}` {}", versions.join(", "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "trunk-server v0.2.0 (/src/trunk-server)\nserde v1.0.228\nserde_derive v1.0.228 (proc-macro)\n\
        getrandom v0.4.1\nserde v1.0.228 (*)\n\ngetrandom v0.2.17\n";

    #[test]
    fn a_crate_that_is_listed_twice_counts_once_and_its_versions_count_each() {
        assert_eq!(listed(TREE).len(), 5);
    }

    #[test]
    fn only_a_crate_in_several_versions_is_a_duplicate() {
        assert_eq!(duplicates(&listed(TREE)), ["`getrandom` 0.2.17, 0.4.1"]);
    }
}
