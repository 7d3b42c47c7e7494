//! The front page, the pages behind it, and those that have no test file of their own: their lines are pasted. Those of
//! `provision-from-a-script.md` are pasted by the tests of `trunkctl`, and the programs in Rust are compiled and run by
//! `examples`.

use super::pages::{blocks, pages, read, section};
use super::shell::{paste, paste_in};
use crate::support::binary::Binary;

/// A server in memory with six DIDs and a SIP listener, as the pages start it.
fn demo() -> Binary {
    Binary::start(&["--ephemeral", "--api-key", "test-key", "--demo", "--sip-listen", "127.0.0.1:0"])
}

#[test]
fn the_lines_of_the_front_page_can_be_pasted() {
    let page = read("docs/index.md");
    assert!(
        blocks(&page, "text").contains(&"trunk-server --ephemeral --api-key test-key --demo\n".to_owned())
    );
    paste("docs/index.md", &blocks(&page, "sh"), &demo());
}

#[test]
fn the_lines_for_testers_can_be_pasted() {
    paste("docs/test-my-program.md", &blocks(&read("docs/test-my-program.md"), "sh"), &demo());
}

#[test]
fn the_lines_for_operators_can_be_pasted() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("trunk-server.db");
    let binary = Binary::start(&["--database", database.to_str().unwrap(), "--sip-listen", "127.0.0.1:0"]);
    paste("docs/run-the-service.md", &blocks(&read("docs/run-the-service.md"), "sh"), &binary);
}

#[test]
fn the_lines_about_backups_can_be_pasted_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("trunk-server.db");
    let binary =
        Binary::start(&["--database", database.to_str().unwrap(), "--demo", "--api-key", "test-key"]);
    let page = "docs/operations.md";
    paste_in(page, &blocks(&read(page), "sh"), &binary, folder.path());
    assert!(folder.path().join("moved.db").exists());
}

#[test]
fn the_lines_about_calls_and_their_reasons_can_be_pasted() {
    let page = read("docs/calls.md");
    let part = section(&page, "## An admitted and a refused call");
    paste("docs/calls.md", &blocks(part, "sh"), &demo());
    paste("docs/why.md", &blocks(&read("docs/why.md"), "sh"), &demo());
}

#[test]
fn the_lines_about_prices_can_be_pasted() {
    paste("docs/prices.md", &blocks(&read("docs/prices.md"), "sh"), &demo());
}

/// The pages whose shell blocks a test pastes.
const PASTED: [&str; 14] = [
    "README.md",
    "docs/calls.md",
    "docs/control.md",
    "docs/index.md",
    "docs/lab.md",
    "docs/operations.md",
    "docs/prices.md",
    "docs/provision-from-a-script.md",
    "docs/run-the-service.md",
    "docs/test-my-program.md",
    "docs/tokens.md",
    "docs/trunkctl.md",
    "docs/voipbin.md",
    "docs/why.md",
];

#[test]
fn every_page_with_lines_for_a_shell_is_pasted() {
    let with_lines: Vec<String> =
        pages().into_iter().filter(|page| !blocks(&read(page), "sh").is_empty()).collect();
    assert_eq!(with_lines, PASTED, "paste the page in a test, or mark what cannot be run as `text`");
}
