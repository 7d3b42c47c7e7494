//! The requests that the registry demands of a tour, in the normal form of the journal.

use std::collections::BTreeSet;

use didww_types::{ApiVersion, RelationshipSpec, ResourceSpec, Verb, find};

/// All verbs, in the order in which a record meets them.
const VERBS: [Verb; 5] = [Verb::Create, Verb::List, Verb::Get, Verb::Update, Verb::Delete];

/// The verbs whose requests differ. The only record of an account has the path that a list would have.
pub fn verbs(spec: &ResourceSpec) -> impl Iterator<Item = Verb> {
    let is_read_by_list = spec.singleton.is_some() && spec.has(Verb::Get);
    VERBS.into_iter().filter(move |verb| !(is_read_by_list && *verb == Verb::List))
}

/// The request of a verb in a version.
pub fn request(spec: &ResourceSpec, verb: Verb, version: ApiVersion) -> String {
    let (method, below) = method(verb);
    let has_id = below && !(verb == Verb::Get && spec.singleton.is_some());
    format!("{method} /{}{}", spec.path_at(version), if has_id { "/{id}" } else { "" })
}

/// The method of a verb, and whether its path has an id.
pub fn method(verb: Verb) -> (&'static str, bool) {
    match verb {
        Verb::List => ("GET", false),
        Verb::Get => ("GET", true),
        Verb::Create => ("POST", false),
        Verb::Update => ("PATCH", true),
        Verb::Delete => ("DELETE", true),
    }
}

/// The requests of a type in a version. A request that the version must refuse begins with `refused: `.
pub fn of(spec: &'static ResourceSpec, version: ApiVersion) -> BTreeSet<String> {
    let mut demands = Demands { exists: spec.exists_in(version), requests: BTreeSet::new() };
    for verb in verbs(spec) {
        demands.add(spec.has_at(verb, version), &request(spec, verb, version));
    }
    if !demands.exists {
        return demands.requests;
    }
    let record = format!("/{}/{{id}}", spec.path_at(version));
    for relationship in spec.relationships {
        let (name, exists) = (relationship.name_at(version), relationship.exists_in(version));
        let linkage = format!("{record}/relationships/{name}");
        if spec.unrouted && exists {
            demands.add(false, &format!("GET {linkage}"));
            demands.add(false, &format!("GET {record}/{name}"));
            continue;
        }
        demands.add(exists && spec.has_at(Verb::Get, version), &format!("GET {linkage}"));
        demands.add(exists && spec.has_at(Verb::Get, version), &format!("GET {record}/{name}"));
        let updates = exists && relationship.update && spec.has_at(Verb::Update, version);
        demands.add(updates, &format!("PATCH {linkage}"));
        if updates && relationship.many {
            demands.add(true, &format!("POST {linkage}"));
            demands.add(true, &format!("DELETE {linkage}"));
        }
    }
    if spec.has_at(Verb::Get, version) {
        for path in includes(spec, version) {
            demands.add(include_exists(spec, &path, version), &format!("GET {record}?include={path}"));
        }
    }
    if spec.has_at(Verb::List, version) {
        let list = format!("GET /{}", spec.path_at(version));
        for filter in spec.filters {
            demands.add(filter.exists_in(version), &format!("{list}?filter[{}]", filter.name));
        }
        let attributes = spec.attributes.iter().map(|attribute| attribute.name);
        for name in attributes.chain(spec.sorts.iter().map(|sort| sort.name)) {
            let sorts = spec.sort_at(version, name).is_some();
            demands.add(sorts, &format!("{list}?sort={name}"));
            if sorts {
                demands.add(true, &format!("{list}?sort=-{name}"));
            }
        }
    }
    demands.requests
}

struct Demands {
    exists: bool,
    requests: BTreeSet<String>,
}

impl Demands {
    fn add(&mut self, served: bool, request: &str) {
        let prefix = if served && self.exists { "" } else { "refused: " };
        self.requests.insert(format!("{prefix}{request}"));
    }
}

/// The include paths through one relationship, and those through two whose first target is declared.
pub fn includes(spec: &'static ResourceSpec, version: ApiVersion) -> Vec<String> {
    let mut paths = Vec::new();
    for relationship in spec.relationships {
        let name = relationship.name_at(version);
        paths.push(name.to_owned());
        let below = find(relationship.target).map_or(&[][..], |target| target.relationships);
        paths.extend(below.iter().map(|second| format!("{name}.{}", second.name_at(version))));
    }
    paths
}

/// The relationship with a name in a version.
pub fn relationship_at(
    spec: &ResourceSpec,
    name: &str,
    version: ApiVersion,
) -> Option<&'static RelationshipSpec> {
    spec.relationships_at(version).find(|one| one.name_at(version) == name)
}

/// Whether a version has every relationship of an include path.
pub fn include_exists(spec: &'static ResourceSpec, path: &str, version: ApiVersion) -> bool {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(relationship) = relationship_at(spec, name, version) else {
        return false;
    };
    rest.is_none_or(|rest| {
        find(relationship.target).is_some_and(|target| include_exists(target, rest, version))
    })
}
