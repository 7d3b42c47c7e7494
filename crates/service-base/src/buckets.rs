//! Rate limits for an unbounded number of keys, in a table of fixed size.
//!
//! A keyed hash assigns two of the table's 65,536 buckets to each key, and the key may draw on either. So a
//! key that shares one bucket with a flood still has the other, and an attacker cannot choose keys that
//! collide with a victim's. A bucket is one 64-bit number, the time at which it is full again ([`Rate`]), so a
//! table occupies half a megabyte at most and needs no lock. Its parts are made when they are first needed. The
//! caller supplies the time. If the clock steps back, a bucket starts full.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::rate::Rate;

const BUCKETS: usize = 65_536;
/// The buckets of a part of the table: a page of memory.
const PART: usize = 512;

/// A single token bucket. It starts full, and threads share it without a lock.
#[derive(Debug, Default)]
pub struct Bucket(AtomicI64);

impl Bucket {
    /// Takes one token, and returns whether the bucket had one. `now` is in milliseconds since 1970.
    pub fn take(&self, rate: Rate, now: i64) -> bool {
        let now = now.saturating_mul(1_000);
        let take = |full_at: i64| {
            // A time further ahead than a whole burst was stored before the clock stepped back. A refusal stores
            // nothing, so the bucket starts full.
            let stepped_back = full_at > now.saturating_add(rate.capacity());
            rate.one_more(if stepped_back { now } else { full_at }, now).ok()
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// A table of token buckets for any number of keys.
#[derive(Debug)]
pub struct Buckets {
    rate: Rate,
    key: RandomState,
    /// A part is allocated when a key first needs it: most servers see few keys.
    parts: Box<[OnceLock<Box<[Bucket]>>]>,
}

impl Buckets {
    /// Creates a table in which every key starts with full buckets of this rate.
    pub fn new(rate: Rate) -> Self {
        let parts = std::iter::repeat_with(OnceLock::new).take(BUCKETS / PART).collect();
        Self { rate, key: RandomState::new(), parts }
    }

    /// Takes one token of a key, and returns whether it had one. `now` is in milliseconds since 1970.
    ///
    /// A key can spend up to two bursts, because it has two buckets.
    pub fn take(&self, key: impl Hash, now: i64) -> bool {
        let hash = self.key.hash_one(key);
        [hash, hash >> 32].into_iter().any(|half| {
            let index = usize::try_from(half % BUCKETS as u64).unwrap_or_default();
            self.bucket(index).is_some_and(|bucket| bucket.take(self.rate, now))
        })
    }

    fn bucket(&self, index: usize) -> Option<&Bucket> {
        let part = self.parts.get(index / PART)?;
        let part = part.get_or_init(|| std::iter::repeat_with(Bucket::default).take(PART).collect());
        part.get(index % PART)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate::per_second(10, 3);

    #[test]
    fn a_burst_is_admitted_and_then_the_rate() {
        let bucket = Bucket::default();
        let taken = |now: i64, tries: usize| (0..tries).filter(|_| bucket.take(RATE, now)).count();
        assert_eq!([taken(1_000, 9), taken(1_099, 9), taken(1_100, 9), taken(9_000, 9)], [3, 0, 1, 3]);
    }

    #[test]
    fn after_a_clock_step_back_a_bucket_is_usable_at_once() {
        let bucket = Bucket::default();
        while bucket.take(RATE, 3_600_000) {}
        assert_eq!((0..9).filter(|_| bucket.take(RATE, 0)).count(), 3);
    }

    #[test]
    fn a_key_has_two_buckets_at_most_and_does_not_spend_another_keys_tokens() {
        let buckets = Buckets::new(RATE);
        let taken = (0..1_000).filter(|_| buckets.take("a", 0)).count();
        assert!((3..=6).contains(&taken), "{taken}");
        assert!(buckets.take("b", 0));
    }

    #[test]
    fn a_table_takes_memory_only_for_the_parts_that_were_needed() {
        let buckets = Buckets::new(RATE);
        let made = || buckets.parts.iter().filter(|part| part.get().is_some()).count();
        assert_eq!(made(), 0);
        assert!(buckets.take("a", 0));
        assert!((1..=2).contains(&made()));
        assert_eq!(buckets.parts.len() * PART, BUCKETS);
        assert!(buckets.bucket(BUCKETS - 1).is_some() && buckets.bucket(BUCKETS).is_none());
    }

    #[test]
    fn a_flood_of_ten_thousand_keys_leaves_most_other_keys_their_tokens() {
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
