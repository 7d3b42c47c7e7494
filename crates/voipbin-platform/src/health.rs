//! Health checks of providers. They decide nothing: calls are sent to an unhealthy provider as well.
//!
//! Each provider has a job, which is scheduled in the transaction that creates the provider and ends when the provider
//! is deleted. The request of a check is sent at least once: a check that is interrupted is repeated. Its result is
//! stored together with the time of the next check.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use service_core::jobs::{JobError, JobKind, JobSet, Outcome};
use service_core::{AttemptError, Retries};
use sip_dialler::ProbeError;
use trunk_store::{Change, DocumentKind, DocumentQuery, IfScheduled, Job, StoreError};
use uuid::Uuid;
use voipbin_types::HealthStatus;

use crate::entity::Entity;
use crate::platform::Platform;
use crate::records::providers::Providers;

/// The name of the job. Its subject is the provider's id.
const KIND: &str = "platform.provider_health";
/// How many providers are probed at the same time.
const MAX_CONCURRENT_PROBES: usize = 32;

/// The jobs that check every provider at the configured interval; none if the interval is zero.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn jobs(platform: &Arc<Platform>) -> Result<JobSet, StoreError> {
    if platform.config.probe_interval.is_zero() {
        return Ok(JobSet::default());
    }
    let checking = Arc::clone(platform);
    let check = JobKind::new(KIND, move |_, leased| check(Arc::clone(&checking), leased.job));
    let set = JobSet::default().handle(check.at_once(MAX_CONCURRENT_PROBES));
    // Providers of an earlier release, and of a time without checks, have no job; and the interval may have been
    // longer.
    let providers =
        Entity::<Providers>::list(&*platform.core.store, DocumentQuery::all(DocumentKind::Provider));
    Ok(providers
        .await?
        .into_iter()
        .fold(set, |set, provider| set.standing(next_check(platform, provider.id))))
}

/// The change that schedules the checks of a new provider; none if checks are disabled. The next start with checks
/// schedules them then.
pub fn schedule(platform: &Platform, provider: Uuid) -> Option<Change> {
    let job = || Box::new(next_check(platform, provider));
    let is_enabled = !platform.config.probe_interval.is_zero();
    is_enabled.then(|| Change::Schedule { job: job(), existing: IfScheduled::KeepEarlier })
}

fn next_check(platform: &Platform, provider: Uuid) -> Job {
    Job::new(KIND, provider.to_string(), platform.core.clock.now().after(platform.config.probe_interval))
}

/// Probes a provider. Ends its job if the provider is deleted.
async fn check(platform: Arc<Platform>, job: Job) -> Result<Outcome, JobError> {
    let Ok(id) = job.subject.parse() else { return Ok(Outcome::done()) };
    let Some(provider) = find(&platform, id).await? else { return Ok(Outcome::done()) };
    let hostname = provider.public.hostname;
    let Some(probed) = probe(&platform, &hostname).await else {
        return Ok(Outcome::again_at(next_check(&platform, id).due_at));
    };
    let Some(mut provider) = find(&platform, id).await? else { return Ok(Outcome::done()) };
    let outcome = Outcome::again_at(next_check(&platform, id).due_at);
    // The result does not apply to a provider whose hostname changed meanwhile.
    if provider.public.hostname != hostname {
        return Ok(outcome);
    }
    let before = apply(&platform, &mut provider, probed);
    log_change(&provider, &before, probed);
    Ok(outcome.with([provider.put()]))
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
        .map(|provider| async move { probe_now(platform, provider.id, &provider.public.hostname).await })
        .buffer_unordered(MAX_CONCURRENT_PROBES)
        .collect()
        .await;
    outcomes.into_iter().collect::<Result<Vec<()>, _>>().map(|_| count)
}

/// Probes a provider and records the result.
async fn probe_now(platform: &Arc<Platform>, id: Uuid, hostname: &str) -> Result<(), StoreError> {
    let Some(probed) = probe(platform, hostname).await else { return Ok(()) };
    Retries::BACKGROUND
        .run(|| async move {
            let found = find(platform, id).await?;
            let Some(mut provider) = found.filter(|it| it.public.hostname == hostname) else { return Ok(()) };
            let before = apply(platform, &mut provider, probed);
            provider.write(&*platform.core.store).await?;
            log_change(&provider, &before, probed);
            Ok::<_, AttemptError<StoreError>>(())
        })
        .await
}

/// A provider that is not deleted.
async fn find(platform: &Platform, id: Uuid) -> Result<Option<Entity<Providers>>, StoreError> {
    let found = Entity::<Providers>::find(&*platform.core.store, id).await?;
    Ok(found.filter(|provider| !provider.deleted))
}

/// Sends an OPTIONS request to a provider. Returns none if it was not sent, or the server stops: the dialler ends all
/// requests then, which states nothing about the provider.
async fn probe(platform: &Platform, hostname: &str) -> Option<Result<u16, ProbeError>> {
    let probed = platform.dialler.get()?.probe(hostname).await;
    platform.core.is_ready().then_some(probed)
}

/// Sets a provider's health. Returns its health before.
fn apply(
    platform: &Platform,
    provider: &mut Entity<Providers>,
    probed: Result<u16, ProbeError>,
) -> HealthStatus {
    let status = if probed.is_ok() { HealthStatus::Healthy } else { HealthStatus::Unhealthy };
    let at = Some(platform.timestamps.next());
    (provider.public.health_checked_at, provider.public.tm_update) = (at, at);
    std::mem::replace(&mut provider.public.health_status, status)
}

/// Logs a change of the status, not every probe.
fn log_change(provider: &Entity<Providers>, before: &HealthStatus, probed: Result<u16, ProbeError>) {
    let (id, public) = (provider.id, &provider.public);
    let hostname = &public.hostname;
    match probed {
        _ if *before == public.health_status => {}
        Ok(_) => tracing::info!(provider = %id, hostname, "a provider answers"),
        Err(why) => tracing::warn!(provider = %id, hostname, %why, "a provider does not answer"),
    }
}
