//! How often something may happen for each of very many keys, in a table that never grows.
//!
//! Each key has two of the table's 65,536 places by a keyed hash, and may use either: a key that shares a place with a
//! flood still has the other one, and nobody can choose keys that share. A place is one number, the moment at which it
//! is full again (the generic cell rate algorithm), so a table takes half a megabyte from its first day on. It reads no
//! clock; a clock that goes back is not waited for.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::atomic::{AtomicI64, Ordering};

/// Places of a table.
const PLACES: usize = 65_536;

/// So many a second, of which so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Tokens that come back each second.
    pub per_second: u32,
    /// Tokens of a full bucket.
    pub at_once: u32,
}

impl Rate {
    /// Microseconds for one.
    fn interval(self) -> i64 {
        1_000_000 / i64::from(self.per_second.max(1))
    }
}

/// One bucket.
#[derive(Debug, Default)]
pub struct Bucket(AtomicI64);

impl Bucket {
    /// Takes one; whether there was one. `now` is in milliseconds.
    pub fn take(&self, rate: Rate, now: i64) -> bool {
        let now = now.saturating_mul(1_000);
        let whole = rate.interval().saturating_mul(i64::from(rate.at_once.max(1)));
        let take = |full: i64| {
            // What lies further ahead than a whole burst was written before the clock went back.
            let begin = if full > now.saturating_add(whole) { now } else { full.max(now) };
            let after = begin.saturating_add(rate.interval());
            (after <= now.saturating_add(whole)).then_some(after)
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// A bucket for every key.
#[derive(Debug)]
pub struct Buckets {
    rate: Rate,
    key: RandomState,
    places: Box<[Bucket]>,
}

impl Buckets {
    /// Empty tables; every key begins with a full bucket of this rate.
    pub fn new(rate: Rate) -> Self {
        let places = std::iter::repeat_with(Bucket::default).take(PLACES).collect();
        Self { rate, key: RandomState::new(), places }
    }

    /// Takes one of a key; whether there was one. `now` is in milliseconds.
    pub fn take(&self, key: impl Hash, now: i64) -> bool {
        let hash = self.key.hash_one(key);
        [hash, hash >> 32].into_iter().any(|half| {
            let place = usize::try_from(half % PLACES as u64).unwrap_or_default();
            self.places.get(place).is_some_and(|bucket| bucket.take(self.rate, now))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate { per_second: 10, at_once: 3 };

    #[test]
    fn a_burst_is_let_through_and_then_the_rate() {
        let bucket = Bucket::default();
        let taken = |now: i64, tries: usize| (0..tries).filter(|_| bucket.take(RATE, now)).count();
        assert_eq!([taken(1_000, 9), taken(1_099, 9), taken(1_100, 9), taken(9_000, 9)], [3, 0, 1, 3]);
    }

    #[test]
    fn a_clock_that_goes_back_is_not_waited_for() {
        let bucket = Bucket::default();
        while bucket.take(RATE, 3_600_000) {}
        assert_eq!((0..9).filter(|_| bucket.take(RATE, 0)).count(), 3);
    }

    #[test]
    fn keys_do_not_take_each_others_and_a_key_has_two_places_at_most() {
        let buckets = Buckets::new(RATE);
        let taken = (0..1_000).filter(|_| buckets.take("a", 0)).count();
        assert!((3..=6).contains(&taken), "{taken}");
        assert!(buckets.take("b", 0));
    }

    #[test]
    fn ten_thousand_keys_in_a_flood_leave_nearly_all_others_their_own() {
        let buckets = Buckets::new(RATE);
        for key in 0..10_000 {
            while buckets.take(key, 0) {}
        }
        let left = (10_000..11_000).filter(|key| buckets.take(key, 0)).count();
        assert!(left > 850, "{left} of 1,000");
    }

    proptest! {
        #[test]
        fn no_second_has_more_than_the_burst_and_the_rate(steps in proptest::collection::vec(0i64..400, 1..200)) {
            let bucket = Bucket::default();
            let (mut now, mut moments) = (0, Vec::new());
            for step in steps {
                now += step;
                if bucket.take(RATE, now) {
                    moments.push(now);
                }
            }
            for (at, moment) in moments.iter().enumerate() {
                let within = moments[at..].iter().filter(|later| **later < moment + 1_000).count();
                prop_assert!(within <= 13);
            }
        }
    }
}
