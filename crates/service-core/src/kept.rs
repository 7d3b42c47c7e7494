//! Deletes the records of types whose records are kept for a number of days only, such as the history of DIDs.
//!
//! A type declares [the days](field@ResourceSpec::kept_days). A job reads the oldest records, deletes at most `PER_RUN`
//! of them in a run, and is due again when the next one is too old, at the latest after an hour. Its payload is its
//! position, because no index of `SQLite` has the records of one type of all accounts: a read from the first record on
//! would skip all others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use didww_types::{REGISTRY, ResourceSpec, Timestamp};
use serde_json::Value;
use service_base::clock::Clock;
use trunk_store::{Change, Job, LeasedJob, Record, Scope, StoreError};

use crate::Core;
use crate::jobs::{JobError, JobKind, JobSet, Outcome};

const FORGET: &str = "records.forget_old";
/// The longest time between two runs of the job.
const CHECK_INTERVAL: Duration = Duration::from_hours(1);
/// Maximum number of records of a type that a run reads.
const PER_RUN: u64 = 500;

/// The number of the last record that was deleted, by type. It is the payload of the job.
type Deleted = BTreeMap<String, i64>;

/// The job that deletes records that are too old.
pub fn jobs(clock: &Clock) -> JobSet {
    let handler = |core: Arc<Core>, leased: LeasedJob| async move { run(&core, &leased.job.payload).await };
    let job = Job::new(FORGET, "", clock.now().after(CHECK_INTERVAL));
    JobSet::default().handle(JobKind::new(FORGET, handler)).standing(job)
}

/// When a record becomes too old: its type's number of days after its creation.
fn end(spec: &ResourceSpec, record: &Record) -> Option<Timestamp> {
    let attributes = record.attributes().ok()?;
    let created: Timestamp = attributes.get("created_at").and_then(Value::as_str)?.parse().ok()?;
    Some(created.after(Duration::from_hours(24 * spec.kept_days?)))
}

async fn run(core: &Core, payload: &str) -> Result<Outcome, JobError> {
    // The first run has an empty payload.
    let mut deleted: Deleted = serde_json::from_str(payload).unwrap_or_default();
    let (next, changes) = forget(core, &mut deleted).await?;
    let payload = serde_json::to_string(&deleted).map_err(|error| JobError::Failed(error.to_string()))?;
    Ok(Outcome::again_with(next, payload).with(changes))
}

/// Finds some records that are too old. Returns when the next one becomes too old, and the changes that delete the
/// found ones.
async fn forget(core: &Core, deleted: &mut Deleted) -> Result<(Timestamp, Vec<Change>), StoreError> {
    let now = core.clock.now();
    let (mut next, mut changes) = (now.after(CHECK_INTERVAL), Vec::new());
    for spec in REGISTRY.iter().copied().filter(|spec| spec.kept_days.is_some()) {
        let after = deleted.get(spec.name).copied().unwrap_or_default();
        let oldest = core.store.records_after(spec, after, 1).await?;
        let Some(oldest) = oldest.first() else { continue };
        if let Some(end) = end(spec, &oldest.record).filter(|end| *end > now) {
            // Most runs end here.
            next = next.min(end);
            continue;
        }
        // Record numbers ascend in the order of creation.
        let records = core.store.records_after(spec, after, PER_RUN).await?;
        let is_full = u64::try_from(records.len()).is_ok_and(|read| read >= PER_RUN);
        let mut count = 0;
        for stored in &records {
            match end(spec, &stored.record) {
                Some(end) if end > now => {
                    next = next.min(end);
                    break;
                }
                _ => {
                    let scope = Scope { account: stored.account, spec };
                    changes.push(Change::Delete { scope, id: stored.record.id });
                    deleted.insert(spec.name.to_owned(), stored.record.number);
                    count += 1;
                }
            }
        }
        if is_full && count == records.len() {
            next = now;
        }
    }
    Ok((next, changes))
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
        let stored = async || core.store.records_after(DidHistory::SPEC, 0, 10).await.unwrap();
        let first = stored().await[0].record.number;
        let run = async |now: &str, deleted: &mut Deleted| {
            core.clock.freeze(Some(now.parse().unwrap()));
            let (next, changes) = forget(&core, deleted).await.unwrap();
            core.store.commit(changes).await.unwrap();
            (stored().await.len(), next.to_string())
        };
        let mut deleted = Deleted::new();
        for (now, left, next) in [
            ("2026-03-31T23:30:00.000Z", 2, "2026-04-01T00:00:00.001Z"),
            ("2026-04-01T00:00:00.000Z", 2, "2026-04-01T00:00:00.001Z"),
            ("2026-04-01T00:00:00.001Z", 1, "2026-04-01T00:30:00.000Z"),
        ] {
            assert_eq!(run(now, &mut deleted).await, (left, next.to_owned()), "{now}");
        }
        assert_eq!(
            deleted,
            Deleted::from([("did_history".to_owned(), first)]),
            "the next run begins behind it"
        );
        let last = run("2026-06-01T00:00:00.000Z", &mut deleted).await;
        assert_eq!(last, (0, "2026-06-01T01:00:00.000Z".to_owned()));
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
