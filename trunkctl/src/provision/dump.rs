//! The service's records as a declaration.

use std::collections::{BTreeMap, BTreeSet};

use didww_client::{ApiVersion, AttributeSpec, RelationshipSpec, ResourceSpec, Verb, find};
use serde_json::{Map, Value};

use super::clients::Clients;
use super::existing::{Existing, Records, Selection};
use super::mark::{ATTRIBUTE, Mark, Owner};
use super::part::Part;
use super::platform;
use crate::exit::Failure;
use crate::mask::holds_secret;
use crate::resource::{Handle, is_id};

/// The service's records as a declaration that can be written to a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dump {
    /// The members of the file.
    pub members: Map<String, Value>,
    /// Information that the file does not contain, in sentences.
    pub notes: Vec<String>,
}

/// Relationships that the service maintains while an attribute is true: a request may not set both. The registry does
/// not state this rule of the service.
const MAINTAINED: [(&str, &str, &str); 2] = [
    ("voice_out_trunks", "allow_any_did_as_cli", "dids"),
    ("voice_out_trunks", "emergency_enable_all", "emergency_dids"),
];

/// Reads the records of these types, and these parts of the communication platform. A member that has its default
/// value is left out, unless `is_full`.
///
/// # Errors
/// The failures of requests.
pub async fn dump(
    clients: &Clients,
    specs: &[&'static ResourceSpec],
    parts: &[Part],
    owner: Option<&Owner>,
    is_full: bool,
) -> Result<Dump, Failure> {
    let mut dump = Dump::default();
    dump.members.extend(owner.map(|owner| ("owner".to_owned(), Value::from(owner.as_str()))));
    for part in parts {
        let found = platform::dump(clients.platform()?, *part, &mut dump.notes).await?;
        dump.members.insert(part.as_str().to_owned(), Value::Object(found));
    }
    for spec in specs.iter().copied() {
        let client = clients.didww()?;
        let version = client.api_version();
        let writable = spec.relationships.iter().filter(|found| found.exists_in(version) && found.update);
        // A service may not serve a type that is not declared.
        let writable = writable.filter(|found| find(found.target).is_some());
        let relationships: BTreeSet<&'static str> = writable.map(|found| found.name).collect();
        let read = Records::read_if_enabled(client, spec, &Selection::All, &relationships, None).await?;
        let Some(records) = read else {
            dump.notes.push(format!("{}: not enabled for the account, and left out", spec.name));
            continue;
        };
        let of_type = OfType { spec, version: records.version, records: &records, owner, is_full };
        let found = of_type.write(&mut dump.notes);
        if !found.is_empty() {
            dump.members.insert(spec.name.to_owned(), Value::Object(found));
        }
    }
    Ok(dump)
}

struct OfType<'a> {
    spec: &'static ResourceSpec,
    version: ApiVersion,
    records: &'a Records,
    owner: Option<&'a Owner>,
    is_full: bool,
}

impl OfType<'_> {
    fn write(&self, notes: &mut Vec<String>) -> Map<String, Value> {
        let handle = Handle::of(self.spec, self.version);
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for existing in &self.records.listed {
            if let Some(name) = handle.and_then(|handle| handle.value(&existing.record)) {
                *times.entry(name).or_default() += 1;
            }
        }
        let marks = self.records.listed.iter().filter_map(|existing| self.mark(existing));
        let marks: BTreeSet<&str> = marks.map(|mark| mark.key.as_str()).collect();
        let attributes = self.attributes();
        let mut found = Map::new();
        for existing in &self.records.listed {
            let name = handle.and_then(|handle| handle.value(&existing.record));
            let name = name.filter(|name| times.get(name) == Some(&1));
            if let Some(other) = self.others_mark(existing) {
                notes.push(format!(
                    "{}.{}: the record belongs to {}: its mark is {other}, and it is left out",
                    self.spec.name,
                    existing.record.id,
                    other.owner.as_str()
                ));
                continue;
            }
            let mark = self.mark(existing).map(|mark| mark.key.as_str());
            // The name of a record can be that of another one in the owner's file, or too long for a mark.
            let own = name.filter(|name| !marks.contains(name) && self.fits(name));
            let key = mark.or(own).unwrap_or(&existing.record.id);
            let key = if found.contains_key(key) { existing.record.id.as_str() } else { key };
            let mut members = self.members(existing, &attributes, notes);
            if name == Some(key)
                && let Some(handle) = handle
            {
                members.remove(handle.attribute.name);
            }
            // Of a record without a name, such as a reservation, its id alone would declare nothing but that it exists.
            if !members.is_empty() || (self.spec.has(Verb::Create) && !is_id(key)) {
                found.insert(key.to_owned(), Value::Object(members));
            }
        }
        found
    }

    /// The mark of the owner, if the record has it.
    fn mark<'e>(&self, existing: &'e Existing) -> Option<&'e Mark> {
        existing.mark.as_ref().filter(|mark| Some(&mark.owner) == self.owner)
    }

    /// The mark of another owner, whose record the owner's file cannot declare.
    fn others_mark<'e>(&self, existing: &'e Existing) -> Option<&'e Mark> {
        existing.mark.as_ref().filter(|mark| self.owner.is_some_and(|owner| mark.owner != *owner))
    }

    /// Whether a record can have this name in the owner's file.
    fn fits(&self, name: &str) -> bool {
        let Some(owner) = self.owner.filter(|_| Mark::attribute(self.spec, self.version).is_some()) else {
            return true;
        };
        Mark { owner: owner.clone(), key: name.to_owned() }.fits(self.spec, self.version)
    }

    /// The attributes that can be declared, with their defaults as the service stores them.
    fn attributes(&self) -> Vec<(&'static AttributeSpec, Option<Value>)> {
        let declared = self.spec.attributes_at(self.version).into_iter().filter(|attribute| attribute.update);
        let with_default = |attribute: &'static AttributeSpec| {
            let default = attribute.default.map(|default| attribute.normal(self.version, &default.to_json()));
            (attribute, default)
        };
        declared.map(with_default).collect()
    }

    fn members(
        &self,
        existing: &Existing,
        attributes: &[(&'static AttributeSpec, Option<Value>)],
        notes: &mut Vec<String>,
    ) -> Map<String, Value> {
        let mut members = Map::new();
        let stored = &existing.record.attributes;
        for (attribute, default) in attributes {
            let Some(value) = stored.get(attribute.name) else { continue };
            let is_mark = attribute.name == ATTRIBUTE && value.as_str().and_then(Mark::read).is_some();
            let normal = attribute.normal(self.version, value);
            let is_default = default.as_ref() == Some(&normal);
            if holds_secret(attribute.name, value) {
                notes.push(format!(
                    "{}.{}: {} is a secret and left out",
                    self.spec.name, existing.record.id, attribute.name
                ));
            } else if !is_mark && (self.is_full || !is_default) {
                let mut value = normal;
                if let Some(inside) = value.get_mut("attributes").and_then(Value::as_object_mut)
                    && attribute.merged
                {
                    for (name, _) in inside.iter().filter(|(name, value)| holds_secret(name, value)) {
                        notes.push(format!(
                            "{}.{}: {name} is a secret and left out",
                            self.spec.name, existing.record.id
                        ));
                    }
                    inside.retain(|name, value| !holds_secret(name, value));
                }
                members.insert(attribute.name.to_owned(), value);
            }
        }
        for relationship in self.spec.relationships.iter().filter(|relationship| relationship.update) {
            let is_maintained = MAINTAINED.iter().any(|(kind, switch, name)| {
                (*kind, *name) == (self.spec.name, relationship.name)
                    && stored.get(*switch) == Some(&Value::Bool(true))
            });
            let Some(ids) =
                existing.linked(self.spec, relationship.name, self.version).filter(|_| !is_maintained)
            else {
                continue;
            };
            let names: Vec<Value> = ids.into_iter().map(|id| self.name(relationship, id)).collect();
            if relationship.many && (self.is_full || !names.is_empty()) {
                members.insert(relationship.name.to_owned(), Value::Array(names));
            } else if let Some(name) = names.into_iter().next().filter(|_| !relationship.many) {
                members.insert(relationship.name.to_owned(), name);
            }
        }
        members
    }

    /// The name of a related record if it was included and its name is unique, else its id.
    fn name(&self, relationship: &RelationshipSpec, id: String) -> Value {
        let (target, kind) = (relationship.target, relationship.target_at(self.version).to_owned());
        let record = self.records.included.get(&(kind, id.clone()));
        let handle =
            find(target).and_then(|spec| Handle::of(spec, self.version)).filter(|handle| handle.is_unique);
        match record.zip(handle).and_then(|(record, handle)| handle.value(record)) {
            Some(name) => Value::from(name),
            None => Value::from(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use didww_client::ResourceObject;
    use serde_json::json;

    fn written(kind: &str, record: Value) -> Value {
        let record: ResourceObject = serde_json::from_value(record).unwrap();
        let version = ApiVersion::NEWEST;
        let records = Records { listed: vec![Existing::of(record)], included: HashMap::new(), version };
        let spec = find(kind).unwrap();
        let of_type = OfType { spec, version, records: &records, owner: None, is_full: false };
        Value::Object(of_type.write(&mut Vec::new()))
    }

    #[test]
    fn a_record_of_which_nothing_can_be_declared_is_left_out() {
        let id = "0a161808-bb05-42b1-8398-7888abdfa9ef";
        let reservation = json!({"id": id, "type": "did_reservations", "attributes": {"description": "Ann"}});
        assert_eq!(written("did_reservations", reservation), json!({}));
        let trunk = json!({"id": id, "type": "voice_out_trunks", "attributes": {"name": "Berlin"}});
        assert_eq!(written("voice_out_trunks", trunk), json!({"Berlin": {}}));
    }
}
