//! The records of a world, by their types.

use std::fmt;

use didww_types::{REGISTRY, ResourceSpec, Verb, find};
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserializer, Serialize, Serializer};

use super::record::{RecordSeed, WorldRecord};

/// Records by their types, each type's in the order in which they are created.
#[derive(Clone, Default)]
pub struct Records(pub(super) Vec<(&'static ResourceSpec, Vec<WorldRecord>)>);

impl Records {
    /// The number of records of all types.
    pub fn len(&self) -> usize {
        self.0.iter().map(|(_, records)| records.len()).sum()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The records of a type.
    pub fn of(&self, kind: &str) -> &[WorldRecord] {
        let found = self.0.iter().find(|(spec, _)| spec.name == kind);
        found.map_or(&[], |(_, records)| records.as_slice())
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(spec, records)| (spec.name, records))).finish()
    }
}

impl Serialize for Records {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let types = self.0.iter().filter(|(_, records)| !records.is_empty());
        let mut map = serializer.serialize_map(None)?;
        for (spec, records) in types {
            map.serialize_entry(spec.name, records)?;
        }
        map.end()
    }
}

/// Reads records that belong to an account.
pub(super) fn owned<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Records, D::Error> {
    deserializer.deserialize_map(RecordsVisitor { is_shared: false })
}

/// Reads records that all accounts share.
pub(super) fn shared<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Records, D::Error> {
    deserializer.deserialize_map(RecordsVisitor { is_shared: true })
}

/// The types of which a world has records: those that all accounts share, or those of an account. Every database has
/// the fixed ones, a file has a content, and an operation is not stored.
pub(super) fn types(is_shared: bool) -> impl Iterator<Item = &'static ResourceSpec> {
    REGISTRY.iter().copied().filter(move |spec| spec.global == is_shared && is_kept(spec))
}

fn is_kept(spec: &ResourceSpec) -> bool {
    let is_operation = spec.has(Verb::Create) && !spec.has(Verb::Get) && !spec.has(Verb::List);
    spec.fixed.is_empty() && spec.form.is_none() && !is_operation
}

struct RecordsVisitor {
    is_shared: bool,
}

impl RecordsVisitor {
    /// The type with this name, or why it is none of those.
    fn find(&self, name: &str) -> Result<&'static ResourceSpec, String> {
        if let Some(spec) = types(self.is_shared).find(|spec| spec.name == name) {
            return Ok(spec);
        }
        if types(!self.is_shared).any(|spec| spec.name == name) {
            let right = if self.is_shared { "`records` of an account" } else { "`shared`" };
            return Err(format!("records of {name} stand in {right}"));
        }
        if find(name).is_some() {
            return Err(format!("a world has no records of {name}"));
        }
        let right: Vec<&str> = types(self.is_shared).map(|spec| spec.name).collect();
        Err(format!("`{name}` is not a type of records; valid: {}", right.join(", ")))
    }
}

impl<'de> Visitor<'de> for RecordsVisitor {
    type Value = Records;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lists of records by their types")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Records, A::Error> {
        let mut all: Vec<(&'static ResourceSpec, Vec<WorldRecord>)> = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            let spec = self.find(&name).map_err(A::Error::custom)?;
            if all.iter().any(|(known, _)| known.name == spec.name) {
                return Err(A::Error::custom(format!("`{name}` occurs twice in one object")));
            }
            all.push((spec, members.next_value_seed(ListSeed(spec))?));
        }
        Ok(Records(all))
    }
}

/// Reads the records of a type.
struct ListSeed(&'static ResourceSpec);

impl<'de> DeserializeSeed<'de> for ListSeed {
    type Value = Vec<WorldRecord>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<WorldRecord>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ListSeed {
    type Value = Vec<WorldRecord>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of records of {}", self.0.name)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<WorldRecord>, A::Error> {
        let mut records = Vec::new();
        while let Some(record) = items.next_element_seed(RecordSeed(self.0))? {
            records.push(record);
        }
        Ok(records)
    }
}
