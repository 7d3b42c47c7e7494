//! The recipes: the settings of this server that they name exist, and each says whether a test runs it.

use std::collections::BTreeSet;

use clap::CommandFactory as _;
use trunk_server::cli::Cli;

use super::pages::{pages, read, section};

#[test]
fn the_recipes_name_settings_that_exist() {
    let command = Cli::command();
    let known: BTreeSet<String> = command
        .get_arguments()
        .filter_map(|argument| Some(argument.get_env()?.to_str()?.to_owned()))
        .collect();
    let mut seen = BTreeSet::new();
    for page in pages().into_iter().filter(|page| page.starts_with("docs/recipes/")) {
        let text = read(&page);
        for (start, _) in text.match_indices("TRUNK_SERVER_") {
            let rest = &text[start..];
            let is_end = |character: char| !(character.is_ascii_uppercase() || character == '_');
            let name = rest.split(is_end).next().unwrap().to_owned();
            assert!(known.contains(&name), "{page} sets {name}");
            seen.insert(name);
        }
    }
    assert!(seen.len() >= 5, "{seen:?}");
}

#[test]
fn every_recipe_for_calls_says_whether_the_tests_run_it_and_has_every_way_to_authenticate() {
    let index = read("docs/recipes/index.md");
    let table = section(&index, "## Calls through a trunk");
    for (program, is_run) in [
        ("asterisk", false),
        ("freeswitch", false),
        ("kamailio", true),
        ("livekit", false),
        ("jambonz", false),
    ] {
        let row = table.lines().find(|line| line.contains(&format!("]({program}.md)")));
        let row = row.unwrap_or_else(|| panic!("the table has no row of {program}"));
        assert_eq!(row.contains("| yes"), is_run, "{row}");
        let page = read(&format!("docs/recipes/{program}.md"));
        let first = page.split("\n\n").nth(1).unwrap();
        let said = if is_run { "The tests run" } else { "No test runs this page" };
        assert!(first.starts_with(said), "{program}: {first}");
        // One page has two ways under one heading.
        for way in ["with a password", "by address", "with a tech prefix"] {
            let mut headings = page.lines().filter(|line| line.starts_with("## "));
            let is_there = headings.any(|heading| heading.to_ascii_lowercase().contains(way));
            assert!(is_there, "{program} has no heading {way}");
        }
    }
}
