//! Kinds of documents that prove an identity or an address: `proof_types`.

use crate::enumeration::string_enum;
use crate::{Extra, Id, Resource};

string_enum! {
    /// The kind of entity that a document proves.
    ProofEntityType {
        /// An address.
        Address = "Address",
        /// The identity of a business.
        Business = "Business",
        /// The identity of a person.
        Personal = "Personal",
    }
}

/// A kind of document, such as a passport.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(name = "proof_types", since = "2021-04-19", verbs(list, get), global, unpaged)]
#[filter(name = "id", id, list, value = Id<ProofType>)]
#[non_exhaustive]
pub struct ProofType {
    /// The kind's id, a UUID that the service chose.
    pub id: Id<ProofType>,
    /// The name in English.
    #[attr]
    pub name: String,
    /// The kind of entity that such a document proves.
    #[attr(filter(list, blank(until = "2026-04-16")))]
    pub entity_type: ProofEntityType,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}
