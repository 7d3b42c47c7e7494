//! Relationships of a record that was read.

use std::marker::PhantomData;

use serde::{Deserialize, Deserializer};

use crate::document::present;
use crate::resource::{Named, Resource};
use crate::{DecodeError, Id, Included, Linkage, RelationshipObject, ResourceIdentifier};

/// Stands for the target of a relationship whose type is not declared here yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnyResource;

impl Named for AnyResource {
    const TYPE: &'static str = "";
}

/// The name of a to-many relationship of `R`, which leads to records of `T`.
///
/// The declaration makes one of each, such as `VoiceOutTrunk::DIDS`.
#[derive(Debug)]
pub struct ToManyName<R, T> {
    name: &'static str,
    ends: PhantomData<fn() -> (R, T)>,
}

/// The name of a to-one relationship of `R`, which leads to one `T` at most.
///
/// The declaration makes one of each, such as `VoiceOutTrunk::DEFAULT_DID`.
#[derive(Debug)]
pub struct ToOneName<R, T> {
    name: &'static str,
    ends: PhantomData<fn() -> (R, T)>,
}

// Written out because a derive would ask the same of `R` and `T`.
impl<R, T> Clone for ToManyName<R, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R, T> Copy for ToManyName<R, T> {}
impl<R, T> Clone for ToOneName<R, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R, T> Copy for ToOneName<R, T> {}

impl<R, T> ToManyName<R, T> {
    #[doc(hidden)]
    pub const fn declared(name: &'static str) -> Self {
        Self { name, ends: PhantomData }
    }

    /// The name on the wire.
    pub const fn as_str(&self) -> &'static str {
        self.name
    }
}

impl<R, T> ToOneName<R, T> {
    #[doc(hidden)]
    pub const fn declared(name: &'static str) -> Self {
        Self { name, ends: PhantomData }
    }

    /// The name on the wire.
    pub const fn as_str(&self) -> &'static str {
        self.name
    }
}

/// The links of a relationship.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct RelationshipLinks {
    /// Where the linkage itself is read and written.
    #[serde(rename = "self", default, skip_serializing_if = "Option::is_none")]
    pub own: Option<String>,
    /// Where the related records are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub related: Option<String>,
}

/// A relationship whose declaration says what its linkage is.
#[derive(Deserialize)]
struct Declared<T> {
    #[serde(default)]
    links: Option<RelationshipLinks>,
    #[serde(default = "none", deserialize_with = "present", bound(deserialize = "T: Deserialize<'de>"))]
    data: Option<T>,
}

// `Option::default` would ask for a default of `T`.
fn none<T>() -> Option<T> {
    None
}

/// A relationship to any number of records. Its members are known only when it was included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToMany<R> {
    members: Option<Vec<ResourceIdentifier>>,
    links: Option<RelationshipLinks>,
    target: PhantomData<fn() -> R>,
}

impl<R> Default for ToMany<R> {
    fn default() -> Self {
        Self::unloaded(None)
    }
}

impl<'de, R> Deserialize<'de> for ToMany<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Declared { links, data } = Declared::deserialize(deserializer)?;
        Ok(Self { members: data, links, target: PhantomData })
    }
}

impl<R> ToMany<R> {
    pub(crate) fn unloaded(links: Option<RelationshipLinks>) -> Self {
        Self { members: None, links, target: PhantomData }
    }

    pub(crate) fn loaded(members: Vec<ResourceIdentifier>, links: Option<RelationshipLinks>) -> Self {
        Self { members: Some(members), links, target: PhantomData }
    }

    /// The ids of the members, or `None` when the relationship was not included.
    pub fn ids(&self) -> Option<Vec<Id<R>>> {
        self.members
            .as_ref()
            .map(|members| members.iter().map(|member| Id::new(member.id.as_str())).collect())
    }

    /// The links, which every full answer carries.
    pub fn links(&self) -> Option<&RelationshipLinks> {
        self.links.as_ref()
    }

    #[doc(hidden)]
    pub fn to_object(&self) -> RelationshipObject {
        RelationshipObject { links: self.links.clone(), data: self.members.clone().map(Linkage::Many) }
    }
}

impl<R: Resource> ToMany<R> {
    /// The members themselves, as far as the document included them.
    ///
    /// # Errors
    /// When an included record cannot be read.
    pub fn included(&self, included: &Included) -> Result<Vec<R>, DecodeError> {
        self.members.iter().flatten().filter_map(|member| included.find(member)).collect()
    }
}

/// A relationship to one record at most. Whom it leads to is known only when it was included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToOne<R> {
    #[expect(clippy::option_option, reason = "not answered, answered with nobody, answered with one")]
    member: Option<Option<ResourceIdentifier>>,
    links: Option<RelationshipLinks>,
    target: PhantomData<fn() -> R>,
}

impl<R> Default for ToOne<R> {
    fn default() -> Self {
        Self::unloaded(None)
    }
}

impl<'de, R> Deserialize<'de> for ToOne<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Declared { links, data } = Declared::deserialize(deserializer)?;
        Ok(Self { member: data, links, target: PhantomData })
    }
}

impl<R> ToOne<R> {
    pub(crate) fn unloaded(links: Option<RelationshipLinks>) -> Self {
        Self { member: None, links, target: PhantomData }
    }

    pub(crate) fn loaded(member: Option<ResourceIdentifier>, links: Option<RelationshipLinks>) -> Self {
        Self { member: Some(member), links, target: PhantomData }
    }

    /// The id of the member; `None` when there is none or when the relationship was not included.
    pub fn id(&self) -> Option<Id<R>> {
        self.identifier().map(|member| Id::new(member.id.as_str()))
    }

    /// Type and id of the member.
    pub fn identifier(&self) -> Option<&ResourceIdentifier> {
        self.member.as_ref()?.as_ref()
    }

    /// Whether the answer said whom it leads to, if only to nobody.
    pub const fn is_loaded(&self) -> bool {
        self.member.is_some()
    }

    /// The links, which every full answer carries.
    pub fn links(&self) -> Option<&RelationshipLinks> {
        self.links.as_ref()
    }

    #[doc(hidden)]
    pub fn to_object(&self) -> RelationshipObject {
        RelationshipObject { links: self.links.clone(), data: self.member.clone().map(Linkage::One) }
    }
}

impl<R: Resource> ToOne<R> {
    /// The member itself, if the document included it.
    ///
    /// # Errors
    /// When the included record cannot be read.
    pub fn included(&self, included: &Included) -> Result<Option<R>, DecodeError> {
        self.identifier().and_then(|member| included.find(member)).transpose()
    }
}
