//! The checks of a call, in their order.

/// A check of a call. Calls are checked in the order of the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Check {
    /// At least one trunk allows the source address.
    Source,
    /// The dialled text begins with the tech prefix of one of these trunks.
    TechPrefix,
    /// The digest is present and valid, if the trunk requires one.
    Digest,
    /// The trunk that the digest names allows both the source address and the tech prefix.
    Trunk,
    /// The INVITE can be answered: its extensions, body, contact and session timer are supported.
    Request,
    /// The trunk is not blocked.
    Status,
    /// The charge of the call can be stored.
    Recording,
    /// The dialled text is a number.
    Number,
    /// An emergency call presents one of the trunk's emergency DIDs.
    Emergency,
    /// The trunk's destination rule allows the number.
    Destination,
    /// The caller number is one of the trunk's own, or the mismatch action admits the call.
    Cli,
    /// The rate card has a rate for the destination.
    Route,
    /// The offered media matches the media encryption mode and the codecs.
    Media,
    /// The trunk has a free channel.
    Capacity,
}

impl Check {
    /// All checks, in their order.
    pub const ALL: [Self; 14] = [
        Self::Source,
        Self::TechPrefix,
        Self::Digest,
        Self::Trunk,
        Self::Request,
        Self::Status,
        Self::Recording,
        Self::Number,
        Self::Emergency,
        Self::Destination,
        Self::Cli,
        Self::Route,
        Self::Media,
        Self::Capacity,
    ];

    /// The name in logs and diagnostic headers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::TechPrefix => "tech_prefix",
            Self::Digest => "digest",
            Self::Trunk => "trunk",
            Self::Request => "request",
            Self::Status => "status",
            Self::Recording => "recording",
            Self::Number => "number",
            Self::Emergency => "emergency",
            Self::Destination => "destination",
            Self::Cli => "cli",
            Self::Route => "route",
            Self::Media => "media",
            Self::Capacity => "capacity",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of checks, a bit for each.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Checks(u16);

impl Checks {
    /// Collects checks into a set.
    pub fn of(checks: impl IntoIterator<Item = Check>) -> Self {
        Self(checks.into_iter().fold(0, |bits, check| bits | check.bit()))
    }

    /// Whether the set contains a check.
    pub const fn contains(self, check: Check) -> bool {
        self.0 & check.bit() != 0
    }

    /// Iterates over the checks in the order in which they run.
    pub fn iter(self) -> impl Iterator<Item = Check> {
        Check::ALL.into_iter().filter(move |check| self.contains(*check))
    }

    /// The set without a check.
    pub(super) const fn without(self, check: Check) -> Self {
        Self(self.0 & !check.bit())
    }

    pub(super) const fn add(&mut self, check: Check) {
        self.0 |= check.bit();
    }
}

impl std::fmt::Debug for Checks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_checks_is_complete_and_in_the_order_of_the_variants() {
        assert!(Check::ALL.is_sorted());
        assert_eq!(Check::ALL.len(), Check::Capacity as usize + 1);
        assert_eq!(Checks::of(Check::ALL.into_iter().rev()).iter().collect::<Vec<_>>(), Check::ALL);
    }
}
