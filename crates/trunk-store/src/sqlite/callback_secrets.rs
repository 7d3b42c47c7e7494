//! The table of the secrets that sign callbacks. An index permits one enabled secret of an account.

use didww_types::{Secret, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::error::{failed, is_missing_reference};
use super::row::uuid;
use crate::StoreError;
use crate::callback_secret::{CallbackSecret, MAX_CALLBACK_SECRETS};

pub(super) fn add(connection: &Connection, account: i64, secret: &CallbackSecret) -> Result<(), StoreError> {
    let stored: i64 = connection
        .prepare_cached("SELECT count(*) FROM callback_secret WHERE account = ?1")
        .and_then(|mut count| count.query_row([account], |row| row.get(0)))
        .map_err(failed)?;
    if u64::try_from(stored).unwrap_or_default() >= MAX_CALLBACK_SECRETS {
        return Err(StoreError::Quota { kind: "callback_secrets", most: MAX_CALLBACK_SECRETS });
    }
    if secret.is_enabled {
        disable_all(connection, account)?;
    }
    let added = connection
        .prepare_cached(
            "INSERT INTO callback_secret (id, account, secret, enabled, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .map_err(failed)?
        .execute(params![
            secret.id.as_bytes().as_slice(),
            account,
            secret.secret.expose(),
            secret.is_enabled,
            secret.created_at.as_unix_millis(),
        ]);
    match added {
        Ok(_) => Ok(()),
        Err(error) if is_missing_reference(&error) => Err(StoreError::Conflict),
        Err(error) => Err(failed(error)),
    }
}

/// Enables the secret with this text, or adds it.
pub(super) fn ensure(
    connection: &Connection,
    account: i64,
    secret: &CallbackSecret,
) -> Result<(), StoreError> {
    let stored = connection
        .prepare_cached(
            "SELECT id FROM callback_secret WHERE account = ?1 AND secret = ?2 ORDER BY enabled DESC, created_at, id",
        )
        .map_err(failed)?
        .query_row(params![account, secret.secret.expose()], |row| uuid(row, 0))
        .optional()
        .map_err(failed)?;
    match stored {
        Some(id) => enable(connection, account, id, true).map(|_| ()),
        None => add(connection, account, &CallbackSecret { is_enabled: true, ..secret.clone() }),
    }
}

fn disable_all(connection: &Connection, account: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE callback_secret SET enabled = 0 WHERE account = ?1 AND enabled = 1")
        .and_then(|mut disable| disable.execute([account]))
        .map(|_| ())
        .map_err(failed)
}

pub(super) fn list(connection: &Connection, account: i64) -> Result<Vec<CallbackSecret>, StoreError> {
    let secret = |row: &Row<'_>| {
        Ok(CallbackSecret {
            id: uuid(row, 0)?,
            secret: Secret::new(row.get::<_, String>(1)?),
            is_enabled: row.get(2)?,
            created_at: Timestamp::from_unix_millis(row.get(3)?),
        })
    };
    let mut statement = connection
        .prepare_cached(
            "SELECT id, secret, enabled, created_at FROM callback_secret WHERE account = ?1 \
             ORDER BY created_at, id",
        )
        .map_err(failed)?;
    let secrets = statement.query_map([account], secret).map_err(failed)?;
    secrets.collect::<Result<_, _>>().map_err(failed)
}

pub(super) fn enabled(connection: &Connection, account: i64) -> Result<Option<Secret>, StoreError> {
    connection
        .prepare_cached("SELECT secret FROM callback_secret WHERE account = ?1 AND enabled = 1")
        .map_err(failed)?
        .query_row([account], |row| row.get::<_, String>(0))
        .optional()
        .map(|secret| secret.map(Secret::new))
        .map_err(failed)
}

/// Returns true if an account has an enabled secret.
pub(super) fn has_enabled(connection: &Connection, account: i64) -> Result<bool, StoreError> {
    Ok(enabled(connection, account)?.is_some())
}

/// Enables or disables a secret. Returns true if it exists.
pub(super) fn enable(
    connection: &Connection,
    account: i64,
    id: Uuid,
    is_enabled: bool,
) -> Result<bool, StoreError> {
    let is_stored = connection
        .prepare_cached("SELECT 1 FROM callback_secret WHERE account = ?1 AND id = ?2")
        .and_then(|mut find| find.exists(params![account, id.as_bytes().as_slice()]))
        .map_err(failed)?;
    if is_stored && is_enabled {
        disable_all(connection, account)?;
    }
    change(connection, "UPDATE callback_secret SET enabled = ?3 WHERE account = ?1 AND id = ?2", |update| {
        update.execute(params![account, id.as_bytes().as_slice(), is_enabled])
    })
}

/// Replaces the text of a secret. Returns true if it exists.
pub(super) fn replace(
    connection: &Connection,
    account: i64,
    id: Uuid,
    secret: &Secret,
) -> Result<bool, StoreError> {
    change(connection, "UPDATE callback_secret SET secret = ?3 WHERE account = ?1 AND id = ?2", |update| {
        update.execute(params![account, id.as_bytes().as_slice(), secret.expose()])
    })
}

/// Removes a secret. Returns true if it existed.
pub(super) fn remove(connection: &Connection, account: i64, id: Uuid) -> Result<bool, StoreError> {
    change(connection, "DELETE FROM callback_secret WHERE account = ?1 AND id = ?2", |delete| {
        delete.execute(params![account, id.as_bytes().as_slice()])
    })
}

/// Executes a statement. Returns true if it changed a row.
fn change(
    connection: &Connection,
    sql: &str,
    execute: impl FnOnce(&mut rusqlite::CachedStatement<'_>) -> rusqlite::Result<usize>,
) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    Ok(execute(&mut statement).map_err(failed)? > 0)
}
