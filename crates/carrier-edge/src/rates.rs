//! The default rates of calls, used without configured ones.

use std::num::NonZeroU32;

use rust_decimal::Decimal;
use trunk_rules::carrier::{Rate, RateCard};

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
