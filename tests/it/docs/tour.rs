//! The README's tour, and the commands at its start.

use super::pages::{blocks, read, section};
use super::shell::paste;
use crate::support::binary::Binary;

#[test]
fn the_tour_of_the_readme_can_be_pasted() {
    let page = read("README.md");
    let tour = section(&page, "## A tour with curl");
    let start = blocks(tour, "text").concat();
    let (_, arguments) = start.trim().split_once(" -- ").unwrap();
    let arguments: Vec<&str> = arguments.split(' ').collect();
    paste("README.md", &blocks(tour, "sh"), &Binary::start(&arguments));
}
