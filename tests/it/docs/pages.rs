//! The documents as files.

use std::path::{Path, PathBuf};

/// The pages for readers that are not in `docs/`.
const OUTSIDE: [&str; 6] =
    ["ARCHITECTURE.md", "BENCHMARKS.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"];

/// The pages for readers, as paths below the workspace's root: every Markdown file of `docs/`, and those of the root.
pub fn pages() -> Vec<String> {
    let mut pages = Vec::from(OUTSIDE.map(str::to_owned));
    let mut folders = vec!["docs".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(path(&folder)).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                folders.push(name);
            } else if is_page(&name) {
                pages.push(name);
            }
        }
    }
    pages.sort();
    pages
}

/// Whether a file is a page.
pub fn is_page(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|is| is == "md")
}

/// The path of a file, from its path below the workspace's root.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(name)
}

/// The text of a file, from its path below the workspace's root.
pub fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Fails if a file does not contain this text, or writes the text if `UPDATE_DOCS` is set.
pub fn hold(name: &str, text: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        if read(name) != text {
            // Tests that read the page at the same time find all of it.
            let new = path(&format!("{name}.new"));
            std::fs::write(&new, text).unwrap();
            std::fs::rename(new, path(name)).unwrap();
        }
        return;
    }
    // Not `assert_eq`, which would print both texts completely.
    let differs = read(name).lines().zip(text.lines()).position(|(held, made)| held != made);
    let differs =
        differs.or((read(name) != text).then(|| text.lines().count().min(read(name).lines().count())));
    if let Some(line) = differs {
        panic!(
            "{name} is not up to date from line {}; UPDATE_DOCS=1 cargo test -p trunk-tests docs",
            line + 1
        );
    }
}

/// The same for the part of a page between `<!-- generated: NAME -->` and `<!-- end -->`.
pub fn hold_part(page: &str, name: &str, text: &str) {
    let whole = read(page);
    let start = format!("<!-- generated: {name} -->\n");
    let (before, rest) = whole.split_once(&start).unwrap_or_else(|| panic!("{page} has no {start}"));
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    hold(page, &format!("{before}{start}{text}<!-- end -->{after}"));
}

/// The part of a page below a heading, up to the next heading of the same level.
pub fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let next = format!("\n{} ", heading.split(' ').next().unwrap());
    rest.split(&next).next().unwrap()
}

/// The code blocks of a language, in order.
pub fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, block)) = rest.split_once("```") {
        let (block, after) = block.split_once("\n```").unwrap();
        let (tag, code) = block.split_once('\n').unwrap();
        if tag == language {
            found.push(format!("{code}\n"));
        }
        rest = after;
    }
    found
}
