//! How often something may be done, by who does it.
//!
//! The one limiter of the house, for requests as well as for failed guesses. It knows no more than [`KEPT`] keys: when
//! it is full, the one that would be free soonest is forgotten, which is only ever in favour of that key. The clock may
//! be frozen, advanced or step back: none of it makes a key wait longer than its whole burst takes.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A rate that is kept by the generic cell rate algorithm: so many in a time, of which `burst` at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Microseconds until another one is free; zero is no limit.
    interval: i64,
    burst: i64,
}

impl Rate {
    /// So many a second; zero is no limit.
    pub fn per_second(count: u32, burst: u32) -> Self {
        Self {
            interval: 1_000_000_i64.checked_div(count.into()).unwrap_or_default(),
            burst: burst.max(1).into(),
        }
    }

    /// So many a minute; zero is no limit.
    pub fn per_minute(count: u32, burst: u32) -> Self {
        Self {
            interval: 60_000_000_i64.checked_div(count.into()).unwrap_or_default(),
            burst: burst.max(1).into(),
        }
    }

    fn is_none(self) -> bool {
        self.interval == 0
    }

    fn room(self) -> i64 {
        self.interval.saturating_mul(self.burst)
    }
}

/// Most keys that are known.
const KEPT: usize = 10_000;
/// How many keys are looked at for the one that is forgotten when all of them are in use.
const SAMPLE: usize = 16;
/// Microseconds between two searches for keys that are free again.
const SWEEP: i64 = 1_000_000;

/// When each key's bucket is empty again, in microseconds since 1970.
#[derive(Debug)]
pub struct Limiter<K>(Mutex<Buckets<K>>);

#[derive(Debug)]
struct Buckets<K> {
    empty_at: HashMap<K, i64>,
    swept: i64,
}

impl<K> Default for Limiter<K> {
    fn default() -> Self {
        Self(Mutex::new(Buckets { empty_at: HashMap::new(), swept: i64::MIN }))
    }
}

impl<K: Eq + Hash + Clone> Limiter<K> {
    /// Counts one, at a time in microseconds since 1970.
    ///
    /// # Errors
    /// In how many whole seconds it may be done, when that is not now. It is not counted then.
    pub fn admit(&self, key: K, rate: Rate, now: i64) -> Result<(), u64> {
        if rate.is_none() {
            return Ok(());
        }
        let mut buckets = self.lock();
        let after = buckets.after(&key, rate, now);
        within(rate, after, now)?;
        buckets.put(key, after, now);
        Ok(())
    }

    /// Whether one more may be done, without counting it.
    ///
    /// # Errors
    /// In how many whole seconds it may be done, when that is not now.
    pub fn ask(&self, key: &K, rate: Rate, now: i64) -> Result<(), u64> {
        if rate.is_none() {
            return Ok(());
        }
        within(rate, self.lock().after(key, rate, now), now)
    }

    fn lock(&self) -> MutexGuard<'_, Buckets<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn within(rate: Rate, after: i64, now: i64) -> Result<(), u64> {
    match after - now - rate.room() {
        wait @ 1.. => Err(u64::try_from(wait).unwrap_or_default().div_ceil(1_000_000)),
        _ => Ok(()),
    }
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    /// When the key's bucket would be empty if one more were counted.
    fn after(&mut self, key: &K, rate: Rate, now: i64) -> i64 {
        let empty = self.empty_at.get_mut(key).map_or(now, |empty| {
            // Later than a full bucket takes is only what a clock that stepped back left: from now on it drains.
            *empty = (*empty).min(now.saturating_add(rate.room()));
            *empty
        });
        empty.max(now).saturating_add(rate.interval)
    }

    fn put(&mut self, key: K, empty_at: i64, now: i64) {
        if self.empty_at.len() >= KEPT && !self.empty_at.contains_key(&key) {
            self.make_room(now);
        }
        self.empty_at.insert(key, empty_at);
    }

    fn make_room(&mut self, now: i64) {
        // A clock that stepped back sweeps at once.
        if now < self.swept || now.saturating_sub(self.swept) >= SWEEP {
            self.swept = now;
            self.empty_at.retain(|_, empty_at| *empty_at > now);
        }
        if self.empty_at.len() >= KEPT {
            let sample = self.empty_at.iter().take(SAMPLE);
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

    const TEN: fn(u32) -> Rate = |burst| Rate::per_second(10, burst);

    fn millis(millis: i64) -> i64 {
        millis * 1_000
    }

    #[test]
    fn a_burst_is_let_through_and_then_the_rate() {
        let limiter = Limiter::default();
        let rate = TEN(3);
        assert!((0..3).all(|_| limiter.admit("a", rate, millis(0)).is_ok()));
        assert_eq!(limiter.admit("a", rate, millis(0)), Err(1));
        assert_eq!(limiter.admit("b", rate, millis(0)), Ok(()), "others have buckets of their own");
        assert_eq!(limiter.admit("a", rate, millis(99)), Err(1));
        assert_eq!(limiter.admit("a", rate, millis(100)), Ok(()));
        assert_eq!(limiter.admit("a", rate, millis(100)), Err(1));
        assert!((0..3).all(|_| limiter.admit("a", rate, millis(10_000)).is_ok()));
    }

    #[test]
    fn asking_counts_nothing() {
        let limiter = Limiter::default();
        assert!((0..100).all(|_| limiter.ask(&"a", TEN(1), 0).is_ok()));
        assert_eq!(limiter.admit("a", TEN(1), 0), Ok(()));
        assert_eq!(limiter.ask(&"a", TEN(1), 0), Err(1));
        assert_eq!(limiter.ask(&"a", TEN(1), millis(100)), Ok(()));
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
        let (rate, hour) = (TEN(3), millis(3_600_000));
        assert!((0..3).all(|_| limiter.admit("a", rate, hour).is_ok()));
        assert_eq!(limiter.admit("a", rate, 0), Err(1), "the bucket is as full as it was");
        assert_eq!(limiter.admit("a", rate, millis(99)), Err(1));
        assert_eq!(limiter.admit("a", rate, millis(100)), Ok(()));
        assert_eq!(limiter.admit("a", rate, millis(100)), Err(1));
    }

    #[test]
    fn no_more_keys_are_known_than_there_is_room_for() {
        let limiter = Limiter::default();
        let rate = Rate::per_minute(1, 1);
        for key in 0..3 * KEPT {
            assert_eq!(limiter.admit(key, rate, 0), Ok(()));
            assert!(limiter.lock().empty_at.len() <= KEPT);
        }
        // A key that is not known: it needs room.
        assert_eq!(limiter.admit(3 * KEPT, rate, 60_000_000), Ok(()));
        assert_eq!(limiter.lock().empty_at.len(), 1, "those that are free again are forgotten");
    }
}
