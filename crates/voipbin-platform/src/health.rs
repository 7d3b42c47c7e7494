//! Whether providers answer. It decides nothing: one that does not is called all the same.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use uuid::Uuid;
use voipbin_types::HealthStatus;

use super::entity::Entity;
use super::platform::Platform;
use super::providers::Providers;
use trunk_store::{DocumentKind, DocumentQuery, StoreError};

/// Providers that are asked at the same time.
const AT_ONCE: usize = 32;
/// How long to leave the store alone after it failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Asks all of them again and again.
pub(crate) async fn watch(platform: Arc<Platform>) {
    let interval = platform.config.probe_interval;
    if interval.is_zero() {
        return;
    }
    loop {
        platform.core.clock.sleep_until(platform.core.clock.now().after(interval)).await;
        if let Err(error) = probe_all(&platform).await {
            tracing::error!(%error, "the health of providers could not be noted");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Asks every provider that is not deleted, and notes what came of it.
pub async fn probe_all(platform: &Arc<Platform>) -> Result<usize, StoreError> {
    let providers =
        Entity::<Providers>::list(&*platform.core.store, DocumentQuery::all(DocumentKind::Provider)).await?;
    let asked = providers.len();
    let outcomes: Vec<Result<(), StoreError>> = stream::iter(providers)
        .map(|provider| async move { probe(platform, provider.id, &provider.wire.hostname).await })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    outcomes.into_iter().collect::<Result<Vec<()>, _>>().map(|_| asked)
}

async fn probe(platform: &Arc<Platform>, id: Uuid, hostname: &str) -> Result<(), StoreError> {
    let Some(dialler) = platform.dialler.get() else { return Ok(()) };
    let probed = dialler.probe(hostname).await;
    let status = if probed.is_ok() { HealthStatus::Healthy } else { HealthStatus::Unhealthy };
    loop {
        let found = Entity::<Providers>::find(&*platform.core.store, id).await?;
        // One that is elsewhere now was not asked.
        let Some(mut provider) = found.filter(|it| !it.deleted && it.wire.hostname == hostname) else {
            return Ok(());
        };
        let at = Some(platform.moments.next());
        // One line a change, and not one a probe.
        let before = std::mem::replace(&mut provider.wire.health_status, status.clone());
        (provider.wire.health_checked_at, provider.wire.tm_update) = (at, at);
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
