//! Deletes records whose time has come, such as reservations.
//!
//! A type declares [the attribute with the time](field@ResourceSpec::expires). A job is scheduled with each new record, and
//! deletes it if its time has come by then.

use std::sync::Arc;

use didww_types::{ResourceSpec, Timestamp, find};
use serde_json::{Map, Value};
use trunk_store::{Change, IfScheduled, Job, LeasedJob, Record, Scope, StoreError};
use uuid::Uuid;

use crate::Core;
use crate::jobs::{JobError, JobKind, JobSet, Outcome};

/// The kind of the jobs.
const EXPIRE: &str = "records.expire";
/// The most deletions at once.
const AT_ONCE: usize = 4;

/// The jobs that delete records.
pub fn jobs() -> JobSet {
    JobSet::default().handle(JobKind::new(EXPIRE, expire).at_once(AT_ONCE))
}

/// The change that schedules the deletion of a new record; `None` if its type declares no time for it.
pub fn schedule(
    account: i64,
    spec: &ResourceSpec,
    id: Uuid,
    attributes: &Map<String, Value>,
) -> Option<Change> {
    let due_at = time(attributes, spec.expires?)?;
    let job = Job { account: Some(account), ..Job::new(EXPIRE, subject(spec, id), due_at) };
    Some(Change::Schedule { job: Box::new(job), existing: IfScheduled::Replace })
}

/// The change that cancels the deletion of a record, because it is deleted before.
pub(crate) fn cancel(spec: &ResourceSpec, id: Uuid) -> Option<Change> {
    spec.expires.map(|_| Change::Cancel { kind: EXPIRE, subject: subject(spec, id) })
}

fn subject(spec: &ResourceSpec, id: Uuid) -> String {
    format!("{}/{id}", spec.name)
}

fn time(attributes: &Map<String, Value>, name: &str) -> Option<Timestamp> {
    attributes.get(name)?.as_str()?.parse().ok()
}

async fn expire(core: Arc<Core>, leased: LeasedJob) -> Result<Outcome, JobError> {
    let Some((scope, record)) = expiring(&core, &leased.job).await? else { return Ok(Outcome::done()) };
    let end = scope.spec.expires.and_then(|name| Some(time(&record.attributes().ok()?, name)));
    Ok(match end.flatten() {
        None => Outcome::done(),
        Some(end) if end > core.clock.now() => Outcome::again_at(end),
        Some(_) => {
            let id = record.id;
            Outcome::done().with([Change::Unchanged { record }, Change::Delete { scope, id }])
        }
    })
}

/// The record that a job is about; `None` if it is deleted.
async fn expiring(core: &Core, job: &Job) -> Result<Option<(Scope, Record)>, StoreError> {
    let subject = job.subject.split_once('/');
    let subject = subject.and_then(|(kind, id)| Some((find(kind)?, Uuid::try_parse(id).ok()?)));
    let Some(((spec, id), account)) = subject.zip(job.account) else { return Ok(None) };
    let scope = Scope { account, spec };
    Ok(core.store.find(scope, id).await?.map(|record| (scope, record)))
}
