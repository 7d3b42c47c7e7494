//! Rate limits for each key, exact and in a table of limited size.
//!
//! It limits requests as well as failed authentications. It holds at most 10,000 keys. When it is full,
//! it drops the key of a sample whose bucket would be empty soonest, which only ever favours that key. The
//! clock may be frozen, advanced or step back: in no case does a key wait longer than its whole burst takes.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A sustained rate and a burst, enforced by the generic cell rate algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Microseconds for each admission; 0 means no limit.
    interval: i64,
    burst: i64,
}

impl Rate {
    /// Admits `count` in a second, up to `burst` of them at once. A count of 0 means no limit; a burst of 0
    /// counts as 1.
    pub fn per_second(count: u32, burst: u32) -> Self {
        Self {
            interval: 1_000_000_i64.checked_div(count.into()).unwrap_or_default(),
            burst: burst.max(1).into(),
        }
    }

    /// Admits `count` in a minute, up to `burst` of them at once. A count of 0 means no limit; a burst of 0
    /// counts as 1.
    pub fn per_minute(count: u32, burst: u32) -> Self {
        Self {
            interval: 60_000_000_i64.checked_div(count.into()).unwrap_or_default(),
            burst: burst.max(1).into(),
        }
    }

    fn is_unlimited(self) -> bool {
        self.interval == 0
    }

    /// Microseconds in which a full bucket drains.
    fn capacity(self) -> i64 {
        self.interval.saturating_mul(self.burst)
    }
}

/// The maximum number of keys in the table.
const MAX_KEYS: usize = 10_000;
/// When all keys are in use, one of this many is dropped.
const EVICTION_SAMPLE: usize = 16;
/// The time between two searches for keys with empty buckets, in microseconds.
const SWEEP_INTERVAL: i64 = 1_000_000;

/// A rate limiter for keys, such as clients or names. Each admission fills the key's bucket, which drains at
/// the rate.
#[derive(Debug)]
pub struct Limiter<K>(Mutex<Buckets<K>>);

#[derive(Debug)]
struct Buckets<K> {
    /// When each key's bucket is empty again, in microseconds since 1970.
    empty_at: HashMap<K, i64>,
    /// When empty buckets were last removed, in microseconds since 1970.
    swept_at: i64,
}

impl<K> Default for Limiter<K> {
    fn default() -> Self {
        Self(Mutex::new(Buckets { empty_at: HashMap::new(), swept_at: i64::MIN }))
    }
}

impl<K: Eq + Hash + Clone> Limiter<K> {
    /// Admits and counts one action of a key. `now` is in microseconds since 1970.
    ///
    /// # Errors
    /// The number of whole seconds to wait, if the rate is exceeded. The action is not counted then.
    pub fn admit(&self, key: K, rate: Rate, now: i64) -> Result<(), u64> {
        if rate.is_unlimited() {
            return Ok(());
        }
        let mut buckets = self.lock();
        let empty_at = buckets.empty_after_one_more(&key, rate, now);
        check(rate, empty_at, now)?;
        buckets.insert(key, empty_at, now);
        Ok(())
    }

    /// Checks whether one more action would be admitted, without counting it. `now` is in microseconds since
    /// 1970.
    ///
    /// # Errors
    /// The number of whole seconds to wait, if the rate is exceeded.
    pub fn ask(&self, key: &K, rate: Rate, now: i64) -> Result<(), u64> {
        if rate.is_unlimited() {
            return Ok(());
        }
        check(rate, self.lock().empty_after_one_more(key, rate, now), now)
    }

    fn lock(&self) -> MutexGuard<'_, Buckets<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check(rate: Rate, empty_at: i64, now: i64) -> Result<(), u64> {
    match empty_at - now - rate.capacity() {
        wait @ 1.. => Err(u64::try_from(wait).unwrap_or_default().div_ceil(1_000_000)),
        _ => Ok(()),
    }
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    /// When the key's bucket would be empty if one more were counted, in microseconds since 1970.
    fn empty_after_one_more(&mut self, key: &K, rate: Rate, now: i64) -> i64 {
        let empty = self.empty_at.get_mut(key).map_or(now, |empty| {
            // Only a clock that stepped back leaves more than a full bucket. From now on it drains.
            *empty = (*empty).min(now.saturating_add(rate.capacity()));
            *empty
        });
        empty.max(now).saturating_add(rate.interval)
    }

    fn insert(&mut self, key: K, empty_at: i64, now: i64) {
        if self.empty_at.len() >= MAX_KEYS && !self.empty_at.contains_key(&key) {
            self.make_room(now);
        }
        self.empty_at.insert(key, empty_at);
    }

    fn make_room(&mut self, now: i64) {
        // After a clock step back there is no interval to wait for.
        if now < self.swept_at || now.saturating_sub(self.swept_at) >= SWEEP_INTERVAL {
            self.swept_at = now;
            self.empty_at.retain(|_, empty_at| *empty_at > now);
        }
        if self.empty_at.len() >= MAX_KEYS {
            let sample = self.empty_at.iter().take(EVICTION_SAMPLE);
            let soonest = sample.min_by_key(|(_, empty_at)| **empty_at).map(|(key, _)| key.clone());
            if let Some(key) = soonest {
                self.empty_at.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_PER_SECOND: fn(u32) -> Rate = |burst| Rate::per_second(10, burst);

    fn millis(millis: i64) -> i64 {
        millis * 1_000
    }

    #[test]
    fn a_burst_is_admitted_and_then_the_rate() {
        let limiter = Limiter::default();
        let rate = TEN_PER_SECOND(3);
        assert!((0..3).all(|_| limiter.admit("a", rate, millis(0)).is_ok()));
        assert_eq!(limiter.admit("a", rate, millis(0)), Err(1));
        assert_eq!(limiter.admit("b", rate, millis(0)), Ok(()), "another key has its own bucket");
        assert_eq!(limiter.admit("a", rate, millis(99)), Err(1));
        assert_eq!(limiter.admit("a", rate, millis(100)), Ok(()));
        assert_eq!(limiter.admit("a", rate, millis(100)), Err(1));
        assert!((0..3).all(|_| limiter.admit("a", rate, millis(10_000)).is_ok()));
    }

    #[test]
    fn a_check_counts_nothing() {
        let limiter = Limiter::default();
        assert!((0..100).all(|_| limiter.ask(&"a", TEN_PER_SECOND(1), 0).is_ok()));
        assert_eq!(limiter.admit("a", TEN_PER_SECOND(1), 0), Ok(()));
        assert_eq!(limiter.ask(&"a", TEN_PER_SECOND(1), 0), Err(1));
        assert_eq!(limiter.ask(&"a", TEN_PER_SECOND(1), millis(100)), Ok(()));
    }

    #[test]
    fn zero_is_no_limit() {
        let limiter = Limiter::default();
        let none = Rate::per_second(0, 0);
        assert!((0..1_000).all(|_| limiter.admit((), none, 0).is_ok() && limiter.ask(&(), none, 0).is_ok()));
    }

    #[test]
    fn a_clock_that_steps_back_an_hour_keeps_a_key_waiting_no_longer_than_its_burst() {
        let limiter = Limiter::default();
        let (rate, hour) = (TEN_PER_SECOND(3), millis(3_600_000));
        assert!((0..3).all(|_| limiter.admit("a", rate, hour).is_ok()));
        assert_eq!(limiter.admit("a", rate, 0), Err(1), "the bucket is as full as it was");
        assert_eq!(limiter.admit("a", rate, millis(99)), Err(1));
        assert_eq!(limiter.admit("a", rate, millis(100)), Ok(()));
        assert_eq!(limiter.admit("a", rate, millis(100)), Err(1));
    }

    #[test]
    fn the_table_has_a_maximum_size() {
        let limiter = Limiter::default();
        let rate = Rate::per_minute(1, 1);
        for key in 0..3 * MAX_KEYS {
            assert_eq!(limiter.admit(key, rate, 0), Ok(()));
            assert!(limiter.lock().empty_at.len() <= MAX_KEYS);
        }
        // A new key causes a sweep.
        assert_eq!(limiter.admit(3 * MAX_KEYS, rate, 60_000_000), Ok(()));
        assert_eq!(limiter.lock().empty_at.len(), 1, "keys with empty buckets are removed");
    }
}
