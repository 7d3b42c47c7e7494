//! Calls that were answered and have not ended, and the last time at which they are known to have been running.

use didww_types::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::error::failed;
use super::row::uuid;
use crate::{RunningCall, RunningCalls, StoreError};

/// The number of the node that runs the calls. A database in a file has one node.
pub(super) const NODE: i64 = 0;

/// Inserts a call that was answered, unless its record exists already, because the call ended before this write.
pub(super) fn insert(connection: &Connection, call: &RunningCall) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO running_call (id, node, account, trunk, answered_at, acknowledged, attributes) \
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE NOT EXISTS (SELECT 1 FROM call WHERE id = ?1) \
             ON CONFLICT (id) DO UPDATE SET acknowledged = max(acknowledged, excluded.acknowledged)",
        )
        .map_err(failed)?
        .execute(params![
            call.id.as_bytes().as_slice(),
            NODE,
            call.account,
            call.trunk.as_bytes().as_slice(),
            call.answered_at.as_unix_millis(),
            call.acknowledged,
            call.attributes,
        ])
        .map(|_| ())
        .map_err(failed)
}

/// Marks a call as acknowledged by the caller.
pub(super) fn acknowledge(connection: &Connection, id: Uuid) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE running_call SET acknowledged = 1 WHERE id = ?1")
        .and_then(|mut update| update.execute([id.as_bytes().as_slice()]))
        .map(|_| ())
        .map_err(failed)
}

/// Stores the time until which all running calls are known to have been running.
pub(super) fn set_step(connection: &Connection, at: Timestamp) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO call_step VALUES (?1, ?2) ON CONFLICT (node) DO UPDATE SET at = excluded.at",
        )
        .and_then(|mut upsert| upsert.execute(params![NODE, at.as_unix_millis()]))
        .map(|_| ())
        .map_err(failed)
}

/// Deletes a call whose record replaces it.
pub(super) fn delete(connection: &Connection, id: Uuid) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM running_call WHERE id = ?1")
        .and_then(|mut delete| delete.execute([id.as_bytes().as_slice()]))
        .map(|_| ())
        .map_err(failed)
}

/// Returns all running calls, in the order in which they were answered.
pub(super) fn list(connection: &Connection) -> Result<RunningCalls, StoreError> {
    let step = connection
        .query_row("SELECT at FROM call_step WHERE node = ?1", [NODE], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    let mut statement = connection
        .prepare(
            "SELECT id, account, trunk, answered_at, acknowledged, attributes FROM running_call \
             WHERE node = ?1 ORDER BY number",
        )
        .map_err(failed)?;
    let rows = statement
        .query_map([NODE], |row| {
            Ok(RunningCall {
                id: uuid(row, 0)?,
                account: row.get(1)?,
                trunk: uuid(row, 2)?,
                answered_at: Timestamp::from_unix_millis(row.get(3)?),
                acknowledged: row.get(4)?,
                attributes: row.get(5)?,
            })
        })
        .map_err(failed)?;
    let calls = rows.collect::<Result<_, _>>().map_err(failed)?;
    Ok(RunningCalls { calls, step: step.map(Timestamp::from_unix_millis) })
}
