//! Accounts and keys: in the tables, and in a directory in memory, which every request reads.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use didww_types::Features;
use didww_types::{ApiVersion, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::error::{failed, is_missing_reference, is_taken};
use super::row::uuid;
use crate::StoreError;
use crate::account::{Account, ApiKey, KeyDigest};

/// All accounts and the owners of all keys, in memory.
#[derive(Debug, Default)]
pub(super) struct Directory {
    accounts: BTreeMap<i64, Arc<Account>>,
    keys: HashMap<KeyDigest, i64>,
}

impl Directory {
    fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut directory = Self::default();
        let mut accounts = connection.prepare(
            "SELECT number, id, name, version, features, rate_limit, created_at, record_quota FROM account",
        )?;
        for account in accounts.query_map([], account)? {
            let account = account?;
            directory.accounts.insert(account.number, Arc::new(account));
        }
        let mut keys = connection.prepare("SELECT digest, account FROM api_key")?;
        for key in keys.query_map([], |row| Ok((digest(row, 0)?, row.get(1)?)))? {
            let (digest, account) = key?;
            directory.keys.insert(digest, account);
        }
        Ok(directory)
    }

    pub(super) fn by_key(&self, digest: KeyDigest) -> Option<Arc<Account>> {
        let (stored, account) = self.keys.get_key_value(&digest)?;
        if stored.is(&digest) { self.accounts.get(account).cloned() } else { None }
    }

    /// Returns the maximum number of records of a type in an account, from its own quota or else the default one. `None`
    /// means no limit.
    pub(super) fn quota(&self, account: i64, default: Option<u64>) -> Option<u64> {
        let own = self.accounts.get(&account).and_then(|account| account.record_quota);
        own.map_or(default, |own| Some(own).filter(|own| *own > 0))
    }

    pub(super) fn accounts(&self) -> Vec<Arc<Account>> {
        self.accounts.values().cloned().collect()
    }

    pub(super) fn by_id(&self, id: Uuid) -> Option<Arc<Account>> {
        self.accounts.values().find(|account| account.id == id).cloned()
    }

    pub(super) fn put(&mut self, account: &Arc<Account>) {
        self.accounts.insert(account.number, Arc::clone(account));
    }

    pub(super) fn put_key(&mut self, digest: KeyDigest, account: i64) {
        self.keys.insert(digest, account);
    }

    pub(super) fn remove_key(&mut self, digest: KeyDigest) {
        self.keys.remove(&digest);
    }

    /// Removes one account or all accounts, and their keys.
    pub(super) fn remove(&mut self, account: Option<i64>) {
        self.accounts.retain(|number, _| account.is_some_and(|removed| removed != *number));
        self.keys.retain(|_, number| account.is_some_and(|removed| removed != *number));
    }
}

/// The directory as the store and its writer share it. The writer updates it after each durable change of an account or
/// key, in the order of the changes.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedDirectory(Arc<RwLock<Directory>>);

impl SharedDirectory {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        Ok(Self(Arc::new(RwLock::new(Directory::load(connection)?))))
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Directory> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Directory> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    let version: String = row.get(3)?;
    let version = version.parse::<ApiVersion>().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, Box::new(error))
    })?;
    Ok(Account {
        number: row.get(0)?,
        id: uuid(row, 1)?,
        name: row.get(2)?,
        version,
        features: Features::from_bits(row.get(4)?),
        rate_limit: row.get(5)?,
        created_at: Timestamp::from_unix_millis(row.get(6)?),
        record_quota: row.get::<_, Option<i64>>(7)?.map(|quota| u64::try_from(quota).unwrap_or_default()),
    })
}

/// Converts a quota to the column's type. A quota above its maximum becomes the maximum, which no account reaches.
fn quota(account: &Account) -> Option<i64> {
    account.record_quota.map(|quota| i64::try_from(quota).unwrap_or(i64::MAX))
}

/// Creates an account and its first key.
pub(super) fn create(
    connection: &Connection,
    mut account: Account,
    key: &ApiKey,
) -> Result<Account, StoreError> {
    let created = connection
        .prepare_cached(
            "INSERT INTO account (id, name, version, features, rate_limit, created_at, record_quota) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .map_err(failed)?
        .insert(params![
            account.id.as_bytes().as_slice(),
            account.name,
            account.version.as_str(),
            account.features.bits(),
            account.rate_limit,
            account.created_at.as_unix_millis(),
            quota(&account),
        ]);
    account.number = created.map_err(name_taken)?;
    add_key(connection, account.number, key)?;
    Ok(account)
}

/// Replaces the account with the same number and id.
pub(super) fn save(connection: &Connection, account: Account) -> Result<Account, StoreError> {
    let saved = connection
        .prepare_cached(
            "UPDATE account SET name = ?1, version = ?2, features = ?3, rate_limit = ?4, record_quota = ?7 \
             WHERE number = ?5 AND id = ?6",
        )
        .map_err(failed)?
        .execute(params![
            account.name,
            account.version.as_str(),
            account.features.bits(),
            account.rate_limit,
            account.number,
            account.id.as_bytes().as_slice(),
            quota(&account),
        ]);
    match saved.map_err(name_taken)? {
        0 => Err(StoreError::Conflict),
        _ => Ok(account),
    }
}

fn name_taken(error: rusqlite::Error) -> StoreError {
    if is_taken(&error) { StoreError::Taken("name".to_owned()) } else { failed(error) }
}

pub(super) fn add_key(connection: &Connection, account: i64, key: &ApiKey) -> Result<(), StoreError> {
    let added = connection
        .prepare_cached("INSERT INTO api_key (digest, id, account, created_at) VALUES (?1, ?2, ?3, ?4)")
        .map_err(failed)?
        .execute(params![
            key.digest.as_bytes().as_slice(),
            key.id.as_bytes().as_slice(),
            account,
            key.created_at.as_unix_millis(),
        ]);
    match added {
        Ok(_) => Ok(()),
        Err(error) if is_taken(&error) => Err(StoreError::Taken("api_key".to_owned())),
        Err(error) if is_missing_reference(&error) => Err(StoreError::Conflict),
        Err(error) => Err(failed(error)),
    }
}

pub(super) fn keys(connection: &Connection, account: i64) -> Result<Vec<ApiKey>, StoreError> {
    let key = |row: &Row<'_>| {
        Ok(ApiKey {
            id: uuid(row, 0)?,
            digest: digest(row, 1)?,
            created_at: Timestamp::from_unix_millis(row.get(2)?),
        })
    };
    let mut statement = connection
        .prepare_cached(
            "SELECT id, digest, created_at FROM api_key WHERE account = ?1 ORDER BY created_at, id",
        )
        .map_err(failed)?;
    let keys = statement.query_map(params![account], key).map_err(failed)?;
    keys.collect::<Result<_, _>>().map_err(failed)
}

pub(super) fn remove_key(
    connection: &Connection,
    account: i64,
    key: Uuid,
) -> Result<Option<KeyDigest>, StoreError> {
    connection
        .prepare_cached("DELETE FROM api_key WHERE account = ?1 AND id = ?2 RETURNING digest")
        .map_err(failed)?
        .query_row(params![account, key.as_bytes().as_slice()], |row| digest(row, 0))
        .optional()
        .map_err(failed)
}

fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<KeyDigest> {
    row.get(column).map(KeyDigest::from_bytes)
}
