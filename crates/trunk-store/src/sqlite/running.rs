//! Calls that were answered and are not over, and up to when they are known to have been up.

use didww_types::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::error::failed;
use super::uuid;
use crate::{RunningCall, RunningCalls, StoreError};

/// The one node that a database in a file has.
const NODE: i64 = 0;

/// Keeps a call that was answered. Where its record is there already, it is over: its row came late.
pub(super) fn keep(connection: &Connection, call: &RunningCall) -> Result<(), StoreError> {
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

/// Notes that the caller acknowledged the answer.
pub(super) fn acknowledge(connection: &Connection, id: Uuid) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE running_call SET acknowledged = 1 WHERE id = ?1")
        .and_then(|mut update| update.execute([id.as_bytes().as_slice()]))
        .map(|_| ())
        .map_err(failed)
}

/// Notes up to when all calls are known to have been up.
pub(super) fn step(connection: &Connection, at: Timestamp) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO call_step VALUES (?1, ?2) ON CONFLICT (node) DO UPDATE SET at = excluded.at",
        )
        .and_then(|mut upsert| upsert.execute(params![NODE, at.as_unix_millis()]))
        .map(|_| ())
        .map_err(failed)
}

/// Forgets a call whose record takes its place.
pub(super) fn forget(connection: &Connection, id: Uuid) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM running_call WHERE id = ?1")
        .and_then(|mut delete| delete.execute([id.as_bytes().as_slice()]))
        .map(|_| ())
        .map_err(failed)
}

/// All of them, in the order of their answers.
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
