//! The front page and the pages behind it: their lines are pasted. Those of `provision-from-a-script.md` are pasted by the
//! tests of `trunkctl`, and the programs in Rust are compiled and run by `examples`.

use super::pages::{blocks, read};
use super::shell::paste;
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
