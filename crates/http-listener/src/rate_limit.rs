//! The limit on requests of an API key in a second.
//!
//! DIDWW counts requests by key, and so does this server. An account's own limit overrides the server's
//! default.
//!
//! Bounds: those of the [`Limiter`], and as many times of a key as its limit. Unknown keys are refused before
//! they reach the limiter.

use didww_types::Timestamp;
use service_base::limiter::{Limiter, PerSecond, SlidingSecond};
use trunk_store::account::KeyDigest;

/// The requests of each limited key in the last second. A key without a limit has no entry.
#[derive(Debug, Default)]
pub struct RateLimits {
    default_limit: u32,
    keys: Limiter<KeyDigest, SlidingSecond>,
}

impl RateLimits {
    /// Creates a limiter with a default for accounts without a limit of their own, in requests per second; 0
    /// means no limit.
    pub fn new(default_limit: u32) -> Self {
        Self { default_limit, keys: Limiter::default() }
    }

    /// Returns whether a request of a key is within the limit. `own` is the limit of the key's account, if it
    /// has one; 0 means no limit. A refused request is not counted.
    pub fn admit(&self, key: KeyDigest, own: Option<u32>, now: Timestamp) -> bool {
        let limit = PerSecond(own.unwrap_or(self.default_limit));
        self.keys.admit(key, limit, now.as_unix_millis().saturating_mul(1_000)).is_ok()
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
}
