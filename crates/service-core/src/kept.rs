//! Deletes the records of types that keep them for a number of days alone, such as the history of DIDs.
//!
//! A type declares [the days](field@ResourceSpec::kept_days). A job reads the oldest records, deletes at most `PER_RUN` of them in
//! a run, and is due again when the next one is too old, at the latest after an hour.

use std::sync::Arc;
use std::time::Duration;

use didww_types::{REGISTRY, ResourceSpec, Timestamp};
use serde_json::Value;
use service_base::clock::Clock;
use trunk_store::{Change, Job, Record, Scope};

use crate::Core;
use crate::jobs::{JobError, JobKind, JobSet, Outcome};

const FORGET: &str = "records.forget_old";
/// The longest time between two runs of the job.
const CHECK_INTERVAL: Duration = Duration::from_hours(1);
/// The most records of a type that a run reads.
const PER_RUN: u64 = 500;

/// The job that deletes records that are too old.
pub fn jobs(clock: &Clock) -> JobSet {
    let handler = |core: Arc<Core>, _job| async move { forget(&core).await };
    let job = Job::new(FORGET, "", clock.now().after(CHECK_INTERVAL));
    JobSet::default().handle(JobKind::new(FORGET, handler)).standing(job)
}

/// When a record is too old: so many days after its creation.
fn end(spec: &ResourceSpec, record: &Record) -> Option<Timestamp> {
    let attributes = record.attributes().ok()?;
    let created: Timestamp = attributes.get("created_at").and_then(Value::as_str)?.parse().ok()?;
    Some(created.after(Duration::from_hours(24 * spec.kept_days?)))
}

async fn forget(core: &Core) -> Result<Outcome, JobError> {
    let now = core.clock.now();
    let (mut next, mut changes) = (now.after(CHECK_INTERVAL), Vec::new());
    for spec in REGISTRY.iter().copied().filter(|spec| spec.kept_days.is_some()) {
        // They ascend in the order of their creation.
        let records = core.store.records_after(spec, 0, PER_RUN).await?;
        let is_full = u64::try_from(records.len()).is_ok_and(|read| read >= PER_RUN);
        let mut deleted = 0;
        for stored in &records {
            match end(spec, &stored.record) {
                Some(end) if end > now => {
                    next = next.min(end);
                    break;
                }
                _ => {
                    let scope = Scope { account: stored.account, spec };
                    changes.push(Change::Delete { scope, id: stored.record.id });
                    deleted += 1;
                }
            }
        }
        if is_full && deleted == records.len() {
            next = now;
        }
    }
    Ok(Outcome::again_at(next).with(changes))
}

#[cfg(test)]
mod tests {
    use didww_types::Resource as _;
    use didww_types::resources::{DidHistory, Proof};
    use serde_json::{Map, json};
    use trunk_rules::domain::with_defaults;
    use trunk_store::{SqliteStore, StoreError, StoreLimits};
    use uuid::Uuid;

    use super::*;
    use crate::audit::{Actor, with_actor};

    #[tokio::test]
    async fn an_entry_is_deleted_to_the_millisecond_90_days_after_it_was_written() {
        let core = crate::jobs::tests::core(SqliteStore::in_memory().unwrap());
        let scope = Scope { account: 1, spec: DidHistory::SPEC };
        let insert = |id: u128, at: &str| {
            let attributes =
                json!({ "did_number": "1", "action": "assigned", "method": "api3", "created_at": at });
            Change::Insert {
                scope,
                id: Uuid::from_u128(id),
                created_at: at.parse().unwrap(),
                attributes: attributes.as_object().unwrap().clone(),
                links: Vec::new(),
                meta: None,
            }
        };
        let both = vec![insert(1, "2026-01-01T00:00:00.001Z"), insert(2, "2026-01-01T00:30:00.000Z")];
        core.store.commit(both).await.unwrap();
        let run = async |now: &str| {
            core.clock.freeze(Some(now.parse().unwrap()));
            let outcome = forget(&core).await.unwrap();
            core.store.commit(outcome.effect().to_vec()).await.unwrap();
            let left = core.store.records_after(DidHistory::SPEC, 0, 10).await.unwrap().len();
            (left, outcome.due_at().unwrap().to_string())
        };
        assert_eq!(run("2026-03-31T23:30:00.000Z").await, (2, "2026-04-01T00:00:00.001Z".to_owned()));
        assert_eq!(run("2026-04-01T00:00:00.000Z").await, (2, "2026-04-01T00:00:00.001Z".to_owned()));
        assert_eq!(run("2026-04-01T00:00:00.001Z").await, (1, "2026-04-01T00:30:00.000Z".to_owned()));
        assert_eq!(run("2026-06-01T00:00:00.000Z").await, (0, "2026-06-01T01:00:00.000Z".to_owned()));
    }

    #[tokio::test]
    async fn a_full_history_keeps_requests_from_changes_and_not_jobs() {
        let mut limits = StoreLimits::default();
        limits.records = Some(1);
        let core = crate::jobs::tests::core(SqliteStore::in_memory_with(limits).unwrap());
        let insert = |spec: &'static ResourceSpec, id: u128| {
            let (scope, created_at) = (Scope { account: 1, spec }, core.clock.now());
            let attributes = with_defaults(spec, created_at, Map::new());
            let id = Uuid::from_u128(id);
            Change::Insert { scope, id, created_at, attributes, links: Vec::new(), meta: None }
        };
        for id in 1..=10 {
            core.commit(vec![insert(DidHistory::SPEC, id)]).await.unwrap();
        }
        let both = |id: u128| vec![insert(Proof::SPEC, id), insert(DidHistory::SPEC, id + 1)];
        let full = |kind, most| Err(StoreError::Quota { kind, most });
        assert_eq!(core.commit(both(20)).await, full("did_history", 10));
        let by_job = async |changes: Vec<Change>| with_actor(Actor::Job("test"), core.commit(changes)).await;
        let stored = by_job(both(20)).await.unwrap();
        assert_eq!(stored.iter().map(|record| record.kind).collect::<Vec<_>>(), ["proofs"]);
        assert_eq!(core.store.records_after(DidHistory::SPEC, 0, 99).await.unwrap().len(), 10);
        assert_eq!(by_job(both(30)).await, full("proofs", 1), "another quota holds for jobs too");
    }
}
