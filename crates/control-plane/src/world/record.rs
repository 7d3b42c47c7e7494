//! A record in the file of a world, read by the declaration of its type, so that an error has its line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use didww_types::{AttributeSpec, RelationshipSpec, ResourceSpec, find};
use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use trunk_rules::domain::Rulebook;
use uuid::Uuid;

use super::strict::{Members, Strict};
use super::values;

/// The attribute with the time of creation, which is that of the load.
pub(super) const CREATED_AT: &str = "created_at";
/// The attribute with the time of the last change, which is that of the load unless the file has one.
pub(super) const UPDATED_AT: &str = "updated_at";

/// A record of a world. Members that are absent have their defaults.
#[derive(Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct WorldRecord {
    /// A name within the file, by which relationships can refer to the record; unique for its type and account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The id; if `None`, one that follows from the account, the type, and the label or the position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// The attributes in the form of the newest API version.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// The members of relationships: ids, or labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub relationships: BTreeMap<String, Related>,
    /// Members of the record's `meta`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
}

/// The attributes can hold passwords, so they are left out.
impl fmt::Debug for WorldRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, id, relationships, .. } = self;
        let mut text = f.debug_struct("WorldRecord");
        text.field("label", label).field("id", id).field("relationships", relationships);
        text.finish_non_exhaustive()
    }
}

/// The members of a relationship, each an id or a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Related {
    /// The member of a to-one relationship.
    One(String),
    /// The members of a to-many relationship.
    Many(Vec<String>),
}

impl Related {
    /// The ids and labels of the members.
    pub fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        }
    }
}

/// Whether the members of a relationship are stored with its owner, so that a world sets them. A world has no files.
pub(super) fn is_stored(relationship: &RelationshipSpec) -> bool {
    let is_of_files = find(relationship.target).is_some_and(|target| target.form.is_some());
    relationship.inverse.is_none() && relationship.mirrors.is_none() && !is_of_files
}

/// Whether a world sets an attribute.
pub(super) fn is_set(attribute: &AttributeSpec) -> bool {
    !attribute.is_computed() && !attribute.write_only && attribute.name != CREATED_AT
}

/// Reads a record of a type.
#[derive(Clone, Copy)]
pub(super) struct RecordSeed(pub(super) &'static ResourceSpec);

impl<'de> DeserializeSeed<'de> for RecordSeed {
    type Value = WorldRecord;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<WorldRecord, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed {
    type Value = WorldRecord;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a record of {}", self.0.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<WorldRecord, A::Error> {
        let (spec, mut record, mut seen) = (self.0, WorldRecord::default(), BTreeSet::new());
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "label" => record.label = Some(members.next_value()?),
                "id" => record.id = Some(members.next_value()?),
                "attributes" => record.attributes = members.next_value_seed(AttributesSeed(spec))?,
                "relationships" => record.relationships = members.next_value_seed(RelationshipsSeed(spec))?,
                "meta" => {
                    let Members(meta) = members.next_value()?;
                    record.meta = meta;
                    let checked = Rulebook::DIDWW.changed_meta(spec, Map::new(), &record.meta);
                    checked.map_err(|message| A::Error::custom(format!("`meta` {message}")))?;
                }
                _ => {
                    let right = "label, id, attributes, relationships, meta";
                    return Err(A::Error::custom(format!(
                        "`{name}` is not a member of a record; valid: {right}"
                    )));
                }
            }
            once::<A::Error>(&mut seen, name)?;
        }
        Ok(record)
    }
}

/// Refuses a member that an object has twice.
fn once<E: serde::de::Error>(seen: &mut BTreeSet<String>, name: String) -> Result<(), E> {
    let repeated = format!("`{name}` occurs twice in one object");
    if seen.insert(name) { Ok(()) } else { Err(E::custom(repeated)) }
}

/// Reads the attributes of a record of a type.
struct AttributesSeed(&'static ResourceSpec);

impl<'de> DeserializeSeed<'de> for AttributesSeed {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for AttributesSeed {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the attributes of a record of {}", self.0.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let (spec, mut attributes, mut seen) = (self.0, Map::new(), BTreeSet::new());
        while let Some(name) = members.next_key::<String>()? {
            let attribute: Option<&'static AttributeSpec> = spec.attribute(&name);
            let Some(attribute) = attribute.filter(|attribute| is_set(attribute)) else {
                let right: Vec<&str> =
                    spec.attributes.iter().filter(|one| is_set(one)).map(|one| one.name).collect();
                return Err(A::Error::custom(format!(
                    "`{name}` is not an attribute of {} that a world sets; valid: {}",
                    spec.name,
                    right.join(", ")
                )));
            };
            let Strict(value) = members.next_value()?;
            let value = values::checked(spec, attribute, &value)
                .map_err(|message| A::Error::custom(format!("`{name}` {message}")))?;
            attributes.insert(name.clone(), value);
            once::<A::Error>(&mut seen, name)?;
        }
        Ok(attributes)
    }
}

/// Reads the relationships of a record of a type.
struct RelationshipsSeed(&'static ResourceSpec);

impl<'de> DeserializeSeed<'de> for RelationshipsSeed {
    type Value = BTreeMap<String, Related>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RelationshipsSeed {
    type Value = BTreeMap<String, Related>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the relationships of a record of {}", self.0.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let (spec, mut relationships, mut seen) = (self.0, BTreeMap::new(), BTreeSet::new());
        while let Some(name) = members.next_key::<String>()? {
            let relationship: Option<&'static RelationshipSpec> = spec.relationship(&name);
            let Some(relationship) = relationship.filter(|one| is_stored(one)) else {
                let stored = spec.relationships.iter().filter(|one| is_stored(one));
                let right: Vec<&str> = stored.map(|one| one.name).collect();
                return Err(A::Error::custom(format!(
                    "`{name}` is not a relationship of {} that a world sets; valid: {}",
                    spec.name,
                    right.join(", ")
                )));
            };
            let related: Option<Related> = members.next_value()?;
            match related {
                None => {}
                Some(Related::Many(names)) if !relationship.many => {
                    let [only] = names.as_slice() else {
                        return Err(A::Error::custom(format!(
                            "`{name}` has at most one member: expected an id or a label, not a list"
                        )));
                    };
                    relationships.insert(name.clone(), Related::One(only.clone()));
                }
                Some(Related::One(only)) if relationship.many => {
                    relationships.insert(name.clone(), Related::Many(vec![only]));
                }
                Some(related) => {
                    relationships.insert(name.clone(), related);
                }
            }
            once::<A::Error>(&mut seen, name)?;
        }
        Ok(relationships)
    }
}
