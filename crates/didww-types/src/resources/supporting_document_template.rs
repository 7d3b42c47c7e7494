//! Forms that are filled in for a registration: `supporting_document_templates`.

use crate::{Extra, Id, Resource};

/// A form, which is uploaded when it is filled in.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(name = "supporting_document_templates", since = "2021-04-19", verbs(list, get), global)]
#[filter(name = "id", id, list, value = Id<SupportingDocumentTemplate>)]
#[filter(name = "name_contains", contains = "name", value = String)]
#[non_exhaustive]
pub struct SupportingDocumentTemplate {
    /// The form's id, a UUID that the service chose.
    pub id: Id<SupportingDocumentTemplate>,
    /// The name of the template.
    #[attr(sort, filter(list(since = "2026-04-16")))]
    pub name: String,
    /// Whether the filled in form stays with the identity. Otherwise each verification needs a new one.
    #[attr(sort, filter, default = false)]
    pub permanent: bool,
    /// Where the blank form is.
    #[attr]
    pub url: String,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}
