//! The rates of calls: those of the account, or else those that are configured, or the default ones.

use std::num::NonZeroU32;

use rust_decimal::Decimal;
use service_core::price_plans::PricePlans;
use trunk_rules::carrier::{Digits, Rate, RateCard, Rates, TrunkTerms};

/// The rates by which an edge charges calls.
pub(crate) struct RatesOf<'a> {
    /// The rates of accounts that have their own.
    pub own: &'a PricePlans,
    /// The rates of all other accounts.
    pub standard: &'a RateCard,
}

impl Rates for RatesOf<'_> {
    fn rate(&self, trunk: &TrunkTerms, destination: Digits) -> Option<Rate> {
        let own = self.own.of(trunk.account.parse().unwrap_or_default());
        let card = own.as_ref().and_then(|plan| plan.rates.as_ref()).unwrap_or(self.standard);
        card.find(destination).map(|(_, rate)| rate)
    }
}

/// The default rate card: North America, the United Kingdom, its mobile numbers, and the rest of the world.
pub(crate) fn default_rates() -> RateCard {
    let rate = |per_minute: Decimal, initial: u32, next: u32| Rate {
        per_minute,
        initial_interval: NonZeroU32::new(initial).unwrap_or(NonZeroU32::MIN),
        next_interval: NonZeroU32::new(next).unwrap_or(NonZeroU32::MIN),
    };
    let world = (1..=9).map(|first| (first.to_string(), rate(Decimal::new(5, 2), 60, 60)));
    let known = [
        ("1", rate(Decimal::new(1, 2), 6, 6)),
        ("44", rate(Decimal::new(1, 2), 1, 1)),
        ("447", rate(Decimal::new(3, 2), 1, 1)),
    ];
    let known = known.into_iter().map(|(prefix, rate)| (prefix.to_owned(), rate));
    RateCard::new(world.chain(known).filter_map(|(prefix, rate)| Some((prefix.parse().ok()?, rate))))
}
