//! `docs/voipbin.md`: the commands that lead from an empty server to a call.

use std::process::Command;

use super::pages::{blocks, read, section};
use super::shell::paste;
use crate::support::binary::Binary;

#[test]
fn the_lines_of_the_platforms_page_can_be_pasted() {
    let page = read("docs/voipbin.md");
    let part = section(&page, "## From an empty server to a call");
    let start = blocks(part, "text").concat();
    let (settings, server) = start.trim().split_once('\n').unwrap();
    let folder = tempfile::tempdir().unwrap();
    let written = Command::new("sh").args(["-c", settings]).current_dir(folder.path()).status().unwrap();
    assert!(written.success(), "{settings}");
    let file = folder.path().join("voipbin.toml");
    let mut arguments: Vec<&str> = server.split(' ').skip(1).collect();
    for argument in &mut arguments {
        if *argument == "voipbin.toml" {
            *argument = file.to_str().unwrap();
        }
    }
    arguments.extend(["--sip-listen", "127.0.0.1:0"]);
    paste("docs/voipbin.md", &blocks(part, "sh"), &Binary::start(&arguments));
}
