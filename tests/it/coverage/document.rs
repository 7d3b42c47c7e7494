//! Answers, read strictly: with the order of their members, and without members that no declaration has.

use std::fmt;
use std::marker::PhantomData;

use didww_types::{RelationshipSpec, ResourceSpec, Verb};
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::world::World;
use crate::support::api::Answer;

/// Types of which some records have a `meta`.
const MAY_LACK_META: &[&str] = &["did_history", "sms_trunks"];

/// A document with a record, or with a list of records.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document<D> {
    pub data: D,
    #[serde(default)]
    pub included: Vec<Record>,
    #[serde(default)]
    pub meta: Meta,
    pub links: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    pub api_version: String,
    pub total_records: Option<u64>,
    /// The number of all records of which the list is a sample.
    pub total_count: Option<u64>,
    /// The number of further records that the account can have.
    pub available_count: Option<u64>,
}

/// A record as the answer shows it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub attributes: Option<Members<Value>>,
    pub relationships: Option<Members<Relationship>>,
    pub meta: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relationship {
    pub links: Value,
    /// Absent unless the relationship is included; null for no record.
    #[serde(default, deserialize_with = "present")]
    pub data: Option<Value>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The members of an object, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Members<T>(pub Vec<(String, T)>);

impl<T> Members<T> {
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }

    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<T>(PhantomData<T>);

        impl<'de, T: DeserializeOwned> Visitor<'de> for InOrder<T> {
            type Value = Members<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<T>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder(PhantomData))
    }
}

impl World {
    /// Reads an answer with this status as a document.
    pub fn document<D: DeserializeOwned>(&self, answer: &Answer, status: u16) -> Document<D> {
        self.expect_status(answer, status);
        let document: Document<D> = serde_json::from_str(&answer.text)
            .unwrap_or_else(|error| panic!("{error}: {self}: {}", answer.text));
        assert_eq!(document.meta.api_version, self.version.as_str(), "{self}");
        document
    }

    /// Reads an answer as a document of nothing but `data`.
    pub fn bare_document<D: DeserializeOwned>(&self, answer: &Answer) -> Document<D> {
        self.expect_status(answer, 200);
        let members: serde_json::Map<String, Value> = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(members.keys().collect::<Vec<_>>(), ["data"], "{self}");
        serde_json::from_str(&answer.text).unwrap_or_else(|error| panic!("{error}: {self}: {}", answer.text))
    }

    /// Checks the status of an answer, and its media type if it has a body.
    pub fn expect_status(&self, answer: &Answer, status: u16) {
        assert_eq!(answer.status, status, "{self}: {}", answer.text);
        if status == 204 {
            assert_eq!(answer.text, "", "{self}");
        } else {
            let media_type = answer.headers.get("content-type").and_then(|value| value.to_str().ok());
            let expected = if self.is_json(status) { "application/json" } else { "application/vnd.api+json" };
            assert_eq!(media_type, Some(expected), "{self}");
        }
    }

    /// Checks that a record has exactly what the version declares, and linkage for these relationships alone.
    pub fn check(&self, spec: &'static ResourceSpec, record: &Record, included: &[&str]) {
        assert_eq!(record.kind, spec.name_at(self.version), "{self}");
        assert!(uuid::Uuid::try_parse(&record.id).is_ok(), "{self}: {}", record.id);
        if !spec.has(Verb::Get) && record.attributes.is_none() {
            // The answer to an operation that stores no record.
            assert_eq!((&record.relationships, &record.meta), (&None, &None), "{self}");
            return;
        }
        let mut attributes = spec.attributes_at(self.version);
        attributes.retain(|attribute| attribute.is_shown_in(self.version));
        let names: Vec<&str> = attributes.iter().map(|attribute| attribute.name).collect();
        let shown = record.attributes.as_ref().map(Members::names).unwrap_or_default();
        assert_eq!(shown, names, "{self}: the attributes of {}", spec.name);
        for attribute in attributes {
            let value = record.attributes.as_ref().and_then(|members| members.get(attribute.name)).unwrap();
            // An older version can have other words for the values of an enumeration.
            let mut canonical = serde_json::Map::from_iter([(attribute.name.to_owned(), value.clone())]);
            spec.to_canonical(self.version, &mut canonical);
            let canonical = canonical.get(attribute.name).unwrap_or(value);
            let is_valid = attribute.value_at(self.version).check(canonical).is_ok()
                || attribute.value_at(self.version).check(value).is_ok()
                || (value.is_null() && attribute.nullable);
            assert!(is_valid, "{self}: {}.{} is {value}", spec.name, attribute.name);
        }
        let relationships: Vec<&RelationshipSpec> = spec.relationships_at(self.version).collect();
        let names: Vec<&str> =
            relationships.iter().map(|relationship| relationship.name_at(self.version)).collect();
        let shown = record.relationships.as_ref().map(Members::names).unwrap_or_default();
        assert_eq!(shown, names, "{self}: the relationships of {}", spec.name);
        for relationship in relationships {
            let name = relationship.name_at(self.version);
            let shown = record.relationships.as_ref().and_then(|members| members.get(name)).unwrap();
            let base = format!("{}/{}/{}", self.api.base(), spec.path_at(self.version), record.id);
            assert_eq!(shown.links["self"], format!("{base}/relationships/{name}"), "{self}");
            assert_eq!(shown.links["related"], format!("{base}/{name}"), "{self}");
            assert_eq!(shown.data.is_some(), included.contains(&name), "{self}: linkage of {name}");
            if let Some(data) = &shown.data {
                assert_eq!(data.is_array(), relationship.many, "{self}: linkage of {name}");
            }
        }
        let is_expected = record.meta.is_some() == spec.has_meta || MAY_LACK_META.contains(&spec.name);
        assert!(is_expected, "{self}: the meta of {}", spec.name);
    }
}
