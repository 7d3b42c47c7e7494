//! JSON:API documents and the resource objects in them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use wire_core::{DecodeError, Names, parse_json};

use crate::relationship::RelationshipLinks;
use crate::resource::Resource;
use crate::tolerant::Tolerant;
use crate::{AnyRecord, ApiVersion, Id, PageLinks, ResourceIdentifier, canonical_name};

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
    /// The relationships by name, with their ids only where the request included them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub relationships: BTreeMap<String, RelationshipObject>,
    /// The record's `meta` member, with facts that are not attributes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Map<String, Value>>,
    /// The record's own links. DIDWW's records have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Map<String, Value>>,
}

impl fmt::Debug for ResourceObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceObject")
            .field("id", &self.id)
            .field("type", &self.kind)
            .field("attributes", &Names(&self.attributes))
            .field("relationships", &self.relationships)
            .field("meta", &self.meta.as_ref().map(Names))
            .field("links", &self.links.as_ref().map(Names))
            .finish()
    }
}

/// A relationship of a record in a document: where it is read, and which records it leads to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RelationshipObject {
    /// The URLs of the linkage and of the related records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<RelationshipLinks>,
    /// The ids of the related records; `None` unless the request included the relationship.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub data: Option<Linkage>,
    /// The relationship's `meta` member. DIDWW's relationships have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Map<String, Value>>,
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
    /// The requested record or records: the `data` member.
    pub data: T,
    /// The related records that the `include` parameter asked for.
    #[serde(default)]
    pub included: Vec<ResourceObject>,
    /// The `meta` member; empty when the document has none.
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
    #[serde(default, deserialize_with = "count")]
    pub total_records: Option<u64>,
    /// The API version that served the request, such as `2026-04-16`.
    #[serde(default)]
    pub api_version: Option<String>,
    /// Members that this crate does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let count = Option::<Tolerant<i64>>::deserialize(deserializer)?;
    Ok(count.and_then(|Tolerant(count)| u64::try_from(count).ok()))
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

/// The included records of a document, in their order, and indexed by type and id.
///
/// A relationship decodes its own members from them: [`ToOne::included`](crate::ToOne::included),
/// [`ToMany::included`](crate::ToMany::included), also those of a record that was itself included.
#[derive(Debug, Clone, Default)]
pub struct Included {
    version: Option<ApiVersion>,
    records: Vec<ResourceObject>,
    positions: HashMap<ResourceIdentifier, usize>,
}

impl Included {
    /// Indexes the included records of a document. `version` is the API version of the document.
    pub fn new(version: ApiVersion, records: Vec<ResourceObject>) -> Self {
        let identifier = |record: &ResourceObject| ResourceIdentifier {
            kind: canonical_name(version, &record.kind).to_owned(),
            id: record.id.clone(),
        };
        let positions =
            records.iter().enumerate().map(|(position, record)| (identifier(record), position)).collect();
        Self { version: Some(version), records, positions }
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
        self.records.get(*self.positions.get(identifier)?)
    }

    fn is_of<R: Resource>(&self, record: &ResourceObject) -> bool {
        self.version.map_or(record.kind.as_str(), |version| canonical_name(version, &record.kind)) == R::TYPE
    }

    /// The records as they were received, in the form of the document's API version.
    pub fn objects(&self) -> &[ResourceObject] {
        &self.records
    }

    /// Decodes the record of the type `R` with an id; `None` if it is not included.
    ///
    /// # Errors
    /// Returns an error with the path when the record cannot be decoded.
    pub fn get<R: Resource>(&self, id: &Id<R>) -> Result<Option<R>, DecodeError> {
        self.find(&id.identifier()).transpose()
    }

    /// Decodes every record of the type `R`, in their order.
    ///
    /// # Errors
    /// Returns an error with the path when one of them cannot be decoded.
    pub fn all<R: Resource>(&self) -> Result<Vec<R>, DecodeError> {
        self.records
            .iter()
            .filter(|record| self.is_of::<R>(record))
            .map(|record| self.decode(record))
            .collect()
    }

    /// Decodes every record: those of declared types as typed values, the others as resource objects.
    ///
    /// # Errors
    /// Returns an error with the path when a record of a declared type cannot be decoded.
    // As [`AnyRecord::decode_at`].
    #[inline]
    pub fn records(&self) -> Result<Vec<AnyRecord>, DecodeError> {
        let decode = |record: &ResourceObject| {
            AnyRecord::decode_at(self.version(), record.clone()).map_err(|error| under(record, error))
        };
        self.records.iter().map(decode).collect()
    }

    pub(crate) fn find<R: Resource>(
        &self,
        identifier: &ResourceIdentifier,
    ) -> Option<Result<R, DecodeError>> {
        self.raw(identifier).filter(|record| self.is_of::<R>(record)).map(|record| self.decode(record))
    }

    fn decode<R: Resource>(&self, record: &ResourceObject) -> Result<R, DecodeError> {
        R::decode_at(self.version(), record.clone()).map_err(|error| under(record, error))
    }

    fn version(&self) -> ApiVersion {
        self.version.unwrap_or(ApiVersion::NEWEST)
    }
}

fn under(record: &ResourceObject, error: DecodeError) -> DecodeError {
    error.under(format_args!("included[{}]", record.id))
}
