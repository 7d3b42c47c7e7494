//! Instants of the platform: microseconds, and no two things made at the same one.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::clock::Clock;

/// An instant in UTC, in microseconds since 1970.
pub(crate) type Moment = voipbin_client::types::Timestamp;

/// An instant of the clock.
pub(crate) fn of(at: didww_types::Timestamp) -> Moment {
    Moment::from_unix_micros(at.as_unix_millis().saturating_mul(1_000))
}

/// Gives moments that are all different and grow: lists are paged by them.
#[derive(Debug)]
pub(crate) struct Moments {
    clock: Clock,
    last: AtomicI64,
}

impl Moments {
    /// Begins after the last moment that was ever given.
    pub(crate) fn after(clock: Clock, last: i64) -> Self {
        Self { clock, last: AtomicI64::new(last) }
    }

    /// Now, or the microsecond after the last one that was given.
    pub(crate) fn next(&self) -> Moment {
        let now = of(self.clock.now()).as_unix_micros();
        let mut given = now;
        let later = |last: i64| {
            given = now.max(last.saturating_add(1));
            Some(given)
        };
        // Only a closure that declines could fail.
        let _last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
        Moment::from_unix_micros(given)
    }

    /// Now. Two may be the same.
    pub(crate) fn now(&self) -> Moment {
        of(self.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_moments_are_the_same_although_the_time_stands_still() {
        let clock = Clock::system();
        clock.freeze(Some(didww_types::Timestamp::from_unix_millis(1)));
        let moments = Moments::after(clock.clone(), 0);
        assert_eq!([moments.next(), moments.next()].map(Moment::as_unix_micros), [1_000, 1_001]);
        assert_eq!(Moments::after(clock, 5_000).next().as_unix_micros(), 5_001);
    }
}
