//! The inputs of a decision on a write.

use std::collections::BTreeMap;

use didww_types::{ApiVersion, Feature, Secret, Timestamp};
use serde_json::{Map, Value};

/// One write, with everything that the decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// Whether a record is created or updated.
    pub act: Act<'a>,
    /// The API version of the request.
    pub version: ApiVersion,
    /// The features of the account.
    pub features: Features,
    /// The time of the write.
    pub now: Timestamp,
    /// The attributes as sent, in the names and forms of the API version.
    pub sent: &'a Map<String, Value>,
    /// The relationships that were sent, with the records they name.
    pub links: &'a BTreeMap<&'static str, Linked>,
    /// The credentials to store if the write creates new ones.
    pub fresh: &'a Credentials,
    /// The record's own `meta`, such as the amount a trunk spent; empty if it has none.
    pub meta: &'a Map<String, Value>,
    /// Whether manual blocking and unblocking also trigger the callback.
    pub callback_on_manual_block: bool,
}

/// Whether a record is created or updated.
#[derive(Debug, Clone, Copy)]
pub enum Act<'a> {
    /// A record is created.
    Create,
    /// The record with these canonical attributes is updated.
    Update(&'a Map<String, Value>),
}

/// SIP credentials of a trunk.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The digest username.
    pub username: String,
    /// The digest password.
    pub password: Secret,
}

/// The records that a relationship in a request body names.
#[derive(Debug, Clone, Default)]
pub struct Linked {
    /// The records in the order in which they were named, each once.
    pub records: Vec<LinkedRecord>,
}

/// A record that a request body names.
#[derive(Debug, Clone)]
pub struct LinkedRecord {
    /// The id that was sent.
    pub id: String,
    /// The record's canonical attributes; `None` if the account has no such record.
    pub attributes: Option<Map<String, Value>>,
}

/// A set of account features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features(u8);

impl Features {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// Collects features into a set.
    pub fn of(features: impl IntoIterator<Item = Feature>) -> Self {
        features.into_iter().fold(Self::NONE, Self::with)
    }

    /// Returns the set with `feature` added.
    #[must_use]
    pub fn with(self, feature: Feature) -> Self {
        Self(self.0 | Self::bit(feature))
    }

    /// Returns the set with `feature` removed.
    #[must_use]
    pub fn without(self, feature: Feature) -> Self {
        Self(self.0 & !Self::bit(feature))
    }

    /// Whether the set contains `feature`.
    pub fn has(self, feature: Feature) -> bool {
        self.0 & Self::bit(feature) != 0
    }

    /// Iterates over the features in the set.
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        Feature::ALL.into_iter().filter(move |feature| self.has(*feature))
    }

    /// The set as a number, for storage.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set of a stored number. Bits that stand for no feature are ignored.
    pub fn from_bits(bits: u8) -> Self {
        Self::of(Feature::ALL.into_iter().filter(|feature| bits & Self::bit(*feature) != 0))
    }

    fn bit(feature: Feature) -> u8 {
        let position = Feature::ALL.iter().position(|known| *known == feature).unwrap_or(0);
        1 << position
    }
}
