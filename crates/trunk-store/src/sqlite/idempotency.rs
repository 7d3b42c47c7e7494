//! Idempotency keys: their use by requests, and the responses to these.

use didww_types::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::error::failed;
use super::row::uuid;
use crate::StoreError;
use crate::idempotency::{
    IdempotencyKey, KeptResponse, KeyUse, MAX_BYTES_PER_SCOPE, MAX_KEYS_PER_SCOPE, UsedKey,
};

/// Returns the last use of a key.
pub(super) fn find(connection: &Connection, key: IdempotencyKey) -> Result<Option<UsedKey>, StoreError> {
    connection
        .prepare_cached(
            "SELECT fingerprint, request, used_at, status, content_type, body FROM idempotency_key \
             WHERE scope = ?1 AND digest = ?2",
        )
        .map_err(failed)?
        .query_row(params![key.scope.to_string(), key.digest.as_slice()], used_key)
        .optional()
        .map_err(failed)
}

fn used_key(row: &Row<'_>) -> rusqlite::Result<UsedKey> {
    let status: Option<u16> = row.get(3)?;
    let response = match status {
        Some(status) => Some(KeptResponse { status, content_type: row.get(4)?, body: row.get(5)? }),
        None => None,
    };
    Ok(UsedKey {
        fingerprint: row.get(0)?,
        request: uuid(row, 1)?,
        used_at: Timestamp::from_unix_millis(row.get(2)?),
        response,
    })
}

/// Stores the use of a key, if it is not stored yet. Returns the number of its row.
///
/// # Errors
/// [`StoreError::Conflict`] if another request has used the key.
pub(super) fn claim(connection: &Connection, used: &KeyUse) -> Result<i64, StoreError> {
    let scope = used.key.scope.to_string();
    let existing = connection
        .prepare_cached(
            "SELECT number, request, used_at FROM idempotency_key WHERE scope = ?1 AND digest = ?2",
        )
        .map_err(failed)?
        .query_row(params![scope, used.key.digest.as_slice()], |row| {
            Ok((row.get::<_, i64>(0)?, uuid(row, 1)?, row.get::<_, i64>(2)?))
        })
        .optional()
        .map_err(failed)?;
    match existing {
        Some((number, request, _)) if request == used.request => return Ok(number),
        Some((number, _, used_at)) if used_at <= used.expired_at.as_unix_millis() => {
            delete(connection, number)?;
        }
        Some(_) => return Err(StoreError::Conflict),
        None => {}
    }
    connection
        .prepare_cached(
            "INSERT INTO idempotency_key (scope, digest, fingerprint, request, used_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .map_err(failed)?
        .execute(params![
            scope,
            used.key.digest.as_slice(),
            used.fingerprint.as_slice(),
            used.request.as_bytes().as_slice(),
            used.used_at.as_unix_millis(),
        ])
        .map_err(failed)?;
    let number = connection.last_insert_rowid();
    count(connection, &scope, 1, 0)?;
    forget_surplus(connection, &scope, number)?;
    Ok(number)
}

/// Stores the response to the request that used a key.
///
/// # Errors
/// [`StoreError::Conflict`] if another request has used the key.
pub(super) fn keep(
    connection: &Connection,
    used: &KeyUse,
    response: &KeptResponse,
) -> Result<(), StoreError> {
    let number = claim(connection, used)?;
    let changed = connection
        .prepare_cached(
            "UPDATE idempotency_key SET used_at = ?2, status = ?3, content_type = ?4, body = ?5 \
             WHERE number = ?1 AND status IS NULL",
        )
        .map_err(failed)?
        .execute(params![
            number,
            used.used_at.as_unix_millis(),
            response.status,
            response.content_type,
            response.body,
        ])
        .map_err(failed)?;
    if changed > 0 {
        let scope = used.key.scope.to_string();
        count(connection, &scope, 0, i64::try_from(response.body.len()).unwrap_or(i64::MAX))?;
        forget_surplus(connection, &scope, number)?;
    }
    Ok(())
}

/// Deletes keys that were used at a time or before. Returns the number of deleted keys.
pub(super) fn forget(connection: &Connection, until: Timestamp, most: u64) -> Result<u64, StoreError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let numbers: Vec<i64> = connection
        .prepare_cached("SELECT number FROM idempotency_key WHERE used_at <= ?1 ORDER BY used_at LIMIT ?2")
        .map_err(failed)?
        .query_map(params![until.as_unix_millis(), most], |row| row.get(0))
        .map_err(failed)?
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    for number in &numbers {
        delete(connection, *number)?;
    }
    Ok(numbers.len() as u64)
}

/// Deletes the keys of an account, or those of all accounts and customers. Those of the control API stay: the request
/// for the reset may have one.
pub(super) fn reset(connection: &Connection, account: Option<i64>) -> Result<(), StoreError> {
    for table in ["idempotency_key", "idempotency_scope"] {
        let sql = format!(
            "DELETE FROM {table} WHERE scope <> 'control' AND (?1 IS NULL OR scope = 'account ' || ?1)"
        );
        connection.execute(&sql, params![account]).map_err(failed)?;
    }
    Ok(())
}

/// Deletes keys until the scope is within its bounds: those with a response first, the oldest first, and never
/// `newest`.
fn forget_surplus(connection: &Connection, scope: &str, newest: i64) -> Result<(), StoreError> {
    loop {
        let (keys, bytes): (i64, i64) = connection
            .prepare_cached("SELECT keys, bytes FROM idempotency_scope WHERE scope = ?1")
            .map_err(failed)?
            .query_row(params![scope], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(failed)?;
        let is_within = |count: i64, most: u64| u64::try_from(count).unwrap_or_default() <= most;
        if is_within(keys, MAX_KEYS_PER_SCOPE) && is_within(bytes, MAX_BYTES_PER_SCOPE) {
            return Ok(());
        }
        let oldest: Option<i64> = connection
            .prepare_cached(
                "SELECT number FROM idempotency_key WHERE scope = ?1 AND number <> ?2 \
                 ORDER BY (status IS NULL), number LIMIT 1",
            )
            .map_err(failed)?
            .query_row(params![scope, newest], |row| row.get(0))
            .optional()
            .map_err(failed)?;
        let Some(oldest) = oldest else { return Ok(()) };
        delete(connection, oldest)?;
    }
}

fn delete(connection: &Connection, number: i64) -> Result<(), StoreError> {
    let deleted: Option<(String, i64)> = connection
        .prepare_cached(
            "DELETE FROM idempotency_key WHERE number = ?1 RETURNING scope, coalesce(length(body), 0)",
        )
        .map_err(failed)?
        .query_row(params![number], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .map_err(failed)?;
    let Some((scope, bytes)) = deleted else { return Ok(()) };
    count(connection, &scope, -1, -bytes)?;
    connection
        .prepare_cached("DELETE FROM idempotency_scope WHERE scope = ?1 AND keys <= 0")
        .map_err(failed)?
        .execute(params![scope])
        .map(|_| ())
        .map_err(failed)
}

/// Adds to the number of keys of a scope, and to the bytes of their bodies.
fn count(connection: &Connection, scope: &str, keys: i64, bytes: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO idempotency_scope (scope, keys, bytes) VALUES (?1, ?2, ?3) \
             ON CONFLICT (scope) DO UPDATE SET keys = keys + ?2, bytes = bytes + ?3",
        )
        .map_err(failed)?
        .execute(params![scope, keys, bytes])
        .map(|_| ())
        .map_err(failed)
}
