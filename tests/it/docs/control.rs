//! `docs/control.md` against the control listener's routes and methods.

use std::collections::BTreeSet;

use super::pages::{blocks, path, read};
use super::shape::operations;
use super::shell::paste;
use crate::support::binary::Binary;
use crate::support::engine;

/// The headings ``### `METHOD /path` `` of the page, each with the text below it.
fn documented(page: &str) -> Vec<(String, String)> {
    let sections = page.split("\n### `").skip(1);
    sections
        .map(|section| {
            let (heading, text) = section.split_once("`\n").unwrap();
            (heading.to_owned(), text.split("\n## ").next().unwrap().to_owned())
        })
        .collect()
}

/// The declared routes, as `METHOD /path`.
fn declared() -> BTreeSet<String> {
    let document = trunk_server::control::openapi();
    let routes = operations(&document).into_iter();
    routes.map(|(method, path, _)| format!("{method} /control/v1{path}")).collect()
}

#[test]
fn every_control_route_is_described_and_no_other() {
    let page = read("docs/control.md");
    let headings: BTreeSet<String> = documented(&page).into_iter().map(|(heading, _)| heading).collect();
    assert_eq!(headings, declared());
}

#[test]
fn every_control_endpoint_has_a_line_to_paste_and_a_method_that_exists() {
    let mut folders = vec![path("crates/control-plane/src")];
    let mut control = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap().path();
            if entry.is_dir() {
                folders.push(entry);
            } else {
                control += &std::fs::read_to_string(entry).unwrap();
            }
        }
    }
    let clock = read("crates/service-base/src/clock.rs");
    for (heading, text) in documented(&read("docs/control.md")) {
        assert!(blocks(&text, "sh").concat().contains("curl -s"), "{heading} has no curl line");
        let mut methods = 0;
        for (kind, source) in [("Control", &control), ("control", &control), ("Clock", &clock)] {
            for name in text.split(&format!("`{kind}::")).skip(1) {
                let name = name.split('`').next().unwrap();
                assert!(source.contains(&format!("fn {name}(")), "{heading}: there is no {kind}::{name}");
                methods += 1;
            }
        }
        assert!(methods > 0, "{heading} names no method");
    }
}

#[test]
fn the_lines_of_the_control_page_can_be_pasted() {
    let mut page = read("docs/control.md");
    if engine::is_postgres() {
        // The node of a database in a file is 0, and the first one of a shared database 1.
        page = page.replace("#> \"number\":0,", "#> \"number\":1,");
    }
    let settings = ["--ephemeral", "--api-key", "test-key", "--demo", "--journal", "1000"];
    let binary = Binary::start(&[&settings[..], &["--sip-listen", "127.0.0.1:0"]].concat());
    paste("docs/control.md", &blocks(&page, "sh"), &binary);
}

#[test]
fn the_lines_of_the_page_about_the_lab_can_be_pasted() {
    let settings = ["--ephemeral", "--api-key", "test-key", "--demo", "--journal", "1000"];
    let binary = Binary::start(&[&settings[..], &["--sip-listen", "127.0.0.1:0"]].concat());
    paste("docs/lab.md", &blocks(&read("docs/lab.md"), "sh"), &binary);
}

#[test]
fn the_lines_of_the_page_about_tokens_can_be_pasted() {
    let binary =
        Binary::start(&["--ephemeral", "--api-key", "test-key", "--demo", "--sip-listen", "127.0.0.1:0"]);
    paste("docs/tokens.md", &blocks(&read("docs/tokens.md"), "sh"), &binary);
}
