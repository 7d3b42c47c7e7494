//! What becomes of calls while nothing can be written.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use didww_types::Timestamp;
use trunk_rules::carrier::{Cause, Recording};

use super::{Inner, MOST_UNWRITTEN, Spend};

/// Since when nothing can be written; nothing while writes work.
#[derive(Debug, Default)]
pub(super) struct Failing(Mutex<Option<Timestamp>>);

impl Failing {
    fn set(&self, since: Option<Timestamp>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    fn since(&self) -> Option<Timestamp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spend {
    /// Whether nothing can be written, as far as is known.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.since().is_some()
    }

    /// Whether what calls cost is written at this moment.
    pub(super) fn recording(&self, now: Timestamp) -> Recording {
        if self.unwritten.load(Ordering::Relaxed) >= MOST_UNWRITTEN {
            return Recording::FailsFor(Duration::MAX);
        }
        self.failing.since().map_or(Recording::Works, |since| {
            let millis = now.as_unix_millis().saturating_sub(since.as_unix_millis());
            Recording::FailsFor(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
        })
    }
}

/// Follows the store. When nothing could be written for too long, calls that are up are ended, but emergency calls.
pub(crate) async fn watch(inner: Arc<Inner>) {
    let mut health = inner.core.store.write_health();
    let clock = &inner.core.clock;
    loop {
        if health.wait_for(|health| health.reason().is_some()).await.is_err() {
            return;
        }
        let since = clock.now();
        inner.spend.failing.set(Some(since));
        tracing::error!("nothing can be written: calls of trunks with a threshold are refused");
        let grace = clock.sleep_until(since.after(inner.config.unrecorded_grace));
        let in_time = tokio::select! {
            works = health.wait_for(|health| health.reason().is_none()) => Some(works.is_ok()),
            () = grace => None,
        };
        let works = if let Some(works) = in_time {
            works
        } else {
            let ended = inner.calls.end_for(Cause::NotRecorded, |facts| !facts.is_emergency);
            tracing::error!(ended, "nothing could be written for too long: calls are ended");
            health.wait_for(|health| health.reason().is_none()).await.is_ok()
        };
        if !works {
            return;
        }
        inner.spend.failing.set(None);
        inner.spend.failed.notify_one();
        tracing::info!("writes work again: calls are taken");
    }
}
