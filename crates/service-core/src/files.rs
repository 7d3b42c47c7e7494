//! The contents of uploaded files.
//!
//! A content is stored in parts, each a document of the store, in the transaction that stores the file's record.
//! Nothing here reads a content again: files are reviewed elsewhere. A content is never logged, and has no `Debug`
//! text.
//!
//! Bounds: [`MAX_PARTS_PER_ACCOUNT`] parts of `PART_BYTES`, and with them the files, of an account. Uploads at the same
//! time can exceed it by one file each. A content is deleted with its file, which [`expiry`](crate::expiry) does when
//! its time is over.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use didww_types::Timestamp;
use trunk_store::{Change, Document, DocumentKind, DocumentQuery, NewDocument, StoreError};
use uuid::Uuid;

use crate::Core;

/// The number of bytes of a part, which are a mebibyte in base64.
const PART_BYTES: usize = 768 << 10;
/// Maximum number of parts of the files of an account: 225 MiB.
pub const MAX_PARTS_PER_ACCOUNT: u64 = 300;
/// Maximum number of parts of a file: a part's number is one byte of its id.
const MAX_PARTS: u32 = 64;
/// Maximum number of parts that are read at once.
const PARTS_PER_READ: u64 = 32;
/// The index key of the parts of an account.
const ACCOUNT: &str = "account";

/// The account of a file: its number and its id.
#[derive(Debug, Clone, Copy)]
pub struct FileOwner {
    /// The account's number in the store.
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

/// The content of a file as it is stored: in base64, in parts. The attempts of one upload share it.
#[derive(Clone)]
pub struct Encoded {
    parts: Arc<[String]>,
}

impl Encoded {
    /// Encodes a content on a thread for blocking work: 20 MiB take long enough to delay the other requests of a
    /// thread.
    ///
    /// # Errors
    /// If the content has too many parts, which is impossible for the files that declared forms permit.
    pub async fn of(content: impl AsRef<[u8]> + Send + 'static) -> Result<Self, StoreError> {
        let encoded = tokio::task::spawn_blocking(move || Self::encode(content.as_ref())).await;
        encoded.map_err(|error| StoreError::Failed(error.to_string()))?
    }

    fn encode(content: &[u8]) -> Result<Self, StoreError> {
        if content.len().div_ceil(PART_BYTES) > MAX_PARTS as usize {
            return Err(StoreError::Failed("a file has too many parts".to_owned()));
        }
        let parts = content.chunks(PART_BYTES).map(|part| STANDARD.encode(part));
        Ok(Self { parts: parts.collect() })
    }
}

/// The changes that store the content of a file with this id.
pub fn store(owner: FileOwner, file: Uuid, content: &Encoded, at: Timestamp) -> Vec<Change> {
    let put = |(content, number): (&String, u32)| {
        // JSON with the account, the file and the content, written without escaping: base64 and UUIDs contain no
        // characters that need it.
        let body = format!(r#"{{"account":{},"file":"{file}","content":"{content}"}}"#, owner.number);
        insert(owner.id, part_id(file, number), at.as_unix_micros(), body)
    };
    content.parts.iter().zip(0..MAX_PARTS).map(put).collect()
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
    // Parts are never changed, and deleting a part that does not exist has no effect.
    (0..MAX_PARTS)
        .map(|number| Change::Forget { kind: DocumentKind::FilePart, id: part_id(file, number), revision: 0 })
        .collect()
}

/// Deletes the contents of all files of an account, whose records are deleted without their owner's request.
///
/// # Errors
/// If the store fails. Another call deletes the remaining contents.
pub async fn forget_all(core: &Core, account: Uuid) -> Result<(), StoreError> {
    let kind = DocumentKind::FilePart;
    loop {
        let of_account = DocumentQuery::with(kind, ACCOUNT, account.to_string());
        let parts = core.store.documents(DocumentQuery { limit: PARTS_PER_READ, ..of_account }).await?;
        if parts.is_empty() {
            return Ok(());
        }
        let forget = |part: &Document| Change::Forget { kind, id: part.id, revision: part.revision };
        core.commit(parts.iter().map(forget).collect()).await?;
    }
}

/// The id of a part of a file that has fewer than 256: that of the file, with the number in one byte. Ids of records
/// begin with the time of their creation, so those of other files differ in later bytes.
pub(crate) fn part_id(file: Uuid, number: u32) -> Uuid {
    Uuid::from_u128(file.as_u128() ^ (u128::from(number) << 120))
}

#[cfg(test)]
mod tests {
    use trunk_store::SqliteStore;

    use super::*;

    const OWNER: FileOwner = FileOwner { number: 1, id: Uuid::from_u128(9) };
    const FILE: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

    fn store(owner: FileOwner, file: Uuid, content: &[u8], at: Timestamp) -> Result<Vec<Change>, StoreError> {
        Ok(super::store(owner, file, &Encoded::encode(content)?, at))
    }

    async fn parts(core: &Core) -> u64 {
        let counted = core.store.count_documents(DocumentKind::FilePart, ACCOUNT, OWNER.id.to_string());
        counted.await.unwrap()
    }

    #[tokio::test]
    async fn the_files_of_an_account_are_forgotten_and_those_of_another_are_not() {
        let core = crate::jobs::tests::core(SqliteStore::in_memory().unwrap());
        let at = core.clock.now();
        let other = FileOwner { number: 2, id: Uuid::from_u128(8) };
        for number in 0..=u128::from(PARTS_PER_READ) {
            let file = Uuid::from_u128(FILE.as_u128() + number);
            core.store.commit(store(OWNER, file, b"x", at).unwrap()).await.unwrap();
        }
        let of_other = Uuid::from_u128(FILE.as_u128() + 1_000);
        core.store.commit(store(other, of_other, b"x", at).unwrap()).await.unwrap();
        assert_eq!(parts(&core).await, PARTS_PER_READ + 1);
        forget_all(&core, OWNER.id).await.unwrap();
        assert_eq!(parts(&core).await, 0);
        let kept = core.store.count_documents(DocumentKind::FilePart, ACCOUNT, other.id.to_string());
        assert_eq!(kept.await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_part_is_stored_as_json_with_the_base64_of_its_bytes() {
        let core = crate::jobs::tests::core(SqliteStore::in_memory().unwrap());
        let content: Vec<u8> = (0..=255).cycle().take(PART_BYTES + 2).collect();
        let changes = store(OWNER, FILE, &content, core.clock.now()).unwrap();
        let stored = changes.iter().map(|change| match change {
            Change::Put { document, .. } => {
                serde_json::from_str::<serde_json::Value>(&document.body).unwrap()
            }
            other => panic!("{other:?}"),
        });
        let mut read = Vec::new();
        for part in stored {
            assert_eq!((&part["account"], &part["file"]), (&serde_json::json!(1), &serde_json::json!(FILE)));
            read.extend(STANDARD.decode(part["content"].as_str().unwrap()).unwrap());
        }
        assert_eq!((read == content, changes.len()), (true, 2));
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
        assert!(Encoded::of(vec![0; PART_BYTES * 65]).await.is_err());
    }
}
