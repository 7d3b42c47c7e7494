//! The delay before a failed attempt is repeated.

use std::time::Duration;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

/// The delay after failed attempt number `attempt`, counted from 1, multiplied by `factor`. `None` after the
/// last attempt.
pub(crate) fn retry_delay(delays: &[Duration], attempt: u32, factor: Decimal) -> Option<Duration> {
    let index = usize::try_from(attempt).ok()?.checked_sub(1)?;
    let delay = *delays.get(index)?;
    let millis = Decimal::from(u64::try_from(delay.as_millis()).ok()?).checked_mul(factor);
    // A factor that is negative, or makes the delay overflow, is ignored.
    Some(millis.and_then(|millis| millis.to_u64()).map_or(delay, Duration::from_millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAYS: [Duration; 2] = [Duration::from_mins(1), Duration::from_hours(48)];

    #[test]
    fn each_attempt_but_the_last_has_a_delay() {
        let delays: Vec<Duration> =
            (1..).map_while(|attempt| retry_delay(&DELAYS, attempt, Decimal::ONE)).collect();
        assert_eq!(delays, DELAYS);
        assert_eq!(retry_delay(&DELAYS, 3, Decimal::ONE), None);
        assert_eq!(retry_delay(&DELAYS, 0, Decimal::ONE), None);
    }

    #[test]
    fn a_factor_multiplies_every_delay() {
        let after = |attempt, factor| retry_delay(&DELAYS, attempt, factor);
        assert_eq!(after(1, Decimal::new(1, 3)), Some(Duration::from_millis(60)));
        assert_eq!(after(2, Decimal::from(2)), Some(Duration::from_hours(96)));
        assert_eq!(after(1, Decimal::ZERO), Some(Duration::ZERO));
        assert_eq!(after(1, Decimal::NEGATIVE_ONE), Some(Duration::from_mins(1)));
        assert_eq!(after(3, Decimal::MAX), None);
    }
}
