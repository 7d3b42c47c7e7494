//! The contents of uploaded files.
//!
//! A content is stored in parts, each a document of the store, in the transaction that stores the file's record. Nothing here
//! reads a content again: files are reviewed elsewhere. A content is never logged, and has no `Debug` text.
//!
//! Bounds: [`MAX_PARTS_PER_ACCOUNT`] parts of `PART_BYTES`, and with them the files, of an account. Uploads at the same time can
//! exceed it by one file each. A job deletes a file [`FILE_LIFE`] after its upload, and at most `PARTS_PER_RUN` parts in a
//! run. A file that a record has in a relationship, such as a document that proves an identity, is kept, and looked at again
//! `KEPT` later.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use didww_types::{FilterTest, REGISTRY, Timestamp, find};
use serde::{Deserialize, Serialize};
use service_base::clock::Clock;
use trunk_rules::domain::FILE_LIFE;
use trunk_store::{
    Aged, Change, Condition, Document, DocumentKind, DocumentQuery, IndexValue, Job, ListQuery, NewDocument,
    Scope, StoreError,
};
use uuid::Uuid;

use crate::Core;
use crate::jobs::{JobError, JobKind, JobSet, Outcome};

/// The bytes of a part, which are a mebibyte in base64.
const PART_BYTES: usize = 768 << 10;
/// The most parts of the files of an account: 225 MiB.
pub const MAX_PARTS_PER_ACCOUNT: u64 = 300;
/// The most parts of a file: its number fits into the byte of a part's id that distinguishes them.
const MAX_PARTS: u32 = 64;
/// The most parts that are read at once.
const PARTS_PER_RUN: u64 = 32;
/// How long a file that a record refers to is kept until it is looked at again.
const KEPT: Duration = Duration::from_hours(7 * 24);
/// The longest time between two runs of the job.
const CHECK_INTERVAL: Duration = Duration::from_hours(1);
const EXPIRE: &str = "service.expire_files";
/// The index key of the parts of an account.
const ACCOUNT: &str = "account";

/// The body of a part.
#[derive(Serialize, Deserialize)]
struct Part {
    account: i64,
    file: Uuid,
    content: String,
}

/// The account of a file: its number and its id.
#[derive(Debug, Clone, Copy)]
pub struct FileOwner {
    /// The number in the store.
    pub number: i64,
    /// The id on the control interface.
    pub id: Uuid,
}

/// Whether the account may have a further file of this size.
///
/// # Errors
/// If the store fails.
pub async fn has_room(core: &Core, owner: FileOwner, bytes: usize) -> Result<bool, StoreError> {
    let stored = core.store.count_documents(DocumentKind::FilePart, ACCOUNT, owner.id.to_string()).await?;
    let further = u64::try_from(bytes.div_ceil(PART_BYTES).max(1)).unwrap_or(u64::MAX);
    Ok(stored.saturating_add(further) <= MAX_PARTS_PER_ACCOUNT)
}

/// The changes that store the content of a file with this id.
///
/// # Errors
/// If the content has too many parts, which the largest file of every declared form has not.
pub fn store(owner: FileOwner, file: Uuid, content: &[u8], at: Timestamp) -> Result<Vec<Change>, StoreError> {
    let parts = content.chunks(PART_BYTES).zip(0..MAX_PARTS);
    if content.len().div_ceil(PART_BYTES) > MAX_PARTS as usize {
        return Err(StoreError::Failed("a file has too many parts".to_owned()));
    }
    let put = |(content, number): (&[u8], u32)| -> Result<Change, StoreError> {
        let part = Part { account: owner.number, file, content: STANDARD.encode(content) };
        let body = serde_json::to_string(&part).map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(insert(owner.id, part_id(file, number), micros(at), body))
    };
    parts.map(put).collect()
}

/// The change that stores a part.
fn insert(owner: Uuid, id: Uuid, created_at: i64, body: String) -> Change {
    let document = NewDocument {
        kind: DocumentKind::FilePart,
        id,
        customer: owner,
        created_at,
        deleted: false,
        live: false,
        body,
        keyed: true,
        keys: vec![(ACCOUNT, owner.to_string())],
        unique: Vec::new(),
    };
    Change::Put { revision: None, document: Box::new(document) }
}

/// The changes that delete the content of a file.
pub fn forget(file: Uuid) -> Vec<Change> {
    // A part is never changed, and there need not be as many.
    (0..MAX_PARTS)
        .map(|number| Change::Forget { kind: DocumentKind::FilePart, id: part_id(file, number), revision: 0 })
        .collect()
}

/// Deletes the contents of all files of an account, whose records were deleted without their owner's request.
///
/// # Errors
/// If the store fails. What is left then is deleted by the job.
pub async fn forget_all(core: &Core, account: Uuid) -> Result<(), StoreError> {
    let kind = DocumentKind::FilePart;
    loop {
        let of_account = DocumentQuery::with(kind, ACCOUNT, account.to_string());
        let parts = core.store.documents(DocumentQuery { limit: PARTS_PER_RUN, ..of_account }).await?;
        if parts.is_empty() {
            return Ok(());
        }
        let forget = |part: &Document| Change::Forget { kind, id: part.id, revision: part.revision };
        core.commit(parts.iter().map(forget).collect()).await?;
    }
}

/// The id of a part. Ids of records begin with the time of their creation, so that those of other files differ further on.
fn part_id(file: Uuid, number: u32) -> Uuid {
    Uuid::from_u128(file.as_u128() ^ (u128::from(number) << 120))
}

fn micros(at: Timestamp) -> i64 {
    at.as_unix_millis().saturating_mul(1_000)
}

/// The job that deletes files when their time is over.
pub fn jobs(clock: &Clock) -> JobSet {
    let handler = |core: Arc<Core>, _job| async move { expire(&core).await };
    JobSet::default().handle(JobKind::new(EXPIRE, handler)).standing(Job::new(
        EXPIRE,
        "",
        clock.now().after(CHECK_INTERVAL),
    ))
}

async fn expire(core: &Core) -> Result<Outcome, JobError> {
    let now = core.clock.now();
    let life = i64::try_from(FILE_LIFE.as_micros()).unwrap_or(i64::MAX);
    // A part of exactly this age has expired.
    let expired = micros(now).saturating_sub(life).saturating_add(1);
    let aged = |from, before, limit| {
        let kind = DocumentKind::FilePart;
        core.store.aged_documents(Aged { kind, deleted: false, from, before, limit })
    };
    let parts = aged(0, expired, PARTS_PER_RUN).await?;
    let mut files = BTreeSet::new();
    for part in &parts {
        let Part { account, file, .. } = part.read()?;
        files.insert((account, file));
    }
    let mut changes = Vec::new();
    let mut kept = BTreeSet::new();
    for (account, file) in files {
        if is_used(core, account, file).await? {
            kept.insert(file);
            continue;
        }
        for spec in REGISTRY.iter().copied().filter(|spec| spec.form.is_some()) {
            let scope = Scope { account, spec };
            if core.store.find(scope, file).await?.is_some() {
                changes.push(Change::Delete { scope, id: file });
            }
        }
        changes.extend(forget(file));
    }
    let later = micros(now.after(KEPT)).saturating_sub(life);
    for part in &parts {
        let Part { file, .. } = part.read()?;
        if kept.contains(&file) {
            let kind = DocumentKind::FilePart;
            changes.push(Change::Forget { kind, id: part.id, revision: part.revision });
            changes.push(insert(part.customer, part.id, later, part.body.clone()));
        }
    }
    if !parts.is_empty() {
        // There may be more, which the next run reads.
        return Ok(Outcome::again_at(now).with(changes));
    }
    let next = aged(expired, i64::MAX, 1).await?.first().map(|oldest| oldest.created_at.saturating_add(life));
    let latest = now.after(CHECK_INTERVAL);
    let next = next.map(|micros| Timestamp::from_unix_millis(micros.div_euclid(1_000)));
    Ok(Outcome::again_at(next.map_or(latest, |next| next.min(latest))))
}

/// Whether a record of the account has a file in one of its relationships.
async fn is_used(core: &Core, account: i64, file: Uuid) -> Result<bool, StoreError> {
    for spec in REGISTRY.iter().copied() {
        for relationship in spec.relationships {
            let is_of_files = find(relationship.target).is_some_and(|target| target.form.is_some());
            if !is_of_files {
                continue;
            }
            let contains = Condition {
                test: FilterTest::Linked(relationship.name),
                values: vec![IndexValue::Text(file.to_string())],
            };
            let query = ListQuery {
                scope: Scope { account, spec },
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
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use didww_types::Resource as _;
    use didww_types::resources::{EncryptedFile, Proof};
    use serde_json::Map;
    use trunk_rules::domain::with_defaults;
    use trunk_store::SqliteStore;

    use super::*;

    const OWNER: FileOwner = FileOwner { number: 1, id: Uuid::from_u128(9) };
    const FILE: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

    async fn parts(core: &Core) -> u64 {
        let counted = core.store.count_documents(DocumentKind::FilePart, ACCOUNT, OWNER.id.to_string());
        counted.await.unwrap()
    }

    #[tokio::test]
    async fn a_file_is_deleted_with_its_parts_to_the_millisecond_24_hours_after_its_upload() {
        let core = crate::jobs::tests::core(SqliteStore::in_memory().unwrap());
        let at: Timestamp = "2026-11-29T12:00:00.001Z".parse().unwrap();
        core.clock.freeze(Some(at));
        let scope = Scope { account: OWNER.number, spec: EncryptedFile::SPEC };
        let attributes = with_defaults(scope.spec, at, Map::new());
        let insert =
            Change::Insert { scope, id: FILE, created_at: at, attributes, links: Vec::new(), meta: None };
        let content = vec![7; PART_BYTES * 2 + 1];
        let changes = std::iter::once(insert).chain(store(OWNER, FILE, &content, at).unwrap());
        core.store.commit(changes.collect()).await.unwrap();
        assert_eq!(parts(&core).await, 3);
        let run = async |later: &str| {
            core.clock.freeze(Some(later.parse().unwrap()));
            let outcome = expire(&core).await.unwrap();
            let next = outcome.due_at().unwrap().to_string();
            core.store.commit(outcome.effect().to_vec()).await.unwrap();
            next
        };
        assert_eq!(run("2026-11-29T13:00:00.000Z").await, "2026-11-29T14:00:00.000Z");
        assert_eq!(run("2026-11-30T11:30:00.000Z").await, "2026-11-30T12:00:00.001Z", "the exact time");
        assert_eq!(
            (run("2026-11-30T12:00:00.000Z").await, parts(&core).await),
            ("2026-11-30T12:00:00.001Z".to_owned(), 3)
        );
        assert_eq!(run("2026-11-30T12:00:00.001Z").await, "2026-11-30T12:00:00.001Z", "again at once");
        assert_eq!(parts(&core).await, 0);
        assert!(core.store.find(scope, FILE).await.unwrap().is_none());
        assert_eq!(run("2026-11-30T12:00:00.001Z").await, "2026-11-30T13:00:00.001Z");
    }

    #[tokio::test]
    async fn a_file_is_kept_while_a_document_has_it() {
        let core = crate::jobs::tests::core(SqliteStore::in_memory().unwrap());
        let at: Timestamp = "2026-11-29T12:00:00.000Z".parse().unwrap();
        core.clock.freeze(Some(at));
        let record = |spec, id, links| Change::Insert {
            scope: Scope { account: OWNER.number, spec },
            id,
            created_at: at,
            attributes: with_defaults(spec, at, Map::new()),
            links,
            meta: None,
        };
        let proof = Uuid::from_u128(FILE.as_u128() + 1);
        let mut changes = vec![record(EncryptedFile::SPEC, FILE, Vec::new())];
        changes.push(record(Proof::SPEC, proof, vec![(Proof::FILES.as_str(), vec![FILE])]));
        changes.extend(store(OWNER, FILE, &vec![7; PART_BYTES + 1], at).unwrap());
        core.store.commit(changes).await.unwrap();
        let run = async |later: &str| {
            core.clock.freeze(Some(later.parse().unwrap()));
            let outcome = expire(&core).await.unwrap();
            core.store.commit(outcome.effect().to_vec()).await.unwrap();
        };
        let files = Scope { account: OWNER.number, spec: EncryptedFile::SPEC };
        run("2026-11-30T12:00:00.000Z").await;
        assert_eq!(parts(&core).await, 2);
        assert!(core.store.find(files, FILE).await.unwrap().is_some());
        let proofs = Scope { account: OWNER.number, spec: Proof::SPEC };
        core.store.commit(vec![Change::Delete { scope: proofs, id: proof }]).await.unwrap();
        run("2026-12-07T11:59:59.999Z").await;
        assert_eq!(parts(&core).await, 2, "it is not looked at before");
        run("2026-12-07T12:00:00.000Z").await;
        assert_eq!(parts(&core).await, 0);
        assert!(core.store.find(files, FILE).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn the_files_of_an_account_are_forgotten_and_those_of_another_are_not() {
        let core = crate::jobs::tests::core(SqliteStore::in_memory().unwrap());
        let at = core.clock.now();
        let other = FileOwner { number: 2, id: Uuid::from_u128(8) };
        for number in 0..=u128::from(PARTS_PER_RUN) {
            let file = Uuid::from_u128(FILE.as_u128() + number);
            core.store.commit(store(OWNER, file, b"x", at).unwrap()).await.unwrap();
        }
        let of_other = Uuid::from_u128(FILE.as_u128() + 1_000);
        core.store.commit(store(other, of_other, b"x", at).unwrap()).await.unwrap();
        assert_eq!(parts(&core).await, PARTS_PER_RUN + 1);
        forget_all(&core, OWNER.id).await.unwrap();
        assert_eq!(parts(&core).await, 0);
        let kept = core.store.count_documents(DocumentKind::FilePart, ACCOUNT, other.id.to_string());
        assert_eq!(kept.await.unwrap(), 1);
    }

    #[tokio::test]
    async fn an_account_has_a_bounded_number_of_parts() {
        let core = crate::jobs::tests::core(SqliteStore::in_memory().unwrap());
        let at = core.clock.now();
        let most = PART_BYTES * usize::try_from(MAX_PARTS_PER_ACCOUNT).unwrap();
        assert!(has_room(&core, OWNER, most).await.unwrap());
        assert!(!has_room(&core, OWNER, most + 1).await.unwrap());
        core.store.commit(store(OWNER, FILE, b"x", at).unwrap()).await.unwrap();
        assert!(!has_room(&core, OWNER, most).await.unwrap());
        core.store.commit(forget(FILE)).await.unwrap();
        assert!(has_room(&core, OWNER, most).await.unwrap());
        assert!(store(OWNER, FILE, &vec![0; PART_BYTES * 65], at).is_err());
    }
}
