//! Accounts and keys: in the tables, and in a directory in memory, which every request reads.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use didww_types::Features;
use didww_types::values::IpNetworks;
use didww_types::{ApiVersion, Timestamp};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::error::{failed, is_missing_reference, is_taken};
use super::row::uuid;
use super::token_keys;
use crate::account::{Account, ApiKey, Environment, KeyDigest, KnownKey};
use crate::{StoreError, TokenKey};

/// All accounts and the owners of all keys, in memory.
#[derive(Debug, Default)]
pub(super) struct Directory {
    accounts: BTreeMap<i64, Arc<Account>>,
    keys: HashMap<KeyDigest, DirectoryKey>,
    /// The digest of the key with each id.
    ids: HashMap<Uuid, KeyDigest>,
    token_keys: Arc<[TokenKey]>,
}

/// A key without its secret.
#[derive(Debug, Clone)]
pub(super) struct DirectoryKey {
    id: Uuid,
    account: i64,
    addresses: Option<Arc<IpNetworks>>,
    environment: Option<Environment>,
}

impl DirectoryKey {
    pub(super) fn of(account: i64, key: &ApiKey) -> Self {
        let ApiKey { id, addresses, environment, .. } = key;
        Self { id: *id, account, addresses: addresses.clone(), environment: *environment }
    }
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
        let mut keys = connection.prepare(&format!("SELECT {KEY_COLUMNS}, account FROM api_key"))?;
        for key in keys.query_map([], |row| Ok((api_key(row)?, row.get::<_, i64>(5)?)))? {
            let (key, account) = key?;
            directory.put_key(key.digest, DirectoryKey::of(account, &key));
        }
        directory.token_keys = token_keys::load(connection)?;
        Ok(directory)
    }

    pub(super) fn by_key(&self, digest: KeyDigest) -> Option<KnownKey> {
        let (stored, key) = self.keys.get_key_value(&digest)?;
        if stored.is(&digest) { self.known(key) } else { None }
    }

    pub(super) fn key_by_id(&self, id: Uuid) -> Option<KnownKey> {
        self.known(self.keys.get(self.ids.get(&id)?)?)
    }

    fn known(&self, key: &DirectoryKey) -> Option<KnownKey> {
        let DirectoryKey { id, account, addresses, environment } = key;
        let account = Arc::clone(self.accounts.get(account)?);
        Some(KnownKey { id: *id, account, addresses: addresses.clone(), environment: *environment })
    }

    pub(super) fn token_keys(&self) -> Arc<[TokenKey]> {
        Arc::clone(&self.token_keys)
    }

    pub(super) fn put_token_keys(&mut self, keys: &Arc<[TokenKey]>) {
        self.token_keys = Arc::clone(keys);
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

    pub(super) fn put_key(&mut self, digest: KeyDigest, key: DirectoryKey) {
        self.ids.insert(key.id, digest);
        self.keys.insert(digest, key);
    }

    pub(super) fn set_key_addresses(&mut self, id: Uuid, addresses: Option<Arc<IpNetworks>>) {
        if let Some(key) = self.ids.get(&id).and_then(|digest| self.keys.get_mut(digest)) {
            key.addresses = addresses;
        }
    }

    pub(super) fn remove_key(&mut self, id: Uuid) {
        if let Some(digest) = self.ids.remove(&id) {
            self.keys.remove(&digest);
        }
    }

    /// Removes one account or all accounts, and their keys.
    pub(super) fn remove(&mut self, account: Option<i64>) {
        self.accounts.retain(|number, _| account.is_some_and(|removed| removed != *number));
        self.keys.retain(|_, key| account.is_some_and(|removed| removed != key.account));
        self.ids.retain(|_, digest| self.keys.contains_key(digest));
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
        .prepare_cached(
            "INSERT INTO api_key (digest, id, account, created_at, addresses, environment) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .map_err(failed)?
        .execute(params![
            key.digest.as_bytes().as_slice(),
            key.id.as_bytes().as_slice(),
            account,
            key.created_at.as_unix_millis(),
            key.addresses.as_deref().map(address_text),
            key.environment.map(Environment::as_str),
        ]);
    match added {
        Ok(_) => Ok(()),
        Err(error) if is_taken(&error) => Err(StoreError::Taken("api_key".to_owned())),
        Err(error) if is_missing_reference(&error) => Err(StoreError::Conflict),
        Err(error) => Err(failed(error)),
    }
}

pub(super) fn keys(connection: &Connection, account: i64) -> Result<Vec<ApiKey>, StoreError> {
    let sql = format!("SELECT {KEY_COLUMNS} FROM api_key WHERE account = ?1 ORDER BY created_at, id");
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let keys = statement.query_map(params![account], api_key).map_err(failed)?;
    keys.collect::<Result<_, _>>().map_err(failed)
}

/// The columns that [`api_key`] reads.
const KEY_COLUMNS: &str = "id, digest, created_at, addresses, environment";

fn api_key(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    let unreadable = |column, what: &str| {
        let error = format!("the column has no {what}").into();
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error)
    };
    // A list that cannot be read must not become one that allows every address.
    let addresses: Option<String> = row.get(3)?;
    let addresses = addresses.map(|text| IpNetworks::parse(text.split(','))).transpose();
    let environment: Option<String> = row.get(4)?;
    let environment = environment.map(|name| Environment::named(&name).ok_or(name)).transpose();
    Ok(ApiKey {
        id: uuid(row, 0)?,
        digest: KeyDigest::from_bytes(row.get(1)?),
        created_at: Timestamp::from_unix_millis(row.get(2)?),
        addresses: addresses.map_err(|_| unreadable(3, "list of networks"))?.map(Arc::new),
        environment: environment.map_err(|_| unreadable(4, "environment"))?,
    })
}

fn address_text(addresses: &IpNetworks) -> String {
    addresses.texts().join(",")
}

/// Sets where a key may be used. Returns true if the key exists.
pub(super) fn set_key_addresses(
    connection: &Connection,
    account: i64,
    key: Uuid,
    addresses: Option<&IpNetworks>,
) -> Result<bool, StoreError> {
    let changed = connection
        .prepare_cached("UPDATE api_key SET addresses = ?3 WHERE account = ?1 AND id = ?2")
        .map_err(failed)?
        .execute(params![account, key.as_bytes().as_slice(), addresses.map(address_text)])
        .map_err(failed)?;
    Ok(changed > 0)
}

/// Removes a key. Returns true if it existed.
pub(super) fn remove_key(connection: &Connection, account: i64, key: Uuid) -> Result<bool, StoreError> {
    let removed = connection
        .prepare_cached("DELETE FROM api_key WHERE account = ?1 AND id = ?2")
        .map_err(failed)?
        .execute(params![account, key.as_bytes().as_slice()])
        .map_err(failed)?;
    Ok(removed > 0)
}
