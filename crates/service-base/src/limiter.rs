//! Rate limits for each key, exact and in a table of limited size.
//!
//! It limits requests as well as failed authentications. How a key's actions are counted is the [`Counter`]: a
//! sustained rate with a burst ([`LeakyBucket`]), or a maximum in any second ([`SlidingSecond`]). A table holds at
//! most 10,000 keys. When it is full, it drops the key of a sample that would be idle soonest, which only ever
//! favours that key. The clock may be advanced or step back: in no case does a key wait longer than its whole
//! burst takes. While the clock is frozen, real time counts in whole minutes (`unfrozen`).

mod divide;
mod leaky_bucket;
mod sliding_second;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use divide::Divide;
pub use leaky_bucket::LeakyBucket;
pub use sliding_second::{PerSecond, SlidingSecond};

use crate::unfrozen::UnfrozenTime;

/// The maximum number of keys in the table.
const MAX_KEYS: usize = 10_000;
/// When all keys are in use, one of this many is dropped.
const EVICTION_SAMPLE: usize = 16;
/// The time between two searches for idle keys, in microseconds.
const SWEEP_INTERVAL: i64 = 1_000_000;

/// Counts the actions of one key. All times are in microseconds since 1970.
pub trait Counter: Default {
    /// The limit that the actions are held to.
    type Limit: Copy + std::fmt::Debug;

    /// Returns whether the limit admits everything.
    fn is_unlimited(limit: Self::Limit) -> bool;

    /// Checks whether one more action is within the limit, without counting it.
    ///
    /// # Errors
    /// The number of microseconds to wait.
    fn check(&mut self, limit: Self::Limit, now: i64) -> Result<(), i64>;

    /// Counts an action that [`check`](Self::check) admits.
    fn count(&mut self, limit: Self::Limit, now: i64);

    /// When the counter is as a new one again.
    fn idle_at(&self) -> i64;
}

/// A rate limiter for keys, such as clients or names.
#[derive(Debug)]
pub struct Limiter<K, C = LeakyBucket>(Mutex<Counters<K, C>>);

#[derive(Debug)]
struct Counters<K, C> {
    of_keys: HashMap<K, C>,
    time: UnfrozenTime,
    /// When idle keys were last removed, in microseconds since 1970.
    swept_at: i64,
}

impl<K, C> Default for Limiter<K, C> {
    fn default() -> Self {
        Self(Mutex::new(Counters { of_keys: HashMap::new(), time: UnfrozenTime::new(), swept_at: i64::MIN }))
    }
}

impl<K: Eq + Hash + Clone, C: Counter> Limiter<K, C> {
    /// Admits and counts one action of a key. `now` is in microseconds since 1970.
    ///
    /// # Errors
    /// The number of whole seconds to wait, if the limit is exceeded. The action is not counted then.
    pub fn admit(&self, key: K, limit: C::Limit, now: i64) -> Result<(), u64> {
        if C::is_unlimited(limit) {
            return Ok(());
        }
        let mut counters = self.lock();
        let now = counters.time.at(now);
        if !counters.of_keys.contains_key(&key) {
            counters.make_room(now);
        }
        let counter = counters.of_keys.entry(key).or_default();
        counter.check(limit, now).map_err(whole_seconds)?;
        counter.count(limit, now);
        Ok(())
    }

    /// Checks whether one more action would be admitted, without counting it. `now` is in microseconds since
    /// 1970.
    ///
    /// # Errors
    /// The number of whole seconds to wait, if the limit is exceeded.
    pub fn check(&self, key: &K, limit: C::Limit, now: i64) -> Result<(), u64> {
        if C::is_unlimited(limit) {
            return Ok(());
        }
        let mut counters = self.lock();
        let now = counters.time.at(now);
        let Some(counter) = counters.of_keys.get_mut(key) else { return Ok(()) };
        counter.check(limit, now).map_err(whole_seconds)
    }

    fn lock(&self) -> MutexGuard<'_, Counters<K, C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn whole_seconds(micros: i64) -> u64 {
    u64::try_from(micros).unwrap_or_default().div_ceil(1_000_000)
}

impl<K: Eq + Hash + Clone, C: Counter> Counters<K, C> {
    /// Makes room for one more key.
    fn make_room(&mut self, now: i64) {
        // Idle keys are removed before the table grows, too. After a clock step back there is no interval to wait for.
        let is_full = self.of_keys.len() >= MAX_KEYS.min(self.of_keys.capacity());
        if is_full && (now < self.swept_at || now.saturating_sub(self.swept_at) >= SWEEP_INTERVAL) {
            self.swept_at = now;
            self.of_keys.retain(|_, counter| counter.idle_at() > now);
        }
        if self.of_keys.len() >= MAX_KEYS {
            let sample = self.of_keys.iter().take(EVICTION_SAMPLE);
            let soonest = sample.min_by_key(|(_, counter)| counter.idle_at()).map(|(key, _)| key.clone());
            if let Some(key) = soonest {
                self.of_keys.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate::Rate;

    const TEN_PER_SECOND: fn(u32) -> Rate = |burst| Rate::per_second(10, burst);

    fn millis(millis: i64) -> i64 {
        millis * 1_000
    }

    #[test]
    fn a_burst_is_admitted_and_then_the_rate() {
        let limiter = Limiter::<_>::default();
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
        let limiter = Limiter::<_>::default();
        assert!((0..100).all(|_| limiter.check(&"a", TEN_PER_SECOND(1), 0).is_ok()));
        assert_eq!(limiter.admit("a", TEN_PER_SECOND(1), 0), Ok(()));
        assert_eq!(limiter.check(&"a", TEN_PER_SECOND(1), 0), Err(1));
        assert_eq!(limiter.check(&"a", TEN_PER_SECOND(1), millis(100)), Ok(()));
    }

    #[test]
    fn zero_is_no_limit() {
        let limiter = Limiter::<_>::default();
        let none = Rate::per_second(0, 0);
        assert!(
            (0..1_000).all(|_| limiter.admit((), none, 0).is_ok() && limiter.check(&(), none, 0).is_ok())
        );
    }

    #[test]
    fn a_clock_that_steps_back_an_hour_keeps_a_key_waiting_no_longer_than_its_burst() {
        let limiter = Limiter::<_>::default();
        let (rate, hour) = (TEN_PER_SECOND(3), millis(3_600_000));
        assert!((0..3).all(|_| limiter.admit("a", rate, hour).is_ok()));
        assert_eq!(limiter.admit("a", rate, 0), Err(1), "the bucket is as full as it was");
        assert_eq!(limiter.admit("a", rate, millis(99)), Err(1));
        assert_eq!(limiter.admit("a", rate, millis(100)), Ok(()));
        assert_eq!(limiter.admit("a", rate, millis(100)), Err(1));
    }

    #[test]
    fn a_key_waits_for_its_burst_and_not_for_a_tester_who_has_frozen_the_clock() {
        let limiter = Limiter::<_>::default();
        let rate = Rate::per_minute(3, 3);
        assert!((0..3).all(|_| limiter.admit("a", rate, 0).is_ok()));
        assert_eq!((limiter.admit("a", rate, 0), limiter.check(&"a", rate, 0)), (Err(20), Err(20)));
        limiter.lock().time.stand_still(std::time::Duration::from_mins(1));
        assert_eq!(limiter.check(&"a", rate, 0), Ok(()));
        assert!((0..3).all(|_| limiter.admit("a", rate, 0).is_ok()));
        assert_eq!(limiter.admit("a", rate, 0), Err(20));
    }

    #[test]
    fn the_table_has_a_maximum_size() {
        let limiter = Limiter::<_>::default();
        let rate = Rate::per_minute(1, 1);
        for key in 0..3 * MAX_KEYS {
            assert_eq!(limiter.admit(key, rate, 0), Ok(()));
            assert!(limiter.lock().of_keys.len() <= MAX_KEYS);
        }
        // A new key causes a sweep.
        assert_eq!(limiter.admit(3 * MAX_KEYS, rate, 60_000_000), Ok(()));
        assert_eq!(limiter.lock().of_keys.len(), 1, "idle keys are removed");
    }

    #[test]
    fn a_sliding_second_names_the_wait_until_its_oldest_action_expires() {
        let limiter = Limiter::<_, SlidingSecond>::default();
        assert!((0..3).all(|n| limiter.admit("a", PerSecond(3), millis(n * 100)).is_ok()));
        assert_eq!(limiter.check(&"a", PerSecond(3), millis(300)), Err(1));
        assert_eq!(limiter.check(&"a", PerSecond(3), millis(1_000)), Ok(()));
        assert_eq!(limiter.check(&"a", PerSecond(1), millis(1_000)), Err(1), "a lower limit counts at once");
    }

    #[test]
    fn keys_without_actions_are_removed_before_the_table_grows() {
        let limiter = Limiter::<_, SlidingSecond>::default();
        for n in 0..10_000 {
            assert!(limiter.admit(n, PerSecond(1), millis(n * 1_000)).is_ok());
        }
        assert!(limiter.lock().of_keys.len() < 100);
    }
}
