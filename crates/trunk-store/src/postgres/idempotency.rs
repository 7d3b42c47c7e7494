//! Idempotency keys: their use by requests, and the responses to these.
//!
//! Of two requests that use a key at once, the insert of the second waits for the end of the first transaction, and
//! finds the key used. The row of the scope is locked after that, until the transaction ends, so the counts are exact.

use didww_types::Timestamp;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::PostgresStore;
use super::failure::Done;
use super::transaction::Transaction;
use crate::idempotency::{MAX_BYTES_PER_SCOPE, MAX_KEYS_PER_SCOPE};
use crate::{Answer, IdempotencyKey, IdempotencyKeys, KeptResponse, KeyUse, StoreError, UsedKey};

/// Maximum number of attempts to use a key that others use and delete meanwhile.
const ATTEMPTS: u32 = 5;

/// Stores the first use of a key, and counts it.
const INSERT: &str = "WITH used AS (\
         INSERT INTO idempotency_key (scope, digest, number, fingerprint, request, used_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (scope, digest) DO NOTHING RETURNING 1) \
     INSERT INTO idempotency_scope AS s (scope, keys, bytes) SELECT $1, 1, 0 FROM used \
     ON CONFLICT (scope) DO UPDATE SET keys = s.keys + 1 RETURNING keys, bytes";
/// Stores the use of a key whose earlier use expired.
const USE_AGAIN: &str = "UPDATE idempotency_key SET number = $3, fingerprint = $4, request = $5, used_at = $6, \
     status = NULL, content_type = NULL, body = NULL WHERE scope = $1 AND digest = $2";

/// The keys of a scope, and the bytes of their bodies.
#[derive(Debug, Clone, Copy)]
struct Count {
    keys: i64,
    bytes: i64,
}

impl Count {
    fn of(row: &Row) -> Done<Self> {
        Ok(Self { keys: row.try_get(0)?, bytes: row.try_get(1)? })
    }

    fn is_within_bounds(self) -> bool {
        let is_within = |count: i64, most: u64| u64::try_from(count).unwrap_or_default() <= most;
        is_within(self.keys, MAX_KEYS_PER_SCOPE) && is_within(self.bytes, MAX_BYTES_PER_SCOPE)
    }
}

/// Stores the use of a key, if it is not stored yet. Every transaction of a request that uses one ends with it.
///
/// # Errors
/// [`StoreError::Conflict`] if another request has used the key.
pub(super) async fn claim(transaction: &Transaction<'_>, used: &KeyUse) -> Done<()> {
    let (scope, digest) = (used.key.scope.to_string(), used.key.digest.as_slice());
    for _ in 0..ATTEMPTS {
        let number = transaction.node.number();
        let used_at = used.used_at.as_unix_millis();
        let fingerprint = used.fingerprint.as_slice();
        let parameters = &[
            (&scope as _, Type::TEXT),
            (&digest as _, Type::BYTEA),
            (&number as _, Type::INT8),
            (&fingerprint as _, Type::BYTEA),
            (&used.request as _, Type::UUID),
            (&used_at as _, Type::INT8),
        ];
        if let Some(count) = transaction.query_typed_opt(INSERT, parameters).await? {
            return forget_surplus(transaction, &scope, digest, Count::of(&count)?).await;
        }
        let select = "SELECT request, used_at, coalesce(octet_length(body), 0)::bigint FROM idempotency_key \
                      WHERE scope = $1 AND digest = $2 FOR UPDATE";
        let existing =
            transaction.query_typed_opt(select, &[(&scope, Type::TEXT), (&digest, Type::BYTEA)]).await?;
        // The key was deleted meanwhile.
        let Some(existing) = existing else { continue };
        if existing.try_get::<_, Uuid>(0)? == used.request {
            return Ok(());
        }
        if existing.try_get::<_, i64>(1)? > used.expired_at.as_unix_millis() {
            return Err(StoreError::Conflict.into());
        }
        transaction.execute_typed(USE_AGAIN, parameters).await?;
        add_bytes(transaction, &scope, -existing.try_get::<_, i64>(2)?).await?;
        return Ok(());
    }
    Err(StoreError::Overloaded.into())
}

/// Adds to the bytes of a scope.
async fn add_bytes(transaction: &Transaction<'_>, scope: &str, bytes: i64) -> Done<Count> {
    let update = "UPDATE idempotency_scope SET bytes = bytes + $2 WHERE scope = $1 RETURNING keys, bytes";
    let row = transaction.query_typed_opt(update, &[(&scope, Type::TEXT), (&bytes, Type::INT8)]).await?;
    row.map_or(Ok(Count { keys: 0, bytes: 0 }), |row| Count::of(&row))
}

/// Deletes the key of a scope that is forgotten first: one with a response, the oldest, and not the newest one.
const FORGET_OLDEST: &str = "WITH gone AS (\
         DELETE FROM idempotency_key WHERE scope = $1 AND digest = (\
             SELECT digest FROM idempotency_key WHERE scope = $1 AND digest <> $2 \
             ORDER BY (status IS NULL), number LIMIT 1) \
         RETURNING coalesce(octet_length(body), 0) AS bytes) \
     UPDATE idempotency_scope s SET keys = s.keys - 1, bytes = s.bytes - gone.bytes FROM gone \
     WHERE s.scope = $1 RETURNING s.keys, s.bytes";

/// Deletes keys until the scope, whose row is locked, is within its bounds.
async fn forget_surplus(
    transaction: &Transaction<'_>,
    scope: &str,
    newest: &[u8],
    mut count: Count,
) -> Done<()> {
    while !count.is_within_bounds() {
        let parameters = &[(&scope as _, Type::TEXT), (&newest as _, Type::BYTEA)];
        match transaction.query_typed_opt(FORGET_OLDEST, parameters).await? {
            Some(row) => count = Count::of(&row)?,
            None => break,
        }
    }
    Ok(())
}

/// Deletes the keys of one account, or all but those of the control API: the request for the reset may have one.
pub(super) async fn reset(transaction: &Transaction<'_>, account: Option<i64>) -> Done<()> {
    for table in ["idempotency_scope", "idempotency_key"] {
        let delete = format!(
            "DELETE FROM {table} WHERE scope <> 'control' AND ($1 IS NULL OR scope = 'account ' || $1::text)"
        );
        transaction.execute_typed(&delete, &[(&account, Type::INT8)]).await?;
    }
    Ok(())
}

async fn find(client: &Client, key: IdempotencyKey) -> Done<Option<UsedKey>> {
    let select = "SELECT fingerprint, request, used_at, status, content_type, body FROM idempotency_key \
                  WHERE scope = $1 AND digest = $2";
    let (scope, digest) = (key.scope.to_string(), key.digest.as_slice());
    let row = client.query_typed_opt(select, &[(&scope, Type::TEXT), (&digest, Type::BYTEA)]).await?;
    row.map(|row| used_key(&row)).transpose()
}

/// Writes the use of a key as it is. What a repeated request is answered with, a response that is replayed or the
/// refusal because there is none, claims that the first one was carried out, and rests on a read: of a primary that was
/// restarted, or whose commit was interrupted while it waited for a standby, a failover could lose what it shows. The
/// commit of this write waits for a standby that has all of it.
async fn confirm(transaction: &Transaction<'_>, key: IdempotencyKey) -> Done<()> {
    let (scope, digest) = (key.scope.to_string(), key.digest.as_slice());
    let update = "UPDATE idempotency_key SET used_at = used_at WHERE scope = $1 AND digest = $2";
    transaction.execute_typed(update, &[(&scope, Type::TEXT), (&digest, Type::BYTEA)]).await?;
    Ok(())
}

fn used_key(row: &Row) -> Done<UsedKey> {
    let fingerprint: &[u8] = row.try_get(0)?;
    let fingerprint = fingerprint
        .try_into()
        .map_err(|_| StoreError::Corrupt("a fingerprint has not 32 bytes".to_owned()))?;
    let status: Option<i32> = row.try_get(3)?;
    let response = match status {
        Some(status) => Some(KeptResponse {
            status: u16::try_from(status).unwrap_or_default(),
            content_type: row.try_get(4)?,
            body: row.try_get(5)?,
        }),
        None => None,
    };
    Ok(UsedKey {
        fingerprint,
        request: row.try_get(1)?,
        used_at: Timestamp::from_unix_millis(row.try_get(2)?),
        response,
    })
}

/// Stores the use of a key together with its response, or the response to a use that has none, and counts both.
const KEEP: &str = "WITH kept AS (\
         INSERT INTO idempotency_key AS k \
             (scope, digest, number, fingerprint, request, used_at, status, content_type, body) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (scope, digest) DO UPDATE \
         SET used_at = excluded.used_at, status = excluded.status, content_type = excluded.content_type, \
             body = excluded.body WHERE k.request = excluded.request AND k.status IS NULL \
         RETURNING k.number = $3 AS is_new) \
     INSERT INTO idempotency_scope AS s (scope, keys, bytes) \
     SELECT $1, CASE WHEN is_new THEN 1 ELSE 0 END, $10 FROM kept \
     ON CONFLICT (scope) DO UPDATE SET keys = s.keys + excluded.keys, bytes = s.bytes + excluded.bytes \
     RETURNING keys, bytes";

async fn keep(transaction: &Transaction<'_>, used: &KeyUse, response: &KeptResponse) -> Done<()> {
    let (scope, digest) = (used.key.scope.to_string(), used.key.digest.as_slice());
    let bytes = i64::try_from(response.body.len()).unwrap_or(i64::MAX);
    for _ in 0..2 {
        let number = transaction.node.number();
        let kept = transaction
            .query_typed_opt(
                KEEP,
                &[
                    (&scope, Type::TEXT),
                    (&digest, Type::BYTEA),
                    (&number, Type::INT8),
                    (&used.fingerprint.as_slice(), Type::BYTEA),
                    (&used.request, Type::UUID),
                    (&used.used_at.as_unix_millis(), Type::INT8),
                    (&i32::from(response.status), Type::INT4),
                    (&response.content_type, Type::TEXT),
                    (&response.body, Type::BYTEA),
                    (&bytes, Type::INT8),
                ],
            )
            .await?;
        if let Some(count) = kept {
            return forget_surplus(transaction, &scope, digest, Count::of(&count)?).await;
        }
        // The request has a response already, or another one used the key: it expired, or this one is refused.
        claim(transaction, used).await?;
    }
    Ok(())
}

/// The keys that were used at a time or before, the oldest first.
macro_rules! old {
    () => {
        "SELECT scope, digest FROM idempotency_key WHERE used_at <= $1 ORDER BY used_at, number LIMIT $2"
    };
}

/// Locks the scopes of old keys.
const LOCK_SCOPES: &str = concat!(
    "SELECT scope FROM idempotency_scope WHERE scope IN (SELECT scope FROM (",
    old!(),
    ") AS old) ORDER BY scope FOR UPDATE"
);
/// Deletes the keys that were used at a time or before, at most a number of them.
const FORGET: &str = concat!(
    "WITH gone AS (DELETE FROM idempotency_key k USING (",
    old!(),
    ") AS old WHERE k.scope = old.scope AND k.digest = old.digest AND k.used_at <= $1 \
         RETURNING k.scope, coalesce(octet_length(k.body), 0) AS bytes), \
     counted AS (\
         UPDATE idempotency_scope s SET keys = s.keys - g.keys, bytes = s.bytes - g.bytes FROM (\
             SELECT scope, count(*) AS keys, sum(bytes) AS bytes FROM gone GROUP BY scope) AS g \
         WHERE s.scope = g.scope) \
     SELECT count(*) FROM gone"
);

async fn forget(transaction: &Transaction<'_>, until: Timestamp, most: u64) -> Done<u64> {
    let (until, most) = (until.as_unix_millis(), i64::try_from(most).unwrap_or(i64::MAX));
    let parameters = &[(&until as _, Type::INT8), (&most as _, Type::INT8)];
    let scopes = transaction.query_typed(LOCK_SCOPES, parameters).await?;
    let scopes: Vec<String> = scopes.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let forgotten: i64 = transaction.query_typed_one(FORGET, parameters).await?.try_get(0)?;
    let delete = "DELETE FROM idempotency_scope WHERE scope = ANY ($1) AND keys <= 0";
    transaction.execute_typed(delete, &[(&scopes, Type::TEXT_ARRAY)]).await?;
    Ok(u64::try_from(forgotten).unwrap_or_default())
}

impl IdempotencyKeys for PostgresStore {
    fn used_key(&self, key: IdempotencyKey) -> Answer<'_, Option<UsedKey>> {
        Answer::later(async move {
            let found = self.node.read(key, |client, key| Box::pin(find(client, *key))).await?;
            if found.is_some() {
                self.node.write(key, |transaction, key| Box::pin(confirm(transaction, *key))).await?;
            }
            Ok(found)
        })
    }

    fn keep_response(&self, used: KeyUse, response: KeptResponse) -> Answer<'_, ()> {
        self.node.write((used, response), |transaction, (used, response)| {
            Box::pin(keep(transaction, used, response))
        })
    }

    fn forget_keys(&self, until: Timestamp, most: u64) -> Answer<'_, u64> {
        self.node
            .write((until, most), |transaction, (until, most)| Box::pin(forget(transaction, *until, *most)))
    }
}
