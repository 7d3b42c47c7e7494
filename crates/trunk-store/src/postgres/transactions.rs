//! Writes: one transaction each, with its rows of the change feed.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Transaction};
use uuid::Uuid;

use super::polling::{RESET, Row};
use super::{Node, failed, left_out};
use crate::{Change, DocumentKind, NewDocument, StoreError};

/// The longest time that a transaction takes. The polls overlap by twice as much.
pub(super) const TRANSACTION_LIMIT: Duration = Duration::from_secs(2);
/// How often a transaction that lost against another one is repeated.
const ATTEMPTS: u32 = 10;

/// What goes wrong in a transaction: an error for the caller, or a reason to repeat it.
enum Trouble {
    Refused(StoreError),
    Engine(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

/// What a transaction does.
#[derive(Debug)]
pub(super) enum Work {
    Commit(Vec<Change>),
    Reset,
}

impl Work {
    /// Runs inside a transaction. Returns the rows of the change feed.
    async fn run(&self, node: &Node, transaction: &Transaction<'_>) -> Result<Vec<Row>, Trouble> {
        match self {
            Self::Commit(changes) => {
                let mut rows = Vec::new();
                for change in changes {
                    rows.extend(apply(transaction, change).await?);
                }
                Ok(rows)
            }
            Self::Reset => {
                use DocumentKind::{AccessKey, Agent, Customer, Number, OutboundConfig, Platform};
                let kept =
                    [Platform, Customer, Agent, AccessKey, Number, OutboundConfig].map(|kind| kind as i16);
                let delete = "DELETE FROM document WHERE kind <> ALL($1)";
                transaction.execute(delete, &[&kept.as_slice()]).await?;
                let subject = Uuid::from_u64_pair(node.ids.word(), node.ids.word());
                Ok(vec![Row { subject, revision: 0, kind: RESET, customer: Uuid::nil() }])
            }
        }
    }
}

async fn apply(transaction: &Transaction<'_>, change: &Change) -> Result<Option<Row>, Trouble> {
    match change {
        Change::Put { revision: None, document } => insert(transaction, document).await.map(|()| None),
        Change::Put { revision: Some(revision), document } => {
            replace(transaction, *revision, document).await.map(Some)
        }
        Change::Forget { kind, id, revision } => {
            let delete = "DELETE FROM document WHERE kind = $1 AND id = $2 AND revision = $3";
            transaction.execute(delete, &[&(*kind as i16), id, revision]).await?;
            Ok(None)
        }
        _ => Ok(left_out("everything but documents")?),
    }
}

/// Runs a transaction, repeats it if it lost against another one, and adds its changes to the feed.
pub(super) async fn run(node: Arc<Node>, work: Work) -> Result<(), StoreError> {
    let mut client = node.writes.lock().await;
    for _ in 0..ATTEMPTS {
        // It may have been committed when the time ran out. A poll adds it to the feed then.
        let attempt = tokio::time::timeout(TRANSACTION_LIMIT, attempt(&node, &mut client.0, &work));
        match attempt.await.unwrap_or(Err(Trouble::Refused(StoreError::Unknown))) {
            Ok(rows) => {
                node.feed.append(rows.iter().map(Row::effect).collect());
                return Ok(());
            }
            Err(Trouble::Refused(error)) => return Err(error),
            Err(Trouble::Engine(error)) if lost(&error) => {}
            Err(Trouble::Engine(error)) => return Err(failed(error)),
        }
    }
    Err(StoreError::Overloaded)
}

/// Whether a transaction lost against another one, and may succeed if it is repeated.
fn lost(error: &tokio_postgres::Error) -> bool {
    matches!(error.code(), Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED))
}

async fn attempt(node: &Node, client: &mut Client, work: &Work) -> Result<Vec<Row>, Trouble> {
    let isolation = tokio_postgres::IsolationLevel::Serializable;
    let transaction = client.build_transaction().isolation_level(isolation).start().await?;
    let rows = work.run(node, &transaction).await?;
    for Row { subject, revision, kind, customer } in &rows {
        let insert = "INSERT INTO change (position, subject, revision, kind, customer) \
                      VALUES ((extract(epoch FROM clock_timestamp()) * 1000000)::bigint, $1, $2, $3, $4)";
        transaction.execute(insert, &[subject, revision, kind, customer]).await?;
    }
    // Before the commit, so that no poll adds to the feed what this write adds itself.
    let mut marks = Marks { node, rows: &rows, is_committed: false };
    node.seen().mark_own(&rows);
    transaction.commit().await?;
    marks.is_committed = true;
    drop(marks);
    Ok(rows)
}

/// The marks of rows that are being committed. They are taken back if it fails, or if its end is not awaited.
struct Marks<'a> {
    node: &'a Node,
    rows: &'a [Row],
    is_committed: bool,
}

impl Drop for Marks<'_> {
    fn drop(&mut self) {
        if !self.is_committed {
            self.node.seen().unmark(self.rows);
        }
    }
}

async fn insert(transaction: &Transaction<'_>, document: &NewDocument) -> Result<(), Trouble> {
    let NewDocument { kind, id, customer, created_at, deleted, live, body, .. } = document;
    let insert = "INSERT INTO document (kind, id, customer, created_at, deleted, live, revision, body) \
                  VALUES ($1, $2, $3, $4, $5, $6, 0, $7) ON CONFLICT DO NOTHING";
    let inserted = transaction
        .execute(insert, &[&(*kind as i16), id, customer, created_at, deleted, live, body])
        .await?;
    if inserted == 0 { Err(StoreError::Taken("id".to_owned()).into()) } else { Ok(()) }
}

/// Replaces a document if its revision still matches. A document never becomes undeleted or live again.
async fn replace(
    transaction: &Transaction<'_>,
    revision: i64,
    document: &NewDocument,
) -> Result<Row, Trouble> {
    let NewDocument { kind, id, customer, deleted, live, body, .. } = document;
    let update = "UPDATE document SET deleted = deleted OR $4, live = live AND $5, body = $6, revision = revision + 1 \
                  WHERE kind = $1 AND id = $2 AND revision = $3";
    let kind = *kind as i16;
    let changed = transaction.execute(update, &[&kind, id, &revision, deleted, live, body]).await?;
    if changed == 0 {
        return Err(StoreError::Conflict.into());
    }
    Ok(Row { subject: *id, revision: revision + 1, kind, customer: *customer })
}
