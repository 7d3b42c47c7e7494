//! JSON:API documents and the resource objects in them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use wire_core::{DecodeError, Names, parse_json};

use crate::relationship::RelationshipLinks;
use crate::resource::Resource;
use crate::{ApiVersion, PageLinks, ResourceIdentifier};

/// A JSON:API resource object: a record in the form of any API version.
///
/// `Debug` prints the names of the attributes without their values, which may be credentials.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ResourceObject {
    /// The record's id; empty in the body of a create request.
    #[serde(default)]
    pub id: String,
    /// The plural type name, such as `dids`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The attributes by name, in the form of the document's API version.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// The relationships by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub relationships: BTreeMap<String, RelationshipObject>,
    /// The record's `meta` member, with facts that are not attributes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Map<String, Value>>,
}

impl fmt::Debug for ResourceObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceObject")
            .field("id", &self.id)
            .field("type", &self.kind)
            .field("attributes", &Names(&self.attributes))
            .field("relationships", &self.relationships)
            .field("meta", &self.meta.as_ref().map(Names))
            .finish()
    }
}

/// A JSON:API relationship object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RelationshipObject {
    /// The URLs of the linkage and of the related records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<RelationshipLinks>,
    /// The ids of the related records; `None` unless the request included the relationship.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub data: Option<Linkage>,
}

// Distinguishes `"data": null`, a to-one relationship without a member, from an absent `data`.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// JSON:API resource linkage: the type and id of each related record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Linkage {
    /// The linkage of a to-one relationship: at most one record.
    One(Option<ResourceIdentifier>),
    /// The linkage of a to-many relationship: any number of records.
    Many(Vec<ResourceIdentifier>),
}

impl Linkage {
    /// The identifiers, none for an empty relationship.
    pub(crate) fn members_mut(&mut self) -> &mut [ResourceIdentifier] {
        match self {
            Self::One(member) => member.as_mut_slice(),
            Self::Many(members) => members,
        }
    }
}

/// A JSON:API document whose primary data is `T`: a record in the canonical form, a [`ResourceObject`] in the
/// form of any version, a list of either, or linkage.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Document<T> {
    /// The primary data.
    pub data: T,
    /// The related records that the `include` parameter asked for.
    #[serde(default)]
    pub included: Vec<ResourceObject>,
    /// The document's `meta` member.
    #[serde(default)]
    pub meta: CollectionMeta,
    /// The links to the other pages of a list.
    #[serde(default)]
    pub links: PageLinks,
}

/// The `meta` member of a document.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CollectionMeta {
    /// The number of records on all pages of the list; only in the document of a list.
    #[serde(default)]
    pub total_records: Option<u64>,
    /// The API version that served the request, such as `2026-04-16`.
    #[serde(default)]
    pub api_version: Option<String>,
}

impl<T: DeserializeOwned> Document<T> {
    /// Decodes a document.
    ///
    /// # Errors
    /// Returns an error with the path when the text is not JSON or does not have this shape.
    pub fn parse(body: &[u8]) -> Result<Self, DecodeError> {
        parse_json(body)
    }

    /// The API version that served the request; `None` if the document names none or an unknown one.
    pub fn version(&self) -> Option<ApiVersion> {
        self.meta.api_version.as_deref()?.parse().ok()
    }
}

/// The included records of a document, indexed by type and id.
#[derive(Debug, Clone, Default)]
pub struct Included {
    version: Option<ApiVersion>,
    records: HashMap<ResourceIdentifier, ResourceObject>,
}

impl Included {
    /// Indexes the included records of a document. `version` is the API version of the document.
    pub fn new(version: ApiVersion, records: Vec<ResourceObject>) -> Self {
        let records = records
            .into_iter()
            .map(|record| (ResourceIdentifier { kind: record.kind.clone(), id: record.id.clone() }, record))
            .collect();
        Self { version: Some(version), records }
    }

    /// The number of included records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether the document includes no records.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Looks up a record, in the form of the document's API version.
    pub fn raw(&self, identifier: &ResourceIdentifier) -> Option<&ResourceObject> {
        self.records.get(identifier)
    }

    pub(crate) fn find<R: Resource>(
        &self,
        identifier: &ResourceIdentifier,
    ) -> Option<Result<R, DecodeError>> {
        let record = self.records.get(identifier).filter(|record| record.kind == R::TYPE)?.clone();
        let version = self.version.unwrap_or(ApiVersion::NEWEST);
        Some(
            R::decode_at(version, record)
                .map_err(|error| error.under(format_args!("included[{}]", identifier.id))),
        )
    }
}
