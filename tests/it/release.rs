//! The generated contents of a release, without building it: the bill of materials, the manual pages, the completions.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::docs::pages::{path, read};
use crate::support::binary::command;

/// The target of this machine.
fn host() -> String {
    let cargo = std::env::var_os("CARGO").expect("cargo runs this test");
    let rustc = std::path::Path::new(&cargo).with_file_name("rustc");
    let version = Command::new(rustc).arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

/// The output of `cargo metadata` for the target of this machine.
fn metadata() -> Vec<u8> {
    let host = host();
    let arguments =
        ["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", &host];
    cargo(&arguments).0.into_bytes()
}

/// What both programs consist of, as `scripts/release` asks for it.
fn tree() -> String {
    let host = host();
    let mut arguments = vec!["tree", "--locked", "--offline", "--color", "never", "--target", &host];
    arguments.extend(["--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    arguments.extend(["--package", "trunk-server", "--package", "trunkctl"]);
    cargo(&arguments).0
}

/// Runs `scripts/sbom.py` with this metadata, a lock file and this tree.
fn bill(metadata: &[u8], lock: &str, tree: &str, programs: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let tree_file = folder.path().join("tree");
    std::fs::write(&tree_file, tree).unwrap();
    let mut child = Command::new("python3")
        .arg(path("scripts/sbom.py"))
        .arg(lock)
        .arg(tree_file)
        .args(programs)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that has ended already reads nothing; the caller then checks its error.
    let _taken = child.stdin.take().unwrap().write_all(metadata);
    child.wait_with_output().unwrap()
}

fn name(package: &Value) -> String {
    format!("{}@{}", package["name"].as_str().unwrap(), package["version"].as_str().unwrap())
}

#[test]
fn the_bill_of_materials_has_every_package_of_the_lock_file_that_cargo_names() {
    let metadata = metadata();
    let (lock, tree) = (path("Cargo.lock"), tree());
    let made = bill(&metadata, lock.to_str().unwrap(), &tree, &["trunk-server", "trunkctl"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let again = bill(&metadata, lock.to_str().unwrap(), &tree, &["trunk-server", "trunkctl"]);
    assert_eq!(made.stdout, again.stdout, "the same input has the same bill");
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!((&made["bomFormat"], &made["specVersion"]), (&json!("CycloneDX"), &json!("1.5")));
    assert_eq!(made["metadata"]["component"]["name"], "trunk-server");

    let metadata: Value = serde_json::from_slice(&metadata).unwrap();
    let packages: BTreeSet<String> = metadata["packages"].as_array().unwrap().iter().map(name).collect();
    let components = made["components"].as_array().unwrap();
    let by_name: BTreeMap<String, &Value> =
        components.iter().map(|component| (name(component), component)).collect();
    assert_eq!(by_name.keys().cloned().collect::<BTreeSet<_>>(), packages);
    assert!(packages.len() > 200, "{}", packages.len());

    let lock = read("Cargo.lock");
    for component in components {
        let licences = component["licenses"].as_array();
        assert!(licences.is_some_and(|licences| !licences.is_empty()), "{component}");
        // A package from a registry has the digest with which Cargo verified it.
        if let Some(digest) = component["hashes"][0]["content"].as_str() {
            assert!(lock.contains(&format!("checksum = \"{digest}\"")), "{component}");
        } else {
            assert_eq!(
                component["version"],
                env!("CARGO_PKG_VERSION"),
                "only our own have none: {component}"
            );
        }
    }
    let scope = |name: &str| {
        let prefix = format!("{name}@");
        let (_, found) = by_name.iter().find(|(known, _)| known.starts_with(&prefix)).unwrap();
        found["scope"].as_str().unwrap()
    };
    for name in ["trunk-server", "trunkctl", "didww-types", "tokio", "rustls", "rusqlite"] {
        assert_eq!(scope(name), "required", "{name}");
    }
    // The examples ask for a feature of the SDK that brings `rsa`, and no program does.
    for name in ["trunk-tests", "proptest", "rsa"] {
        assert_eq!(scope(name), "excluded", "{name}");
    }
    // Every reference leads to a component, and from what the programs contain to what they contain.
    let scopes: BTreeMap<&str, &Value> = components
        .iter()
        .map(|component| (component["bom-ref"].as_str().unwrap(), &component["scope"]))
        .collect();
    for entry in made["dependencies"].as_array().unwrap() {
        let from = scopes.get(entry["ref"].as_str().unwrap());
        let is_required = from.is_some_and(|scope| *scope == "required");
        for reference in entry["dependsOn"].as_array().unwrap() {
            let scope = scopes.get(reference.as_str().unwrap()).expect("a component");
            assert!(!is_required || *scope == "required", "{}: {reference}", entry["ref"]);
        }
    }
}

#[test]
fn the_script_of_releases_prints_the_bill_wherever_it_is_called() {
    let elsewhere = tempfile::tempdir().unwrap();
    let cargo = std::env::var_os("CARGO").expect("cargo runs this test");
    let toolchain = std::path::Path::new(&cargo).parent().unwrap().to_str().unwrap();
    let printed = Command::new(path("scripts/release"))
        .arg("--sbom")
        .current_dir(elsewhere.path())
        .env("CARGO_NET_OFFLINE", "true")
        .env("PATH", format!("{toolchain}:{}", std::env::var("PATH").unwrap()))
        .output()
        .unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let lock = path("Cargo.lock");
    let made = bill(&metadata(), lock.to_str().unwrap(), &tree(), &["trunk-server", "trunkctl"]);
    assert!(made.stdout == printed.stdout, "the script asks cargo for something else than these tests");
}

#[test]
fn a_bill_without_its_lock_file_or_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("Cargo.lock");
    let lock_text = "version = 4\n\n[[package]]\nname = \"own\"\nversion = \"1.0.0\"\n";
    std::fs::write(&lock, lock_text).unwrap();
    let lock = lock.to_str().unwrap();
    let package = |name: &str, source: Value| {
        let licence = "MIT/Apache-2.0";
        json!({ "id": name, "name": name, "version": "1.0.0", "source": source, "license": licence })
    };
    let node = |id: &str| json!({ "id": id, "deps": [] });
    let metadata = json!({
        "packages": [package("own", Value::Null)],
        "workspace_members": ["own"],
        "resolve": { "nodes": [node("own")] },
    });
    let tree = "own v1.0.0 (/a folder/of one)\n\nown v1.0.0 (/a folder/of one) (*)\n";
    let made = bill(metadata.to_string().as_bytes(), lock, tree, &["own"]);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(made["components"][0]["licenses"][0]["expression"], "MIT OR Apache-2.0");
    for (tree, programs, reason) in [
        (tree, ["other"], "no package of the workspace: other"),
        ("own v1.0.0\nnew v1.0.0\n", ["own"], "cargo metadata has not: new 1.0.0"),
        ("", ["own"], "cargo tree has not: own"),
    ] {
        let refused = bill(metadata.to_string().as_bytes(), lock, tree, &programs);
        let error = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && error.contains(reason), "{error}");
    }
    let foreign = json!({
        "packages": [package("own", Value::Null), package("new", json!("registry+https://example.com"))],
        "workspace_members": ["own"],
        "resolve": { "nodes": [node("own"), node("new")] },
    });
    let refused = bill(foreign.to_string().as_bytes(), lock, tree, &["own"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Cargo.lock has not: pkg:cargo/new@1.0.0"));
}

#[test]
fn the_server_prints_its_completions_and_its_manual_pages() {
    for shell in ["bash", "zsh", "fish"] {
        let output = command().args(["completion", shell]).output().unwrap();
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && script.contains("api-key-file"), "{shell}: {script}");
    }
    let first = command().arg("man").output().unwrap();
    let first = String::from_utf8(first.stdout).unwrap();
    assert!(first.contains(".TH") && first.contains(".SH NAME"), "{first}");

    let folder = tempfile::tempdir().unwrap();
    let output =
        command().arg("man").arg(folder.path()).env("TRUNK_SERVER_API_KEY", "canary").output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty());
    for page in ["trunk-server.1", "trunk-server-backup.1", "trunk-server-health.1"] {
        let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(text.contains(".SH NAME") && !text.contains("canary"), "{page}: {text}");
    }
    let nowhere = command().arg("man").arg(folder.path().join("nowhere")).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(1));
}

#[test]
fn the_script_of_releases_packs_files_that_exist() {
    let script = read("scripts/release");
    let mut seen = 0;
    for line in script.lines().filter(|line| line.starts_with("install -m 0644 ")) {
        for file in line.split(' ').skip(3).filter(|file| !file.contains('$') && *file != "\\") {
            assert!(path(file).is_file(), "{file}");
            seen += 1;
        }
    }
    assert!(seen >= 7, "{seen} files are packed");
    for program in ["trunk-server", "trunkctl"] {
        assert!(script.contains(&format!("-p {program}")));
    }
    assert!(script.contains("cargo build --locked --profile dist"));
    // Whatever the umask of the machine is, its folders can be entered: it is unpacked over those of the system.
    assert!(script.contains("--mode=u+rw,go+rX,go-w "));
    // A second run must not compile what cargo kept of the first.
    assert!(script.contains("--target-dir \"$target/packages\"") && script.contains("/registry/src/-*/"));
}

#[test]
fn the_script_of_the_book_installs_and_makes_nothing_for_a_wrong_option() {
    for arguments in [&["--server"][..], &["--serve", "--open"]] {
        // Without the folder of rustup, so that a script which goes on finds no cargo.
        let mut script = Command::new(path("scripts/book"));
        let refused = script.args(arguments).env("PATH", "/usr/bin:/bin").output().unwrap();
        let error = String::from_utf8_lossy(&refused.stderr);
        assert!(refused.status.code() == Some(2) && error.contains("scripts/book --serve"), "{error}");
    }
}

/// What cargo prints with these arguments, and its complaints.
fn cargo(arguments: &[&str]) -> (String, String) {
    let cargo = std::env::var_os("CARGO").expect("cargo runs this test");
    let output = Command::new(cargo).args(arguments).current_dir(path("")).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {error}");
    (String::from_utf8(output.stdout).unwrap(), error)
}

#[test]
fn what_is_packaged_has_what_its_readers_need_and_depends_on_nothing_that_is_not() {
    let (metadata, _) = cargo(&["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    // Of others it is an empty list of registries.
    let published: Vec<&Value> = packages.iter().filter(|package| package["publish"].is_null()).collect();
    let names: BTreeSet<&str> = published.iter().map(|package| package["name"].as_str().unwrap()).collect();
    let script = read("scripts/release");
    let line = script.lines().find_map(|line| line.trim().strip_prefix("published=(")).unwrap();
    assert_eq!(line.trim_end_matches(')').split(' ').collect::<BTreeSet<_>>(), names);
    for package in published {
        let name = package["name"].as_str().unwrap();
        for member in ["description", "license", "readme"] {
            assert!(package[member].is_string(), "{name} has no {member}");
        }
        assert_eq!(package["documentation"], format!("https://docs.rs/{name}"));
        for (member, most) in [("keywords", 5), ("categories", 5)] {
            let count = package[member].as_array().unwrap().len();
            assert!((1..=most).contains(&count), "{name} has {count} {member}");
        }
        for dependency in package["dependencies"].as_array().unwrap() {
            if dependency["path"].is_string() && dependency["kind"] != "dev" {
                let other = dependency["name"].as_str().unwrap();
                assert!(names.contains(other) && dependency["req"] != "*", "{name} depends on {other}");
            }
        }
        let (files, complaints) =
            cargo(&["package", "--list", "--locked", "--offline", "--allow-dirty", "--package", name]);
        assert!(!complaints.contains("manifest has no"), "{complaints}");
        let files: BTreeSet<&str> = files.lines().collect();
        for file in ["Cargo.toml", "LICENSE-APACHE", "LICENSE-MIT", "README.md", "src/lib.rs"] {
            assert!(files.contains(file), "the package of {name} has no {file}");
        }
        assert!(!files.iter().any(|file| file.starts_with("tests/")), "{name}: {files:?}");
    }
}
