//! How many requests an address or a customer may make.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use super::moment::Moment;

/// A rate that is kept by the generic cell rate algorithm: `rate` a second, of which `burst` at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) per_second: u32,
    pub(crate) burst: u32,
}

/// Keys that are kept before those are forgotten whose time is over.
const KEPT: usize = 10_000;

/// When each key's bucket is empty again.
#[derive(Debug)]
pub(crate) struct Limiter<K>(Mutex<HashMap<K, i64>>);

impl<K> Default for Limiter<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Limiter<K> {
    /// Counts a request.
    ///
    /// # Errors
    /// In how many whole seconds it may be made, when that is not now. It is not counted then.
    pub(crate) fn admit(&self, key: K, rate: Rate, now: Moment) -> Result<(), u64> {
        if rate.per_second == 0 {
            return Ok(());
        }
        let now = now.as_unix_micros();
        let interval = 1_000_000 / i64::from(rate.per_second);
        let room = interval * i64::from(rate.burst.max(1));
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= KEPT {
            buckets.retain(|_, empty| *empty > now);
        }
        let empty = buckets.entry(key).or_insert(now);
        let after = now.max(*empty) + interval;
        let wait = after - now - room;
        if wait > 0 {
            return Err(u64::try_from(wait).unwrap_or_default().div_ceil(1_000_000));
        }
        *empty = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_the_rate() {
        let limiter = Limiter::default();
        let rate = Rate { per_second: 10, burst: 3 };
        let at = |millis: i64| Moment::from_unix_micros(millis * 1_000);
        assert!((0..3).all(|_| limiter.admit("a", rate, at(0)).is_ok()));
        assert_eq!(limiter.admit("a", rate, at(0)), Err(1));
        assert_eq!(limiter.admit("b", rate, at(0)), Ok(()), "others have buckets of their own");
        assert_eq!(limiter.admit("a", rate, at(99)), Err(1));
        assert_eq!(limiter.admit("a", rate, at(100)), Ok(()));
        assert_eq!(limiter.admit("a", rate, at(100)), Err(1));
        assert!((0..3).all(|_| limiter.admit("a", rate, at(10_000)).is_ok()));
    }

    #[test]
    fn zero_is_no_limit() {
        let limiter = Limiter::default();
        let rate = Rate { per_second: 0, burst: 0 };
        assert!((0..1_000).all(|_| limiter.admit((), rate, Moment::from_unix_micros(0)).is_ok()));
    }
}
