//! A token bucket for packets or bytes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A sustained rate and a burst, in any unit, such as packets or bytes.
///
/// It is a leaky bucket whose level is one atomic number (the generic cell rate algorithm), so tasks on all
/// threads can share it by reference. The time is [`Clock::stopwatch`](crate::clock::Clock::stopwatch), which
/// never steps back.
#[derive(Debug)]
pub struct Budget {
    per_second: u64,
    /// The burst, as nanoseconds at the sustained rate.
    burst: u64,
    /// When the bucket is empty again, in nanoseconds of the stopwatch.
    empty_at: AtomicU64,
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;

impl Budget {
    /// Creates a budget of `per_second` units in a second, at least 1, of which `burst` may be used at once.
    pub fn new(per_second: u64, burst: u64) -> Self {
        let per_second = per_second.max(1);
        Self { per_second, burst: nanoseconds(burst, per_second), empty_at: AtomicU64::new(0) }
    }

    /// Takes an amount, and returns whether the budget had that much. Otherwise it takes nothing. `now` is a
    /// reading of the stopwatch.
    pub fn take(&self, now: Duration, amount: u64) -> bool {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let cost = nanoseconds(amount, self.per_second);
        let latest = now.saturating_add(self.burst);
        self.empty_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |empty_at| {
                let empty_at = empty_at.max(now).saturating_add(cost);
                (empty_at <= latest).then_some(empty_at)
            })
            .is_ok()
    }
}

/// The time that an amount takes at a rate, in nanoseconds.
fn nanoseconds(amount: u64, per_second: u64) -> u64 {
    u64::try_from(u128::from(amount) * u128::from(NANOS_PER_SECOND) / u128::from(per_second))
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_budget_admits_its_burst_and_then_its_rate() {
        let budget = Budget::new(100, 20);
        let passed = |at: Duration| (0..1_000).filter(|_| budget.take(at, 1)).count();
        assert_eq!(passed(Duration::from_secs(5)), 20);
        assert_eq!(passed(Duration::from_millis(5_100)), 10);
        assert_eq!(passed(Duration::from_hours(1)), 20, "no more than a burst accumulates");
    }

    #[test]
    fn more_than_the_burst_is_never_admitted() {
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
                // Each `take` may round a nanosecond away.
                let allowed = u128::from(burst) + (now.as_nanos() + 100) * u128::from(rate) / u128::from(NANOS_PER_SECOND) + 1;
                prop_assert!(taken <= allowed, "{} of {}", taken, allowed);
            }
        }
    }
}
