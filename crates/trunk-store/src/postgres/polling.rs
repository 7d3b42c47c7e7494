//! The change feed of other nodes: rows that are polled by position.
//!
//! A transaction writes its position before it commits, so a row may become visible after later ones were read. Each poll
//! therefore reads again what may still have been uncommitted, and drops what it has seen.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_postgres::Client;
use uuid::Uuid;

use super::transactions::TRANSACTION_LIMIT;
use super::{Node, failed};
use crate::{Committed, DocumentKind, StoreError};

/// Time between two polls: a fifth of [`CHANGE_DELAY`](crate::CHANGE_DELAY).
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// How far a poll reads back, in microseconds: twice the longest transaction.
#[expect(clippy::cast_possible_truncation, reason = "it is four seconds")]
const OVERLAP: i64 = 2 * TRANSACTION_LIMIT.as_micros() as i64;
/// The kind of a row that reports a reset.
pub(super) const RESET: i16 = -1;

/// Every kind of document, in the order of the numbers that rows have.
const DOCUMENT_KINDS: [DocumentKind; 11] = [
    DocumentKind::Platform,
    DocumentKind::Customer,
    DocumentKind::Agent,
    DocumentKind::AccessKey,
    DocumentKind::Number,
    DocumentKind::OutboundConfig,
    DocumentKind::Provider,
    DocumentKind::Route,
    DocumentKind::ProviderCall,
    DocumentKind::Call,
    DocumentKind::Flow,
];

/// A row of the change feed.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) subject: Uuid,
    pub(super) revision: i64,
    pub(super) kind: i16,
    pub(super) customer: Uuid,
}

impl Row {
    pub(super) fn effect(&self) -> Committed {
        let kind = usize::try_from(self.kind).ok().and_then(|number| DOCUMENT_KINDS.get(number).copied());
        match kind {
            Some(kind) => Committed::Document { kind, id: self.subject, customer: self.customer },
            None => Committed::Reset { account: None, accounts: false },
        }
    }
}

/// The rows that are in the feed of this node: of each subject, the newest revision and its position.
#[derive(Debug)]
pub(super) struct Seen {
    /// The newest position that a poll has read.
    position: i64,
    by_subject: HashMap<Uuid, (i64, i64)>,
}

impl Seen {
    /// What was committed before now. What is being committed meanwhile is not part of it, however early its position is.
    pub(super) async fn present(client: &Client) -> Result<Self, StoreError> {
        let now = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
        let now = client.query_one(now, &[]).await.and_then(|row| row.try_get(0)).map_err(failed)?;
        let mut seen = Self { position: now, by_subject: HashMap::new() };
        for (position, row) in rows_since(client, now - OVERLAP).await? {
            seen.is_new(&row, position);
        }
        Ok(seen)
    }

    /// Marks rows that this node is about to commit. It adds them to the feed itself.
    pub(super) fn mark_own(&mut self, rows: &[Row]) {
        for row in rows {
            self.by_subject.insert(row.subject, (row.revision, i64::MAX));
        }
    }

    /// Takes back the marks of rows that were not committed. What other nodes wrote meanwhile appears again.
    pub(super) fn unmark(&mut self, rows: &[Row]) {
        for row in rows {
            self.by_subject.remove(&row.subject);
        }
    }

    /// Returns whether a row that was read is new, and remembers it.
    fn is_new(&mut self, row: &Row, position: i64) -> bool {
        self.position = self.position.max(position);
        match self.by_subject.entry(row.subject) {
            Entry::Occupied(mut seen) if seen.get().0 >= row.revision => {
                // An own row gets its position here; until then it cannot be forgotten.
                seen.get_mut().1 = seen.get().1.min(position);
                false
            }
            Entry::Occupied(mut seen) => {
                seen.insert((row.revision, position));
                true
            }
            Entry::Vacant(unseen) => {
                unseen.insert((row.revision, position));
                true
            }
        }
    }

    /// Forgets the rows that no later poll reads.
    fn prune(&mut self) {
        let from = self.position - OVERLAP;
        self.by_subject.retain(|_, (_, position)| *position >= from);
    }
}

impl Node {
    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Polls until the task is aborted. After a failure the followers load anew, because it is not known what they missed.
pub(super) async fn run(node: Arc<Node>, client: Client) {
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        if let Err(error) = poll(&node, &client).await {
            tracing::error!(%error, "the changes of other nodes cannot be read");
            node.feed.lose();
        }
    }
}

async fn poll(node: &Node, client: &Client) -> Result<(), StoreError> {
    let from = node.seen().position - OVERLAP;
    let rows = rows_since(client, from).await?;
    let mut seen = node.seen();
    let new = rows.into_iter().filter(|(position, row)| seen.is_new(row, *position));
    let effects = new.map(|(_, row)| row.effect()).collect();
    seen.prune();
    // Under the lock, so that the newer change of a subject that this node is committing comes later.
    node.feed.append(effects);
    Ok(())
}

/// The rows of the change feed behind a position, in the order of the positions.
async fn rows_since(client: &Client, position: i64) -> Result<Vec<(i64, Row)>, StoreError> {
    let select = "SELECT position, subject, revision, kind, customer FROM change WHERE position > $1 \
                  ORDER BY position, revision";
    let rows = client.query(select, &[&position]).await.map_err(failed)?;
    let row = |row: &tokio_postgres::Row| {
        let (subject, revision) = (row.try_get(1)?, row.try_get(2)?);
        let (kind, customer) = (row.try_get(3)?, row.try_get(4)?);
        Ok((row.try_get(0)?, Row { subject, revision, kind, customer }))
    };
    rows.iter().map(row).collect::<Result<_, _>>().map_err(failed)
}
