//! The files of exports in the store: compressed unless they are those of a former version, in parts, each a document.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use didww_types::Timestamp;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use trunk_store::{Aged, Change, Document, DocumentKind, DocumentQuery, NewDocument, StoreError};
use uuid::Uuid;

use crate::Core;
use crate::files::part_id;
use crate::jobs::JobError;

/// How long a file is kept: a month.
const FILE_LIFE: Duration = Duration::from_hours(30 * 24);
/// The number of bytes, as they are stored, at which a part is complete.
const PART_BYTES: usize = 512 << 10;
/// Maximum number of parts of a file: a part's number is one byte of its id.
const MAX_PARTS: u32 = if cfg!(test) { 4 } else { 250 };
/// The number of parts of an account's files from which no further file is begun.
const MAX_PARTS_PER_ACCOUNT: u64 = 1_000;
/// Maximum number of parts that are read at once.
const PARTS_PER_RUN: u64 = 16;

const KIND: DocumentKind = DocumentKind::ExportPart;
/// The index key of the parts of an account, and of an export.
const ACCOUNT: &str = "account";
const EXPORT: &str = "export";

/// How a file is stored, and downloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Compressed with gzip. Parts that an older server stored are.
    #[default]
    Gzip,
    /// The text itself.
    Plain,
}

impl Encoding {
    /// The encoding of files with an extension, such as `.csv.gz`.
    pub fn of(suffix: &str) -> Self {
        if suffix.rsplit('.').next() == Some("gz") { Self::Gzip } else { Self::Plain }
    }
}

/// The account of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    /// The account's number in the store.
    pub(super) number: i64,
    /// The id on the control interface.
    pub(super) id: Uuid,
}

/// The body of a part.
#[derive(Serialize, Deserialize)]
struct Part {
    account: i64,
    export: Uuid,
    /// The number of parts before it. Parts that an older server stored have none.
    #[serde(default)]
    number: u32,
    #[serde(default)]
    encoding: Encoding,
    content: String,
    /// Whether this is the last part.
    last: bool,
}

/// The position of a part, which is read without its content.
#[derive(Deserialize)]
struct Place {
    #[serde(default)]
    number: u32,
    #[serde(default)]
    encoding: Encoding,
}

/// The bytes that are not stored yet.
enum Unstored {
    Gzip(GzEncoder<Vec<u8>>),
    Plain(Vec<u8>),
}

impl Unstored {
    fn new(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::default())),
            Encoding::Plain => Self::Plain(Vec::new()),
        }
    }

    fn encoding(&self) -> Encoding {
        match self {
            Self::Gzip(_) => Encoding::Gzip,
            Self::Plain(_) => Encoding::Plain,
        }
    }

    fn add(&mut self, text: &str) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(text.as_bytes()),
            Self::Plain(bytes) => bytes.write_all(text.as_bytes()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.try_finish(),
            Self::Plain(_) => Ok(()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Gzip(encoder) => encoder.get_ref().len(),
            Self::Plain(bytes) => bytes.len(),
        }
    }

    fn take(&mut self) -> Vec<u8> {
        match self {
            Self::Gzip(encoder) => std::mem::take(encoder.get_mut()),
            Self::Plain(bytes) => std::mem::take(bytes),
        }
    }
}

/// Encodes a file and stores it. It holds one part at most.
pub(super) struct FileWriter<'a> {
    core: &'a Core,
    owner: Owner,
    export: Uuid,
    file: Uuid,
    at: Timestamp,
    parts: u32,
    is_full: bool,
    unstored: Unstored,
}

impl<'a> FileWriter<'a> {
    /// A file that is compressed.
    pub(super) fn new(core: &'a Core, owner: Owner, export: Uuid, file: Uuid, at: Timestamp) -> Self {
        let unstored = Unstored::new(Encoding::Gzip);
        Self { core, owner, export, file, at, parts: 0, is_full: false, unstored }
    }

    /// Sets the encoding of a file that has no text yet.
    pub(super) fn encoded(self, encoding: Encoding) -> Self {
        Self { unstored: Unstored::new(encoding), ..self }
    }

    /// Adds text to the file.
    pub(super) async fn add(&mut self, text: &str) -> Result<(), JobError> {
        self.unstored.add(text).map_err(|error| JobError::Failed(error.to_string()))?;
        if self.unstored.len() >= PART_BYTES {
            self.store(false).await?;
        }
        Ok(())
    }

    /// Whether the file would have more than `MAX_PARTS` parts, so that no later run can write it either.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Stores the last part, which ends the file.
    pub(super) async fn finish(&mut self) -> Result<(), JobError> {
        self.unstored.finish().map_err(|error| JobError::Failed(error.to_string()))?;
        self.store(true).await
    }

    /// Stores the bytes as the next part.
    async fn store(&mut self, last: bool) -> Result<(), JobError> {
        if self.parts >= MAX_PARTS {
            self.is_full = true;
            return Err(JobError::Failed(format!("the file of the export {} is too large", self.export)));
        }
        let content = STANDARD.encode(self.unstored.take());
        let (account, export, number) = (self.owner.number, self.export, self.parts);
        let part = Part { account, export, number, encoding: self.unstored.encoding(), content, last };
        let body = serde_json::to_string(&part).map_err(|error| JobError::Failed(error.to_string()))?;
        let document = NewDocument {
            kind: KIND,
            id: part_id(self.file, self.parts),
            customer: self.owner.id,
            created_at: self.at.as_unix_micros(),
            deleted: false,
            live: false,
            body,
            keyed: true,
            keys: vec![(ACCOUNT, self.owner.id.to_string()), (EXPORT, self.export.to_string())],
            unique: Vec::new(),
        };
        self.parts += 1;
        self.core.commit(vec![Change::Put { revision: None, document: Box::new(document) }]).await?;
        Ok(())
    }
}

/// Whether a further file of an account can be begun.
pub(super) async fn has_room(core: &Core, owner: Owner) -> Result<bool, StoreError> {
    let stored = core.store.count_documents(KIND, ACCOUNT, owner.id.to_string()).await?;
    Ok(stored < MAX_PARTS_PER_ACCOUNT)
}

/// Deletes the parts of an export that a failed run has left.
pub(super) async fn forget_export(core: &Core, export: Uuid) -> Result<(), StoreError> {
    forget_with(core, EXPORT, export).await
}

/// Deletes the files of all exports of an account, whose records were deleted.
///
/// # Errors
/// If the store fails. The job deletes the remaining files.
pub async fn forget_all(core: &Core, account: Uuid) -> Result<(), StoreError> {
    forget_with(core, ACCOUNT, account).await
}

async fn forget_with(core: &Core, key: &'static str, id: Uuid) -> Result<(), StoreError> {
    loop {
        let found = DocumentQuery::with(KIND, key, id.to_string());
        let parts = core.store.documents(DocumentQuery { limit: PARTS_PER_RUN, ..found }).await?;
        if parts.is_empty() {
            return Ok(());
        }
        core.commit(parts.iter().map(forget).collect()).await?;
    }
}

fn forget(part: &Document) -> Change {
    Change::Forget { kind: KIND, id: part.id, revision: part.revision }
}

/// Parts that are too old, and their exports.
#[derive(Debug, Default)]
pub(super) struct Expired {
    /// The changes that delete parts.
    pub(super) parts: Vec<Change>,
    /// The exports of these parts, each with the number of its account.
    pub(super) exports: BTreeSet<(i64, Uuid)>,
    /// When the next part becomes too old.
    pub(super) next: Option<Timestamp>,
}

/// Returns some of the parts that are too old.
pub(super) async fn expired(core: &Core, now: Timestamp) -> Result<Expired, StoreError> {
    let life = i64::try_from(FILE_LIFE.as_micros()).unwrap_or(i64::MAX);
    // A part of exactly this age has expired.
    let before = now.as_unix_micros().saturating_sub(life).saturating_add(1);
    let aged = |from, before, limit| {
        core.store.aged_documents(Aged { kind: KIND, deleted: false, from, before, limit })
    };
    let mut expired = Expired::default();
    for part in aged(0, before, PARTS_PER_RUN).await? {
        let body: Part = part.read()?;
        expired.exports.insert((body.account, body.export));
        expired.parts.push(forget(&part));
    }
    if expired.parts.is_empty() {
        let next = aged(before, i64::MAX, 1).await?;
        let end = next.first().map(|oldest| oldest.created_at.saturating_add(life));
        expired.next = end.map(|micros| Timestamp::from_unix_millis(micros.div_euclid(1_000)));
    }
    Ok(expired)
}

/// Whether an account has a file of an encoding. Only the id of a first part is the id of a file: from a later part on,
/// the content cannot be decompressed, or has no header.
///
/// # Errors
/// If the store fails.
pub async fn exists(core: &Core, account: Uuid, file: Uuid, encoding: Encoding) -> Result<bool, StoreError> {
    let Some(part) = core.store.document(KIND, part_id(file, 0)).await? else { return Ok(false) };
    let place: Place = part.read()?;
    Ok(part.customer == account && place.number == 0 && place.encoding == encoding)
}

/// The content of a file, a part at a time, as it is read. It ends with an error if a part cannot be read.
pub fn content(
    core: Arc<Core>,
    file: Uuid,
) -> impl Stream<Item = Result<Vec<u8>, StoreError>> + Send + 'static {
    stream::unfold(Some((core, 0_u32)), move |state| async move {
        let (core, number) = state?;
        match part(&core, file, number).await {
            Ok((content, last)) => Some((Ok(content), (!last).then_some((core, number.saturating_add(1))))),
            Err(error) => Some((Err(error), None)),
        }
    })
}

/// A part, and whether it is the last one.
async fn part(core: &Core, file: Uuid, number: u32) -> Result<(Vec<u8>, bool), StoreError> {
    let gone = || StoreError::Failed(format!("the part {number} of the file {file} is missing"));
    let document = core.store.document(KIND, part_id(file, number)).await?.ok_or_else(gone)?;
    let part: Part = document.read()?;
    let content = STANDARD.decode(part.content).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok((content, part.last))
}

#[cfg(test)]
mod tests {
    use trunk_store::SqliteStore;

    use super::*;

    #[tokio::test]
    async fn a_file_has_no_more_parts_than_allowed() {
        let core = crate::jobs::tests::core(SqliteStore::in_memory().unwrap());
        let (owner, at) = (Owner { number: 1, id: Uuid::from_u128(9) }, core.clock.now());
        for (parts, is_stored) in [(MAX_PARTS - 1, true), (MAX_PARTS, false)] {
            let file = Uuid::from_u128(u128::from(parts));
            let mut writer = FileWriter::new(&core, owner, Uuid::from_u128(7), file, at);
            writer.parts = parts;
            match writer.finish().await {
                Ok(()) => assert!(is_stored, "{parts}"),
                Err(error) => assert!(!is_stored && error.to_string().contains("is too large"), "{error}"),
            }
        }
    }
}
