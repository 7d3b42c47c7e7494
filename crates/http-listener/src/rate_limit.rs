//! The limit on requests of an API key in a second.
//!
//! DIDWW counts requests by key, and so does this server. An account's own limit overrides the server's
//! default.
//!
//! Bounds: a key has at most as many stored times as its limit, and only while it makes requests. Unknown
//! keys are refused before they reach the limiter.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use didww_types::Timestamp;
use trunk_store::account::KeyDigest;

/// The length of the window, in milliseconds.
const WINDOW_MILLIS: i64 = 1_000;

/// The times of each limited key's requests in the last second. A key without a limit has no entry.
///
/// The window slides, so the limit holds exactly: no second, wherever it starts, has more requests than the
/// limit.
#[derive(Debug, Default)]
pub struct RateLimits {
    default_limit: u32,
    /// The times of each key's requests, the oldest first, in milliseconds since 1970.
    keys: Mutex<HashMap<KeyDigest, VecDeque<i64>>>,
}

impl RateLimits {
    /// Creates a limiter with a default for accounts without a limit of their own, in requests per second; 0
    /// means no limit.
    pub fn new(default_limit: u32) -> Self {
        Self { default_limit, keys: Mutex::default() }
    }

    /// Returns whether a request of a key is within the limit. `own` is the limit of the key's account, if it
    /// has one; 0 means no limit. A refused request is not counted.
    pub fn admit(&self, key: KeyDigest, own: Option<u32>, now: Timestamp) -> bool {
        let limit = own.unwrap_or(self.default_limit);
        if limit == 0 {
            return true;
        }
        let now = now.as_unix_millis();
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() == keys.capacity() {
            // Before the table grows, keys without recent requests are removed.
            keys.retain(|_, times| times.back().is_some_and(|last| now - last < WINDOW_MILLIS));
        }
        let times = keys.entry(key).or_default();
        // The clock may have been set back. Times in the future count as now, so they expire in a second.
        for time in times.iter_mut().rev().take_while(|time| **time > now) {
            *time = now;
        }
        while times.front().is_some_and(|time| now - time >= WINDOW_MILLIS) {
            times.pop_front();
        }
        if times.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return false;
        }
        times.push_back(now);
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
    fn an_accounts_limit_overrides_the_servers_default() {
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
        assert!(admit(i64::MAX) && admit(-1), "no other step does harm");
    }

    #[test]
    fn keys_that_make_no_requests_are_removed() {
        let limits = RateLimits::new(1);
        for n in 0..10_000 {
            assert!(limits.admit(key(&n.to_string()), None, at(n * WINDOW_MILLIS)));
        }
        assert!(limits.keys.lock().unwrap().len() < 100);
    }
}
