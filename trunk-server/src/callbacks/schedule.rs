//! When a failed attempt is made again.

use std::time::Duration;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

/// The documented waits after the first to the ninth attempt. The tenth is the last.
const WAITS: [Duration; 9] = [
    Duration::from_mins(1),
    Duration::from_mins(10),
    Duration::from_mins(30),
    Duration::from_hours(1),
    Duration::from_hours(3),
    Duration::from_hours(6),
    Duration::from_hours(12),
    Duration::from_hours(24),
    Duration::from_hours(48),
];

/// How long to wait after an attempt, counted from 1, that failed; none when it was the last.
pub(super) fn wait_after(attempt: u32, factor: Decimal) -> Option<Duration> {
    let index = usize::try_from(attempt).ok()?.checked_sub(1)?;
    let wait = *WAITS.get(index)?;
    let millis = Decimal::from(u64::try_from(wait.as_millis()).ok()?).checked_mul(factor);
    // A factor that is negative, or so large that no number holds the wait, has no sense and no effect.
    Some(millis.and_then(|millis| millis.to_u64()).map_or(wait, Duration::from_millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_attempts_follow_the_first_within_three_days_and_twenty_three_hours() {
        let waits: Vec<Duration> = (1..).map_while(|attempt| wait_after(attempt, Decimal::ONE)).collect();
        assert_eq!(waits, WAITS);
        let minutes: u64 = waits.iter().map(|wait| wait.as_secs() / 60).sum();
        assert_eq!(minutes, 1 + 10 + 30 + 60 * (1 + 3 + 6 + 12 + 24 + 48));
        assert_eq!(wait_after(10, Decimal::ONE), None);
    }

    #[test]
    fn a_factor_stretches_or_shortens_every_wait() {
        assert_eq!(wait_after(1, Decimal::new(1, 3)), Some(Duration::from_millis(60)));
        assert_eq!(wait_after(9, Decimal::from(2)), Some(Duration::from_hours(96)));
        assert_eq!(wait_after(1, Decimal::ZERO), Some(Duration::ZERO));
        assert_eq!(wait_after(1, Decimal::NEGATIVE_ONE), Some(Duration::from_mins(1)));
        assert_eq!(wait_after(10, Decimal::MAX), None);
    }
}
