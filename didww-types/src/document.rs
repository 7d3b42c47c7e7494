//! The JSON:API envelope.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use wire_core::{DecodeError, Names, parse_json};

use crate::relationship::RelationshipLinks;
use crate::resource::Resource;
use crate::{ApiVersion, PageLinks, ResourceIdentifier};

/// A record as the wire carries it.
///
/// `Debug` names the attributes without their values, for they may be credentials.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ResourceObject {
    /// The id; absent in a body that creates.
    #[serde(default)]
    pub id: String,
    /// The plural type name.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The attributes, of whatever version the document is.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// The relationships.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub relationships: BTreeMap<String, RelationshipObject>,
    /// The record's own meta.
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

/// A relationship as the wire carries it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RelationshipObject {
    /// Where to read and write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<RelationshipLinks>,
    /// Whom it leads to; absent unless it was included.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub data: Option<Linkage>,
}

// Without this, `null` would read as "absent", which is a different answer.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Whom a relationship leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Linkage {
    /// To one record at most.
    One(Option<ResourceIdentifier>),
    /// To any number of records.
    Many(Vec<ResourceIdentifier>),
}

/// A document whose primary data is `T`: a record of the newest form, a [`ResourceObject`] of any, a list of
/// either, or linkage.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Document<T> {
    /// The primary data.
    pub data: T,
    /// Records named by the `include` parameter.
    #[serde(default)]
    pub included: Vec<ResourceObject>,
    /// Facts about the answer.
    #[serde(default)]
    pub meta: CollectionMeta,
    /// Where the other pages are.
    #[serde(default)]
    pub links: PageLinks,
}

/// Facts about an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CollectionMeta {
    /// How many records the whole list has.
    #[serde(default)]
    pub total_records: Option<u64>,
    /// The version that served the request.
    #[serde(default)]
    pub api_version: Option<String>,
}

impl<T: DeserializeOwned> Document<T> {
    /// Reads a document.
    ///
    /// # Errors
    /// When the text is no JSON or not of this shape; the error names the place.
    pub fn parse(body: &[u8]) -> Result<Self, DecodeError> {
        parse_json(body)
    }

    /// The version that served the request, if the answer names a known one.
    pub fn version(&self) -> Option<ApiVersion> {
        self.meta.api_version.as_deref()?.parse().ok()
    }
}

/// The records that a document includes, found by type and id.
#[derive(Debug, Clone, Default)]
pub struct Included {
    version: Option<ApiVersion>,
    records: HashMap<ResourceIdentifier, ResourceObject>,
}

impl Included {
    /// Takes the included records of a document that this version wrote.
    pub fn new(version: ApiVersion, records: Vec<ResourceObject>) -> Self {
        let records = records
            .into_iter()
            .map(|record| (ResourceIdentifier { kind: record.kind.clone(), id: record.id.clone() }, record))
            .collect();
        Self { version: Some(version), records }
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// A record as the wire carried it.
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
