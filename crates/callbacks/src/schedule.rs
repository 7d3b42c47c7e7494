//! When a failed attempt is made again.

use std::time::Duration;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

/// How long to wait after an attempt, counted from 1, that failed; none when it was the last.
pub(crate) fn wait_after(waits: &[Duration], attempt: u32, factor: Decimal) -> Option<Duration> {
    let index = usize::try_from(attempt).ok()?.checked_sub(1)?;
    let wait = *waits.get(index)?;
    let millis = Decimal::from(u64::try_from(wait.as_millis()).ok()?).checked_mul(factor);
    // A factor that is negative, or so large that no number holds the wait, has no sense and no effect.
    Some(millis.and_then(|millis| millis.to_u64()).map_or(wait, Duration::from_millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: [Duration; 2] = [Duration::from_mins(1), Duration::from_hours(48)];

    #[test]
    fn each_attempt_but_the_last_has_its_wait() {
        let waits: Vec<Duration> =
            (1..).map_while(|attempt| wait_after(&WAITS, attempt, Decimal::ONE)).collect();
        assert_eq!(waits, WAITS);
        assert_eq!(wait_after(&WAITS, 3, Decimal::ONE), None);
        assert_eq!(wait_after(&WAITS, 0, Decimal::ONE), None);
    }

    #[test]
    fn a_factor_stretches_or_shortens_every_wait() {
        let after = |attempt, factor| wait_after(&WAITS, attempt, factor);
        assert_eq!(after(1, Decimal::new(1, 3)), Some(Duration::from_millis(60)));
        assert_eq!(after(2, Decimal::from(2)), Some(Duration::from_hours(96)));
        assert_eq!(after(1, Decimal::ZERO), Some(Duration::ZERO));
        assert_eq!(after(1, Decimal::NEGATIVE_ONE), Some(Duration::from_mins(1)));
        assert_eq!(after(3, Decimal::MAX), None);
    }
}
