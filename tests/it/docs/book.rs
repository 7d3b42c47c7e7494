//! The book: its summary, and the files that `scripts/book` makes it from.

use std::collections::BTreeSet;
use std::process::Command;

use super::links::{links, target};
use super::pages::{is_page, pages, path, read};

const SUMMARY: &str = "docs/SUMMARY.md";

/// The pages that the summary names.
fn named() -> Vec<String> {
    links(&read(SUMMARY)).iter().map(|link| target(SUMMARY, link)).collect()
}

#[test]
fn the_summary_names_every_page_once_and_nothing_else() {
    let named = named();
    let once: BTreeSet<&String> = named.iter().collect();
    assert_eq!(once.len(), named.len(), "a page is named twice: {named:?}");
    let pages = pages();
    let there: BTreeSet<&String> =
        pages.iter().filter(|page| page.starts_with("docs/") && *page != SUMMARY).collect();
    assert_eq!(once, there);
    for page in &named {
        let text = read(page);
        assert!(text.starts_with("# "), "{page} begins with its title");
    }
}

#[test]
fn every_page_is_reached_from_the_front_page_in_three_steps() {
    let mut reached = BTreeSet::from(["docs/index.md".to_owned()]);
    for _ in 0..3 {
        let from: Vec<String> = reached.iter().filter(|page| is_page(page)).cloned().collect();
        for page in from {
            let text = read(&page);
            let inside = links(&text).into_iter().filter(|link| !link.contains("://"));
            reached.extend(inside.map(|link| target(&page, link.split('#').next().unwrap())));
        }
    }
    let named = named();
    let missing: Vec<&String> = named.iter().filter(|page| !reached.contains(*page)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_source_of_the_book_has_every_file_that_its_pages_link_to() {
    let folder = tempfile::tempdir().unwrap();
    let staged = Command::new("python3")
        .arg(path("scripts/book_source.py"))
        .arg(folder.path())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(staged.status.success(), "{}", String::from_utf8_lossy(&staged.stderr));
    let docs = folder.path().join("docs");
    assert!(folder.path().join("book.toml").exists());
    // The nearest list of what git ignores, by which mdBook would else see no change of a page below `target`.
    assert_eq!(std::fs::read(folder.path().join(".gitignore")).unwrap(), b"");
    let mut pages = vec![docs.clone()];
    let (mut links_seen, mut outside) = (0, 0);
    while let Some(page) = pages.pop() {
        if page.is_dir() {
            pages.extend(std::fs::read_dir(&page).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        if !page.to_str().is_some_and(is_page) {
            continue;
        }
        for link in links(&std::fs::read_to_string(&page).unwrap()) {
            let file = link.split('#').next().unwrap();
            if file.is_empty() || link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let found = page.parent().unwrap().join(file).canonicalize();
            let found = found.unwrap_or_else(|error| panic!("{}: {link}: {error}", page.display()));
            assert!(found.starts_with(docs.canonicalize().unwrap()), "{}: {link}", page.display());
            assert!(found.is_file(), "{}: {link} is a folder, which a site does not list", page.display());
            links_seen += 1;
            outside += usize::from(file.contains("repository/"));
        }
    }
    assert!(links_seen > 200 && outside > 10, "{links_seen} links, {outside} to files outside of docs/");
    let summary = std::fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    assert!(summary.contains("](repository/overview.md)"), "{summary}");
}
