//! Finds the emergency calling services that were approved by a server which did not renew them: their accounts can
//! have no renewals.
//!
//! A job reads all services once for each database, a part of them in a run; its payload is its position. Later
//! approvals schedule the renewals of their accounts themselves.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use didww_types::Resource as _;
use didww_types::resources::EmergencyCallingService;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service_base::clock::Clock;
use service_core::Core;
use service_core::jobs::{JobError, JobKind, JobSet, Outcome};
use trunk_rules::domain::SHORTEST_PERIOD;
use trunk_store::{Job, LeasedJob, StoreError, StoredRecord};

use super::{RENEW, schedule};

/// The kind of the job.
pub(super) const FIND: &str = "accounts.find_renewals";
/// The time from the start of a server until the job is due.
pub(super) const AFTER_START: Duration = Duration::from_hours(1);
/// Maximum number of services that a run reads.
pub(super) const PER_RUN: u64 = 500;

/// The progress of the search, which is the payload of the job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Search {
    /// The number of the last service that was read.
    after: i64,
    /// Whether no service is left.
    pub(super) has_ended: bool,
}

/// The job that finds them.
pub(super) fn jobs(clock: &Clock) -> JobSet {
    let job = Job::new(FIND, "", clock.now().after(AFTER_START));
    JobSet::default().handle(JobKind::new(FIND, find)).standing(job)
}

async fn find(core: Arc<Core>, leased: LeasedJob) -> Result<Outcome, JobError> {
    // The first run has an empty payload.
    let mut search: Search = serde_json::from_str(&leased.job.payload).unwrap_or_default();
    let now = core.clock.now();
    if !search.has_ended {
        let spec = EmergencyCallingService::SPEC;
        let services = core.store.records_after(spec, search.after, PER_RUN).await?;
        search.has_ended = services.is_empty();
        let mut accounts: BTreeSet<i64> = BTreeSet::new();
        for service in &services {
            search.after = service.record.number;
            if is_renewed(service)? {
                accounts.insert(service.account);
            }
        }
        for account in accounts {
            if core.store.job(RENEW, account.to_string()).await?.is_some() {
                continue;
            }
            match core.commit(vec![schedule(account, now)]).await {
                // An account with the maximum number of jobs must not prevent the jobs of others. Its next order
                // schedules its renewals.
                Ok(_) | Err(StoreError::Quota { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    let due_at = if search.has_ended { now.after(SHORTEST_PERIOD) } else { now };
    let payload = serde_json::to_string(&search).map_err(|error| JobError::Failed(error.to_string()))?;
    Ok(Outcome::again_with(due_at, payload))
}

/// Whether a service has a period that was paid by an order.
fn is_renewed(service: &StoredRecord) -> Result<bool, StoreError> {
    let order = EmergencyCallingService::ORDER.as_str();
    let is_ordered = service.links.iter().any(|(name, ids)| *name == order && !ids.is_empty());
    Ok(is_ordered && service.record.attributes()?.get("renew_date").is_some_and(Value::is_string))
}
