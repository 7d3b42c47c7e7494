//! Finds entries of the [audit](crate::audit), and deletes old ones as a job.
//!
//! Bounds: entries are kept for the configured number of months ([`jobs`]); a search examines [`MAX_SEARCHED`] of them.

use std::sync::Arc;

use didww_types::Timestamp;
use service_base::clock::Clock;
use trunk_store::{Aged, Change, Document, DocumentKind, DocumentQuery, StoreError};
use uuid::Uuid;

use crate::Core;
use crate::audit::{ACCOUNT, AuditedBy, AuditedChange, Body, RECORD};
use crate::jobs::JobSet;
use crate::retention::retention;

/// Maximum number of entries that one search examines.
pub const MAX_SEARCHED: usize = 10_000;
/// Number of entries that are read at once.
const PAGE: usize = 500;
/// Maximum number of entries that one commit deletes.
const MAX_PER_COMMIT: u64 = 100;
/// The name of the job that deletes old entries.
const EXPIRE: &str = "service.expire_audit";

/// A write, and its changes of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When the write was decided, on the server's clock.
    pub at: Timestamp,
    /// The actor of the write.
    pub by: AuditedBy,
    /// The changes of records; in the result of a search, only those that match.
    pub changes: Vec<AuditedChange>,
}

/// Selects entries: those with a change that has all of the values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// The number of the account.
    pub account: Option<i64>,
    /// The type of the record.
    pub kind: Option<String>,
    /// The id of the record.
    pub id: Option<Uuid>,
    /// The earliest time of an entry, inclusive.
    pub since: Option<Timestamp>,
    /// The [`next`](AuditPage::next) of the previous page.
    pub before: Option<i64>,
    /// Maximum number of entries to return.
    pub limit: usize,
}

/// A page of the entries that match a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// The matching entries of the page, newest first.
    pub entries: Vec<AuditEntry>,
    /// Where the next page begins; `None` after the oldest entry.
    pub next: Option<i64>,
}

impl AuditEntry {
    fn read(document: &Document) -> Result<Self, StoreError> {
        let Body { at, by, changes } = document.read()?;
        Ok(Self { at, by, changes })
    }

    /// The entry with the changes that match; `None` if there are none.
    fn matching(mut self, query: &AuditQuery) -> Option<Self> {
        let matches = |change: &AuditedChange| {
            query.account.is_none_or(|account| change.account == account)
                && query.kind.as_ref().is_none_or(|kind| change.kind == *kind)
                && query.id.is_none_or(|id| change.id == id)
        };
        self.changes.retain(matches);
        let is_recent = query.since.is_none_or(|since| self.at >= since);
        (is_recent && !self.changes.is_empty()).then_some(self)
    }
}

/// Searches the entries, newest first. A page can have fewer entries than its limit, and none, before the last one.
///
/// # Errors
/// If the store fails.
pub async fn search(core: &Core, query: &AuditQuery) -> Result<AuditPage, StoreError> {
    let kind = DocumentKind::AuditEntry;
    let selected = match (query.id, query.account) {
        (Some(id), _) => DocumentQuery::with(kind, RECORD, id.to_string()),
        (None, Some(account)) => DocumentQuery::with(kind, ACCOUNT, account.to_string()),
        (None, None) => DocumentQuery::all(kind),
    };
    let mut page = AuditPage { entries: Vec::new(), next: None };
    let (mut before, mut searched) = (query.before.unwrap_or(i64::MAX), 0);
    let limit = u64::try_from(PAGE).unwrap_or(u64::MAX);
    loop {
        let documents = core.store.documents(DocumentQuery { before, limit, ..selected.clone() }).await?;
        for document in &documents {
            // An entry is never older than its position in the order.
            if query.since.is_some_and(|since| document.created_at < since.as_unix_micros()) {
                return Ok(page);
            }
            before = document.created_at;
            page.entries.extend(AuditEntry::read(document)?.matching(query));
            if page.entries.len() >= query.limit {
                page.next = Some(before);
                return Ok(page);
            }
        }
        searched += documents.len();
        if documents.len() < PAGE {
            return Ok(page);
        }
        if searched >= MAX_SEARCHED {
            page.next = Some(before);
            return Ok(page);
        }
    }
}

/// The job that deletes entries that are older than this number of months, the current one included.
pub fn jobs(clock: &Clock, months: u32) -> JobSet {
    retention(clock, EXPIRE, months, forget_some)
}

/// Deletes some of the entries from before a time, and returns their number.
async fn forget_some(core: Arc<Core>, before: Timestamp) -> Result<u64, StoreError> {
    let kind = DocumentKind::AuditEntry;
    let aged =
        Aged { kind, deleted: false, from: i64::MIN, before: before.as_unix_micros(), limit: MAX_PER_COMMIT };
    let documents = core.store.aged_documents(aged).await?;
    if documents.is_empty() {
        return Ok(0);
    }
    let forget = |document: &Document| Change::Forget { kind, id: document.id, revision: document.revision };
    let count = u64::try_from(documents.len()).unwrap_or(u64::MAX);
    core.store.commit(documents.iter().map(forget).collect()).await?;
    Ok(count)
}

#[cfg(test)]
mod tests;
