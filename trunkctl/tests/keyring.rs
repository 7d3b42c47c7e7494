//! The program with the feature `keyring`, where no keyring answers:
//! `cargo test -p trunkctl --features keyring --test keyring`. What a keyring holds is tested beside the code, with one
//! in memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs the program, for which no keyring can be reached.
fn run(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkctl"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TRUNKCTL_") {
            command.env_remove(&name);
        }
    }
    command
        .args(arguments)
        .env("TRUNKCTL_CONFIG", folder.join("config.toml"))
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that does not read its input has closed it.
    let _unread = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn a_keyring_that_cannot_be_reached_is_named_and_no_secret_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let set = ["context", "set", "home", "--url", "http://127.0.0.1:1/v3", "--api-key-keyring", "didww"];
    assert!(run(folder.path(), &set, "").status.success());
    let written = std::fs::read_to_string(folder.path().join("config.toml")).unwrap();
    assert!(written.contains("keyring = \"didww\""), "{written}");
    for (arguments, input) in [(&["dids", "list"][..], ""), (&["context", "store", "didww"][..], "s3cret\n")]
    {
        let output = run(folder.path(), arguments, input);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("the entry `didww` of the system's keyring cannot be used"), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[test]
fn a_secret_that_is_too_long_is_not_stored_in_part() {
    let folder = tempfile::tempdir().unwrap();
    let input = "s".repeat((64 << 10) + 1);
    let output = run(folder.path(), &["context", "store", "didww"], &input);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("longer than 65536 bytes"), "{said}");
}

#[test]
fn an_empty_secret_is_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["context", "store", "didww"], "  \nmore\n");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("is empty"), "{said}");
}
