//! Compares the registry with the catalogues of DIDWW's types: `fixtures/catalogue`.
//!
//! A catalogue states the verbs, filters, sort criteria and relationships to include of every type of a version. It is
//! written after what DIDWW publishes, not after the registry, so that it measures how much of the API is declared.

use std::collections::{BTreeMap, BTreeSet};

use didww_types::{Access, ApiVersion, ResourceSpec, find};

use crate::fixtures::bytes;

/// Types that are not declared yet.
const WAITING: &[&str] = &[];

/// What the registry has beyond the catalogues: type, what, and the last version that has it. `docs/differences.md` has
/// the reasons.
const BEYOND: &[(&str, &str, ApiVersion)] = &[
    // Programs for this version send it, although its corrected document has ended it.
    ("dids", "filter pending_removal", ApiVersion::V2026_04_16),
];

/// Filters that take a list in 2026-04-16, although the catalogue has one value. `docs/differences.md` has the reasons.
const LISTS_BEFORE: &[(&str, &str)] = &[
    ("capacity_pools", "name"),
    ("did_groups", "nanpa_prefix.id"),
    ("voice_out_trunks", "default_did.id"),
    ("voice_out_trunks", "name"),
    ("voice_out_trunks", "name_contains"),
    ("voice_out_trunks", "on_cli_mismatch_action"),
];

/// A name without the marks of a filter: `*` takes a list, of which one value must match, and `&` one of which every
/// value must match; `0` takes an empty value, and of `?` it is not known what it takes.
fn without_marks(name: &str) -> &str {
    name.trim_end_matches(['*', '&', '0', '?'])
}

/// The types of a version, each with its parts: `verb list`, `filter name`, `sort name`, `include regions`.
fn catalogue(version: ApiVersion) -> BTreeMap<String, BTreeSet<String>> {
    let text = String::from_utf8(bytes(&format!("catalogue/{version}.txt"))).unwrap();
    let mut types = BTreeMap::new();
    let mut of = String::new();
    for line in text.lines() {
        let (head, names) = line.split_once(':').unwrap_or_else(|| panic!("{line:?} has no colon"));
        let what = match head.trim_start() {
            "filters" => "filter",
            "sorts" => "sort",
            "includes" => "include",
            "attributes" | "relationships" => continue,
            name => {
                assert_eq!(head, name, "{line:?} is neither a type nor one of its lists");
                name.clone_into(&mut of);
                "verb"
            }
        };
        let names = names.split_whitespace().map(|name| format!("{what} {}", without_marks(name)));
        types.entry(of.clone()).or_insert_with(BTreeSet::new).extend(names);
    }
    types
}

/// The parts of a type in a version of the registry, in the form of a catalogue.
fn declared(spec: &'static ResourceSpec, version: ApiVersion) -> BTreeSet<String> {
    let verbs = spec.verbs.iter().map(|verb| format!("verb {}", verb.as_str()));
    let filters = spec.filters_at(version).map(|filter| format!("filter {}", filter.name));
    let sorts = spec.sorts_at(version).map(|sort| format!("sort {sort}"));
    let has_includes =
        spec.has_paths() && spec.attributes.iter().any(|attribute| attribute.exists_in(version));
    let includes = spec.relationships_at(version).filter(|_| has_includes);
    let includes = includes.map(|relationship| format!("include {}", relationship.name));
    verbs.chain(filters).chain(sorts).chain(includes).collect()
}

fn versions() -> [ApiVersion; 2] {
    [ApiVersion::V2026_04_16, ApiVersion::V2026_11_19]
}

#[test]
fn the_registry_has_what_the_catalogues_have() {
    let mut differences = Vec::new();
    for version in versions() {
        for (name, mut expected) in catalogue(version) {
            if WAITING.contains(&name.as_str()) {
                continue;
            }
            let Some(spec) = find(&name).filter(|spec| spec.exists_in(version)) else {
                differences.push(format!("{version} {name} is not declared"));
                continue;
            };
            let beyond = BEYOND.iter().filter(|(of, _, last)| *of == name && version <= *last);
            expected.extend(beyond.map(|(_, what, _)| (*what).to_owned()));
            let declared = declared(spec, version);
            for lacking in expected.difference(&declared) {
                differences.push(format!("{version} {name} lacks {lacking}"));
            }
            for further in declared.difference(&expected) {
                differences.push(format!("{version} {name} has {further}, which no catalogue has"));
            }
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

/// The marks of the filters of a version, where they are known: type, filter, marks.
fn marks(version: ApiVersion) -> Vec<(String, String, String)> {
    let text = String::from_utf8(bytes(&format!("catalogue/{version}.txt"))).unwrap();
    let (mut all, mut of) = (Vec::new(), "");
    for line in text.lines() {
        let (head, names) = line.split_once(':').unwrap();
        if head != "  filters" {
            of = if head.starts_with(' ') { of } else { head };
            continue;
        }
        for name in names.split_whitespace().filter(|name| !name.ends_with('?')) {
            let plain = without_marks(name);
            all.push((of.to_owned(), plain.to_owned(), name.trim_start_matches(plain).to_owned()));
        }
    }
    all
}

/// Up to 2026-04-16 more filters take an empty value: those of which DIDWW's pages state it.
#[test]
fn a_filter_takes_what_the_catalogues_say() {
    let mut differences = Vec::new();
    for version in versions() {
        let is_newest = version == ApiVersion::NEWEST;
        for (of, name, expected) in marks(version) {
            let Some(spec) = find(&of) else { continue };
            let filter = spec.filters_at(version).find(|filter| filter.name == name).unwrap();
            let takes_a_list = !is_newest && LISTS_BEFORE.contains(&(of.as_str(), name.as_str()));
            let list = if filter.every.contain(version) {
                "&"
            } else if filter.list.contain(version) != takes_a_list {
                "*"
            } else {
                ""
            };
            let takes_empty = filter.blank.contain(version) && (is_newest || expected.ends_with('0'));
            let declared = format!("{list}{}", if takes_empty { "0" } else { "" });
            if declared != expected {
                differences
                    .push(format!("{version} {of} filter {name} takes {declared:?}, not {expected:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

/// What a member is in, as a catalogue marks it: `r` answers, `c` requests that create a record, or `C` each of them,
/// and `u` requests that update one.
fn access(is_shown: bool, create: Access, update: bool) -> String {
    let create = match create {
        Access::Never => "",
        Access::Optional => "c",
        Access::Required => "C",
    };
    format!("{}{create}{}", if is_shown { "r" } else { "" }, if update { "u" } else { "" })
}

#[test]
fn a_member_is_in_the_requests_and_answers_that_the_newest_catalogue_says() {
    let version = ApiVersion::V2026_11_19;
    let text = String::from_utf8(bytes(&format!("catalogue/{version}.txt"))).unwrap();
    let (mut of, mut seen, mut differences) = ("", 0, Vec::new());
    for line in text.lines() {
        let (head, names) = line.split_once(':').unwrap();
        let expected: BTreeSet<String> = names.split_whitespace().map(str::to_owned).collect();
        let attributes = |spec: &'static ResourceSpec| -> BTreeSet<String> {
            let attributes = spec.attributes_at(version).into_iter();
            let marked = attributes.map(|one| {
                let access = access(!one.write_only, one.create, one.update);
                format!("{}:{access}{}", one.name, if one.value_at(version).nullable { "?" } else { "" })
            });
            marked.collect()
        };
        let relationships = |spec: &'static ResourceSpec| -> BTreeSet<String> {
            let relationships = spec.sent_relationships_at(version);
            let marked = relationships.map(|one| {
                let access = access(!one.write_only, one.create, one.update);
                format!("{}:{access}{}", one.name, if one.many { "*" } else { "" })
            });
            marked.collect()
        };
        let declared = match head {
            "  attributes" => attributes(find(of).unwrap()),
            "  relationships" => relationships(find(of).unwrap()),
            _ => {
                of = if head.starts_with(' ') { of } else { head };
                continue;
            }
        };
        seen += 1;
        for name in expected.symmetric_difference(&declared) {
            let side = if declared.contains(name) { "declares" } else { "lacks" };
            differences.push(format!("{of} {side} {name}"));
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(seen >= 20, "{seen}");
}

#[test]
fn a_type_that_is_declared_waits_no_longer_and_is_in_a_catalogue() {
    let known: BTreeSet<String> =
        versions().into_iter().flat_map(|version| catalogue(version).into_keys()).collect();
    assert!(WAITING.is_sorted());
    for name in WAITING {
        assert!(find(name).is_none(), "{name} is declared: remove it from the types that wait");
        assert!(known.contains(*name), "{name} is in no catalogue");
    }
    for spec in didww_types::REGISTRY {
        assert!(known.contains(spec.name), "{} is in no catalogue", spec.name);
        for version in versions() {
            assert_eq!(
                spec.exists_in(version),
                catalogue(version).contains_key(spec.name),
                "{} {version}",
                spec.name
            );
        }
    }
}

#[test]
fn the_catalogues_have_38_and_40_types() {
    // Besides these 40 there is `prices`, on hosts of its own.
    assert_eq!(versions().map(|version| catalogue(version).len()), [38, 40]);
}
