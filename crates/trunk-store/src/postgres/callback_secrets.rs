//! The secrets that sign callbacks. None is kept in memory.
//!
//! Adding or enabling a secret locks the account: at most one is enabled, and an index permits no second one.

use didww_types::{Secret, Timestamp};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::PostgresStore;
use super::failure::Done;
use super::transaction::Transaction;
use crate::{Answer, CallbackSecret, CallbackSecrets, MAX_CALLBACK_SECRETS, StoreError};

/// Locks an account. Returns false if it does not exist.
async fn lock_account(transaction: &Transaction<'_>, account: i64) -> Done<bool> {
    let select = "SELECT 1 FROM account WHERE number = $1 FOR UPDATE";
    Ok(transaction.query_typed_opt(select, &[(&account, Type::INT8)]).await?.is_some())
}

async fn disable_all(transaction: &Transaction<'_>, account: i64) -> Done<()> {
    let update = "UPDATE callback_secret SET enabled = false WHERE account = $1 AND enabled";
    transaction.execute_typed(update, &[(&account, Type::INT8)]).await?;
    Ok(())
}

async fn add(transaction: &Transaction<'_>, account: i64, secret: &CallbackSecret) -> Done<()> {
    if !lock_account(transaction, account).await? {
        return Err(StoreError::Conflict.into());
    }
    let select = "SELECT count(*) FROM callback_secret WHERE account = $1";
    let stored: i64 = transaction.query_typed_one(select, &[(&account, Type::INT8)]).await?.try_get(0)?;
    if u64::try_from(stored).unwrap_or_default() >= MAX_CALLBACK_SECRETS {
        return Err(StoreError::Quota { kind: "callback_secrets", most: MAX_CALLBACK_SECRETS }.into());
    }
    if secret.is_enabled {
        disable_all(transaction, account).await?;
    }
    transaction
        .execute_typed(
            "INSERT INTO callback_secret (id, account, secret, enabled, created_at) VALUES ($1, $2, $3, $4, $5)",
            &[
                (&secret.id, Type::UUID),
                (&account, Type::INT8),
                (&secret.secret.expose(), Type::TEXT),
                (&secret.is_enabled, Type::BOOL),
                (&secret.created_at.as_unix_millis(), Type::INT8),
            ],
        )
        .await?;
    Ok(())
}

/// Enables the secret with this text, or adds it. The account is locked before it is looked for.
async fn ensure(transaction: &Transaction<'_>, account: i64, secret: &CallbackSecret) -> Done<()> {
    if !lock_account(transaction, account).await? {
        return Err(StoreError::Conflict.into());
    }
    let select = "SELECT id, enabled FROM callback_secret WHERE account = $1 AND secret = $2 \
                  ORDER BY enabled DESC, created_at, id LIMIT 1";
    let text = secret.secret.expose();
    let stored = transaction.query_typed_opt(select, &[(&account, Type::INT8), (&text, Type::TEXT)]).await?;
    match stored {
        Some(row) if row.try_get(1)? => Ok(()),
        Some(row) => enable(transaction, account, row.try_get(0)?, true).await.map(|_| ()),
        None => add(transaction, account, &CallbackSecret { is_enabled: true, ..secret.clone() }).await,
    }
}

async fn list(client: &Client, account: i64) -> Done<Vec<CallbackSecret>> {
    let select = "SELECT id, secret, enabled, created_at FROM callback_secret WHERE account = $1 \
                  ORDER BY created_at, id";
    let secret = |row: &Row| {
        Ok(CallbackSecret {
            id: row.try_get(0)?,
            secret: Secret::new(row.try_get::<_, String>(1)?),
            is_enabled: row.try_get(2)?,
            created_at: Timestamp::from_unix_millis(row.try_get(3)?),
        })
    };
    client.query_typed(select, &[(&account, Type::INT8)]).await?.iter().map(secret).collect()
}

async fn enabled(client: &Client, account: i64) -> Done<Option<Secret>> {
    let select = "SELECT secret FROM callback_secret WHERE account = $1 AND enabled";
    let row = client.query_typed_opt(select, &[(&account, Type::INT8)]).await?;
    Ok(row.map(|row| row.try_get::<_, String>(0)).transpose()?.map(Secret::new))
}

async fn enable(transaction: &Transaction<'_>, account: i64, id: Uuid, is_enabled: bool) -> Done<bool> {
    lock_account(transaction, account).await?;
    let select = "SELECT 1 FROM callback_secret WHERE account = $1 AND id = $2";
    let stored = transaction.query_typed_opt(select, &[(&account, Type::INT8), (&id, Type::UUID)]).await?;
    if stored.is_none() {
        return Ok(false);
    }
    if is_enabled {
        disable_all(transaction, account).await?;
    }
    let update = "UPDATE callback_secret SET enabled = $3 WHERE account = $1 AND id = $2";
    let parameters = &[(&account as _, Type::INT8), (&id as _, Type::UUID), (&is_enabled as _, Type::BOOL)];
    Ok(transaction.execute_typed(update, parameters).await? > 0)
}

async fn replace(transaction: &Transaction<'_>, account: i64, id: Uuid, secret: &Secret) -> Done<bool> {
    let update = "UPDATE callback_secret SET secret = $3 WHERE account = $1 AND id = $2";
    let text = secret.expose();
    let parameters = &[(&account as _, Type::INT8), (&id as _, Type::UUID), (&text as _, Type::TEXT)];
    Ok(transaction.execute_typed(update, parameters).await? > 0)
}

async fn remove(transaction: &Transaction<'_>, account: i64, id: Uuid) -> Done<bool> {
    let delete = "DELETE FROM callback_secret WHERE account = $1 AND id = $2";
    Ok(transaction.execute_typed(delete, &[(&account, Type::INT8), (&id, Type::UUID)]).await? > 0)
}

impl CallbackSecrets for PostgresStore {
    fn add_callback_secret(&self, account: i64, secret: CallbackSecret) -> Answer<'_, ()> {
        self.node.write((account, secret), |transaction, (account, secret)| {
            Box::pin(add(transaction, *account, secret))
        })
    }

    fn ensure_callback_secret(&self, account: i64, secret: CallbackSecret) -> Answer<'_, ()> {
        self.node.write((account, secret), |transaction, (account, secret)| {
            Box::pin(ensure(transaction, *account, secret))
        })
    }

    fn callback_secrets(&self, account: i64) -> Answer<'_, Vec<CallbackSecret>> {
        Answer::later(self.node.read(account, |client, account| Box::pin(list(client, *account))))
    }

    fn enabled_callback_secret(&self, account: i64) -> Answer<'_, Option<Secret>> {
        Answer::later(self.node.read(account, |client, account| Box::pin(enabled(client, *account))))
    }

    fn enable_callback_secret(&self, account: i64, id: Uuid, is_enabled: bool) -> Answer<'_, bool> {
        self.node.write((account, id, is_enabled), |transaction, (account, id, is_enabled)| {
            Box::pin(enable(transaction, *account, *id, *is_enabled))
        })
    }

    fn replace_callback_secret(&self, account: i64, id: Uuid, secret: Secret) -> Answer<'_, bool> {
        self.node.write((account, id, secret), |transaction, (account, id, secret)| {
            Box::pin(replace(transaction, *account, *id, secret))
        })
    }

    fn remove_callback_secret(&self, account: i64, id: Uuid) -> Answer<'_, bool> {
        self.node
            .write((account, id), |transaction, (account, id)| Box::pin(remove(transaction, *account, *id)))
    }
}
