//! A proof that the store's traits fit PostgreSQL and several nodes. It is no engine that can be selected.
//!
//! It keeps documents in one table, writes them in transactions, and fills the change feed from a table that every node
//! polls. It is held to those parts of the contract that need nothing else. It keeps no other part, no second table for keys,
//! does not reconnect, deletes no old rows of the change feed, and encrypts nothing.
//!
//! The SQL is what the distributed engines of PostgreSQL's protocol share: ids and positions come from the rows, and there are
//! no triggers, sequences, advisory locks, savepoints and notifications.
//!
//! Bounds: one transaction runs at a time, for at most two seconds; a poll reads the rows of the time since the last one and of
//! four seconds before, and the rows of that time are remembered.

mod polling;
mod transactions;

use std::sync::{Arc, Mutex};

use service_base::ids::Ids;
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::task::AbortHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row};
use uuid::Uuid;

use crate::feed::Feed;
use crate::{
    Aged, Answer, Change, ChangeFeed, Document, DocumentKind, DocumentQuery, Documents, Follower, Interest,
    Record, StoreError, Writes,
};
use polling::Seen;
use transactions::Work;

/// The tables of the proof.
const SCHEMA: &str = include_str!("postgres/schema.sql");

/// The columns that [`read`] reads.
const COLUMNS: &str = "id, customer, created_at, deleted, revision, body";

/// Documents in a PostgreSQL database, as one node of any number sees them.
#[derive(Debug)]
pub struct PostgresProof {
    reads: Shared<Client>,
    node: Arc<Node>,
    poll: AbortHandle,
}

/// What the writes and the polls of a node share.
#[derive(Debug)]
struct Node {
    writes: AsyncMutex<Shared<Client>>,
    feed: Arc<Feed>,
    seen: Mutex<Seen>,
    ids: Ids,
}

/// A value without a representation for debugging.
struct Shared<T>(T);

impl<T> std::fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::any::type_name::<T>())
    }
}

impl PostgresProof {
    /// Connects to a database, with parameters such as `host=/run/postgresql user=postgres`, and creates the tables that are
    /// missing.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if the server cannot be reached, or refuses a statement.
    pub async fn connect(parameters: &str, ids: Ids) -> Result<Self, StoreError> {
        let (reads, writes, polls) =
            (connect(parameters).await?, connect(parameters).await?, connect(parameters).await?);
        reads.batch_execute(SCHEMA).await.map_err(failed)?;
        let seen = Mutex::new(Seen::present(&polls).await?);
        let node =
            Arc::new(Node { writes: AsyncMutex::new(Shared(writes)), feed: Arc::default(), seen, ids });
        let poll = tokio::spawn(polling::run(Arc::clone(&node), polls)).abort_handle();
        Ok(Self { reads: Shared(reads), node, poll })
    }

    async fn select(
        &self,
        kind: DocumentKind,
        condition: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Document>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM document WHERE {condition}");
        let rows = self.reads.0.query(&sql, parameters).await.map_err(failed)?;
        rows.iter().map(|row| read(kind, row)).collect()
    }
}

impl Drop for PostgresProof {
    fn drop(&mut self) {
        self.poll.abort();
    }
}

/// Opens a connection, whose task ends with the client.
async fn connect(parameters: &str) -> Result<Client, StoreError> {
    let (client, connection) = tokio_postgres::connect(parameters, NoTls).await.map_err(failed)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::error!(%error, "a connection to the database ended");
        }
    });
    Ok(client)
}

fn read(kind: DocumentKind, row: &Row) -> Result<Document, StoreError> {
    let created_at = row.try_get(2).map_err(failed)?;
    Ok(Document {
        kind,
        // No two documents are created in the same microsecond, so no sequence is needed.
        number: created_at,
        id: row.try_get(0).map_err(failed)?,
        customer: row.try_get(1).map_err(failed)?,
        created_at,
        deleted: row.try_get(3).map_err(failed)?,
        revision: row.try_get(4).map_err(failed)?,
        body: row.try_get(5).map_err(failed)?,
    })
}

#[expect(clippy::needless_pass_by_value, reason = "it is passed to map_err")]
fn failed(error: tokio_postgres::Error) -> StoreError {
    let text = error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string);
    StoreError::Failed(text)
}

/// The error of what the proof leaves out.
fn left_out<T>(what: &str) -> Result<T, StoreError> {
    Err(StoreError::Failed(format!("the proof leaves out {what}")))
}

impl Documents for PostgresProof {
    fn document(&self, kind: DocumentKind, id: Uuid) -> Answer<'_, Option<Document>> {
        Answer::later(async move {
            Ok(self.select(kind, "kind = $1 AND id = $2", &[&(kind as i16), &id]).await?.pop())
        })
    }

    fn document_by(
        &self,
        _kind: DocumentKind,
        _name: &'static str,
        _value: String,
    ) -> Answer<'_, Option<Document>> {
        Answer::ready(left_out("unique keys"))
    }

    fn documents(&self, query: DocumentQuery) -> Answer<'_, Vec<Document>> {
        let DocumentQuery { kind, key, live, before, limit } = query;
        if key.is_some() {
            return Answer::ready(left_out("index keys"));
        }
        Answer::later(async move {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let which = if live { "live" } else { "NOT deleted" };
            let condition =
                format!("kind = $1 AND {which} AND created_at < $2 ORDER BY created_at DESC LIMIT $3");
            self.select(kind, &condition, &[&(kind as i16), &before, &limit]).await
        })
    }

    fn count_documents(&self, _kind: DocumentKind, _name: &'static str, _value: String) -> Answer<'_, u64> {
        Answer::ready(left_out("index keys"))
    }

    fn aged_documents(&self, query: Aged) -> Answer<'_, Vec<Document>> {
        let Aged { kind, deleted, from, before, limit } = query;
        Answer::later(async move {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let condition = "kind = $1 AND deleted = $2 AND NOT live AND created_at >= $3 AND created_at < $4 \
                             ORDER BY created_at LIMIT $5";
            self.select(kind, condition, &[&(kind as i16), &deleted, &from, &before, &limit]).await
        })
    }

    fn newest_document(&self) -> Answer<'_, i64> {
        Answer::later(async move {
            let row = self.reads.0.query_one("SELECT coalesce(max(created_at), 0) FROM document", &[]);
            row.await.and_then(|row| row.try_get(0)).map_err(failed)
        })
    }
}

impl Writes for PostgresProof {
    fn commit(&self, changes: Vec<Change>) -> Answer<'_, Vec<Record>> {
        // A task of its own completes the write if the answer is dropped.
        let write = tokio::spawn(transactions::run(Arc::clone(&self.node), Work::Commit(changes)));
        Answer::later(async move { join(write).await.map(|()| Vec::new()) })
    }

    fn reset(&self, account: Option<i64>, _accounts: bool) -> Answer<'_, ()> {
        if account.is_some() {
            return Answer::ready(left_out("accounts"));
        }
        Answer::later(join(tokio::spawn(transactions::run(Arc::clone(&self.node), Work::Reset))))
    }
}

async fn join(write: tokio::task::JoinHandle<Result<(), StoreError>>) -> Result<(), StoreError> {
    write.await.unwrap_or(Err(StoreError::Unknown))
}

impl ChangeFeed for PostgresProof {
    fn follow(&self, interest: Interest) -> Follower {
        self.node.feed.follow(interest)
    }

    fn wakes(&self) -> watch::Receiver<u64> {
        self.node.feed.wakes()
    }
}
