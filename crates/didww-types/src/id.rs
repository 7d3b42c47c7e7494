//! Typed ids.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::resource::Named;

/// The id of a record of type `R`: a UUID, in lower case on the wire.
///
/// The text is kept as the service sent it and is not validated. Ids of different resources are different
/// types.
pub struct Id<R> {
    text: Box<str>,
    resource: PhantomData<fn() -> R>,
}

impl<R> Id<R> {
    /// Creates an id from its wire text, without validation.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self { text: text.into(), resource: PhantomData }
    }

    /// The id as it is written on the wire.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<R: Named> Id<R> {
    /// The JSON:API resource identifier, `{"type", "id"}`.
    pub fn identifier(&self) -> ResourceIdentifier {
        let (kind, id) = R::identify(&self.text);
        ResourceIdentifier { kind: kind.to_owned(), id: id.to_owned() }
    }
}

// The following are not derived, because a derive would require the same traits of `R`.
impl<R> Clone for Id<R> {
    fn clone(&self) -> Self {
        Self::new(self.text.clone())
    }
}
impl<R> PartialEq for Id<R> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
impl<R> Eq for Id<R> {}
impl<R> PartialOrd for Id<R> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<R> Ord for Id<R> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}
impl<R> Hash for Id<R> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}
impl<R> fmt::Debug for Id<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({})", self.text)
    }
}
impl<R> fmt::Display for Id<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
impl<R> From<&str> for Id<R> {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}
impl<R> From<String> for Id<R> {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}
impl<R> From<&Id<R>> for Id<R> {
    fn from(id: &Id<R>) -> Self {
        id.clone()
    }
}
impl<R> From<Id<R>> for String {
    fn from(id: Id<R>) -> Self {
        id.text.into()
    }
}
impl<R> From<&Id<R>> for String {
    fn from(id: &Id<R>) -> Self {
        id.text.to_string()
    }
}
impl<R> Serialize for Id<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}
impl<'de, R> Deserialize<'de> for Id<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// A JSON:API resource identifier: the type and id of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceIdentifier {
    /// The plural type name, such as `dids`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The record's id, a UUID.
    pub id: String,
}
