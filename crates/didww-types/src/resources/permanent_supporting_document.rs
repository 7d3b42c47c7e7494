//! Forms that were filled in for an identity: `permanent_supporting_documents`.

use super::{EncryptedFile, Identity, SupportingDocumentTemplate};
use crate::values::ExternalReference;
use crate::{Extra, Id, Resource, Timestamp, ToMany, ToOne};

/// A completed form that is kept with its identity. A new document of the same form replaces it.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "permanent_supporting_documents",
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
#[filter(name = "id", id, list, value = Id<PermanentSupportingDocument>)]
#[non_exhaustive]
pub struct PermanentSupportingDocument {
    /// The document's id, a UUID.
    pub id: Id<PermanentSupportingDocument>,
    /// The time at which the document was stored.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// The document's identifier in the customer's own system, at most 100 characters.
    #[attr(create, update, since = "2026-04-16", sort, filter(blank(until = "2026-04-16")))]
    pub external_reference_id: Option<ExternalReference>,
    /// The form, which must be a permanent one.
    #[rel(one = "supporting_document_templates", create = required(1))]
    pub template: ToOne<SupportingDocumentTemplate>,
    /// The identity for which the form was filled in.
    #[rel(one = "identities", create = required(2))]
    pub identity: ToOne<Identity>,
    /// The uploaded files of the document, 1 to 5. Answers do not have them.
    #[rel(many = "encrypted_files", create = required(3), write_only)]
    pub files: ToMany<EncryptedFile>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}
