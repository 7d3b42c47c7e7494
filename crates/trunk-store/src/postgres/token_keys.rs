//! The keys that sign access tokens, in their table.

use std::sync::Arc;

use didww_types::Timestamp;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::failure::Done;
use super::transaction::{Announcement, Transaction};
use crate::token_key::MAX_TOKEN_KEYS;
use crate::{StoreError, TokenKey, TokenKeyRotation};

/// Reads the keys, the oldest first.
pub(super) async fn load(client: &Client) -> Done<Arc<[TokenKey]>> {
    let select = "SELECT id, secret, created_at FROM token_key ORDER BY created_at, id";
    client.query_typed(select, &[]).await?.iter().map(token_key).collect()
}

fn token_key(row: &Row) -> Done<TokenKey> {
    let secret: &[u8] = row.try_get(1)?;
    let secret =
        secret.try_into().map_err(|_| StoreError::Corrupt("a token key has not 32 bytes".to_owned()))?;
    Ok(TokenKey { id: row.try_get(0)?, secret, created_at: Timestamp::from_unix_millis(row.try_get(2)?) })
}

/// Adds a key and removes old ones, and announces that the keys changed if they did. Returns the keys afterwards.
pub(super) async fn rotate(
    transaction: &Transaction<'_>,
    rotation: &TokenKeyRotation,
) -> Done<Arc<[TokenKey]>> {
    let TokenKeyRotation { new, unless_since, remove_succeeded_until } = rotation;
    let lock = "INSERT INTO token_rotation (only_row) VALUES (true) \
                ON CONFLICT (only_row) DO UPDATE SET only_row = excluded.only_row";
    transaction.execute_typed(lock, &[]).await?;
    let keys = load(transaction.client().await?).await?;
    let newest = keys.last().map(|newest| newest.created_at);
    if unless_since.is_some_and(|since| newest.is_some_and(|newest| newest > since)) {
        return Ok(keys);
    }
    transaction
        .execute_typed(
            "INSERT INTO token_key (id, secret, created_at) VALUES ($1, $2, $3)",
            &[
                (&new.id, Type::UUID),
                (&new.secret.as_slice(), Type::BYTEA),
                (&new.created_at.as_unix_millis(), Type::INT8),
            ],
        )
        .await?;
    let successors = keys.iter().skip(1).map(|key| key.created_at).chain([new.created_at]);
    let surplus = (keys.len() + 1).saturating_sub(MAX_TOKEN_KEYS);
    let over = keys.iter().zip(successors).enumerate().filter(|(index, (_, succeeded_at))| {
        *index < surplus || remove_succeeded_until.is_none_or(|until| *succeeded_at <= until)
    });
    let over: Vec<Uuid> = over.map(|(_, (key, _))| key.id).collect();
    transaction
        .execute_typed("DELETE FROM token_key WHERE id = ANY ($1)", &[(&over, Type::UUID_ARRAY)])
        .await?;
    transaction.announce(Announcement::TokenKeys);
    load(transaction.client().await?).await
}
