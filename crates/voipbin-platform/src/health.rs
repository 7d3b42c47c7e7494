//! Health checks of providers. They decide nothing: calls are sent to an unhealthy provider as well.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use trunk_store::{DocumentKind, DocumentQuery, StoreError};
use uuid::Uuid;
use voipbin_types::HealthStatus;

use crate::entity::Entity;
use crate::platform::Platform;
use crate::records::providers::Providers;

/// How many providers are probed at the same time.
const MAX_CONCURRENT_PROBES: usize = 32;
/// The additional delay before the next round after the store failed.
const STORE_FAILURE_DELAY: Duration = Duration::from_secs(1);

/// Probes all providers at the configured interval, for as long as the server runs.
pub(crate) async fn watch(platform: Arc<Platform>) {
    let interval = platform.config.probe_interval;
    if interval.is_zero() {
        return;
    }
    loop {
        platform.core.clock.sleep_until(platform.core.clock.now().after(interval)).await;
        if let Err(error) = probe_all(&platform).await {
            tracing::error!(%error, "the health of providers could not be recorded");
            tokio::time::sleep(STORE_FAILURE_DELAY).await;
        }
    }
}

/// Probes every provider that is not deleted, records the results, and returns how many there are.
///
/// # Errors
/// When the store cannot be read or written.
pub async fn probe_all(platform: &Arc<Platform>) -> Result<usize, StoreError> {
    let providers =
        Entity::<Providers>::list(&*platform.core.store, DocumentQuery::all(DocumentKind::Provider)).await?;
    let count = providers.len();
    let outcomes: Vec<Result<(), StoreError>> = stream::iter(providers)
        .map(|provider| async move { probe(platform, provider.id, &provider.public.hostname).await })
        .buffer_unordered(MAX_CONCURRENT_PROBES)
        .collect()
        .await;
    outcomes.into_iter().collect::<Result<Vec<()>, _>>().map(|_| count)
}

/// Sends an OPTIONS request to a provider and records whether it responds.
async fn probe(platform: &Arc<Platform>, id: Uuid, hostname: &str) -> Result<(), StoreError> {
    let Some(dialler) = platform.dialler.get() else { return Ok(()) };
    let probed = dialler.probe(hostname).await;
    let status = if probed.is_ok() { HealthStatus::Healthy } else { HealthStatus::Unhealthy };
    loop {
        let found = Entity::<Providers>::find(&*platform.core.store, id).await?;
        // The result does not apply to a provider whose hostname changed meanwhile.
        let Some(mut provider) = found.filter(|it| !it.deleted && it.public.hostname == hostname) else {
            return Ok(());
        };
        let at = Some(platform.timestamps.next());
        // Logged only when the status changes, not for every probe.
        let before = std::mem::replace(&mut provider.public.health_status, status.clone());
        (provider.public.health_checked_at, provider.public.tm_update) = (at, at);
        if provider.try_write(&*platform.core.store).await? {
            match &probed {
                _ if before == status => {}
                Ok(_) => tracing::info!(provider = %id, hostname, "a provider answers"),
                Err(why) => tracing::warn!(provider = %id, hostname, %why, "a provider does not answer"),
            }
            return Ok(());
        }
    }
}
