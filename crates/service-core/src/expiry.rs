//! Deletes expired records, such as reservations and files.
//!
//! A type declares [the attribute with the time](field@ResourceSpec::expires). A job is scheduled with each new record,
//! and deletes the record if it has expired by then, a file with its content. A file that a record has in a
//! relationship, such as a document that proves an identity, is kept, and checked again `RECHECK_INTERVAL` later.

use std::sync::Arc;
use std::time::Duration;

use didww_types::{FilterTest, REGISTRY, ResourceSpec, Timestamp, find};
use serde_json::{Map, Value};
use trunk_store::{
    Change, Condition, IfScheduled, IndexValue, Job, LeasedJob, ListQuery, Record, Scope, StoreError,
};
use uuid::Uuid;

use crate::jobs::{JobError, JobKind, JobSet, Outcome};
use crate::{Core, files};

/// The kind of the jobs.
const EXPIRE: &str = "records.expire";
/// The time until a file that a record refers to is checked again.
const RECHECK_INTERVAL: Duration = Duration::from_hours(7 * 24);
/// Maximum number of deletions in progress.
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

/// The change that cancels the scheduled deletion of a record, because it is deleted earlier.
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
        Some(_) if is_used(&core, scope, record.id).await? => {
            Outcome::again_at(core.clock.now().after(RECHECK_INTERVAL))
        }
        Some(_) => {
            let id = record.id;
            // A record can link to a file while the job runs.
            let unlinked = users(scope).into_iter().map(|(owners, relationship)| Change::Unlinked {
                owners,
                relationship,
                target: id,
            });
            let content = if scope.spec.form.is_some() { files::forget(id) } else { Vec::new() };
            let deletion = [Change::Unchanged { record }, Change::Delete { scope, id }];
            Outcome::done().with(unlinked).with(deletion).with(content)
        }
    })
}

/// The record of a job; `None` if it was deleted.
async fn expiring(core: &Core, job: &Job) -> Result<Option<(Scope, Record)>, StoreError> {
    let subject = job.subject.split_once('/');
    let subject = subject.and_then(|(kind, id)| Some((find(kind)?, Uuid::try_parse(id).ok()?)));
    let Some(((spec, id), account)) = subject.zip(job.account) else { return Ok(None) };
    let scope = Scope { account, spec };
    Ok(core.store.find(scope, id).await?.map(|record| (scope, record)))
}

/// The scopes of records that can have a file in a relationship, with the relationship. Records of types other than
/// files have none.
fn users(files: Scope) -> Vec<(Scope, &'static str)> {
    let mut users = Vec::new();
    if files.spec.form.is_some() {
        for spec in REGISTRY.iter().copied() {
            let of_files = spec.relationships.iter().filter(|other| other.target == files.spec.name);
            users.extend(of_files.map(|one| (Scope { account: files.account, spec }, one.name)));
        }
    }
    users
}

/// Whether a record is a file that another record of the account has in one of its relationships.
async fn is_used(core: &Core, files: Scope, id: Uuid) -> Result<bool, StoreError> {
    for (scope, relationship) in users(files) {
        let contains = Condition {
            test: FilterTest::Linked(relationship),
            values: vec![IndexValue::Text(id.to_string())],
        };
        let query = ListQuery {
            scope,
            linked_from: None,
            conditions: vec![contains],
            order: Vec::new(),
            offset: 0,
            limit: 1,
        };
        if !core.store.list_ids(query).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use didww_types::Resource as _;
    use didww_types::resources::{EncryptedFile, Proof};
    use serde_json::json;
    use trunk_rules::domain::with_defaults;
    use trunk_store::{DocumentKind, NewDocument, SqliteStore, TakeJobs};

    use super::*;
    use crate::files::FileOwner;

    const OWNER: FileOwner = FileOwner { number: 1, id: Uuid::from_u128(9) };
    const FILE: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

    /// Decides on the job if it is due.
    async fn decide(core: &Arc<Core>, at: Timestamp) -> Option<Outcome> {
        core.clock.freeze(Some(at));
        let (node, until) = (core.store.node(), at.after(Duration::from_mins(1)));
        let take = TakeJobs { node, now: at, until, kinds: vec![(EXPIRE, 9)] };
        let leased = core.store.take_jobs(take).await.unwrap().pop()?;
        Some(expire(Arc::clone(core), leased).await.unwrap())
    }

    /// Runs the job if it is due. Returns when it is due again, if it is.
    async fn run(core: &Arc<Core>, at: Timestamp) -> Option<Timestamp> {
        let outcome = decide(core, at).await?;
        core.store.commit(outcome.effect().to_vec()).await.unwrap();
        outcome.due_at()
    }

    #[tokio::test]
    async fn a_file_is_deleted_to_the_millisecond_with_its_content_whatever_that_is() {
        let core = crate::jobs::tests::core(SqliteStore::in_memory().unwrap());
        let at = core.clock.now();
        let end = at.after(Duration::from_hours(24));
        let scope = Scope { account: OWNER.number, spec: EncryptedFile::SPEC };
        let attributes = Map::from_iter([("expires_at".to_owned(), json!(end))]);
        let attributes = with_defaults(scope.spec, at, attributes);
        let scheduled = schedule(OWNER.number, scope.spec, FILE, &attributes);
        let insert =
            Change::Insert { scope, id: FILE, created_at: at, attributes, links: Vec::new(), meta: None };
        let unreadable = NewDocument {
            kind: DocumentKind::FilePart,
            id: FILE,
            customer: OWNER.id,
            created_at: 0,
            deleted: false,
            live: false,
            body: "not a part".to_owned(),
            keyed: true,
            keys: vec![("account", OWNER.id.to_string())],
            unique: Vec::new(),
        };
        let put = Change::Put { revision: None, document: Box::new(unreadable) };
        core.store.commit(scheduled.into_iter().chain([insert, put]).collect()).await.unwrap();
        let parts = async || {
            core.store.count_documents(DocumentKind::FilePart, "account", OWNER.id.to_string()).await
        };
        let early = Timestamp::from_unix_millis(end.as_unix_millis() - 1);
        assert_eq!((run(&core, early).await, parts().await), (None, Ok(1)), "it is not due");
        assert_eq!((run(&core, end).await, parts().await), (None, Ok(0)));
        assert!(core.store.find(scope, FILE).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_file_is_kept_while_a_document_has_it() {
        let core = crate::jobs::tests::core(SqliteStore::in_memory().unwrap());
        let at = core.clock.now();
        let files = Scope { account: OWNER.number, spec: EncryptedFile::SPEC };
        let proofs = Scope { account: OWNER.number, spec: Proof::SPEC };
        let end = at.after(Duration::from_hours(24));
        let attributes = Map::from_iter([("expires_at".to_owned(), json!(end))]);
        let attributes = with_defaults(files.spec, at, attributes);
        let mut changes: Vec<Change> =
            schedule(OWNER.number, files.spec, FILE, &attributes).into_iter().collect();
        let record = |scope, id, attributes, links| Change::Insert {
            scope,
            id,
            created_at: at,
            attributes,
            links,
            meta: None,
        };
        changes.push(record(files, FILE, attributes, Vec::new()));
        let (proof, has) = (Uuid::from_u128(7), vec![(Proof::FILES.as_str(), vec![FILE])]);
        changes.push(record(proofs, proof, with_defaults(proofs.spec, at, Map::new()), has));
        core.store.commit(changes).await.unwrap();
        let later = end.after(RECHECK_INTERVAL);
        assert_eq!(run(&core, end).await, Some(later));
        assert!(core.store.find(files, FILE).await.unwrap().is_some());
        core.store.commit(vec![Change::Delete { scope: proofs, id: proof }]).await.unwrap();
        // The outcome says when the job is due again, which the runner stores.
        let job = Job { account: Some(OWNER.number), ..Job::new(EXPIRE, subject(files.spec, FILE), later) };
        let again = Change::Schedule { job: Box::new(job), existing: IfScheduled::Replace };
        core.store.commit(vec![again]).await.unwrap();
        assert_eq!(run(&core, later).await, None);
        assert!(core.store.find(files, FILE).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_file_that_a_document_takes_while_it_expires_is_kept() {
        let core = crate::jobs::tests::core(SqliteStore::in_memory().unwrap());
        let at = core.clock.now();
        let files = Scope { account: OWNER.number, spec: EncryptedFile::SPEC };
        let proofs = Scope { account: OWNER.number, spec: Proof::SPEC };
        let attributes = Map::from_iter([("expires_at".to_owned(), json!(at))]);
        let attributes = with_defaults(files.spec, at, attributes);
        let scheduled = schedule(OWNER.number, files.spec, FILE, &attributes);
        let record = |scope, id, attributes, links| Change::Insert {
            scope,
            id,
            created_at: at,
            attributes,
            links,
            meta: None,
        };
        let insert = record(files, FILE, attributes, Vec::new());
        core.store.commit(scheduled.into_iter().chain([insert]).collect()).await.unwrap();
        let outcome = decide(&core, at).await.unwrap();
        let has = vec![(Proof::FILES.as_str(), vec![FILE])];
        let proof = record(proofs, Uuid::from_u128(7), with_defaults(proofs.spec, at, Map::new()), has);
        core.store.commit(vec![proof]).await.unwrap();
        assert_eq!(core.store.commit(outcome.effect().to_vec()).await, Err(StoreError::Conflict));
        assert!(core.store.find(files, FILE).await.unwrap().is_some());
    }
}
