//! Documents that prove an identity or an address: `proofs`.

use super::{Address, EncryptedFile, Identity, ProofType};
use crate::values::ExternalReference;
use crate::{Extra, Id, Named, Resource, Timestamp, ToMany, ToOne};

/// A document that proves an identity or an address. Its files are those that were uploaded for it, and are not shown
/// again.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "proofs",
    since = "2021-04-19",
    verbs(
        list(since = "2026-04-16"),
        get(since = "2026-04-16"),
        create,
        update(since = "2026-04-16"),
        delete
    ),
    unknown_by_type
)]
#[filter(name = "id", id, list, value = Id<Proof>)]
#[non_exhaustive]
pub struct Proof {
    /// The document's id, a UUID.
    pub id: Id<Proof>,
    /// The time at which the document was stored.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// The time from which the document proves nothing. None is no such time.
    #[attr(sort)]
    pub expires_at: Option<Timestamp>,
    /// The document's identifier in the customer's own system, at most 100 characters.
    #[attr(create, update, since = "2026-04-16", sort, filter(blank(until = "2026-04-16")))]
    pub external_reference_id: Option<ExternalReference>,
    /// The kind of the document, which must be valid for the proven entity.
    #[rel(one = "proof_types", create = required(1))]
    pub proof_type: ToOne<ProofType>,
    /// The proven entity: an identity, or an address. [`identity`](Self::identity) and [`address`](Self::address)
    /// distinguish them.
    #[rel(one = "identities", or = "addresses", create = required(2))]
    pub entity: ToOne<ProofEntity>,
    /// The uploaded files of the document, 1 to 5. Answers do not have them.
    #[rel(many = "encrypted_files", create = required(3), write_only)]
    pub files: ToMany<EncryptedFile>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

impl Proof {
    /// The identity that the document proves; `None` if it proves an address, or if the request did not include
    /// `entity`.
    pub fn identity(&self) -> Option<Id<Identity>> {
        self.entity_of(Identity::TYPE).map(Id::new)
    }

    /// The address that the document proves; `None` if it proves an identity, or if the request did not include
    /// `entity`.
    pub fn address(&self) -> Option<Id<Address>> {
        self.entity_of(Address::TYPE).map(Id::new)
    }

    fn entity_of(&self, kind: &str) -> Option<&str> {
        self.entity.identifier().filter(|entity| entity.kind == kind).map(|entity| entity.id.as_str())
    }
}

/// The entity that a document proves: an identity or an address. Its id is made from the id of either.
///
/// ```
/// # use didww_types as didww_client;
/// use didww_client::Id;
/// use didww_client::resources::{Address, EncryptedFile, Proof};
///
/// let address: Id<Address> = Id::new("bf69bc70-e1c2-442c-9f30-335ee299b663");
/// let file: Id<EncryptedFile> = Id::new("6eed102c-66a9-4a9b-a95f-4312d70ec12a");
/// let body = Proof::create("19cd7b22-559b-41d4-99c9-7ad7ad63d5d1", address, vec![file]);
/// assert_eq!(body.entity.identifier().kind, "addresses");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ProofEntity {}

impl Named for ProofEntity {
    const TYPE: &'static str = Identity::TYPE;

    /// An id that begins with the name of a type and a slash is one of that type, and any other one that of an
    /// identity.
    fn identify(text: &str) -> (&str, &str) {
        text.split_once('/').unwrap_or((Self::TYPE, text))
    }
}

impl From<Id<Identity>> for Id<ProofEntity> {
    fn from(id: Id<Identity>) -> Self {
        Self::new(format!("{}/{id}", Identity::TYPE))
    }
}

impl From<Id<Address>> for Id<ProofEntity> {
    fn from(id: Id<Address>) -> Self {
        Self::new(format!("{}/{id}", Address::TYPE))
    }
}

impl From<&Id<Identity>> for Id<ProofEntity> {
    fn from(id: &Id<Identity>) -> Self {
        id.clone().into()
    }
}

impl From<&Id<Address>> for Id<ProofEntity> {
    fn from(id: &Id<Address>) -> Self {
        id.clone().into()
    }
}
