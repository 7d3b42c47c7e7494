//! Calls that are over are kept for the current month and some before it, and what was made for them as long as they
//! are: the records of provider calls, and flows. A call that is not over is never forgotten.

use std::sync::Arc;

use didww_types::Timestamp;

use super::calls::Calls;
use super::entity::{Entity, Kind};
use super::flows::Flows;
use super::moment::{self, Moment};
use super::platform::Platform;
use super::provider_calls::ProviderCalls;
use service_core::retention::enforce_retention;
use trunk_store::{Aged, DocumentKind, DocumentQuery, Store, StoreError};

/// Documents that one write forgets: few, for calls wait behind it.
const TOGETHER: u64 = 100;

/// Forgets for as long as the server runs.
pub(crate) async fn run(platform: Arc<Platform>) {
    let months = platform.config.keep_months;
    enforce_retention(&platform.core.clock, months, "calls that are over", |before| {
        forget(&platform, before)
    })
    .await;
}

/// Forgets a little of what is too old, calls first; gives how much.
async fn forget(platform: &Platform, before: Timestamp) -> Result<u64, StoreError> {
    let (store, before) = (&*platform.core.store, moment::of(before));
    let mut forgotten = some::<Calls>(store, before).await?;
    if forgotten == 0 {
        forgotten = some::<ProviderCalls>(store, before).await?;
    }
    if forgotten == 0 {
        forgotten = some::<Flows>(store, before).await?;
    }
    Ok(forgotten)
}

/// What can be forgotten.
trait Forgettable: Kind + Sized {
    /// Whether one that was made before this time, and that nothing is under way with, has become useless.
    fn is_useless(
        entity: &Entity<Self>,
        store: &dyn Store,
        before: Moment,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

impl Forgettable for Calls {
    /// When it ended, not when it was placed.
    async fn is_useless(call: &Entity<Self>, _store: &dyn Store, before: Moment) -> Result<bool, StoreError> {
        Ok(call.wire.tm_hangup.unwrap_or(call.created_at) < before)
    }
}

impl Forgettable for ProviderCalls {
    /// When none of its calls is left.
    async fn is_useless(
        record: &Entity<Self>,
        store: &dyn Store,
        _before: Moment,
    ) -> Result<bool, StoreError> {
        for call in &record.wire.call_ids {
            if store.document(DocumentKind::Call, *call).await?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Forgettable for Flows {
    /// When none of the calls that ran it is left. A later request may have named it.
    async fn is_useless(flow: &Entity<Self>, store: &dyn Store, _before: Moment) -> Result<bool, StoreError> {
        let calls = DocumentQuery::with(DocumentKind::Call, "flow", flow.id.to_string());
        Ok(store.documents(DocumentQuery { limit: 1, ..calls }).await?.is_empty())
    }
}

/// Forgets the oldest useless ones of a kind, deleted ones too; gives how many.
async fn some<K: Forgettable>(store: &dyn Store, before: Moment) -> Result<u64, StoreError>
where
    K::Wire: Send + Sync,
    K::Own: Send + Sync,
{
    for deleted in [false, true] {
        let mut from = i64::MIN;
        loop {
            let aged =
                Aged { kind: K::KIND, deleted, from, before: before.as_unix_micros(), limit: TOGETHER };
            let page = Entity::<K>::aged(store, aged).await?;
            let Some(last) = page.last() else { break };
            // No two are made at the same moment.
            from = last.created_at.as_unix_micros().saturating_add(1);
            let mut changes = Vec::new();
            for entity in &page {
                if K::is_useless(entity, store, before).await? {
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
