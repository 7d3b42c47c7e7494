//! Accounts and their keys: in tables, and in the directory in memory (`known`), which every request reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use didww_types::values::IpNetworks;
use didww_types::{ApiVersion, Features, Timestamp};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::PostgresStore;
use super::failure::{Done, Failure};
use super::parameter::Parameter;
use super::transaction::{Announcement, Transaction};
use crate::account::{Account, ApiKey, Environment, KeyDigest, KnownKey};
use crate::{Accounts, Answer, StoreError, storable};

/// The columns that [`account`] reads.
const ACCOUNT_COLUMNS: &str = "number, id, name, version, features, rate_limit, created_at, record_quota";
/// The columns that [`api_key`] reads.
const KEY_COLUMNS: &str = "id, digest, created_at, addresses, environment, account";

/// Reads accounts with their keys: those with these numbers that exist, or all of them.
pub(super) async fn load(client: &Client, numbers: Option<&[i64]>) -> Done<Vec<(Arc<Account>, Vec<ApiKey>)>> {
    let select = format!(
        "SELECT {KEY_COLUMNS} FROM api_key WHERE $1::int8[] IS NULL OR account = ANY($1) ORDER BY created_at, id"
    );
    let parameters: [Parameter<'_>; 1] = [(&numbers, Type::INT8_ARRAY)];
    // Keys are read first: the account of each was created before, and is read too unless it was removed meanwhile.
    let mut keys: BTreeMap<i64, Vec<ApiKey>> = BTreeMap::new();
    for row in &client.query_typed(&select, &parameters).await? {
        keys.entry(row.try_get(5)?).or_default().push(api_key(row)?);
    }
    let with_keys = |account: Arc<Account>| {
        let keys = keys.remove(&account.number).unwrap_or_default();
        (account, keys)
    };
    Ok(read(client, numbers).await?.into_iter().map(with_keys).collect())
}

/// Reads accounts: those with these numbers that exist, or all of them.
async fn read(client: &Client, numbers: Option<&[i64]>) -> Done<Vec<Arc<Account>>> {
    let select = format!(
        "SELECT {ACCOUNT_COLUMNS} FROM account WHERE $1::int8[] IS NULL OR number = ANY($1) ORDER BY number"
    );
    let rows = client.query_typed(&select, &[(&numbers, Type::INT8_ARRAY)]).await?;
    rows.iter().map(|row| account(row).map(Arc::new)).collect()
}

fn account(row: &Row) -> Done<Account> {
    let version: &str = row.try_get(3)?;
    let unreadable = |what: &str| StoreError::Corrupt(format!("an account has no {what} that is known"));
    let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
    Ok(Account {
        number: row.try_get(0)?,
        id: row.try_get(1)?,
        name: row.try_get(2)?,
        version: version.parse::<ApiVersion>().map_err(|_| unreadable("version"))?,
        features: Features::from_bits(
            u8::try_from(row.try_get::<_, i64>(4)?).map_err(|_| unreadable("features"))?,
        ),
        rate_limit: row.try_get::<_, Option<i64>>(5)?.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
        created_at: Timestamp::from_unix_millis(row.try_get(6)?),
        record_quota: row.try_get::<_, Option<i64>>(7)?.map(unsigned),
    })
}

fn api_key(row: &Row) -> Done<ApiKey> {
    let unreadable = |what: &str| StoreError::Corrupt(format!("a key has no {what} that can be read"));
    let digest: &[u8] = row.try_get(1)?;
    // A list that cannot be read must not become one that allows every address.
    let addresses = row.try_get::<_, Option<&str>>(3)?;
    let addresses = addresses.map(|text| IpNetworks::parse(text.split(','))).transpose();
    let environment = row.try_get::<_, Option<&str>>(4)?;
    let environment = environment.map(|name| Environment::named(name).ok_or(name)).transpose();
    Ok(ApiKey {
        id: row.try_get(0)?,
        digest: KeyDigest::from_bytes(digest.try_into().map_err(|_| unreadable("digest"))?),
        created_at: Timestamp::from_unix_millis(row.try_get(2)?),
        addresses: addresses.map_err(|_| unreadable("list of networks"))?.map(Arc::new),
        environment: environment.map_err(|_| unreadable("environment"))?,
    })
}

fn address_text(addresses: &IpNetworks) -> String {
    addresses.texts().join(",")
}

/// Converts a quota to the column's type. A quota above its maximum becomes the maximum, which no account reaches.
fn quota(account: &Account) -> Option<i64> {
    account.record_quota.map(|quota| i64::try_from(quota).unwrap_or(i64::MAX))
}

/// Refuses to create an account in the target of a transfer that began after this node had opened it. The counter is
/// locked, as it is by a transfer that begins: either that sees the account, or this the transfer.
async fn check_target(transaction: &Transaction<'_>) -> Done<()> {
    if transaction.query_typed_opt("SELECT 1 FROM transfer", &[]).await?.is_some() {
        let why = "it is the target of a move or restore that did not end; repeat that command, and start this server then";
        return Err(StoreError::Failed(why.to_owned()).into());
    }
    Ok(())
}

/// Creates an account and its first key. The row of the counter is locked until the end, so that numbers are not
/// reused.
async fn create(transaction: &Transaction<'_>, account: &Account, key: &ApiKey) -> Done<Arc<Account>> {
    let next = "INSERT INTO counter (name, value) VALUES ('account', 1) \
                ON CONFLICT (name) DO UPDATE SET value = counter.value + 1 RETURNING value";
    let number: i64 = transaction.query_typed_one(next, &[]).await?.try_get(0)?;
    check_target(transaction).await?;
    let account = Account { number, ..account.clone() };
    let insert = "INSERT INTO account (number, id, name, version, features, rate_limit, created_at, record_quota) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let inserted = transaction
        .execute_typed(
            insert,
            &[
                (&account.number, Type::INT8),
                (&account.id, Type::UUID),
                (&account.name, Type::TEXT),
                (&account.version.as_str(), Type::TEXT),
                (&i64::from(account.features.bits()), Type::INT8),
                (&account.rate_limit.map(i64::from), Type::INT8),
                (&account.created_at.as_unix_millis(), Type::INT8),
                (&quota(&account), Type::INT8),
            ],
        )
        .await;
    inserted.map_err(name_taken)?;
    add_key(transaction, number, key).await?;
    Ok(Arc::new(account))
}

fn name_taken(failure: Failure) -> Failure {
    // The embedded engine does not distinguish the id from the name either.
    let is_taken = ["account_name", "account_id"].iter().any(|index| failure.is_taken(index));
    if is_taken { StoreError::Taken("name".to_owned()).into() } else { failure }
}

/// Replaces an account that is as it was read before. What was read is compared, not what is stored: a row of a newer
/// release may have features that this one does not know.
async fn save(transaction: &Transaction<'_>, before: &Account, after: &Account) -> Done<Arc<Account>> {
    let select = format!("SELECT {ACCOUNT_COLUMNS} FROM account WHERE number = $1 AND id = $2 FOR UPDATE");
    let parameters: [Parameter<'_>; 2] = [(&before.number, Type::INT8), (&before.id, Type::UUID)];
    let stored = transaction.query_typed_opt(&select, &parameters).await?.ok_or(StoreError::Conflict)?;
    if account(&stored)? != *before {
        return Err(StoreError::Conflict.into());
    }
    let update = "UPDATE account SET name = $1, version = $2, features = $3, rate_limit = $4, record_quota = $5 \
                  WHERE number = $6 AND id = $7";
    let saved = transaction
        .execute_typed(
            update,
            &[
                (&after.name, Type::TEXT),
                (&after.version.as_str(), Type::TEXT),
                (&i64::from(after.features.bits()), Type::INT8),
                (&after.rate_limit.map(i64::from), Type::INT8),
                (&quota(after), Type::INT8),
                (&before.number, Type::INT8),
                (&before.id, Type::UUID),
            ],
        )
        .await
        .map_err(name_taken)?;
    if saved == 0 {
        return Err(StoreError::Conflict.into());
    }
    transaction.announce(Announcement::Account { number: before.number });
    Ok(Arc::new(after.clone()))
}

async fn add_key(transaction: &Transaction<'_>, account: i64, key: &ApiKey) -> Done<()> {
    let insert = "INSERT INTO api_key (digest, id, account, created_at, addresses, environment) \
                  SELECT $1, $2, number, $4, $5, $6 FROM account WHERE number = $3 FOR KEY SHARE";
    let added = transaction
        .execute_typed(
            insert,
            &[
                (&key.digest.as_bytes().as_slice(), Type::BYTEA),
                (&key.id, Type::UUID),
                (&account, Type::INT8),
                (&key.created_at.as_unix_millis(), Type::INT8),
                (&key.addresses.as_deref().map(address_text), Type::TEXT),
                (&key.environment.map(Environment::as_str), Type::TEXT),
            ],
        )
        .await;
    let added = added.map_err(|failure: Failure| {
        let is_taken = ["api_key_pkey", "api_key_id"].iter().any(|index| failure.is_taken(index));
        if is_taken { StoreError::Taken("api_key".to_owned()).into() } else { failure }
    })?;
    if added == 0 {
        return Err(StoreError::Conflict.into());
    }
    transaction.announce(Announcement::Account { number: account });
    Ok(())
}

async fn keys(client: &Client, account: i64) -> Done<Vec<ApiKey>> {
    let select = format!("SELECT {KEY_COLUMNS} FROM api_key WHERE account = $1 ORDER BY created_at, id");
    client.query_typed(&select, &[(&account, Type::INT8)]).await?.iter().map(api_key).collect()
}

/// Sets where a key may be used. Returns true if the key exists.
async fn set_key_addresses(
    transaction: &Transaction<'_>,
    account: i64,
    key: Uuid,
    addresses: Option<&IpNetworks>,
) -> Done<bool> {
    let update = "UPDATE api_key SET addresses = $3 WHERE account = $1 AND id = $2";
    let addresses = addresses.map(address_text);
    let changed = transaction
        .execute_typed(update, &[(&account, Type::INT8), (&key, Type::UUID), (&addresses, Type::TEXT)])
        .await?;
    Ok(announce_change(transaction, account, changed))
}

/// Removes a key. Returns true if it existed.
async fn remove_key(transaction: &Transaction<'_>, account: i64, key: Uuid) -> Done<bool> {
    let delete = "DELETE FROM api_key WHERE account = $1 AND id = $2";
    let removed = transaction.execute_typed(delete, &[(&account, Type::INT8), (&key, Type::UUID)]).await?;
    Ok(announce_change(transaction, account, removed))
}

fn announce_change(transaction: &Transaction<'_>, account: i64, changed: u64) -> bool {
    if changed > 0 {
        transaction.announce(Announcement::Account { number: account });
    }
    changed > 0
}

/// Deletes one account or all of them, and their keys.
pub(super) async fn delete(transaction: &Transaction<'_>, account: Option<i64>) -> Done<()> {
    let delete = "DELETE FROM account WHERE $1::int8 IS NULL OR number = $1";
    transaction.execute_typed(delete, &[(&account, Type::INT8)]).await?;
    Ok(())
}

impl Accounts for PostgresStore {
    fn account_by_key(&self, digest: KeyDigest) -> Answer<'_, Option<Arc<Account>>> {
        match self.node.known.directory() {
            Some(directory) => Answer::ready(Ok(directory.read().by_key(digest).map(|key| key.account))),
            None => Answer::later(self.node.look_up(move |all| all.by_key(digest).map(|key| key.account))),
        }
    }

    fn key_by_digest(&self, digest: KeyDigest) -> Answer<'_, Option<KnownKey>> {
        match self.node.known.directory() {
            Some(directory) => Answer::ready(Ok(directory.read().by_key(digest))),
            None => Answer::later(self.node.look_up(move |all| all.by_key(digest))),
        }
    }

    fn key_by_id(&self, id: Uuid) -> Answer<'_, Option<KnownKey>> {
        match self.node.known.directory() {
            Some(directory) => Answer::ready(Ok(directory.read().key_by_id(id))),
            None => Answer::later(self.node.look_up(move |all| all.key_by_id(id))),
        }
    }

    /// Reads from the database: the caller may have created an account on another node just now.
    fn accounts(&self) -> Answer<'_, Vec<Arc<Account>>> {
        Answer::later(self.node.read((), |client, ()| Box::pin(read(client, None))))
    }

    fn account(&self, id: Uuid) -> Answer<'_, Option<Arc<Account>>> {
        Answer::later(self.node.read(id, |client, id| {
            Box::pin(async move {
                let select = format!("SELECT {ACCOUNT_COLUMNS} FROM account WHERE id = $1");
                let found = client.query_typed_opt(&select, &[(id, Type::UUID)]).await?;
                found.map(|row| account(&row).map(Arc::new)).transpose()
            })
        }))
    }

    fn account_numbered(&self, number: i64) -> Answer<'_, Option<Arc<Account>>> {
        Answer::later(self.node.read(number, |client, number| {
            Box::pin(async move {
                let select = format!("SELECT {ACCOUNT_COLUMNS} FROM account WHERE number = $1");
                let found = client.query_typed_opt(&select, &[(number, Type::INT8)]).await?;
                found.map(|row| account(&row).map(Arc::new)).transpose()
            })
        }))
    }

    fn create_account(&self, account: Account, key: ApiKey) -> Answer<'_, Arc<Account>> {
        if let Err(error) = storable::check_account(&account) {
            return Answer::ready(Err(error));
        }
        self.node
            .write((account, key), |transaction, (account, key)| Box::pin(create(transaction, account, key)))
    }

    fn save_account(&self, before: Arc<Account>, after: Account) -> Answer<'_, Arc<Account>> {
        // The name may be one of an older release that was moved here.
        if after.name != before.name
            && let Err(error) = storable::check_account(&after)
        {
            return Answer::ready(Err(error));
        }
        self.node
            .write((before, after), |transaction, (before, after)| Box::pin(save(transaction, before, after)))
    }

    fn add_key(&self, account: i64, key: ApiKey) -> Answer<'_, ()> {
        self.node.write((account, key), |transaction, (account, key)| {
            Box::pin(add_key(transaction, *account, key))
        })
    }

    fn keys(&self, account: i64) -> Answer<'_, Vec<ApiKey>> {
        Answer::later(self.node.read(account, |client, account| Box::pin(keys(client, *account))))
    }

    fn set_key_addresses(
        &self,
        account: i64,
        key: Uuid,
        addresses: Option<Arc<IpNetworks>>,
    ) -> Answer<'_, bool> {
        self.node.write((account, key, addresses), |transaction, (account, key, addresses)| {
            Box::pin(set_key_addresses(transaction, *account, *key, addresses.as_deref()))
        })
    }

    fn remove_key(&self, account: i64, key: Uuid) -> Answer<'_, bool> {
        self.node.write((account, key), |transaction, (account, key)| {
            Box::pin(remove_key(transaction, *account, *key))
        })
    }
}
