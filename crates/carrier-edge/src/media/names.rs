//! Looks up the hosts that SDPs name.
//!
//! A caller writes the name, and can send offers without end. So a call has few lookups, all calls together few at the
//! same time, and none is waited for long. One that is given up goes on in the system for as long as that likes, and
//! keeps its place until then.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use service_base::net::Budget;

/// Longest wait for the addresses of a name.
const LOOKUP: Duration = Duration::from_secs(2);
/// Most lookups at the same time.
const AT_ONCE: usize = 16;
/// Lookups of one call at once.
const OF_A_CALL: u64 = 4;
/// Milliseconds after which it may have another.
const COST: u64 = 15_000;
/// Most addresses of a name that are looked at.
const ADDRESSES: usize = 16;

/// The lookups of all calls.
#[derive(Debug)]
pub(crate) struct Names {
    room: Arc<Semaphore>,
}

/// The lookups of one call. Most calls have none.
#[derive(Debug, Default)]
pub(super) struct Asked(Option<Box<Budget>>);

impl Default for Names {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Names {
    /// The addresses of a name; none when there are none, or there is no room to ask.
    pub(super) async fn find(&self, asked: &mut Asked, name: &str, stopwatch: Duration) -> Vec<IpAddr> {
        let budget = asked.0.get_or_insert_with(|| Box::new(Budget::new(1_000, OF_A_CALL * COST)));
        if !budget.take(stopwatch, COST) {
            tracing::info!(
                name,
                most = OF_A_CALL,
                "the host of an SDP was not looked up: the call had enough lookups"
            );
            return Vec::new();
        }
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            tracing::info!(
                name,
                most = AT_ONCE,
                "the host of an SDP was not looked up: too many are at once"
            );
            return Vec::new();
        };
        let host = name.to_owned();
        let lookup = tokio::spawn(async move {
            let found = tokio::net::lookup_host((host, 0)).await;
            drop(place);
            found.map(|found| found.map(|address| address.ip()).take(ADDRESSES).collect::<Vec<_>>())
        });
        match tokio::time::timeout(LOOKUP, lookup).await {
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
        let (names, mut asked) = (Names::default(), Asked::default());
        for _ in 0..OF_A_CALL {
            assert!(!names.find(&mut asked, "localhost", NOW).await.is_empty());
        }
        assert!(names.find(&mut asked, "localhost", NOW).await.is_empty());
        let later = NOW + Duration::from_millis(COST);
        assert!(!names.find(&mut asked, "localhost", later).await.is_empty());
        assert!(names.find(&mut asked, "localhost", later).await.is_empty());
    }

    #[tokio::test]
    async fn all_calls_together_have_few_lookups_at_the_same_time() {
        let names = Names::default();
        let taken = Arc::clone(&names.room).try_acquire_many_owned(u32::try_from(AT_ONCE).unwrap()).unwrap();
        assert!(names.find(&mut Asked::default(), "localhost", NOW).await.is_empty());
        drop(taken);
        assert!(!names.find(&mut Asked::default(), "localhost", NOW).await.is_empty());
    }
}
