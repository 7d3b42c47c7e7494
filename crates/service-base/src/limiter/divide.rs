//! Division of a limit between several counters, which together admit as many actions as one counter would.
//!
//! A limit has a number of equal parts, and a counter that has some of them admits their share. Parts may move from one
//! counter to another, except those in use ([`Divide::used`]): then all counters together admit no more than the whole
//! limit, at any time and however often parts move.

use std::hash::Hash;

use super::{Counter, Limiter};

/// A counter that can apply a part of a limit.
pub trait Divide: Counter {
    /// Number of parts of a limit, at least 1.
    fn parts(limit: Self::Limit) -> u32;

    /// The limit of a counter with this many parts of `limit`. Zero parts count as one: a counter always admits some
    /// actions.
    fn part(limit: Self::Limit, parts: u32) -> Self::Limit;

    /// Number of parts that admit actions at a rate, of which this many happened in this many microseconds, at most a
    /// second.
    fn parts_for(limit: Self::Limit, actions: u32, micros: i64) -> u32;

    /// Microseconds after which no action counts any more.
    fn memory(limit: Self::Limit) -> i64;

    /// Number of parts that actions use now. `part` is the limit of the counter, which has `parts`. If the limit was
    /// higher before, the number can be greater than that.
    fn used(&mut self, part: Self::Limit, parts: u32, now: i64) -> u32;

    /// Changes the number of parts; the counted actions use as many parts as before.
    fn resize(&mut self, from: Self::Limit, to: Self::Limit, now: i64);
}

impl<K: Eq + Hash + Clone, C: Divide> Limiter<K, C> {
    /// As [`Divide::used`], for a key; 0 if no action of the key is counted.
    pub fn used(&self, key: &K, part: C::Limit, parts: u32, now: i64) -> u32 {
        let mut counters = self.lock();
        let now = counters.time.at(now);
        counters.of_keys.get_mut(key).map_or(0, |counter| counter.used(part, parts, now))
    }

    /// As [`Divide::resize`], for a key.
    pub fn resize(&self, key: &K, from: C::Limit, to: C::Limit, now: i64) {
        let mut counters = self.lock();
        let now = counters.time.at(now);
        if let Some(counter) = counters.of_keys.get_mut(key) {
            counter.resize(from, to, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limiter::{LeakyBucket, PerSecond, SlidingSecond};
    use crate::rate::Rate;

    const SECOND: i64 = 1_000_000;

    /// The actions that a counter admits at once, of up to a thousand.
    fn admitted<C: Divide>(counter: &mut C, limit: C::Limit, now: i64) -> usize {
        let admit = |_: &u32| {
            let is_admitted = counter.check(limit, now).is_ok();
            if is_admitted {
                counter.count(limit, now);
            }
            is_admitted
        };
        (0..1_000).take_while(admit).count()
    }

    #[test]
    fn a_second_is_divided_into_its_actions() {
        let limit = PerSecond(20);
        assert_eq!((SlidingSecond::parts(limit), SlidingSecond::memory(limit)), (20, SECOND));
        let mut counter = SlidingSecond::default();
        let part = SlidingSecond::part(limit, 3);
        assert_eq!((part, SlidingSecond::part(limit, 0)), (PerSecond(3), PerSecond(1)));
        assert_eq!(admitted(&mut counter, part, 0), 3);
        counter.resize(part, PerSecond(5), 0);
        assert_eq!(counter.used(PerSecond(5), 5, SECOND - 1), 3);
        assert_eq!(admitted(&mut counter, PerSecond(5), SECOND - 1), 2);
        assert_eq!(counter.used(PerSecond(5), 5, SECOND), 2);
    }

    #[test]
    fn the_parts_of_a_bucket_have_its_rate_and_its_burst_together() {
        let whole = Rate::per_second(17, 33);
        assert_eq!(LeakyBucket::parts(whole), 33);
        assert_eq!(LeakyBucket::parts(Rate::per_second(20, 1)), 20, "a small burst does not limit the parts");
        let mut counters =
            [(8, LeakyBucket::default()), (10, LeakyBucket::default()), (15, LeakyBucket::default())];
        for (now, most) in [(0, 33), (10 * SECOND, 33), (11 * SECOND, 17)] {
            let all: usize = counters
                .iter_mut()
                .map(|(parts, counter)| admitted(counter, LeakyBucket::part(whole, *parts), now))
                .sum();
            assert!((most - 3..=most).contains(&all), "{all} at {now}");
        }
    }

    #[test]
    fn a_bucket_is_as_full_after_it_was_resized_and_none_of_its_parts_that_are_used_can_go() {
        let whole = Rate::per_second(10, 20);
        let (four, ten) = (LeakyBucket::part(whole, 4), LeakyBucket::part(whole, 10));
        let mut counter = LeakyBucket::default();
        assert_eq!(admitted(&mut counter, four, 0), 4);
        assert_eq!(counter.used(four, 4, 0), 4);
        counter.resize(four, ten, 0);
        assert_eq!(counter.used(ten, 10, 0), 4);
        assert_eq!(admitted(&mut counter, ten, 0), 6);
        assert_eq!(counter.used(ten, 10, SECOND), 5, "half of it has drained");
        counter.resize(ten, LeakyBucket::part(whole, 5), SECOND);
        assert_eq!(admitted(&mut counter, LeakyBucket::part(whole, 5), SECOND), 0);
        assert_eq!(counter.used(LeakyBucket::part(whole, 5), 5, LeakyBucket::memory(whole) + SECOND), 0);
    }

    #[test]
    fn a_bucket_needs_the_parts_of_its_rate_however_empty_it_is() {
        let whole = Rate::per_second(10, 20);
        assert_eq!(LeakyBucket::parts_for(whole, 5, SECOND), 10);
        assert_eq!(LeakyBucket::parts_for(whole, 0, SECOND), 0);
        assert_eq!(LeakyBucket::parts_for(whole, u32::MAX, 1), 20);
        assert_eq!(SlidingSecond::parts_for(PerSecond(9), 5, SECOND / 2), 5, "as many in any second");
    }
}
