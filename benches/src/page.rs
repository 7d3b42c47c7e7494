//! The page `BENCHMARKS.md`, whose parts are measured by separate steps: a step replaces its own part and keeps the
//! others.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Outcome;

/// A part of the page, in the page's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// The head of the page and every section that is no part of its own.
    Figures,
    /// How figures grow with trunks, calls and load.
    Growth,
    /// Several nodes on one PostgreSQL server.
    Postgres,
    /// The comparison with another revision.
    Against,
    /// The comparison of allocators.
    Allocator,
    /// The cost of a first build.
    FirstBuild,
}

impl Part {
    /// The part that a section belongs to, by the start of its heading.
    fn of(section: &str) -> Self {
        let parts = [Self::Growth, Self::Postgres, Self::Against, Self::Allocator, Self::FirstBuild];
        parts.into_iter().find(|part| section.starts_with(part.heading())).unwrap_or(Self::Figures)
    }

    /// The start of the part's heading.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Figures => "# Benchmarks",
            Self::Growth => "## Growth",
            Self::Postgres => "## Several nodes on PostgreSQL",
            Self::Against => "## Against ",
            Self::Allocator => "## The allocator",
            Self::FirstBuild => "## The first build",
        }
    }
}

/// Replaces one part of the page in this file, which is created if it does not exist.
pub(crate) fn write(file: &Path, part: Part, text: &str) -> Outcome<()> {
    let page = if file.exists() { std::fs::read_to_string(file)? } else { String::new() };
    Ok(std::fs::write(file, with(&page, part, text))?)
}

/// The page with this text as one of its parts.
fn with(page: &str, part: Part, text: &str) -> String {
    let mut parts: BTreeMap<Part, String> = BTreeMap::new();
    for section in sections(page) {
        parts.entry(Part::of(&section)).or_default().push_str(&section);
    }
    parts.insert(part, text.to_owned());
    let parts: Vec<&str> = parts.values().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
    parts.join("\n\n") + "\n"
}

/// The text before the first heading of the second level, and each such heading with its section.
fn sections(page: &str) -> Vec<String> {
    let mut sections = vec![String::new()];
    for line in page.split_inclusive('\n') {
        if line.starts_with("## ") {
            sections.push(String::new());
        }
        if let Some(section) = sections.last_mut() {
            section.push_str(line);
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Benchmarks\n\nHead.\n\n## Figures\n\n| 1 |\n\n## By hand\n\nText.\n\n\
        ## Against 0.1.0\n\n| 2 |\n\n### Below\n\nMore.\n\n## The first build\n\n| 3 |\n";

    #[test]
    fn new_figures_replace_every_section_that_no_other_step_measures() {
        let page = with(PAGE, Part::Figures, "# Benchmarks\n\n## Figures\n\n| 4 |\n");
        assert_eq!(
            page,
            "# Benchmarks\n\n## Figures\n\n| 4 |\n\n\
             ## Against 0.1.0\n\n| 2 |\n\n### Below\n\nMore.\n\n## The first build\n\n| 3 |\n"
        );
    }

    #[test]
    fn a_new_comparison_replaces_the_old_one_whole_and_nothing_else() {
        let page = with(PAGE, Part::Against, "## Against 0.2.0\n\n| 5 |\n");
        assert_eq!(page, PAGE.replace("0.1.0\n\n| 2 |\n\n### Below\n\nMore.", "0.2.0\n\n| 5 |"));
    }

    #[test]
    fn a_part_that_the_page_does_not_have_is_put_in_its_place() {
        let page = with(PAGE, Part::Allocator, "## The allocator\n\n| 6 |\n");
        assert_eq!(page, PAGE.replace("## The first", "## The allocator\n\n| 6 |\n\n## The first"));
    }

    #[test]
    fn the_nodes_on_postgresql_stand_behind_the_figures_with_all_that_is_below_their_heading() {
        let part = "## Several nodes on PostgreSQL\n\n| 8 |\n\n### What one request takes\n\n| 9 |\n";
        let page = with(PAGE, Part::Postgres, part);
        assert_eq!(page, PAGE.replace("## Against", &format!("{part}\n## Against")));
        assert_eq!(with(&page, Part::Postgres, part), page);
    }

    #[test]
    fn growth_stands_right_behind_the_figures_and_keeps_its_sections() {
        let part = "## Growth\n\n| 9 |\n\n### Latency\n\n![Latency](docs/charts/latency.svg)\n";
        let page = with(PAGE, Part::Growth, part);
        assert_eq!(page, PAGE.replace("## Against", &format!("{part}\n## Against")));
        let page = with(&page, Part::Figures, "# Benchmarks\n");
        assert!(page.starts_with(&format!("# Benchmarks\n\n{part}")), "{page}");
    }

    #[test]
    fn a_page_that_does_not_exist_has_only_the_new_part() {
        assert_eq!(
            with("", Part::FirstBuild, "## The first build\n\n| 7 |\n"),
            "## The first build\n\n| 7 |\n"
        );
    }

    #[test]
    fn writing_the_same_part_again_changes_nothing() {
        let once = with(PAGE, Part::Allocator, "## The allocator\n");
        assert_eq!(with(&once, Part::Allocator, "## The allocator\n"), once);
    }
}
