//! The ids of the records that declared relationships name.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use didww_client::{ApiVersion, RelationshipSpec, ResourceSpec, Verb, find};
use serde_json::Value;

use super::action::pending;
use super::clients::Clients;
use super::declaration::{Declaration, invalid};
use super::existing::{Existing, Ids, Records, Selection, can_be_named};
use super::mark::Mark;
use super::projection::Projection;
use crate::exit::Failure;
use crate::resource::{Handle, is_id};

/// Reads the ids of the records that declared relationships name: of a declared record by the owner's mark, of others
/// by their names. A declared record that does not exist has a placeholder.
///
/// # Errors
/// When several records have a name, and the failures of requests.
pub(super) async fn linked_ids(clients: &Clients, declaration: &Declaration) -> Result<Ids, Failure> {
    let wanted = wanted(declaration, clients.version());
    let (mut ids, mut problems) = (Ids::new(), Vec::new());
    if wanted.is_empty() {
        return Ok(ids);
    }
    for (name, keys) in &wanted {
        if let Some(spec) = find(name).filter(|_| !keys.is_empty()) {
            of_type(clients, declaration, spec, keys, &mut ids, &mut problems).await?;
        }
    }
    if !problems.is_empty() {
        return Err(invalid(&problems));
    }
    for entry in &declaration.entries {
        let known = (entry.spec.name, entry.key.clone());
        ids.entry(known).or_insert_with(|| pending(entry.spec.name, &entry.key));
    }
    Ok(ids)
}

/// The relationship of this name in the requests of a version: in another one the name can be that of an attribute.
pub(super) fn relationship_at(
    spec: &ResourceSpec,
    version: ApiVersion,
    name: &str,
) -> Option<&'static RelationshipSpec> {
    spec.relationship(name).filter(|relationship| relationship.is_sent_in(version))
}

/// Whether a member of a version can be set in a new record, and not be changed.
pub(super) fn is_fixed(spec: &ResourceSpec, version: ApiVersion, name: &str) -> bool {
    if let Some(relationship) = relationship_at(spec, version, name) {
        return relationship.create.allowed() && !relationship.update;
    }
    spec.attribute(name).is_some_and(|attribute| attribute.create.allowed() && !attribute.update)
}

/// The names in declared relationships, by the types of the records.
fn wanted(declaration: &Declaration, version: ApiVersion) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut wanted: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    for entry in &declaration.entries {
        for (name, value) in &entry.members {
            let Some(relationship) = relationship_at(entry.spec, version, name) else { continue };
            let texts = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice).iter();
            let names = texts.filter_map(Value::as_str).filter(|text| !is_id(text)).map(str::to_owned);
            wanted.entry(relationship.target).or_default().extend(names);
        }
    }
    wanted
}

async fn of_type(
    clients: &Clients,
    declaration: &Declaration,
    spec: &'static ResourceSpec,
    keys: &BTreeSet<String>,
    ids: &mut Ids,
    problems: &mut Vec<String>,
) -> Result<(), Failure> {
    let (client, version) = (clients.didww()?, clients.version());
    let handle = Handle::of(spec, version);
    let has_marks = declaration.owner.is_some() && Mark::attribute(spec, version).is_some();
    // Records of some types, such as identities, have no name but that of their mark.
    if !spec.has(Verb::List) || (handle.is_none() && !has_marks) {
        return Ok(());
    }
    let declared = declaration.entries.iter().filter(|entry| entry.spec.name == spec.name);
    let renamed = declared.filter(|entry| keys.contains(&entry.key));
    let renamed: Vec<(&str, &str)> =
        renamed.filter_map(|entry| Some((entry.key.as_str(), entry.other_name(version)?))).collect();
    let mut names = keys.clone();
    names.extend(renamed.iter().map(|(_, name)| (*name).to_owned()));
    let is_named = can_be_named(spec, version, &names);
    let read = async |selection: Selection| {
        let projection = Projection::of(spec, version, iter::empty());
        Records::read(client, spec, &selection, &BTreeSet::new(), projection).await
    };
    let mut records = read(if is_named { Selection::Named(names) } else { Selection::All }).await?;
    if is_named && marked(declaration, spec, keys, &records).values().any(Option::is_none) {
        // A record with the mark can have another name than in the file.
        records = read(Selection::All).await?;
    }
    let marked = marked(declaration, spec, keys, &records);
    for existing in &records.listed {
        let Some(name) = handle.and_then(|handle| handle.value(&existing.record)) else { continue };
        let id = &existing.record.id;
        let known = ids.insert((spec.name, name.to_owned()), id.clone());
        let is_ambiguous = known.is_some_and(|known| known != *id) && keys.contains(name);
        if is_ambiguous && !matches!(marked.get(name), Some(Some(_))) {
            let problem = format!("  {}: several are called `{name}`: name one by its id", spec.name);
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    for (key, name) in renamed {
        if let Some(id) = ids.get(&(spec.name, name.to_owned())).cloned() {
            ids.entry((spec.name, key.to_owned())).or_insert(id);
        }
    }
    for (key, existing) in marked {
        ids.extend(existing.map(|existing| ((spec.name, key.to_owned()), existing.record.id.clone())));
    }
    Ok(())
}

/// The names among these of which the file declares a record, each with the record that has its mark. None if the type
/// has no marks.
fn marked<'a>(
    declaration: &'a Declaration,
    spec: &'static ResourceSpec,
    keys: &BTreeSet<String>,
    records: &'a Records,
) -> BTreeMap<&'a str, Option<&'a Existing>> {
    let owner = declaration.owner.as_ref().filter(|_| Mark::attribute(spec, records.version).is_some());
    let Some(owner) = owner else { return BTreeMap::new() };
    // Two records with one mark are reported when the records of the type are compared.
    let found = records.marked(owner).unwrap_or_default();
    let declared = declaration.entries.iter().filter(|entry| entry.spec.name == spec.name);
    let declared = declared.map(|entry| entry.key.as_str()).filter(|key| keys.contains(*key));
    declared.map(|key| (key, found.get(key).copied())).collect()
}
