//! Instants of the platform: microseconds, and no two things made at the same one.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use service_base::clock::Clock;

/// An instant in UTC, in microseconds since 1970.
pub type Moment = voipbin_types::Timestamp;

/// An instant of the clock.
pub(crate) fn of(at: didww_types::Timestamp) -> Moment {
    Moment::from_unix_micros(at.as_unix_millis().saturating_mul(1_000))
}

/// Moments that are remembered, so that a clock that is set back gives none of them again.
const REMEMBERED: usize = 1_024;

/// Returns moments that are all different: lists are paged by them. They grow with the system's clock, also where it steps
/// back, and follow a clock that was set to another time.
#[derive(Debug)]
pub struct Moments {
    clock: Clock,
    given: Mutex<Given>,
}

#[derive(Debug, Default)]
struct Given {
    /// The last moment, and what the clock showed then.
    last: i64,
    at: i64,
    /// The last ones, in the order in which they were given.
    order: VecDeque<i64>,
    all: BTreeSet<i64>,
}

impl Given {
    fn next(&mut self, now: i64, is_set: bool) -> i64 {
        let mut next = if now == self.at || (now <= self.last && !is_set) {
            now.max(self.last.saturating_add(1))
        } else {
            now
        };
        while self.all.contains(&next) {
            next = next.saturating_add(1);
        }
        (self.last, self.at) = (next, now);
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
        self.order.push_back(next);
        self.all.insert(next);
        next
    }
}

impl Moments {
    /// Begins after the last moment that was ever given.
    pub fn after(clock: Clock, last: i64) -> Self {
        Self { clock, given: Mutex::new(Given { last, at: i64::MIN, ..Given::default() }) }
    }

    /// Now, or the next microsecond that was not given yet.
    pub fn next(&self) -> Moment {
        let now = of(self.clock.now()).as_unix_micros();
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        Moment::from_unix_micros(given.next(now, self.clock.is_set()))
    }

    /// Now. Two may be the same.
    pub fn now(&self) -> Moment {
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
    }

    #[test]
    fn the_systems_clock_may_step_back_and_moments_grow_all_the_same() {
        let mut given = Given { last: 5_000, at: i64::MIN, ..Given::default() };
        assert_eq!(
            [6_000, 3_000, 3_000, 7_000].map(|now| given.next(now, false)),
            [6_000, 6_001, 6_002, 7_000]
        );
    }

    #[test]
    fn a_clock_that_is_set_back_is_followed_and_no_moment_comes_twice() {
        let mut given = Given { last: 5_000_000, at: i64::MIN, ..Given::default() };
        let first: Vec<_> = (0..2_000).map(|_| given.next(1_000, true)).collect();
        assert_eq!((first[0], first[1_999]), (1_000, 2_999));
        assert_eq!([9_000, 2_500, 9_000].map(|now| given.next(now, true)), [9_000, 3_000, 9_001]);
        let clock = Clock::system();
        let moments = Moments::after(clock.clone(), of(clock.now()).as_unix_micros());
        moments.next();
        let frozen = of(clock.freeze(Some("2026-04-08T00:00:00.000Z".parse().unwrap())));
        assert_eq!(moments.next(), frozen);
    }
}
