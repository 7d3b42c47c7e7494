//! The limit on requests in a second.
//!
//! Until 2026-04-16, DIDWW counts requests by API key, and so does this server; at newer versions it counts those of an
//! account. An account's own limit overrides the server's default.
//!
//! A limit holds for all nodes of a database together ([`SharedLimiter`]).
//!
//! Bounds: those of the limiters, and as many times of a budget as its limit. Unknown keys are refused before
//! they reach the limiter.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use didww_types::Timestamp;
use service_base::limiter::{PerSecond, SlidingSecond};
use service_core::Core;
use trunk_store::RateSubject;
use uuid::Uuid;

use crate::shared_limiter::SharedLimiter;

/// The subject whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Budget {
    /// The API key with this id.
    Key(Uuid),
    /// The account with this number.
    Account(i64),
    /// Requests for tokens of the account with this number.
    Mints(i64),
    /// Requests to the price service with this audience, of the account with this number.
    Prices(&'static str, i64),
}

impl From<Budget> for RateSubject {
    fn from(budget: Budget) -> Self {
        match budget {
            Budget::Key(id) => Self::Key(id),
            Budget::Account(number) => Self::Account(number),
            Budget::Mints(number) => Self::Mints(number),
            Budget::Prices(audience, number) => Self::Prices(audience, number),
        }
    }
}

/// The requests of each limited key and account in the last second. One without a limit has no entry.
#[derive(Debug)]
pub struct RateLimits {
    /// Shared with limiters apart, which follow its changes.
    default_limit: Arc<AtomicU32>,
    budgets: SharedLimiter<SlidingSecond>,
}

impl RateLimits {
    /// Creates a limiter of this process alone, with a default for accounts without a limit of their own, in requests
    /// per second; 0 means no limit.
    pub fn new(default_limit: u32) -> Self {
        Self { default_limit: Arc::new(AtomicU32::new(default_limit)), budgets: SharedLimiter::local() }
    }

    /// Creates a limiter whose limits hold for all nodes of the server's database.
    pub fn shared(default_limit: u32, core: &Arc<Core>) -> Self {
        Self { default_limit: Arc::new(AtomicU32::new(default_limit)), budgets: SharedLimiter::of(core) }
    }

    /// Sets the default from the next request on; 0 means no limit.
    pub fn set_default(&self, limit: u32) {
        self.default_limit.store(limit, Ordering::Relaxed);
    }

    /// A limiter of this process alone with the same default, for subjects that any client can invent: they do not
    /// affect the counters of keys and accounts, or the shares of nodes.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { default_limit: Arc::clone(&self.default_limit), budgets: SharedLimiter::local() }
    }

    /// Counts a request. `own` is the limit of the account, if it has one; 0 means no limit. A refused request is not
    /// counted. It waits if this node must request a larger share of the limit first.
    ///
    /// # Errors
    /// The number of whole seconds to wait, at least 1, if the request is above the limit.
    pub async fn admit(
        &self,
        budget: Budget,
        own: Option<u32>,
        now: impl Fn() -> Timestamp,
    ) -> Result<(), u64> {
        let limit = PerSecond(own.unwrap_or_else(|| self.default_limit.load(Ordering::Relaxed)));
        let micros = || now().as_unix_micros();
        self.budgets.admit(budget.into(), limit, micros).await.map_err(|seconds| seconds.max(1))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// Counts a request of the only node, which waits for nothing.
    fn admit(limits: &RateLimits, budget: Budget, own: Option<u32>, now: Timestamp) -> Result<(), u64> {
        limits.admit(budget, own, || now).now_or_never().unwrap()
    }

    fn key(name: &str) -> Budget {
        Budget::Key(Uuid::from_u128(name.bytes().fold(0, |all, byte| all << 8 | u128::from(byte))))
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    #[test]
    fn the_request_after_the_last_allowed_one_waits_a_second() {
        let limits = RateLimits::new(0);
        let admit = |name: &str, millis| admit(&limits, key(name), Some(20), at(millis)).is_ok();
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
        let of = |name: &str, own| (0..5).filter(|_| admit(&limits, key(name), own, at(0)).is_ok()).count();
        assert_eq!((of("usual", None), of("own", Some(3)), of("free", Some(0))), (2, 3, 5));
    }

    #[test]
    fn a_limiter_apart_has_the_same_default_and_counters_of_its_own() {
        let limits = RateLimits::new(1);
        let apart = limits.apart();
        assert!(admit(&limits, key("a"), None, at(0)).is_ok());
        assert!(admit(&apart, key("a"), None, at(0)).is_ok());
        assert!(admit(&apart, key("a"), None, at(0)).is_err());
    }

    #[test]
    fn a_new_default_counts_from_the_next_request_on_also_apart() {
        let limits = RateLimits::new(1);
        let apart = limits.apart();
        let admitted =
            |limits: &RateLimits| (0..9).filter(|_| admit(limits, key("a"), None, at(0)).is_ok()).count();
        assert_eq!((admitted(&limits), admitted(&apart)), (1, 1));
        limits.set_default(3);
        assert_eq!((admitted(&limits), admitted(&apart)), (2, 2), "one of the three was counted before");
        limits.set_default(0);
        assert_eq!((admitted(&limits), admitted(&apart)), (9, 9));
    }

    #[test]
    fn a_clock_that_is_set_back_costs_a_second_and_not_an_hour() {
        let limits = RateLimits::new(2);
        let admit = |millis| admit(&limits, key("a"), None, at(millis)).is_ok();
        assert!(admit(3_600_000) && admit(3_600_000));
        assert!(!admit(0), "the second is not over");
        assert!(!admit(999));
        assert!(admit(1_000) && admit(1_000) && !admit(1_000));
        assert!(admit(i64::MAX) && admit(-1), "no other step does harm");
    }

    #[test]
    fn the_wait_is_at_least_a_second_and_budgets_do_not_share() {
        let limits = RateLimits::new(1);
        for budget in [
            Budget::Account(1),
            Budget::Mints(1),
            Budget::Prices("vin", 1),
            Budget::Prices("sms", 1),
            Budget::Account(2),
            key("a"),
        ] {
            assert_eq!(admit(&limits, budget, None, at(0)), Ok(()));
            assert_eq!(admit(&limits, budget, None, at(999)), Err(1));
        }
    }
}
