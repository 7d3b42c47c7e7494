//! The README's table of supported resources, generated from the registry.

use std::fmt::Write as _;

use didww_types::{ApiVersion, REGISTRY, ResourceSpec, Verb};

use super::pages::hold_part;

fn table() -> String {
    let mut table = String::from("| resource | verbs | since | filters | sorts | includes |\n");
    table.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for spec in REGISTRY {
        let cells = [names(spec, filters(spec)), names(spec, sorts(spec)), names(spec, includes(spec))];
        let first = |verb| spec.later_verbs.iter().find(|(later, _)| *later == verb);
        let verb = |verb: &Verb| match first(*verb) {
            Some((_, since)) => format!("{} ({since})", verb.as_str()),
            None => verb.as_str().to_owned(),
        };
        let verbs: Vec<String> = spec.verbs.iter().map(verb).collect();
        let verbs = if verbs.is_empty() { "included alone".to_owned() } else { verbs.join(", ") };
        let until = spec.until.map(|last| format!(" until {last}")).unwrap_or_default();
        let (name, since) = (spec.name, format!("{}{until}", spec.since));
        let _infallible = writeln!(table, "| `{name}` | {verbs} | {since} | {} |", cells.join(" | "));
    }
    table
}

/// Names, each with its first version, and its last one if it ended.
type Named = Vec<(&'static str, ApiVersion, Option<ApiVersion>)>;

/// The filters that can find a record: those through a type that is not declared yet are not listed.
fn filters(spec: &ResourceSpec) -> Named {
    let resolved = spec.filters.iter().filter(|filter| spec.resolves(filter));
    resolved.map(|filter| (filter.name, filter.since, filter.until)).collect()
}

fn sorts(spec: &ResourceSpec) -> Named {
    let attributes = spec.attributes.iter().filter(|attribute| attribute.sort && spec.has(Verb::List));
    let attributes = attributes.map(|attribute| (attribute.name, attribute.since, None));
    attributes.chain(spec.sorts.iter().map(|sort| (sort.name, spec.since, sort.until))).collect()
}

fn includes(spec: &ResourceSpec) -> Named {
    let relationships =
        spec.relationships.iter().filter(|one| !one.hidden && !one.write_only && spec.has_paths());
    let relationships = relationships.map(|one| (one.name, one.since, one.until));
    relationships.chain(spec.resolved_includes().map(|one| (one.path, spec.since, one.until))).collect()
}

/// The names, each with its first version if that is newer than its resource's, and with its last version if it has
/// one.
fn names(spec: &ResourceSpec, names: Named) -> String {
    let text = |(name, since, until): (&str, ApiVersion, Option<ApiVersion>)| {
        let first = (since > spec.since).then(|| since.to_string());
        let last = until.map(|until| format!("until {until}"));
        let dates: Vec<String> = first.into_iter().chain(last).collect();
        if dates.is_empty() { format!("`{name}`") } else { format!("`{name}` ({})", dates.join(", ")) }
    };
    let names: Vec<String> = names.into_iter().map(text).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[test]
fn the_support_table_of_the_readme_is_that_of_the_registry() {
    hold_part("README.md", "support", &table());
}
