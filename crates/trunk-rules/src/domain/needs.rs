//! Records that a decision needs in addition to the written one and those that its relationships name.

use didww_types::{DecodeError, Id, Partial as _, Resource, ResourceSpec};

/// Records to read before a decision. The decision is repeated if records that it changes were changed before it is
/// stored.
#[derive(Debug, Clone)]
pub enum Need {
    /// The records of a type with these ids that the account has.
    ById(&'static ResourceSpec, Vec<String>),
    /// The account's only record of a type.
    Own(&'static ResourceSpec),
    /// Records of a type, at most this number, whose relationships each contain the record with an id. For a type
    /// with stock, only those in stock.
    Owners(&'static ResourceSpec, Vec<(&'static str, String)>, u64),
    /// The members of a relationship of a record: its type, its id, and the relationship.
    Members(&'static ResourceSpec, String, &'static str),
    /// The members, each once, of a relationship of several records: their type, their ids, and the relationship.
    MembersOf(&'static ResourceSpec, Vec<String>, &'static str),
}

impl PartialEq for Need {
    /// Types are compared by their names.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::ById(spec, ids), Self::ById(other, others)) => spec.name == other.name && ids == others,
            (Self::Own(spec), Self::Own(other)) => spec.name == other.name,
            (Self::Owners(spec, of, most), Self::Owners(other, others, bound)) => {
                spec.name == other.name && of == others && most == bound
            }
            (Self::Members(spec, id, through), Self::Members(other, other_id, other_through)) => {
                spec.name == other.name && id == other_id && through == other_through
            }
            (Self::MembersOf(spec, ids, through), Self::MembersOf(other, others, other_through)) => {
                spec.name == other.name && ids == others && through == other_through
            }
            _ => false,
        }
    }
}

/// The records that were found for a [`Need`].
#[derive(Debug, Clone)]
pub struct Found {
    /// The need that these records fulfil.
    pub need: Need,
    /// The records, in the order of their creation, or of their links.
    pub records: Vec<FoundRecord>,
}

/// A record in the form in which it is stored.
#[derive(Debug, Clone)]
pub struct FoundRecord {
    /// The record's id on the wire.
    pub id: String,
    /// The attributes in canonical form, as JSON text.
    pub attributes: String,
    /// The `meta` object as JSON text, if the record has one.
    pub meta: Option<String>,
}

impl FoundRecord {
    /// Decodes the attributes. No relationship is loaded.
    ///
    /// # Errors
    /// When they do not have the shape of their declaration.
    pub fn decode<R: Resource>(&self) -> Result<R, DecodeError> {
        R::from_texts(Id::new(self.id.as_str()), &self.attributes, self.meta.as_deref())
    }

    /// Decodes the attributes that are present.
    ///
    /// # Errors
    /// When one of them does not have the shape of its declaration.
    pub fn decode_partial<R: Resource>(&self) -> Result<R::Partial, DecodeError> {
        R::Partial::from_attributes(&self.attributes)
    }
}

/// The records that were found for a need; `None` if they were not read yet.
pub(super) fn found<'a>(all: &'a [Found], need: &Need) -> Option<&'a [FoundRecord]> {
    all.iter().find(|found| found.need == *need).map(|found| found.records.as_slice())
}
