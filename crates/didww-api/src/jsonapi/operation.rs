//! The operation that a method and a path select.

use didww_types::{ApiVersion, Feature, FormSpec, RelationshipSpec, ResourceSpec, Verb, find_path};
use http::Method;

use super::context::RequestContext;
use super::error::ApiError;
use super::form::invalid_form;
use super::target::{Endpoint, Target};

/// An operation of the API: `spec` declares the resource, `id` is the id from the path (not validated), and
/// `relationship` declares the relationship.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    /// Returns a page of the account's records.
    List { spec: &'static ResourceSpec },
    /// Returns the record with this id.
    Get { spec: &'static ResourceSpec, id: String },
    /// Returns the account's only record of a singleton type.
    Single { spec: &'static ResourceSpec },
    /// Creates a record from the request body.
    Create { spec: &'static ResourceSpec },
    /// Creates a record from the multipart form in the request body, which has this boundary.
    Upload { spec: &'static ResourceSpec, form: &'static FormSpec, boundary: String },
    /// Changes the attributes and relationships that the request body names.
    Update { spec: &'static ResourceSpec, id: String },
    /// Deletes the record with this id.
    Delete { spec: &'static ResourceSpec, id: String },
    /// Returns the resource identifiers of a relationship.
    Linkage { spec: &'static ResourceSpec, id: String, relationship: &'static RelationshipSpec },
    /// Returns the related records, one or a page of them.
    Related { spec: &'static ResourceSpec, id: String, relationship: &'static RelationshipSpec },
    /// Changes the resource identifiers of a relationship.
    UpdateLinkage {
        spec: &'static ResourceSpec,
        id: String,
        relationship: &'static RelationshipSpec,
        change: LinkageChange,
    },
}

/// How a request changes a relationship.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkageChange {
    /// Adds the identifiers, for to-many relationships (POST).
    Add,
    /// Replaces all identifiers (PATCH or PUT).
    Replace,
    /// Removes the identifiers (DELETE); a to-one relationship becomes empty.
    Remove,
}

impl Operation {
    /// Returns the operation of a method on a path, or `None` if the resource does not declare it in the version of the
    /// request.
    pub(crate) fn new(context: &RequestContext<'_>, method: &Method, target: Target) -> Option<Self> {
        let spec = find_path(&target.resource, context.version)?;
        let reads = *method == Method::GET || *method == Method::HEAD;
        let writes = *method == Method::PATCH || *method == Method::PUT;
        let operation = match target.endpoint {
            Endpoint::Collection if reads && spec.singleton.is_some() => Self::Single { spec },
            _ if spec.singleton.is_some() => return None,
            Endpoint::Related(..) | Endpoint::Relationship(..) if spec.unrouted => return None,
            Endpoint::Collection if reads => Self::List { spec },
            Endpoint::Collection if *method == Method::POST => Self::Create { spec },
            Endpoint::Record(id) if reads => Self::Get { spec, id },
            Endpoint::Record(id) if writes => Self::Update { spec, id },
            Endpoint::Record(id) if *method == Method::DELETE => Self::Delete { spec, id },
            Endpoint::Related(id, name) if reads => {
                Self::Related { spec, id, relationship: context.relationship(spec, &name)? }
            }
            Endpoint::Relationship(id, name) => {
                let relationship = context.relationship(spec, &name)?;
                let change = match *method {
                    Method::GET | Method::HEAD => {
                        return spec.has_at(Verb::Get, context.version).then_some(Self::Linkage {
                            spec,
                            id,
                            relationship,
                        });
                    }
                    Method::POST if relationship.many => LinkageChange::Add,
                    Method::PATCH | Method::PUT => LinkageChange::Replace,
                    Method::DELETE => LinkageChange::Remove,
                    _ => return None,
                };
                Self::UpdateLinkage { spec, id, relationship, change }
            }
            _ => return None,
        };
        spec.has_at(operation.verb(), context.version).then_some(operation)
    }

    /// Returns the feature without which an account may not use the operation in a version.
    pub(crate) fn feature_needed(&self, version: ApiVersion) -> Option<Feature> {
        let (Self::List { spec }
        | Self::Single { spec }
        | Self::Get { spec, .. }
        | Self::Create { spec }
        | Self::Upload { spec, .. }
        | Self::Update { spec, .. }
        | Self::Delete { spec, .. }
        | Self::Linkage { spec, .. }
        | Self::Related { spec, .. }
        | Self::UpdateLinkage { spec, .. }) = self;
        spec.feature_needed(self.verb(), version)
    }

    /// The upload operation instead of the create of a type that is created by a form; any other operation unchanged.
    ///
    /// # Errors
    /// If a form is needed, and `boundary` has none.
    pub(crate) fn with_form(self, boundary: impl FnOnce() -> Option<String>) -> Result<Self, ApiError> {
        match self {
            Self::Create { spec } if let Some(form) = spec.form => {
                let boundary = boundary().ok_or_else(invalid_form)?;
                Ok(Self::Upload { spec, form, boundary })
            }
            other => Ok(other),
        }
    }

    /// The verb that the resource must declare for this operation.
    pub(crate) fn verb(&self) -> Verb {
        match self {
            Self::List { .. } => Verb::List,
            Self::Get { .. } | Self::Single { .. } | Self::Linkage { .. } | Self::Related { .. } => Verb::Get,
            Self::Create { .. } | Self::Upload { .. } => Verb::Create,
            Self::Update { .. } | Self::UpdateLinkage { .. } => Verb::Update,
            Self::Delete { .. } => Verb::Delete,
        }
    }

    /// The resource of the primary records in the response, to which the query parameters apply; `None` if the response
    /// contains no records.
    pub(crate) fn primary_resource(&self) -> Option<&'static ResourceSpec> {
        match self {
            Self::Related { relationship, .. } => didww_types::find(relationship.target),
            Self::List { spec }
            | Self::Single { spec }
            | Self::Get { spec, .. }
            | Self::Create { spec }
            | Self::Upload { spec, .. }
            | Self::Update { spec, .. } => Some(spec),
            Self::Delete { .. } | Self::Linkage { .. } | Self::UpdateLinkage { .. } => None,
        }
    }

    /// Returns true if the response is a page of records with `links`.
    pub(crate) fn is_paged(&self) -> bool {
        match self {
            Self::List { .. } => true,
            Self::Related { relationship, .. } => relationship.many,
            _ => false,
        }
    }

    /// Returns true if the operation changes records.
    pub(crate) fn writes(&self) -> bool {
        self.verb() != Verb::List && self.verb() != Verb::Get
    }

    /// Returns true if the response can contain any number of records or identifiers.
    pub(crate) fn lists(&self) -> bool {
        matches!(self, Self::List { .. } | Self::Linkage { .. } | Self::Related { .. })
    }

    /// Returns true if the request must have a body of the API's media type.
    pub(crate) fn requires_media_type(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Update { .. })
            || matches!(self, Self::UpdateLinkage { change, .. } if *change != LinkageChange::Remove)
    }

    /// Returns true if the body of the request is read.
    pub(crate) fn has_body(&self) -> bool {
        self.requires_media_type() || matches!(self, Self::UpdateLinkage { .. } | Self::Upload { .. })
    }
}
