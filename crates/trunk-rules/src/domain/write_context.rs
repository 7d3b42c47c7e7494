//! The inputs of a decision on a write.

use std::collections::BTreeMap;

use didww_types::{ApiVersion, DecodeError, Features, Id, Partial as _, Resource, Secret, Timestamp};
use serde_json::{Map, Value};

use super::needs::Found;

/// A create or an update, with everything that the decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct WriteContext<'a> {
    /// Whether a record is created or updated.
    pub kind: WriteKind<'a>,
    /// The API version of the request.
    pub version: ApiVersion,
    /// The features of the account.
    pub features: Features,
    /// The time of the write.
    pub now: Timestamp,
    /// The attributes as sent, in the names and forms of the API version. The rules of a type receive them validated
    /// and typed.
    pub sent: &'a Map<String, Value>,
    /// The relationships that were sent, with the records that they name, each once and in their order.
    pub links: &'a BTreeMap<&'static str, Vec<LinkedRecord<'a>>>,
    /// The stored members of the relationships that [`Rulebook::write_reads`](super::Rulebook::write_reads)
    /// names for an update, at most [`MAX_RELATED_RECORDS`](super::MAX_RELATED_RECORDS) of each, all members of the
    /// inverse relationships of the request, and those that [`Rules::LINKED_READS`](super::Rules::LINKED_READS) names.
    pub stored_members: &'a BTreeMap<&'static str, Vec<LinkedRecord<'a>>>,
    /// Whether the request adds members to the stored ones instead of replacing them.
    pub adds: bool,
    /// The records that were read because the rules of the type [need](super::Rules::needs) them.
    pub found: &'a [Found],
    /// The credentials to store if the write creates new ones.
    pub fresh: &'a Credentials,
    /// Whether manual blocking and unblocking also trigger the callback.
    pub callback_on_manual_block: bool,
}

impl<'a> WriteContext<'a> {
    /// The records that a relationship of the request names; `None` if it was not sent.
    pub fn linked(&self, relationship: &str) -> Option<&'a [LinkedRecord<'a>]> {
        self.links.get(relationship).map(Vec::as_slice)
    }

    /// The stored members of a relationship; none if they were not read.
    pub fn stored(&self, relationship: &str) -> &'a [LinkedRecord<'a>] {
        self.stored_members.get(relationship).map_or(&[], Vec::as_slice)
    }

    /// The records that a relationship names after the write: those of the request, else the stored ones, which
    /// [`Rules::WRITE_READS`](super::Rules::WRITE_READS) must name.
    pub fn members(&self, relationship: &str) -> &'a [LinkedRecord<'a>] {
        let stored = || self.stored_members.get(relationship).map(Vec::as_slice);
        self.linked(relationship).or_else(stored).unwrap_or_default()
    }

    /// Whether the write creates a record.
    pub const fn is_create(&self) -> bool {
        matches!(self.kind, WriteKind::Create)
    }
}

#[cfg(test)]
impl WriteContext<'static> {
    /// The creation of a record with nothing, in the newest version at the beginning of 1970, which a test completes.
    pub(crate) fn of_nothing() -> Self {
        let fresh = Credentials { username: String::new(), password: Secret::new("") };
        let no_records: &BTreeMap<&'static str, Vec<LinkedRecord<'static>>> =
            Box::leak(Box::new(BTreeMap::new()));
        Self {
            kind: WriteKind::Create,
            version: ApiVersion::NEWEST,
            features: Features::NONE,
            now: Timestamp::from_unix_millis(0),
            sent: Box::leak(Box::new(Map::new())),
            links: no_records,
            stored_members: no_records,
            adds: false,
            found: &[],
            fresh: Box::leak(Box::new(fresh)),
            callback_on_manual_block: false,
        }
    }
}

/// Whether a record is created or updated.
#[derive(Debug, Clone, Copy)]
pub enum WriteKind<'a> {
    /// A record is created; its id is chosen later.
    Create,
    /// This record is updated, whose stored form it is.
    Update(RecordText<'a>),
}

/// A record in the form in which it is stored.
#[derive(Debug, Clone, Copy)]
pub struct RecordText<'a> {
    /// The record's id on the wire, a UUID.
    pub id: &'a str,
    /// The attributes in canonical form, as JSON text.
    pub attributes: &'a str,
    /// The `meta` object as JSON text, if the record has one.
    pub meta: Option<&'a str>,
}

impl RecordText<'_> {
    /// Decodes the record. Its relationships are not loaded.
    ///
    /// # Errors
    /// When it does not have the shape of its declaration.
    pub fn decode<R: Resource>(&self) -> Result<R, DecodeError> {
        R::from_texts(Id::new(self.id), self.attributes, self.meta)
    }
}

/// SIP credentials of a trunk.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The digest username, by which calls name the trunk.
    pub username: String,
    /// The digest password, which logs never contain.
    pub password: Secret,
}

/// A record that a request body names.
#[derive(Debug, Clone)]
pub struct LinkedRecord<'a> {
    /// The id that was sent.
    pub id: String,
    /// The record's attributes in canonical form, as JSON text; `None` if the account has no such record.
    pub attributes: Option<&'a str>,
}

impl LinkedRecord<'_> {
    /// Decodes the attributes; `None` if the account has no such record.
    ///
    /// # Errors
    /// When an attribute does not have the shape of its declaration.
    pub fn decode<R: Resource>(&self) -> Result<Option<R::Partial>, DecodeError> {
        self.attributes.map(R::Partial::from_attributes).transpose()
    }
}
