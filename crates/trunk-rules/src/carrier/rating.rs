//! Computes the price of a call, in exact decimals.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use rust_decimal::{Decimal, RoundingStrategy};

use super::Digits;

/// Decimal places of a price. Division by 60 can produce more; the price is rounded half up.
const PRICE_DECIMALS: u32 = 8;

/// The price of a minute and the intervals in which time is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// US dollars per minute; billed seconds are charged in proportion.
    pub per_minute: Decimal,
    /// The initial billing interval in seconds: every answered call is billed at least this long.
    pub initial_interval: NonZeroU32,
    /// The length of each further billing interval in seconds.
    pub next_interval: NonZeroU32,
}

/// The duration and price of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// Seconds from answer to end, rounded up.
    pub duration: u64,
    /// The seconds that are billed: the duration, rounded up to the billing intervals.
    pub billed: u64,
    /// The price in US dollars.
    pub price: Decimal,
}

impl Charge {
    /// The charge of a call that was not answered.
    pub const NOTHING: Self = Self { duration: 0, billed: 0, price: Decimal::ZERO };
}

impl Rate {
    /// Rates a call by the time since its answer. An unanswered call (`None`) is free.
    pub fn charge(&self, answered: Option<Duration>) -> Charge {
        let Some(up) = answered else {
            return Charge::NOTHING;
        };
        let duration = up.as_secs().saturating_add(u64::from(up.subsec_nanos() > 0));
        let (initial, next) = (u64::from(self.initial_interval.get()), u64::from(self.next_interval.get()));
        let steps = duration.saturating_sub(initial).div_ceil(next);
        let billed = steps.saturating_mul(next).saturating_add(initial);
        let price = Decimal::from(billed).saturating_mul(self.per_minute) / Decimal::from(60);
        let price =
            price.round_dp_with_strategy(PRICE_DECIMALS, RoundingStrategy::MidpointAwayFromZero).normalize();
        Charge { duration, billed, price }
    }
}

/// Rates by destination prefix. The longest prefix of a number decides.
#[derive(Debug, Clone, Default)]
pub struct RateCard(HashMap<Digits, Rate>);

impl RateCard {
    /// Builds a rate card. Of two rates for the same prefix, the last one is kept.
    pub fn new(rates: impl IntoIterator<Item = (Digits, Rate)>) -> Self {
        Self(rates.into_iter().collect())
    }

    /// Returns the longest prefix that a number begins with, and its rate.
    pub fn find(&self, number: Digits) -> Option<(Digits, Rate)> {
        (1..=number.len())
            .rev()
            .filter_map(|count| number.first(count))
            .find_map(|prefix| self.0.get(&prefix).map(|rate| (prefix, *rate)))
    }

    /// Returns all prefixes with their rates, in the order of the prefixes.
    pub fn rows(&self) -> Vec<(Digits, Rate)> {
        let mut rows: Vec<(Digits, Rate)> = self.0.iter().map(|(prefix, rate)| (*prefix, *rate)).collect();
        rows.sort_unstable_by_key(|(prefix, _)| *prefix);
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(per_minute: &str, initial: u32, next: u32) -> Rate {
        Rate {
            per_minute: per_minute.parse().unwrap(),
            initial_interval: NonZeroU32::new(initial).unwrap(),
            next_interval: NonZeroU32::new(next).unwrap(),
        }
    }

    fn answered(rate: &Rate, seconds: u64) -> Charge {
        rate.charge(Some(Duration::from_secs(seconds)))
    }

    #[test]
    fn time_is_billed_in_a_first_interval_and_whole_steps_after_it() {
        let rate = rate("0.06", 30, 6);
        for (up, billed) in [(0, 30), (1, 30), (30, 30), (31, 36), (36, 36), (37, 42)] {
            assert_eq!(answered(&rate, up).billed, billed, "{up} s");
        }
        assert_eq!(rate.charge(Some(Duration::from_millis(30_001))).billed, 36);
    }

    #[test]
    fn a_call_that_was_not_answered_costs_nothing() {
        assert_eq!(
            rate("9.99", 60, 60).charge(None),
            Charge { duration: 0, billed: 0, price: Decimal::ZERO }
        );
    }

    #[test]
    fn the_price_is_exact_where_it_can_be_and_rounded_to_eight_decimals_where_not() {
        assert_eq!(answered(&rate("0.02", 60, 60), 61).price.to_string(), "0.04");
        assert_eq!(answered(&rate("0.01", 1, 1), 1).price.to_string(), "0.00016667");
    }

    #[test]
    fn the_longest_prefix_of_a_destination_has_the_rate() {
        let (near, far) = (rate("0.01", 1, 1), rate("0.2", 60, 60));
        let card = RateCard::new([("44".parse().unwrap(), near), ("447".parse().unwrap(), far)]);
        assert_eq!(card.find("447700900000".parse().unwrap()), Some(("447".parse().unwrap(), far)));
        assert_eq!(card.find("442012345678".parse().unwrap()).unwrap().1, near);
        assert_eq!(card.find("33123456789".parse().unwrap()), None);
    }

    proptest! {
        #[test]
        fn billed_time_covers_the_call_by_less_than_a_step(
            up in 0u64..100_000, initial in 1u32..600, next in 1u32..600, cents in 0u32..1_000
        ) {
            let rate = rate(&Decimal::new(cents.into(), 2).to_string(), initial, next);
            let charge = answered(&rate, up);
            prop_assert!(charge.billed >= up.max(initial.into()));
            prop_assert!(charge.billed < up.max(initial.into()) + u64::from(next));
            prop_assert_eq!((charge.billed - u64::from(initial)) % u64::from(next), 0);
            prop_assert!((charge.price * Decimal::from(60) - rate.per_minute * Decimal::from(charge.billed)).abs() < Decimal::new(1, 6));
        }

        #[test]
        fn no_duration_makes_it_panic(up in any::<u64>(), scale in 0u32..28, amount in any::<i64>()) {
            let rate = Rate { per_minute: Decimal::new(amount, scale), ..rate("1", 1, u32::MAX) };
            let _ = answered(&rate, up);
        }
    }
}
