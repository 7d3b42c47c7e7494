//! The keys that sign access tokens: in their table, and as a list in the directory.

use std::sync::Arc;

use didww_types::Timestamp;
use rusqlite::{Connection, Row, params};

use super::error::failed;
use super::row::uuid;
use crate::StoreError;
use crate::token_key::{MAX_TOKEN_KEYS, TokenKey, TokenKeyRotation};

/// Reads the keys, the oldest first.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Arc<[TokenKey]>> {
    let mut statement =
        connection.prepare_cached("SELECT id, secret, created_at FROM token_key ORDER BY created_at, id")?;
    statement.query_map([], token_key)?.collect()
}

fn token_key(row: &Row<'_>) -> rusqlite::Result<TokenKey> {
    Ok(TokenKey {
        id: uuid(row, 0)?,
        secret: row.get(1)?,
        created_at: Timestamp::from_unix_millis(row.get(2)?),
    })
}

/// Adds a key and removes old ones. Returns the keys afterwards.
pub(super) fn rotate(
    connection: &Connection,
    rotation: &TokenKeyRotation,
) -> Result<Arc<[TokenKey]>, StoreError> {
    let TokenKeyRotation { new, unless_since, remove_succeeded_until } = rotation;
    let keys = load(connection).map_err(failed)?;
    let newest = keys.last().map(|newest| newest.created_at);
    if unless_since.is_some_and(|since| newest.is_some_and(|newest| newest > since)) {
        return Ok(keys);
    }
    connection
        .prepare_cached("INSERT INTO token_key (id, secret, created_at) VALUES (?1, ?2, ?3)")
        .map_err(failed)?
        .execute(params![
            new.id.as_bytes().as_slice(),
            new.secret.as_slice(),
            new.created_at.as_unix_millis(),
        ])
        .map_err(failed)?;
    let successors = keys.iter().skip(1).map(|key| key.created_at).chain([new.created_at]);
    let surplus = (keys.len() + 1).saturating_sub(MAX_TOKEN_KEYS);
    for (index, (key, succeeded_at)) in keys.iter().zip(successors).enumerate() {
        let is_over = remove_succeeded_until.is_none_or(|until| succeeded_at <= until);
        if is_over || index < surplus {
            connection
                .prepare_cached("DELETE FROM token_key WHERE id = ?1")
                .map_err(failed)?
                .execute(params![key.id.as_bytes().as_slice()])
                .map_err(failed)?;
        }
    }
    load(connection).map_err(failed)
}
