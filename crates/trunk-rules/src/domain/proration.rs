//! Prorated prices: the price of a part of a paid period, and the days that an order of channels pays.

use std::time::Duration;

use didww_types::Timestamp;
use didww_types::resources::CapacityPool;
use didww_types::values::Date;
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;

use super::months::{days_from, days_until};
use super::renewal::IS_BILLED;

const DAY: Duration = Duration::from_hours(24);

/// How much of a period an order pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    days: i64,
    /// The days of the whole period.
    period: i64,
}

impl Share {
    /// The first days of the period that begins now: this number of them, or all if it has fewer, or without a number.
    pub(super) fn first_days(days: Option<i64>, now: Timestamp) -> Self {
        let period = days_from(now);
        Self { days: days.map_or(period, |days| days.clamp(0, period)), period }
    }

    /// The days that are paid.
    pub const fn days(self) -> i64 {
        self.days
    }

    /// Whether the whole period is paid.
    pub const fn is_whole(self) -> bool {
        self.days >= self.period
    }

    /// The days that are paid; `None` if the whole period is.
    pub fn part(self) -> Option<i64> {
        (!self.is_whole()).then_some(self.days)
    }

    /// The price of the share of a period that costs `whole`. It is exact for the whole period. Of fewer days, each
    /// costs the same; the sum is rounded to cents, half a cent upwards, and is never more than `whole`.
    pub(super) fn price(self, whole: Decimal) -> Decimal {
        if self.is_whole() {
            return whole;
        }
        let part = whole * Decimal::from(self.days) / Decimal::from(self.period);
        part.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero).min(whole.max(Decimal::ZERO))
    }
}

/// The duration of a number of days; zero if the number is negative.
pub fn days_long(days: i64) -> Duration {
    DAY * u32::try_from(days.max(0)).unwrap_or(u32::MAX)
}

/// The beginning of a day; `None` beyond the last year of [`Timestamp`].
pub fn day_start(day: &Date) -> Option<Timestamp> {
    format!("{day}T00:00:00Z").parse().ok()
}

/// Whether channels that are added to a pool begin its period: the pool has none, or its last one is over and no
/// channel has to pay for it.
pub fn begins_period(pool: &CapacityPool, is_billed: bool, now: Timestamp) -> bool {
    let end = pool.renew_date.as_ref().and_then(day_start);
    end.is_none_or(|end| end <= now && (!is_billed || pool.total_channels_count <= 0))
}

/// The share that an order of channels pays: the days until the period of their pool ends, including the current one,
/// or a whole period if the channels begin it. A period that is over, and whose renewal is not paid yet, has no days
/// left.
pub fn pool_share(pool: &CapacityPool, is_billed: bool, now: Timestamp) -> Share {
    let end = pool.renew_date.as_ref().and_then(day_start);
    let Some(end) = end.filter(|_| !begins_period(pool, is_billed, now)) else {
        return Share::first_days(None, now);
    };
    let (period, days) = (days_until(end), end.since(now).as_millis().div_ceil(DAY.as_millis()));
    Share { days: i64::try_from(days).unwrap_or(period).min(period), period }
}

/// Whether a capacity pool is renewed, according to its `meta`.
pub(super) fn is_billed(meta: Option<&str>) -> bool {
    let meta = meta.and_then(|meta| serde_json::from_str::<Value>(meta).ok());
    meta.is_some_and(|meta| meta.get(IS_BILLED) == Some(&Value::Bool(true)))
}

#[cfg(test)]
mod tests {
    use didww_types::{Id, Resource as _};
    use serde_json::json;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn a_part_of_a_period_costs_its_days_in_cents_and_a_whole_one_its_price() {
        for (whole, days, expected) in [
            ("2.055", 30, "2.055"),
            ("2.055", 31, "2.055"),
            ("2.05", 15, "1.03"),
            ("2.05", 7, "0.48"),
            ("0.15", 1, "0.01"),
            ("0.14", 1, "0.00"),
            ("30.0", 29, "29.00"),
            ("0.016", 29, "0.016"),
            ("0.016", 28, "0.01"),
            ("2.05", 0, "0.00"),
        ] {
            let share = Share { days, period: 30 };
            assert_eq!(share.price(decimal(whole)), decimal(expected), "{whole} for {days} days");
        }
    }

    #[test]
    fn some_days_of_the_first_period_are_all_of_them_where_it_has_no_more() {
        let february = "2026-02-10T12:00:00Z".parse::<Timestamp>().unwrap();
        for (days, expected) in
            [(None, None), (Some(30), None), (Some(28), None), (Some(27), Some(27)), (Some(1), Some(1))]
        {
            assert_eq!(Share::first_days(days, february).part(), expected, "{days:?}");
        }
        assert_eq!(Share::first_days(None, february).days(), 28);
    }

    #[test]
    fn channels_pay_the_days_that_are_left_of_their_pools_period() {
        let pool = |renew_date: Option<&str>, channels: i64| {
            let attributes = json!({
                "name": "Standard", "renew_date": renew_date, "total_channels_count": channels, "assigned_channels_count": 0,
                "minimum_limit": 0, "minimum_qty_per_order": 0, "setup_price": "1.0", "monthly_price": "2.0",
                "metered_rate": "0.0",
            });
            CapacityPool::from_texts(Id::new("1"), &attributes.to_string(), None).unwrap()
        };
        let now = |text: &str| text.parse::<Timestamp>().unwrap();
        for (renew_date, is_billed, at, expected) in [
            (None, false, "2026-05-10T12:00:00Z", (31, 31)),
            (Some("2026-05-11"), false, "2026-05-10T12:00:00Z", (1, 30)),
            (Some("2026-05-12"), true, "2026-05-10T23:59:59.500Z", (2, 30)),
            (Some("2026-06-10"), true, "2026-05-10T00:00:00Z", (31, 31)),
            (Some("2026-06-09"), true, "2026-05-10T00:00:00Z", (30, 31)),
            (Some("2099-01-01"), false, "2026-05-10T12:00:00Z", (31, 31)),
            (Some("2026-05-10"), false, "2026-05-10T00:00:00Z", (31, 31)),
            (Some("2026-05-10"), true, "2026-05-10T00:00:00Z", (0, 30)),
            (Some("2020-01-01"), true, "2026-05-10T00:00:00Z", (0, 31)),
            // As recorded.
            (Some("2019-01-21"), true, "2018-12-28T14:08:38.304Z", (24, 31)),
        ] {
            let share = pool_share(&pool(renew_date, 5), is_billed, now(at));
            assert_eq!((share.days, share.period), expected, "{renew_date:?} {is_billed} {at}");
        }
        let recorded = pool_share(&pool(Some("2019-01-21"), 8), true, now("2018-12-28T14:08:38.304Z"));
        assert_eq!(recorded.price(decimal("25.0")), decimal("19.35"));
        let without_channels = pool(Some("2020-01-01"), 0);
        let anew = pool_share(&without_channels, true, now("2026-05-10T00:00:00Z"));
        assert!(anew.is_whole(), "nothing is owed");
    }

    #[test]
    fn a_pool_is_renewed_if_its_meta_says_so() {
        assert!(is_billed(Some(r#"{"is_billed":true}"#)));
        for meta in [None, Some("{}"), Some(r#"{"is_billed":false}"#), Some("1")] {
            assert!(!is_billed(meta), "{meta:?}");
        }
    }

    #[test]
    fn days_are_as_long_as_they_are_and_there_are_none_below_none() {
        assert_eq!(days_long(28), super::super::months::SHORTEST_PERIOD);
        assert_eq!(days_long(-1), Duration::ZERO);
    }
}
