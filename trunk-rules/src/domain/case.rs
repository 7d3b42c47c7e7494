//! What a decision about a write depends on.

use std::collections::BTreeMap;

use didww_types::{ApiVersion, Feature, Secret, Timestamp};
use serde_json::{Map, Value};

/// One write, with everything that decides about it.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// Whether a record is made or changed.
    pub act: Act<'a>,
    /// The version that the request was made in.
    pub version: ApiVersion,
    /// What the account has.
    pub features: Features,
    /// The time of the write.
    pub now: Timestamp,
    /// The attributes as they were sent, in the words of the version.
    pub sent: &'a Map<String, Value>,
    /// The relationships that were sent, with the records they name.
    pub links: &'a BTreeMap<&'static str, Linked>,
    /// Credentials to give out if new ones are needed.
    pub fresh: &'a Credentials,
    /// The record's own meta, such as what a trunk spent; empty when it has none.
    pub meta: &'a Map<String, Value>,
    /// Whether blocking and unblocking by hand is called back too.
    pub callback_on_manual_block: bool,
}

/// Whether a record is made or changed.
#[derive(Debug, Clone, Copy)]
pub enum Act<'a> {
    /// A record is made.
    Create,
    /// The record with these canonical attributes is changed.
    Update(&'a Map<String, Value>),
}

/// SIP credentials.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Digest username.
    pub username: String,
    /// Digest password.
    pub password: Secret,
}

/// What a relationship in a body leads to.
#[derive(Debug, Clone, Default)]
pub struct Linked {
    /// The records in the order they were named, each once.
    pub records: Vec<LinkedRecord>,
}

/// A record that a body names.
#[derive(Debug, Clone)]
pub struct LinkedRecord {
    /// The id that was sent.
    pub id: String,
    /// Its canonical attributes; `None` when the account has no such record.
    pub attributes: Option<Map<String, Value>>,
}

/// The features of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features(u8);

impl Features {
    /// No feature.
    pub const NONE: Self = Self(0);

    /// These features.
    pub fn of(features: impl IntoIterator<Item = Feature>) -> Self {
        features.into_iter().fold(Self::NONE, Self::with)
    }

    /// The same and one more.
    #[must_use]
    pub fn with(self, feature: Feature) -> Self {
        Self(self.0 | Self::bit(feature))
    }

    /// The same without one.
    #[must_use]
    pub fn without(self, feature: Feature) -> Self {
        Self(self.0 & !Self::bit(feature))
    }

    /// Whether the feature is among them.
    pub fn has(self, feature: Feature) -> bool {
        self.0 & Self::bit(feature) != 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        Feature::ALL.into_iter().filter(move |feature| self.has(*feature))
    }

    /// The features in a number, for storage.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The features of a stored number; bits of no feature are dropped.
    pub fn from_bits(bits: u8) -> Self {
        Self::of(Feature::ALL.into_iter().filter(|feature| bits & Self::bit(*feature) != 0))
    }

    fn bit(feature: Feature) -> u8 {
        let place = Feature::ALL.iter().position(|known| *known == feature).unwrap_or(0);
        1 << place
    }
}
