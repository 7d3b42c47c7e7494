//! `fuzz/Cargo.lock` beside that of the workspace. `fuzz/` is a workspace of its own, which no other test builds: what
//! is changed in a manifest or in one lock file is easily forgotten in the other.
//!
//! What this does not see: an optional dependency that a feature has switched on since.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::architecture::rooms::packages;
use crate::docs::pages::read;

/// What makes both agree again.
const MEND: &str = "cp Cargo.lock fuzz/ && cargo metadata --manifest-path fuzz/Cargo.toml --format-version 1";

/// A package of a lock file.
struct Locked {
    name: String,
    version: String,
    /// That of what is in a registry; our own crates have none.
    checksum: Option<String>,
    /// The names of its dependencies, tests aside for crates of another workspace.
    dependencies: BTreeSet<String>,
}

/// The packages of the text of a lock file.
fn locked(text: &str) -> Vec<Locked> {
    let packages = text.split("[[package]]\n").skip(1).map(|package| {
        let value = |key: &str| {
            let found = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
            found.map(|value| value.trim_end_matches('"').to_owned())
        };
        // Such as ` "tokio",` or ` "rand 0.9.2",` where there are several versions.
        let dependencies = package.lines().filter_map(|line| line.strip_prefix(" \""));
        let name = |dependency: &str| dependency.split([' ', '"']).next().unwrap().to_owned();
        Locked {
            name: value("name").unwrap(),
            version: value("version").unwrap(),
            checksum: value("checksum"),
            dependencies: dependencies.map(name).collect(),
        }
    });
    packages.collect()
}

#[test]
fn what_both_lock_files_have_has_the_same_version_in_both() {
    let mut known: BTreeMap<String, Vec<(String, Option<String>)>> = BTreeMap::new();
    for Locked { name, version, checksum, .. } in locked(&read("Cargo.lock")) {
        known.entry(name).or_default().push((version, checksum));
    }
    let of_fuzzing = locked(&read("fuzz/Cargo.lock"));
    let mut compared = 0;
    for Locked { name, version, checksum, .. } in of_fuzzing {
        let Some(versions) = known.get(&name) else { continue };
        compared += 1;
        let is_known = versions.contains(&(version.clone(), checksum));
        assert!(is_known, "{name} {version} is not what Cargo.lock has, {versions:?}: {MEND}");
    }
    assert!(compared > 200, "{compared}");
}

#[test]
fn the_lock_file_of_the_fuzz_targets_has_the_crates_of_the_workspace_with_what_they_depend_on() {
    let of_fuzzing: BTreeMap<String, Locked> =
        locked(&read("fuzz/Cargo.lock")).into_iter().map(|package| (package.name.clone(), package)).collect();
    let declared: BTreeMap<String, Value> = packages()
        .into_iter()
        .map(|package| (package["name"].as_str().unwrap().to_owned(), package))
        .collect();
    let (mut waiting, mut seen) = (vec!["trunk-fuzz-targets".to_owned()], BTreeSet::new());
    while let Some(name) = waiting.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let Some(package) = of_fuzzing.get(&name) else { panic!("it has no {name}: {MEND}") };
        let dependencies = declared[&name]["dependencies"].as_array().unwrap().iter();
        // The tests of a crate of another workspace are not built.
        let dependencies: Vec<&Value> =
            dependencies.filter(|dependency| dependency["kind"] != "dev").collect();
        let name_of = |dependency: &&Value| dependency["name"].as_str().unwrap().to_owned();
        let all: BTreeSet<String> = dependencies.iter().map(name_of).collect();
        let needed: BTreeSet<String> =
            dependencies.iter().filter(|dependency| dependency["optional"] == false).map(name_of).collect();
        let missing: Vec<_> = needed.difference(&package.dependencies).collect();
        assert!(missing.is_empty(), "its {name} lacks {missing:?}: {MEND}");
        let gone: Vec<_> = package.dependencies.difference(&all).collect();
        assert!(gone.is_empty(), "its {name} still has {gone:?}: {MEND}");
        let own = package.dependencies.iter().filter(|dependency| declared.contains_key(*dependency));
        waiting.extend(own.cloned());
    }
    assert!(seen.len() > 15 && seen.contains("trunk-server"), "{seen:?}");
    // What is in no registry is of the workspace, but for the programs themselves.
    let rest =
        of_fuzzing.values().filter(|package| package.checksum.is_none() && !seen.contains(&package.name));
    assert_eq!(rest.map(|package| package.name.as_str()).collect::<Vec<_>>(), ["trunk-fuzz"], "{MEND}");
}

#[test]
fn a_lock_file_is_read_as_cargo_writes_it() {
    let text = "version = 4\n\n\
                [[package]]\nname = \"own\"\nversion = \"1.0.0\"\n\
                dependencies = [\n \"a\",\n \"b 2.0.0\",\n]\n\n\
                [[package]]\nname = \"a\"\nversion = \"0.1.0\"\nsource = \"registry+x\"\nchecksum = \"ab\"\n";
    let read = locked(text);
    let [own, a] = read.as_slice() else { panic!("it has two packages") };
    assert_eq!((own.name.as_str(), own.version.as_str(), &own.checksum), ("own", "1.0.0", &None));
    assert_eq!(own.dependencies, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    assert_eq!((a.name.as_str(), a.checksum.as_deref(), a.dependencies.len()), ("a", Some("ab"), 0));
}
