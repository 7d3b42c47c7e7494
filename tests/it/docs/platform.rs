//! `docs/voipbin.md`: the commands that lead from an empty server to a call.

use super::pages::{blocks, read, section};
use super::shell::paste;
use crate::support::binary::Binary;

#[test]
fn the_lines_of_the_platforms_page_can_be_pasted() {
    let page = read("docs/voipbin.md");
    let part = section(&page, "## From an empty server to a call");
    let start = blocks(part, "text").concat();
    let mut arguments: Vec<&str> = start.trim().split(' ').skip(1).collect();
    arguments.extend(["--sip-listen", "127.0.0.1:0"]);
    paste("docs/voipbin.md", &blocks(part, "sh"), &Binary::start(&arguments));
}
