//! The nodes of the database.
//!
//! Each change of a node locks its row, so a heartbeat and a takeover follow each other: a node that was taken
//! over has no further heartbeat, and one that had a heartbeat since it was read is not taken over.

use std::time::Duration;

use didww_types::Timestamp;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::failure::Done;
use super::parameter::Parameter;
use super::run::{Line, WRITE_LIMIT};
use super::transaction::Transaction;
use super::{PostgresStore, calls, migrate};
use crate::{Answer, Node, Nodes, RunningCalls, StoreError};

/// The connections and the time limit for writes about nodes, which wait for no request and no call.
const VITAL: (Line, Duration) = (Line::Vital, WRITE_LIMIT);

/// The nodes that had a heartbeat or have calls. A node that was removed and has calls answered these before it learned
/// that it was taken over. The nodes of calls are found one after the other by their index.
const NODES: &str = "WITH RECURSIVE runs (node) AS (\
         SELECT min(node) FROM running_call UNION ALL \
         SELECT (SELECT min(r.node) FROM running_call r WHERE r.node > runs.node) FROM runs \
         WHERE runs.node IS NOT NULL) \
     SELECT number, beats, beat_at, heir FROM node \
     WHERE NOT removed OR number IN (SELECT node FROM runs WHERE node IS NOT NULL) \
     UNION ALL \
     SELECT runs.node, 0, NULL, NULL FROM runs \
     WHERE runs.node IS NOT NULL AND NOT EXISTS (SELECT 1 FROM node WHERE node.number = runs.node) \
     ORDER BY 1";

/// Takes a number that no node had before: the nonces of one node must not count as those of another.
pub(super) async fn claim(client: &Client) -> Done<i64> {
    let next = "INSERT INTO node_number AS n (only_row, last) VALUES (true, 1) \
                ON CONFLICT (only_row) DO UPDATE SET last = n.last + 1 RETURNING last";
    let rows = migrate::alone(client, next, &[]).await?;
    let row = rows.first().ok_or_else(|| StoreError::Failed("this node got no number".to_owned()))?;
    Ok(row.try_get(0)?)
}

async fn list(client: &Client) -> Done<Vec<Node>> {
    client.query_typed(NODES, &[]).await?.iter().map(node).collect()
}

fn node(row: &Row) -> Done<Node> {
    Ok(Node {
        number: row.try_get(0)?,
        beats: row.try_get(1)?,
        beat_at: row.try_get::<_, Option<i64>>(2)?.map(Timestamp::from_unix_millis),
        heir: row.try_get(3)?,
    })
}

async fn beat(transaction: &Transaction<'_>, at: Timestamp) -> Done<i64> {
    let upsert = "INSERT INTO node AS n (number, beats, beat_at, heir, removed) VALUES ($1, 1, $2, NULL, false) \
                  ON CONFLICT (number) DO UPDATE SET beats = n.beats + 1, beat_at = excluded.beat_at \
                  WHERE n.heir IS NULL RETURNING beats";
    let own = transaction.node.number;
    let at = at.as_unix_millis();
    let parameters: [Parameter<'_>; 2] = [(&own, Type::INT8), (&at, Type::INT8)];
    let counted = transaction.query_typed_opt(upsert, &parameters).await?;
    Ok(counted.ok_or(StoreError::Conflict)?.try_get(0)?)
}

/// Becomes the heir of a node whose row is unchanged since it was read.
const TAKE_OVER: &str = "UPDATE node SET heir = $2, removed = false \
     WHERE number = $1 AND beats = $3 AND (heir IS NOT DISTINCT FROM $4 OR heir = $2) \
     AND (NOT removed OR EXISTS (SELECT 1 FROM running_call WHERE node = $1))";
/// Becomes the heir of a node that never had a heartbeat.
const TAKE_OVER_UNKNOWN: &str = "INSERT INTO node (number, beats, beat_at, heir, removed) \
     SELECT $1, 0, NULL, $2, false WHERE EXISTS (SELECT 1 FROM running_call WHERE node = $1) \
     ON CONFLICT (number) DO NOTHING";

async fn take_over(transaction: &Transaction<'_>, dead: Node) -> Done<RunningCalls> {
    let own = transaction.node.number;
    if dead.number == own {
        return Err(StoreError::Conflict.into());
    }
    let parameters = &[
        (&dead.number as _, Type::INT8),
        (&own as _, Type::INT8),
        (&dead.beats as _, Type::INT8),
        (&dead.heir as _, Type::INT8),
    ];
    let mut taken = transaction.execute_typed(TAKE_OVER, parameters).await?;
    if taken == 0 && dead.beats == 0 {
        let parameters = &[(&dead.number as _, Type::INT8), (&own as _, Type::INT8)];
        taken = transaction.execute_typed(TAKE_OVER_UNKNOWN, parameters).await?;
    }
    if taken == 0 {
        return Err(StoreError::Conflict.into());
    }
    calls::running(transaction.client().await?, dead.number).await
}

/// Reads the secret of a name, or stores a new one.
async fn secret(transaction: &Transaction<'_>, (name, fresh): (&str, [u8; 32])) -> Done<[u8; 32]> {
    let insert = "INSERT INTO shared_secret (name, secret) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    let parameters = &[(&name as _, Type::TEXT), (&fresh.as_slice() as _, Type::BYTEA)];
    transaction.execute_typed(insert, parameters).await?;
    let select = "SELECT secret FROM shared_secret WHERE name = $1";
    let row = transaction.query_typed_one(select, &[(&name, Type::TEXT)]).await?;
    let stored: &[u8] = row.try_get(0)?;
    let unreadable = |_| StoreError::Corrupt(format!("the secret `{name}` has not 32 bytes"));
    Ok(stored.try_into().map_err(unreadable)?)
}

async fn remove(transaction: &Transaction<'_>, number: i64) -> Done<bool> {
    let own = transaction.node.number;
    let is_free = "NOT EXISTS (SELECT 1 FROM running_call r WHERE r.node = $1 \
                   AND NOT EXISTS (SELECT 1 FROM call c WHERE c.id = r.id))";
    let remove = if number == own {
        format!("DELETE FROM node WHERE number = $1 AND number = $2 AND heir IS NULL AND {is_free}")
    } else {
        format!(
            "UPDATE node SET removed = true WHERE number = $1 AND heir = $2 AND NOT removed AND {is_free}"
        )
    };
    let removed = transaction.execute_typed(&remove, &[(&number, Type::INT8), (&own, Type::INT8)]).await?;
    if removed == 0 {
        return Ok(false);
    }
    for delete in [
        // Only rows of calls that also have records are left: their transactions ran at the same time.
        "DELETE FROM running_call r WHERE r.node = $1 AND EXISTS (SELECT 1 FROM call c WHERE c.id = r.id)",
        "DELETE FROM call_step WHERE node = $1",
        "DELETE FROM channel WHERE node = $1",
    ] {
        transaction.execute_typed(delete, &[(&number, Type::INT8)]).await?;
    }
    Ok(true)
}

impl Nodes for PostgresStore {
    fn node(&self) -> i64 {
        self.node.number
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn shared_secret(&self, name: &'static str, fresh: [u8; 32]) -> Answer<'_, [u8; 32]> {
        self.node
            .write((name, fresh), |transaction, (name, fresh)| Box::pin(secret(transaction, (name, *fresh))))
    }

    fn heartbeat(&self, at: Timestamp) -> Answer<'_, ()> {
        let beat = self.node.write_on(VITAL, at, |transaction, at| Box::pin(beat(transaction, *at)));
        Answer::later(async move {
            self.node.freshness.note(beat.await?);
            Ok(())
        })
    }

    fn nodes(&self) -> Answer<'_, Vec<Node>> {
        Answer::later(self.node.read_on(Line::Vital, (), |client, ()| Box::pin(list(client))))
    }

    fn take_over_calls(&self, dead: Node) -> Answer<'_, RunningCalls> {
        self.node.write_on(VITAL, dead, |transaction, dead| Box::pin(take_over(transaction, *dead)))
    }

    fn remove_node(&self, number: i64) -> Answer<'_, bool> {
        let removed =
            self.node.write_on(VITAL, number, |transaction, number| Box::pin(remove(transaction, *number)));
        Answer::later(async move {
            let is_removed = removed.await?;
            if is_removed && number == self.node.number {
                self.node.freshness.forget();
            }
            Ok(is_removed)
        })
    }
}
