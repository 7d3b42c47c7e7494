//! Converts a record into a row: its attributes in the order of the declaration, and related records instead of their
//! relationships.

use std::collections::HashMap;

use didww_client::{
    ApiVersion, AttributeSpec, Kind, Linkage, RelationshipSpec, ResourceIdentifier, ResourceObject,
    ResourceSpec, canonical_name, find, names_secret,
};
use serde_json::{Map, Value, json};

use super::handle::Handle;
use crate::mask;
use crate::output::Row;

/// The included records of a document by type and id.
pub(super) type IncludedRecords = HashMap<(String, String), ResourceObject>;

/// The members of a relationship; `None` if the answer does not have them.
pub(crate) fn linked<'a>(
    record: &'a ResourceObject,
    relationship: &RelationshipSpec,
    version: ApiVersion,
) -> Option<&'a Linkage> {
    record.relationships.get(relationship.name_at(version))?.data.as_ref()
}

/// The ids in linkage.
pub(crate) fn identifiers(linkage: &Linkage) -> &[ResourceIdentifier] {
    match linkage {
        Linkage::One(member) => member.as_slice(),
        Linkage::Many(members) => members,
    }
}

/// Makes a row of a record: id, type, attributes, the relationships that the answer has, and `meta`. An included
/// record replaces its id, to a depth of `nested` relationships.
pub(super) fn row(
    spec: Option<&'static ResourceSpec>,
    version: ApiVersion,
    record: &ResourceObject,
    included: &IncludedRecords,
    show_secrets: bool,
) -> Row {
    let mut row = Row::default();
    for (name, value) in members(spec, version, record, included, MAX_DEPTH) {
        row.push(name, value);
    }
    if !show_secrets {
        row.members_mut().for_each(|(name, value)| mask::hide_value(name, value));
    }
    row
}

/// Maximum depth of nested records, because two records may refer to each other.
const MAX_DEPTH: usize = 4;

fn members(
    spec: Option<&'static ResourceSpec>,
    version: ApiVersion,
    record: &ResourceObject,
    included: &IncludedRecords,
    depth: usize,
) -> Vec<(String, Value)> {
    let mut members = vec![
        ("id".to_owned(), Value::from(record.id.as_str())),
        ("type".to_owned(), Value::from(record.kind.as_str())),
    ];
    let declared = spec.map(|spec| spec.attributes_at(version)).unwrap_or_default();
    let known = declared.iter().filter_map(|attribute| record.attributes.get_key_value(attribute.name));
    let is_declared = |name: &String| declared.iter().any(|attribute| attribute.name == *name);
    let unknown = record.attributes.iter().filter(|(name, _)| !is_declared(name));
    members.extend(known.chain(unknown).map(|(name, value)| (name.clone(), value.clone())));
    for (name, relationship) in &record.relationships {
        let Some(linkage) = &relationship.data else { continue };
        let canonical = spec.and_then(|spec| {
            spec.relationships.iter().find(|relationship| relationship.name_at(version) == name)
        });
        let related = |member: &ResourceIdentifier| {
            let found = included.get(&(member.kind.clone(), member.id.clone())).filter(|_| depth > 0);
            found.map_or_else(
                || Value::from(member.id.as_str()),
                |found| {
                    let of_found = find(canonical_name(version, &found.kind));
                    self::members(of_found, version, found, included, depth - 1)
                        .into_iter()
                        .collect::<Map<_, _>>()
                        .into()
                },
            )
        };
        let value = match linkage {
            Linkage::One(member) => member.as_ref().map_or(Value::Null, related),
            Linkage::Many(members) => members.iter().map(related).collect(),
        };
        members.push((canonical.map_or(name.as_str(), |relationship| relationship.name).to_owned(), value));
    }
    if let Some(meta) = &record.meta {
        members.push(("meta".to_owned(), json!(meta)));
    }
    members
}

/// The columns of a table: the id, the identifying attribute, and the attributes with filters, as far as they fit in a
/// line.
pub(super) fn columns(spec: &'static ResourceSpec, version: ApiVersion) -> Vec<String> {
    const MOST: usize = 7;
    let is_short =
        |kind: Kind| !matches!(kind, Kind::List { .. } | Kind::Variant(_) | Kind::Object | Kind::Url { .. });
    let attributes = spec.attributes_at(version);
    let handle = Handle::of(spec, version).map(|handle| handle.attribute.name);
    let is_filtered =
        |name: &str| spec.filters_at(version).any(|filter| filter.name == name && !filter.legacy);
    let mut columns = vec!["id".to_owned()];
    columns.extend(handle.map(str::to_owned));
    let (first, rest): (Vec<&AttributeSpec>, Vec<&AttributeSpec>) = attributes
        .iter()
        .copied()
        .filter(|attribute| is_short(attribute.kind) && Some(attribute.name) != handle)
        .filter(|attribute| !names_secret(attribute.name))
        .partition(|attribute| is_filtered(attribute.name));
    columns.extend(first.iter().chain(&rest).map(|attribute| attribute.name.to_owned()));
    columns.truncate(MOST);
    columns
}

/// The name of a member of an included record, which a column can be as well.
pub(super) fn all_columns(spec: &'static ResourceSpec, version: ApiVersion) -> Vec<String> {
    let attributes = spec.attributes_at(version).into_iter().map(|attribute| attribute.name);
    let relationships =
        spec.relationships.iter().filter(|found| found.exists_in(version)).map(|found| found.name);
    ["id", "type"]
        .into_iter()
        .chain(attributes)
        .chain(relationships)
        .chain(["meta"])
        .map(str::to_owned)
        .collect()
}
