//! Features that DIDWW enables for an account, independently of its version.

use std::fmt;
use std::str::FromStr;

/// A feature that DIDWW enables per account, and on which members and values depend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Feature {
    /// The account has an outbound plan.
    Outbound,
    /// A trunk of the account can replace caller numbers (`replace_cli`, `default_did`).
    ReplaceCli,
    /// A trunk of the account can send a random one of its DIDs as caller number (`randomize_cli`).
    RandomizeCli,
    /// Emergency services can be called from the account's DIDs.
    Emergency,
    /// The account is in read-only mode: it orders and cancels nothing, and deletes no trunk group.
    ReadOnly,
    /// An order of the account can pay some days of the first period of numbers alone (`prorate_days_qty`).
    ProratedBilling,
}

impl Feature {
    /// All features, in the order of their declaration.
    pub const ALL: [Self; 6] = [
        Self::Outbound,
        Self::ReplaceCli,
        Self::RandomizeCli,
        Self::Emergency,
        Self::ReadOnly,
        Self::ProratedBilling,
    ];

    /// The feature's name in the configuration and on the control interface, such as `replace_cli`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::ReplaceCli => "replace_cli",
            Self::RandomizeCli => "randomize_cli",
            Self::Emergency => "emergency",
            Self::ReadOnly => "read_only",
            Self::ProratedBilling => "prorated_billing",
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not the name of a feature that this crate knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a feature; known are {known}", known = Feature::ALL.map(Feature::as_str).join(", "))]
pub struct UnknownFeature(String);

impl FromStr for Feature {
    type Err = UnknownFeature;

    /// Reads a [name](Feature::as_str).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|feature| feature.as_str() == text);
        found.ok_or_else(|| UnknownFeature(text.to_owned()))
    }
}

/// A set of account features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features(u8);

impl Features {
    /// The set without any feature: that of an account for which DIDWW has enabled nothing.
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

    /// The set of a stored number. Bits without a feature are ignored.
    pub fn from_bits(bits: u8) -> Self {
        Self::of(Feature::ALL.into_iter().filter(|feature| bits & Self::bit(*feature) != 0))
    }

    fn bit(feature: Feature) -> u8 {
        let position = Feature::ALL.iter().position(|known| *known == feature).unwrap_or(0);
        1 << position
    }
}
