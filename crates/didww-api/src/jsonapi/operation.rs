//! What a method does at a place.

use didww_types::{RelationshipSpec, ResourceSpec, Verb};
use http::Method;

use super::{Call, Place, Target};

/// What a request asks for.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    /// A page of a list.
    List {
        /// The resource.
        spec: &'static ResourceSpec,
    },
    /// One record.
    Get {
        /// The resource.
        spec: &'static ResourceSpec,
        /// The id as it stood in the path.
        id: String,
    },
    /// A new record.
    Create {
        /// The resource.
        spec: &'static ResourceSpec,
    },
    /// Changes to a record.
    Update {
        /// The resource.
        spec: &'static ResourceSpec,
        /// The id as it stood in the path.
        id: String,
    },
    /// A record's end.
    Delete {
        /// The resource.
        spec: &'static ResourceSpec,
        /// The id as it stood in the path.
        id: String,
    },
    /// The identifiers that a relationship leads to.
    Linkage {
        /// The resource.
        spec: &'static ResourceSpec,
        /// The id as it stood in the path.
        id: String,
        /// The relationship.
        relationship: &'static RelationshipSpec,
    },
    /// The records that a relationship leads to.
    Related {
        /// The resource.
        spec: &'static ResourceSpec,
        /// The id as it stood in the path.
        id: String,
        /// The relationship.
        relationship: &'static RelationshipSpec,
    },
    /// Changes to whom a relationship leads to.
    Relink {
        /// The resource.
        spec: &'static ResourceSpec,
        /// The id as it stood in the path.
        id: String,
        /// The relationship.
        relationship: &'static RelationshipSpec,
        /// How it changes.
        act: Relinking,
    },
}

/// How a relationship changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relinking {
    /// Members come.
    Add,
    /// Members are replaced.
    Replace,
    /// Members go.
    Remove,
}

impl Operation {
    /// What a method asks for at a place; `None` when nothing is served there.
    pub(crate) fn of(call: &Call<'_>, method: &Method, target: &Target) -> Option<Self> {
        let spec = target.spec().filter(|spec| call.version >= spec.since)?;
        let reads = *method == Method::GET || *method == Method::HEAD;
        let writes = *method == Method::PATCH || *method == Method::PUT;
        let operation = match target.place.clone() {
            Place::Collection if reads => Self::List { spec },
            Place::Collection if *method == Method::POST => Self::Create { spec },
            Place::Record(id) if reads => Self::Get { spec, id },
            Place::Record(id) if writes => Self::Update { spec, id },
            Place::Record(id) if *method == Method::DELETE => Self::Delete { spec, id },
            Place::Related(id, name) if reads => {
                Self::Related { spec, id, relationship: call.relationship(spec, &name)? }
            }
            Place::Relationship(id, name) => {
                let relationship = call.relationship(spec, &name)?;
                let act = match *method {
                    Method::GET | Method::HEAD => {
                        return spec.has(Verb::Get).then_some(Self::Linkage { spec, id, relationship });
                    }
                    Method::POST if relationship.many => Relinking::Add,
                    Method::PATCH | Method::PUT => Relinking::Replace,
                    Method::DELETE => Relinking::Remove,
                    _ => return None,
                };
                Self::Relink { spec, id, relationship, act }
            }
            _ => return None,
        };
        spec.has(operation.verb()).then_some(operation)
    }

    /// The resource's verb that the operation needs.
    pub(crate) fn verb(&self) -> Verb {
        match self {
            Self::List { .. } => Verb::List,
            Self::Get { .. } | Self::Linkage { .. } | Self::Related { .. } => Verb::Get,
            Self::Create { .. } => Verb::Create,
            Self::Update { .. } | Self::Relink { .. } => Verb::Update,
            Self::Delete { .. } => Verb::Delete,
        }
    }

    /// The resource whose records the answer holds, which the query speaks of; `None` when it holds none.
    pub(crate) fn shown(&self) -> Option<&'static ResourceSpec> {
        match self {
            Self::Related { relationship, .. } => didww_types::find(relationship.target),
            Self::List { spec }
            | Self::Get { spec, .. }
            | Self::Create { spec }
            | Self::Update { spec, .. } => Some(spec),
            Self::Delete { .. } | Self::Linkage { .. } | Self::Relink { .. } => None,
        }
    }

    /// Whether the answer is a page of a list.
    pub(crate) fn is_list(&self) -> bool {
        match self {
            Self::List { .. } => true,
            Self::Related { relationship, .. } => relationship.many,
            _ => false,
        }
    }

    /// Whether something is changed.
    pub(crate) fn writes(&self) -> bool {
        !matches!(self, Self::List { .. } | Self::Get { .. } | Self::Linkage { .. } | Self::Related { .. })
    }

    /// Whether any number of records is answered.
    pub(crate) fn lists(&self) -> bool {
        matches!(self, Self::List { .. } | Self::Linkage { .. } | Self::Related { .. })
    }

    /// Whether a body of the API's media type is expected.
    pub(crate) fn has_checked_body(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Update { .. })
            || matches!(self, Self::Relink { act, .. } if *act != Relinking::Remove)
    }

    /// Whether there is a body at all.
    pub(crate) fn has_body(&self) -> bool {
        self.has_checked_body() || matches!(self, Self::Relink { .. })
    }
}
