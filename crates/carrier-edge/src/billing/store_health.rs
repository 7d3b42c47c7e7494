//! How calls are handled while the store takes no writes: refused, or ended after a grace period.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use didww_types::Timestamp;
use trunk_rules::carrier::{Cause, Recording};

use super::state::{Billing, MAX_UNWRITTEN_RECORDS};
use crate::inner::Inner;

impl Billing {
    /// Returns true if the store is known to take no writes.
    pub(super) fn is_failing(&self) -> bool {
        self.store_failing.since().is_some()
    }

    /// Whether the charges of calls can be stored at `now`.
    pub(super) fn recording(&self, now: Timestamp) -> Recording {
        if self.unwritten.load(Ordering::Relaxed) >= MAX_UNWRITTEN_RECORDS {
            return Recording::FailsFor(Duration::MAX);
        }
        self.store_failing.since().map_or(Recording::Works, |since| {
            let millis = now.as_unix_millis().saturating_sub(since.as_unix_millis());
            Recording::FailsFor(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
        })
    }
}

/// Follows the health of the store. When it has taken no writes for `unrecorded_grace`, ends all active calls
/// except emergency calls.
pub(super) async fn watch_store(inner: Arc<Inner>) {
    let mut health = inner.core.store.write_health();
    let clock = &inner.core.clock;
    loop {
        if health.wait_for(|health| health.reason().is_some()).await.is_err() {
            return;
        }
        let since = clock.now();
        inner.billing.store_failing.set(Some(since));
        tracing::error!("the store takes no writes: calls of trunks with a threshold are refused");
        let grace = clock.sleep_until(since.after(inner.config.unrecorded_grace));
        let in_time = tokio::select! {
            works = health.wait_for(|health| health.reason().is_none()) => Some(works.is_ok()),
            () = grace => None,
        };
        let works = if let Some(works) = in_time {
            works
        } else {
            let (ended, _) = inner.calls.end_for(Cause::NotRecorded, |call_state| !call_state.is_emergency);
            tracing::error!(ended, "the store took no writes for the grace period: active calls are ended");
            health.wait_for(|health| health.reason().is_none()).await.is_ok()
        };
        if !works {
            return;
        }
        inner.billing.store_failing.set(None);
        inner.billing.write_failed.notify_one();
        tracing::info!("the store takes writes again: calls are admitted");
    }
}
