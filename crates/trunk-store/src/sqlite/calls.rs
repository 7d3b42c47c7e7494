//! The records of calls that ended or were refused.

use didww_types::Timestamp;
use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::error::failed;
use super::row::uuid;
use crate::{CallQuery, StoreError, StoredCall, StoredCharge};

/// Inserts a call record. An existing record with the same id is unchanged: the caller repeats a write whose outcome it
/// does not know.
pub(super) fn insert(connection: &Connection, call: &StoredCall) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO call \
             (id, account, trunk, ended_at, cause, code, source, destination, price, call_id, attributes) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO NOTHING",
        )
        .map_err(failed)?
        .execute(params![
            call.id.as_bytes().as_slice(),
            call.account,
            call.trunk.as_bytes().as_slice(),
            call.ended_at.as_unix_millis(),
            call.cause,
            call.code,
            call.source,
            call.destination,
            call.price,
            call.call_id,
            call.attributes,
        ])
        .map(|_| ())
        .map_err(failed)
}

/// A member of a record's attributes, for which there is no index.
macro_rules! member {
    ($name:literal) => {
        concat!("json_extract(CASE WHEN json_valid(attributes) THEN attributes END, '$.", $name, "') = ?")
    };
}

pub(super) fn list(connection: &Connection, query: &CallQuery) -> Result<Vec<StoredCall>, StoreError> {
    Ok(select(connection, query, None)?.into_iter().map(|(_, call)| call).collect())
}

/// The records behind a number, the lowest first, or with `None` all of them, the highest first. Each has its number.
pub(super) fn select(
    connection: &Connection,
    query: &CallQuery,
    after: Option<i64>,
) -> Result<Vec<(i64, StoredCall)>, StoreError> {
    let mut conditions = vec!["1".to_owned()];
    let mut parameters: Vec<SqlValue> = Vec::new();
    let mut add = |condition: &str, value: Option<SqlValue>| {
        if let Some(value) = value {
            parameters.push(value);
            conditions.push(condition.replace('?', &format!("?{}", parameters.len())));
        }
    };
    add("account = ?", query.account.map(SqlValue::Integer));
    add("trunk = ?", query.trunk.map(|id| SqlValue::Blob(id.as_bytes().to_vec())));
    add("cause = ?", query.cause.map(|cause| SqlValue::Integer(cause.into())));
    add("call_id = ?", query.call_id.clone().map(SqlValue::Text));
    add(member!("source_ip"), query.source_ip.map(|ip| SqlValue::Text(ip.to_string())));
    add(member!("check"), query.check.clone().map(SqlValue::Text));
    let number = query.number.clone().map(SqlValue::Text);
    add("(instr(source, ?) > 0 OR instr(destination, ?) > 0)", number);
    add("ended_at >= ?", query.from.map(|at| SqlValue::Integer(at.as_unix_millis())));
    add("ended_at < ?", query.to.map(|at| SqlValue::Integer(at.as_unix_millis())));
    add("number > ?", after.map(SqlValue::Integer));
    let text = format!(
        "SELECT id, account, trunk, ended_at, cause, code, source, destination, price, call_id, attributes, number \
         FROM call WHERE {} ORDER BY number {} LIMIT {}",
        conditions.join(" AND "),
        if after.is_some() { "ASC" } else { "DESC" },
        query.limit
    );
    let mut statement = connection.prepare_cached(&text).map_err(failed)?;
    let rows = statement
        .query_map(params_from_iter(parameters), |row| Ok((row.get(11)?, call(row)?)))
        .map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

fn call(row: &Row<'_>) -> rusqlite::Result<StoredCall> {
    Ok(StoredCall {
        id: uuid(row, 0)?,
        account: row.get(1)?,
        trunk: uuid(row, 2)?,
        ended_at: Timestamp::from_unix_millis(row.get(3)?),
        cause: row.get(4)?,
        code: row.get(5)?,
        source: row.get(6)?,
        destination: row.get(7)?,
        price: row.get(8)?,
        call_id: row.get(9)?,
        attributes: row.get(10)?,
    })
}

/// Deletes the records that ended before a time, among the `max` records with the lowest numbers. Records are written in
/// the order of time, so the lowest numbers are the oldest, and no index on the time is needed.
pub(super) fn delete_oldest(connection: &Connection, before: Timestamp, max: u64) -> Result<u64, StoreError> {
    let deleted = connection
        .prepare_cached(
            "DELETE FROM call WHERE ended_at < ?1 AND number IN (SELECT number FROM call ORDER BY number LIMIT ?2)",
        )
        .and_then(|mut delete| delete.execute(params![before.as_unix_millis(), i64::try_from(max).unwrap_or(i64::MAX)]))
        .map_err(failed)?;
    Ok(u64::try_from(deleted).unwrap_or_default())
}

pub(super) fn charges_since(
    connection: &Connection,
    from: Timestamp,
) -> Result<Vec<StoredCharge>, StoreError> {
    let mut statement = connection
        .prepare_cached(
            "SELECT trunk, ended_at, price, account, id FROM call WHERE price <> '0' AND ended_at >= ?1",
        )
        .map_err(failed)?;
    let rows = statement
        .query_map(params![from.as_unix_millis()], |row| {
            Ok(StoredCharge {
                trunk: uuid(row, 0)?,
                ended_at: Timestamp::from_unix_millis(row.get(1)?),
                price: row.get(2)?,
                account: row.get(3)?,
                id: uuid(row, 4)?,
            })
        })
        .map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}
