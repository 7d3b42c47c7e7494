//! Prorated prices: the price of a part of a paid period, and the days that an order of channels pays.

use std::time::Duration;

use didww_types::Timestamp;
use didww_types::resources::CapacityPool;
use didww_types::values::Date;
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;

use super::renewal::IS_BILLED;

/// The days of a whole period.
pub const PERIOD_DAYS: i64 = 30;
const DAY: Duration = Duration::from_hours(24);

/// The duration of a number of days; zero for a negative number.
pub fn days_long(days: i64) -> Duration {
    DAY * u32::try_from(days.max(0)).unwrap_or(u32::MAX)
}

/// The beginning of a day; `None` if it is beyond the years that times have.
pub fn day_start(day: &Date) -> Option<Timestamp> {
    format!("{day}T00:00:00Z").parse().ok()
}

/// The price of some days of a period that costs `whole`. It is exact for a whole period; of fewer days, each costs a thirtieth,
/// and the sum is rounded to cents, half a cent upwards, but not to more than the whole period costs.
pub(super) fn prorated(whole: Decimal, days: i64) -> Decimal {
    if days >= PERIOD_DAYS {
        return whole;
    }
    let part = whole * Decimal::from(days.max(0)) / Decimal::from(PERIOD_DAYS);
    part.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero).min(whole.max(Decimal::ZERO))
}

/// Whether channels that are added to a pool begin its period: it has none, or one that has ended and that needs no payment for
/// a channel.
pub fn begins_period(pool: &CapacityPool, is_billed: bool, now: Timestamp) -> bool {
    let end = pool.renew_date.as_ref().and_then(day_start);
    end.is_none_or(|end| end <= now && (!is_billed || pool.total_channels_count <= 0))
}

/// The number of days that an order of channels pays: those until the end of their pool's period, including the present day, and
/// a whole period if they begin it. It is zero for a period that has ended, whose renewal is not paid yet.
pub fn pool_days(pool: &CapacityPool, is_billed: bool, now: Timestamp) -> i64 {
    let end = pool.renew_date.as_ref().and_then(day_start);
    let Some(end) = end.filter(|_| !begins_period(pool, is_billed, now)) else { return PERIOD_DAYS };
    let days = end.since(now).as_millis().div_ceil(DAY.as_millis());
    i64::try_from(days).unwrap_or(PERIOD_DAYS).min(PERIOD_DAYS)
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
            ("2.05", -1, "0.00"),
        ] {
            assert_eq!(prorated(decimal(whole), days), decimal(expected), "{whole} for {days} days");
        }
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
            (None, false, "2026-05-10T12:00:00Z", 30),
            (Some("2026-05-11"), false, "2026-05-10T12:00:00Z", 1),
            (Some("2026-05-12"), true, "2026-05-10T23:59:59.500Z", 2),
            (Some("2026-06-09"), true, "2026-05-10T00:00:00Z", 30),
            (Some("2026-06-08"), true, "2026-05-10T00:00:00Z", 29),
            (Some("2099-01-01"), false, "2026-05-10T12:00:00Z", 30),
            (Some("2026-05-10"), false, "2026-05-10T00:00:00Z", 30),
            (Some("2026-05-10"), true, "2026-05-10T00:00:00Z", 0),
            (Some("2020-01-01"), true, "2026-05-10T00:00:00Z", 0),
        ] {
            let days = pool_days(&pool(renew_date, 5), is_billed, now(at));
            assert_eq!(days, expected, "{renew_date:?} {is_billed} {at}");
        }
        let without_channels = pool(Some("2020-01-01"), 0);
        assert_eq!(pool_days(&without_channels, true, now("2026-05-10T00:00:00Z")), 30, "nothing is owed");
    }

    #[test]
    fn a_pool_is_renewed_if_its_meta_says_so() {
        assert!(is_billed(Some(r#"{"is_billed":true}"#)));
        for meta in [None, Some("{}"), Some(r#"{"is_billed":false}"#), Some("1")] {
            assert!(!is_billed(meta), "{meta:?}");
        }
    }

    #[test]
    fn days_are_as_long_as_a_period() {
        assert_eq!(days_long(PERIOD_DAYS), super::super::renewal::PAID_PERIOD);
        assert_eq!(days_long(-1), Duration::ZERO);
    }
}
