//! The state of the edge that a decision on a call uses.

use didww_types::Timestamp;
use didww_types::values::Money;

use super::super::{Digits, Nonces, Rate, RateCard, Settings, TrunkIndex, TrunkTerms};

/// The spending of trunks at the time of a call.
pub trait Funds {
    /// Returns the amount spent by a trunk, including amounts held for calls in progress, if it leaves no
    /// room for another call. The trunk's status may still be `active`. Returns `None` if another call is
    /// allowed.
    fn exhausted(&self, trunk: &TrunkTerms) -> Option<Money>;

    /// Whether the charge of a call on this trunk can be stored.
    fn are_recorded(&self, trunk: &TrunkTerms) -> bool;
}

/// The rates of calls.
pub trait Rates {
    /// Returns the rate of a trunk's calls to a destination. Without one, they are not routed.
    fn rate(&self, trunk: &TrunkTerms, destination: Digits) -> Option<Rate>;
}

/// The same rates for every trunk.
impl Rates for RateCard {
    fn rate(&self, _trunk: &TrunkTerms, destination: Digits) -> Option<Rate> {
        self.find(destination).map(|(_, rate)| rate)
    }
}

/// The state of the edge at the time of a call.
#[derive(Clone, Copy)]
pub struct Snapshot<'a> {
    /// All trunks, with their channels in use.
    pub trunks: &'a TrunkIndex,
    /// The settings of the edge.
    pub settings: &'a Settings,
    /// Judges the nonce of a digest, at the time of the call.
    pub nonces: &'a dyn Nonces,
    /// The rates. Without them, every destination is routed and no call has a price.
    pub rates: Option<&'a dyn Rates>,
    /// The spending of trunks. Without it, only the trunk's stored status counts.
    pub funds: Option<&'a dyn Funds>,
    /// The time of the call.
    pub now: Timestamp,
    /// A random number that chooses the DID of `randomize_cli`.
    pub random: u64,
}
