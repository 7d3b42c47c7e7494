//! Resolves the host names in session descriptions.
//!
//! The caller chooses the name, and can send any number of offers. So the lookups of one call are rate
//! limited, those of all calls are limited in number, and each has a timeout. After the timeout the system's
//! resolver may still be at work; the lookup keeps its slot until the resolver returns.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use service_base::net::Budget;
use tokio::sync::Semaphore;

/// Time limit for the addresses of a name.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
/// Limit of concurrent lookups, of all calls together.
const MAX_CONCURRENT_LOOKUPS: usize = 16;
/// The lookups that one call may make at once.
const LOOKUP_BURST: u64 = 4;
/// The time in milliseconds after which a call may make another lookup.
const LOOKUP_INTERVAL_MILLIS: u64 = 15_000;
/// Limit of addresses that are read of one name.
const MAX_ADDRESSES: usize = 16;

/// Limits the concurrent lookups of all calls.
#[derive(Debug)]
pub(crate) struct HostLookups {
    slots: Arc<Semaphore>,
}

/// The lookup rate of one call, allocated with its first lookup, because most calls make none.
#[derive(Debug, Default)]
pub(super) struct CallLookups(Option<Box<Budget>>);

impl Default for HostLookups {
    fn default() -> Self {
        Self { slots: Arc::new(Semaphore::new(MAX_CONCURRENT_LOOKUPS)) }
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
        let budget = call_lookups
            .0
            .get_or_insert_with(|| Box::new(Budget::new(1_000, LOOKUP_BURST * LOOKUP_INTERVAL_MILLIS)));
        if !budget.take(stopwatch, LOOKUP_INTERVAL_MILLIS) {
            tracing::info!(
                name,
                most = LOOKUP_BURST,
                "the host of an SDP was not looked up: the call has used up its lookups"
            );
            return Vec::new();
        }
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
            drop(slot);
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
        let (lookups, mut call_lookups) = (HostLookups::default(), CallLookups::default());
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
        assert!(lookups.resolve(&mut CallLookups::default(), "localhost", NOW).await.is_empty());
        drop(taken);
        assert!(!lookups.resolve(&mut CallLookups::default(), "localhost", NOW).await.is_empty());
    }
}
