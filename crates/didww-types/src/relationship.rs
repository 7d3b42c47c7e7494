//! The relationships of a decoded record.

use std::marker::PhantomData;

use serde::{Deserialize, Deserializer};

use crate::document::present;
use crate::links::link;
use crate::resource::Resource;
use crate::{DecodeError, Id, Included, Linkage, RelationshipObject, ResourceIdentifier};

/// The name of a to-many relationship from `R` to records of type `T`.
///
/// The derive generates a constant for each relationship, such as `VoiceOutTrunk::DIDS`.
#[derive(Debug)]
pub struct ToManyName<R, T> {
    name: &'static str,
    ends: PhantomData<fn() -> (R, T)>,
}

/// The name of a to-one relationship from `R` to at most one record of type `T`.
///
/// The derive generates a constant for each relationship, such as `VoiceOutTrunk::DEFAULT_DID`.
#[derive(Debug)]
pub struct ToOneName<R, T> {
    name: &'static str,
    ends: PhantomData<fn() -> (R, T)>,
}

// The following are not derived, because a derive would require the same traits of `R` and `T`.
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

    /// The relationship's name on the wire.
    pub const fn as_str(&self) -> &'static str {
        self.name
    }
}

impl<R, T> ToOneName<R, T> {
    #[doc(hidden)]
    pub const fn declared(name: &'static str) -> Self {
        Self { name, ends: PhantomData }
    }

    /// The relationship's name on the wire.
    pub const fn as_str(&self) -> &'static str {
        self.name
    }
}

/// The URLs of a relationship.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct RelationshipLinks {
    /// The URL at which the linkage is read and written; `self` on the wire.
    #[serde(rename = "self", default, deserialize_with = "link", skip_serializing_if = "Option::is_none")]
    pub own: Option<String>,
    /// The URL at which the related records are read.
    #[serde(default, deserialize_with = "link", skip_serializing_if = "Option::is_none")]
    pub related: Option<String>,
}

/// A relationship object whose linkage has the declared type `T`: a list, or an optional identifier.
#[derive(Deserialize)]
struct Declared<T> {
    #[serde(default)]
    links: Option<RelationshipLinks>,
    #[serde(default = "none", deserialize_with = "present", bound(deserialize = "T: Deserialize<'de>"))]
    data: Option<T>,
}

// `#[serde(default)]` alone would require `T: Default`.
fn none<T>() -> Option<T> {
    None
}

/// A relationship to any number of records. The ids of its members are only known when the request included
/// the relationship.
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

    /// The ids of the members; `None` when the request did not include the relationship.
    pub fn ids(&self) -> Option<Vec<Id<R>>> {
        self.members
            .as_ref()
            .map(|members| members.iter().map(|member| Id::new(member.id.as_str())).collect())
    }

    /// The URLs of the relationship. Every complete record has them.
    pub fn links(&self) -> Option<&RelationshipLinks> {
        self.links.as_ref()
    }

    #[doc(hidden)]
    pub fn to_object(&self) -> RelationshipObject {
        RelationshipObject {
            links: self.links.clone(),
            data: self.members.clone().map(Linkage::Many),
            meta: None,
        }
    }
}

impl<R: Resource> ToMany<R> {
    /// Decodes the members from the included records of their document. Members that are not included are
    /// left out.
    ///
    /// # Errors
    /// Returns an error with the path when an included record cannot be decoded.
    pub fn included(&self, included: &Included) -> Result<Vec<R>, DecodeError> {
        self.members.iter().flatten().filter_map(|member| included.find(member)).collect()
    }
}

/// A relationship to at most one record. The id of its member is only known when the request included the
/// relationship.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToOne<R> {
    #[expect(clippy::option_option, reason = "not included, included without a member, included with one")]
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

    /// The id of the member; `None` when there is none, or when the request did not include the relationship.
    /// Use [`is_loaded`](Self::is_loaded) to distinguish the two.
    pub fn id(&self) -> Option<Id<R>> {
        self.identifier().map(|member| Id::new(member.id.as_str()))
    }

    /// The type and id of the member; `None` in the same cases as [`id`](Self::id).
    pub fn identifier(&self) -> Option<&ResourceIdentifier> {
        self.member.as_ref()?.as_ref()
    }

    /// Whether the response contained the linkage, even if there is no member.
    pub const fn is_loaded(&self) -> bool {
        self.member.is_some()
    }

    /// The URLs of the relationship. Every complete record has them.
    pub fn links(&self) -> Option<&RelationshipLinks> {
        self.links.as_ref()
    }

    #[doc(hidden)]
    pub fn to_object(&self) -> RelationshipObject {
        RelationshipObject {
            links: self.links.clone(),
            data: self.member.clone().map(Linkage::One),
            meta: None,
        }
    }
}

impl<R: Resource> ToOne<R> {
    /// Decodes the member from the included records of its document; `None` if it is not included.
    ///
    /// # Errors
    /// Returns an error with the path when the included record cannot be decoded.
    pub fn included(&self, included: &Included) -> Result<Option<R>, DecodeError> {
        self.identifier().and_then(|member| included.find(member)).transpose()
    }
}
