//! So much a second, and so much at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How much may pass in a second, and how much at once. Clones of one share nothing; a reference does.
///
/// It is a leaky bucket whose level is one atomic word (the generic cell rate algorithm), so that tasks on all threads may
/// draw on it. The time is the clock's stopwatch: it never steps back.
#[derive(Debug)]
pub struct Budget {
    per_second: u64,
    /// What passes at once, in nanoseconds of the rate.
    at_once: u64,
    /// When all that was taken is made up for, in nanoseconds of the stopwatch.
    even_at: AtomicU64,
}

const SECOND: u64 = 1_000_000_000;

impl Budget {
    /// So much a second, at least 1, and so much at once.
    pub fn new(per_second: u64, at_once: u64) -> Self {
        let per_second = per_second.max(1);
        Self { per_second, at_once: nanoseconds(at_once, per_second), even_at: AtomicU64::new(0) }
    }

    /// Takes an amount, if there is as much.
    pub fn take(&self, now: Duration, amount: u64) -> bool {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let cost = nanoseconds(amount, self.per_second);
        let latest = now.saturating_add(self.at_once);
        self.even_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |even_at| {
                let even_at = even_at.max(now).saturating_add(cost);
                (even_at <= latest).then_some(even_at)
            })
            .is_ok()
    }
}

/// How long an amount takes at a rate.
fn nanoseconds(amount: u64, per_second: u64) -> u64 {
    u64::try_from(u128::from(amount) * u128::from(SECOND) / u128::from(per_second)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_budget_lets_so_much_pass_at_once_and_then_so_much_a_second() {
        let budget = Budget::new(100, 20);
        let passed = |at: Duration| (0..1_000).filter(|_| budget.take(at, 1)).count();
        assert_eq!(passed(Duration::from_secs(5)), 20);
        assert_eq!(passed(Duration::from_millis(5_100)), 10);
        assert_eq!(passed(Duration::from_hours(1)), 20, "nothing is saved up");
    }

    #[test]
    fn more_than_passes_at_once_never_passes() {
        let budget = Budget::new(100, 20);
        assert!(!budget.take(Duration::from_secs(9), 21));
        assert!(budget.take(Duration::from_secs(9), 20));
    }

    proptest! {
        #[test]
        fn no_sequence_takes_more_than_its_time_allows(
            rate in 1u64..1_000_000_000,
            burst in 1u64..100_000,
            asked in proptest::collection::vec((0u64..2_000_000, 1u64..5_000), 1..100),
        ) {
            let budget = Budget::new(rate, burst);
            let (mut now, mut taken) = (Duration::ZERO, 0);
            for (later, amount) in asked {
                now += Duration::from_nanos(later);
                taken += if budget.take(now, amount) { u128::from(amount) } else { 0 };
                // A nanosecond of each taking may be rounded away.
                let allowed = u128::from(burst) + (now.as_nanos() + 100) * u128::from(rate) / u128::from(SECOND) + 1;
                prop_assert!(taken <= allowed, "{} of {}", taken, allowed);
            }
        }
    }
}
