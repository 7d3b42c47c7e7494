//! How many requests a key may make in a second.
//!
//! DIDWW counts by key, and so does this. What an account says of itself goes before what the server says of all.
//!
//! Bounds: a key takes room for as many moments as it may make requests in a second, and only while it makes any; only
//! keys that exist get here.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use didww_types::Timestamp;

use trunk_store::account::KeyDigest;

/// The length of the window.
const SECOND: i64 = 1_000;

/// The moments of each limited key's last requests. A key without a limit takes no room.
///
/// A window that slides is exact: no second, wherever it begins, holds more requests than the limit.
#[derive(Debug, Default)]
pub struct RateLimits {
    usual: u32,
    keys: Mutex<HashMap<KeyDigest, VecDeque<i64>>>,
}

impl RateLimits {
    /// With this limit for keys of accounts that have none of their own; zero is no limit.
    pub fn new(usual: u32) -> Self {
        Self { usual, keys: Mutex::default() }
    }

    /// Counts a request of a key whose account has this limit; returns whether it is within the limit. A refused request
    /// is not counted.
    pub fn admit(&self, key: KeyDigest, own: Option<u32>, now: Timestamp) -> bool {
        let limit = own.unwrap_or(self.usual);
        if limit == 0 {
            return true;
        }
        let now = now.as_unix_millis();
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() == keys.capacity() {
            // Sooner than the table grows, keys are forgotten that make no requests.
            keys.retain(|_, moments| moments.back().is_some_and(|last| now - last < SECOND));
        }
        let moments = keys.entry(key).or_default();
        // The clock may have been set back: what was to come is now, and passes in a second.
        for moment in moments.iter_mut().rev().take_while(|moment| **moment > now) {
            *moment = now;
        }
        while moments.front().is_some_and(|moment| now - moment >= SECOND) {
            moments.pop_front();
        }
        if moments.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return false;
        }
        moments.push_back(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> KeyDigest {
        KeyDigest::of(text)
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    #[test]
    fn the_request_after_the_last_allowed_one_waits_a_second() {
        let limits = RateLimits::new(0);
        let admit = |name: &str, millis| limits.admit(key(name), Some(20), at(millis));
        assert!((0..20).all(|n| admit("a", n * 10)));
        assert!(!admit("a", 500));
        assert!(admit("b", 500), "another key has a window of its own");
        assert!(!admit("a", 999));
        assert!(admit("a", 1_000));
        assert!(!admit("a", 1_009));
        assert!(admit("a", 1_010));
    }

    #[test]
    fn what_an_account_says_goes_before_what_the_server_says() {
        let limits = RateLimits::new(2);
        let of = |name: &str, own| (0..5).filter(|_| limits.admit(key(name), own, at(0))).count();
        assert_eq!((of("usual", None), of("own", Some(3)), of("free", Some(0))), (2, 3, 5));
    }

    #[test]
    fn a_clock_that_is_set_back_costs_a_second_and_not_an_hour() {
        let limits = RateLimits::new(2);
        let admit = |millis| limits.admit(key("a"), None, at(millis));
        assert!(admit(3_600_000) && admit(3_600_000));
        assert!(!admit(0), "the second is not over");
        assert!(!admit(999));
        assert!(admit(1_000) && admit(1_000) && !admit(1_000));
        assert!(admit(i64::MAX) && admit(-1), "nor does any other step do harm");
    }

    #[test]
    fn keys_that_make_no_requests_are_forgotten() {
        let limits = RateLimits::new(1);
        for n in 0..10_000 {
            assert!(limits.admit(key(&n.to_string()), None, at(n * SECOND)));
        }
        assert!(limits.keys.lock().unwrap().len() < 100);
    }
}
