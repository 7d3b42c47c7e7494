//! Retention: removes from the store the calls that ended before the months that the configuration keeps, and
//! the provider calls and flows of which no call is left. An active call is never removed.

use std::sync::Arc;

use service_core::Core;
use service_core::jobs::JobSet;
use service_core::retention::retention;
use trunk_store::{Aged, DocumentKind, DocumentQuery, Documents, Store, StoreError};
use voipbin_types::Timestamp;

use crate::entity::{Entity, Kind};
use crate::platform::Platform;
use crate::records::calls::Calls;
use crate::records::flows::Flows;
use crate::records::provider_calls::ProviderCalls;
use crate::timestamps;

/// The name of the job.
const KIND: &str = "platform.delete_old_calls";
/// Maximum number of records that one commit removes. The number is small because the writes of calls wait for the
/// commit.
const MAX_PER_COMMIT: u64 = 100;

/// The job that removes expired records.
pub(crate) fn jobs(platform: &Platform) -> JobSet {
    retention(&platform.core.clock, KIND, platform.config.keep_months, remove_some)
}

/// Removes up to [`MAX_PER_COMMIT`] expired records of one kind, calls first, and returns their number.
async fn remove_some(core: Arc<Core>, before: didww_types::Timestamp) -> Result<u64, StoreError> {
    let (store, before) = (&*core.store, timestamps::from_clock(before));
    let mut removed = remove_some_of::<Calls>(store, before).await?;
    if removed == 0 {
        removed = remove_some_of::<ProviderCalls>(store, before).await?;
    }
    if removed == 0 {
        removed = remove_some_of::<Flows>(store, before).await?;
    }
    Ok(removed)
}

/// A kind of record that expires.
trait Expiring: Kind + Sized {
    /// Whether a record that was created before this time, and that is not live, has expired.
    fn has_expired(
        entity: &Entity<Self>,
        store: &dyn Documents,
        before: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

impl Expiring for Calls {
    /// The end of the call counts, not its creation.
    async fn has_expired(
        call: &Entity<Self>,
        _store: &dyn Documents,
        before: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(call.public.tm_hangup.unwrap_or(call.created_at) < before)
    }
}

impl Expiring for ProviderCalls {
    /// Expired when none of its calls is left.
    async fn has_expired(
        record: &Entity<Self>,
        store: &dyn Documents,
        _before: Timestamp,
    ) -> Result<bool, StoreError> {
        for call in &record.public.call_ids {
            if store.document(DocumentKind::Call, *call).await?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Expiring for Flows {
    /// Expired when none of the calls that ran it is left. Calls of later requests may have used the same
    /// flow. A flow that was kept stays for a while after its deletion, as deleted calls do.
    async fn has_expired(
        flow: &Entity<Self>,
        store: &dyn Documents,
        before: Timestamp,
    ) -> Result<bool, StoreError> {
        if flow.public.tm_delete.is_some_and(|deleted| deleted >= before) {
            return Ok(false);
        }
        let calls = DocumentQuery::with(DocumentKind::Call, "flow", flow.id.to_string());
        Ok(store.documents(DocumentQuery { limit: 1, ..calls }).await?.is_empty())
    }
}

/// Removes the oldest expired records of a kind, including those that are marked as deleted, and returns
/// their number.
async fn remove_some_of<K: Expiring>(store: &dyn Store, before: Timestamp) -> Result<u64, StoreError>
where
    K::Public: Send + Sync,
    K::Private: Send + Sync,
{
    for deleted in [false, true] {
        let mut from = i64::MIN;
        loop {
            let aged =
                Aged { kind: K::KIND, deleted, from, before: before.as_unix_micros(), limit: MAX_PER_COMMIT };
            let page = Entity::<K>::aged(store, aged).await?;
            let Some(last) = page.last() else { break };
            // No two records have the same creation time.
            from = last.created_at.as_unix_micros().saturating_add(1);
            let mut changes = Vec::new();
            for entity in &page {
                if K::has_expired(entity, store, before).await? {
                    changes.push(entity.forget());
                }
            }
            if !changes.is_empty() {
                let count = u64::try_from(changes.len()).unwrap_or_default();
                store.commit(changes).await?;
                return Ok(count);
            }
        }
    }
    Ok(0)
}
