//! How many requests an account may make in a second.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use didww_types::Timestamp;

/// The moments of each limited account's last requests. An account without a limit takes no room.
///
/// A window that slides is exact: no second, wherever it begins, holds more requests than the limit.
#[derive(Debug, Default)]
pub(crate) struct RateLimits(Mutex<HashMap<i64, VecDeque<i64>>>);

impl RateLimits {
    /// Counts a request; gives whether it is within the limit. A refused request is not counted.
    pub(crate) fn admit(&self, account: i64, limit: u32, now: Timestamp) -> bool {
        let now = now.as_unix_millis();
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let moments = accounts.entry(account).or_default();
        while moments.front().is_some_and(|moment| now - moment >= 1_000) {
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

    #[test]
    fn the_request_after_the_last_allowed_one_waits_a_second() {
        let limits = RateLimits::default();
        let at = |millis| Timestamp::from_unix_millis(millis);
        assert!((0..20).all(|n| limits.admit(1, 20, at(n * 10))));
        assert!(!limits.admit(1, 20, at(500)));
        assert!(limits.admit(2, 20, at(500)), "another account has a window of its own");
        assert!(!limits.admit(1, 20, at(999)));
        assert!(limits.admit(1, 20, at(1_000)));
        assert!(!limits.admit(1, 20, at(1_009)));
        assert!(limits.admit(1, 20, at(1_010)));
    }
}
