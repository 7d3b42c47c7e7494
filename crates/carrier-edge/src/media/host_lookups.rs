//! Resolves the host names in session descriptions.
//!
//! The caller chooses the name, and can send any number of offers. So the lookups of one call and of one account
//! are rate limited, those of all calls and of one account are limited in number, and each has a timeout. After the
//! timeout the system's resolver may still be at work; the lookup keeps its slots until the resolver returns.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use service_base::buckets::Buckets;
use service_base::net::Budget;
use service_base::rate::Rate;
use service_base::slots::Slots;
use tokio::sync::Semaphore;

/// Time limit for the addresses of a name.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
/// Limit of concurrent lookups, of all calls together.
const MAX_CONCURRENT_LOOKUPS: usize = 64;
/// Limit of concurrent lookups of one account: the calls of one whose names are answered slowly leave the others slots.
const MAX_CONCURRENT_LOOKUPS_OF_ACCOUNT: usize = 4;
/// The lookups of an account in one of the two buckets that it draws on: together 50 a second, and 100 at once.
const ACCOUNT_LOOKUPS: Rate = Rate::per_second(25, 50);
/// The lookups that one call may make at once.
const LOOKUP_BURST: u64 = 4;
/// The time in milliseconds after which a call may make another lookup.
const LOOKUP_INTERVAL_MILLIS: u64 = 15_000;
/// Limit of addresses that are read of one name.
const MAX_ADDRESSES: usize = 16;

/// Limits the lookups of all calls, and of each account.
#[derive(Debug)]
pub(crate) struct HostLookups {
    slots: Arc<Semaphore>,
    account_slots: Arc<Slots<i64>>,
    account_rates: Buckets,
}

/// The lookups of one call.
#[derive(Debug)]
pub(super) struct CallLookups {
    /// The number of its account.
    account: i64,
    /// Its rate, allocated with its first lookup, because most calls make none.
    budget: Option<Box<Budget>>,
}

impl CallLookups {
    /// The lookups of a call of this account, which has made none.
    pub(super) const fn new(account: i64) -> Self {
        Self { account, budget: None }
    }
}

impl Default for HostLookups {
    fn default() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(MAX_CONCURRENT_LOOKUPS)),
            account_slots: Slots::new(MAX_CONCURRENT_LOOKUPS_OF_ACCOUNT),
            account_rates: Buckets::new(ACCOUNT_LOOKUPS),
        }
    }
}

impl HostLookups {
    /// Resolves a name. Empty if it has no address, a limit is reached, or the lookup timed out.
    pub(super) async fn resolve(
        &self,
        call_lookups: &mut CallLookups,
        name: &str,
        stopwatch: Duration,
    ) -> Vec<IpAddr> {
        let account = call_lookups.account;
        let budget = call_lookups
            .budget
            .get_or_insert_with(|| Box::new(Budget::new(1_000, LOOKUP_BURST * LOOKUP_INTERVAL_MILLIS)));
        if !budget.take(stopwatch, LOOKUP_INTERVAL_MILLIS) {
            tracing::info!(
                name,
                most = LOOKUP_BURST,
                "the host of an SDP was not looked up: the call has used up its lookups"
            );
            return Vec::new();
        }
        let now = i64::try_from(stopwatch.as_millis()).unwrap_or(i64::MAX);
        if !self.account_rates.take(account, now) {
            tracing::info!(
                name,
                account,
                "the host of an SDP was not looked up: its account has had too many looked up"
            );
            return Vec::new();
        }
        let Some(account_slot) = self.account_slots.take(account) else {
            tracing::info!(
                name,
                account,
                most = MAX_CONCURRENT_LOOKUPS_OF_ACCOUNT,
                "the host of an SDP was not looked up: too many lookups of its account are in progress"
            );
            return Vec::new();
        };
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            tracing::info!(
                name,
                most = MAX_CONCURRENT_LOOKUPS,
                "the host of an SDP was not looked up: too many lookups are in progress"
            );
            return Vec::new();
        };
        let host = name.to_owned();
        let lookup = tokio::spawn(async move {
            let found = tokio::net::lookup_host((host, 0)).await;
            drop((slot, account_slot));
            found.map(|found| found.map(|address| address.ip()).take(MAX_ADDRESSES).collect::<Vec<_>>())
        });
        match tokio::time::timeout(LOOKUP_TIMEOUT, lookup).await {
            Ok(Ok(Ok(found))) => found,
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    #[tokio::test]
    async fn a_call_has_few_lookups() {
        let (lookups, mut call_lookups) = (HostLookups::default(), CallLookups::new(1));
        for _ in 0..LOOKUP_BURST {
            assert!(!lookups.resolve(&mut call_lookups, "localhost", NOW).await.is_empty());
        }
        assert!(lookups.resolve(&mut call_lookups, "localhost", NOW).await.is_empty());
        let later = NOW + Duration::from_millis(LOOKUP_INTERVAL_MILLIS);
        assert!(!lookups.resolve(&mut call_lookups, "localhost", later).await.is_empty());
        assert!(lookups.resolve(&mut call_lookups, "localhost", later).await.is_empty());
    }

    #[tokio::test]
    async fn all_calls_together_have_few_lookups_at_the_same_time() {
        let lookups = HostLookups::default();
        let taken = Arc::clone(&lookups.slots)
            .try_acquire_many_owned(u32::try_from(MAX_CONCURRENT_LOOKUPS).unwrap())
            .unwrap();
        assert!(lookups.resolve(&mut CallLookups::new(1), "localhost", NOW).await.is_empty());
        drop(taken);
        assert!(!lookups.resolve(&mut CallLookups::new(1), "localhost", NOW).await.is_empty());
    }

    #[tokio::test]
    async fn the_calls_of_an_account_together_have_few_lookups_at_the_same_time_and_leave_others_theirs() {
        let lookups = HostLookups::default();
        let taken: Vec<_> =
            (0..MAX_CONCURRENT_LOOKUPS_OF_ACCOUNT).map(|_| lookups.account_slots.take(1).unwrap()).collect();
        assert!(lookups.resolve(&mut CallLookups::new(1), "localhost", NOW).await.is_empty());
        assert!(!lookups.resolve(&mut CallLookups::new(2), "localhost", NOW).await.is_empty());
        drop(taken);
        assert!(!lookups.resolve(&mut CallLookups::new(1), "localhost", NOW).await.is_empty());
    }

    #[tokio::test]
    async fn the_calls_of_an_account_together_have_a_rate_of_lookups() {
        let lookups = HostLookups::default();
        while lookups.account_rates.take(1_i64, 100_000) {}
        assert!(lookups.resolve(&mut CallLookups::new(1), "localhost", NOW).await.is_empty());
        assert!(!lookups.resolve(&mut CallLookups::new(2), "localhost", NOW).await.is_empty());
        let later = NOW + Duration::from_secs(1);
        assert!(!lookups.resolve(&mut CallLookups::new(1), "localhost", later).await.is_empty());
    }
}
