//! Accounts and keys: their tables, and reading them for the directory in memory.

use std::sync::Arc;

use didww_types::Features;
use didww_types::values::IpNetworks;
use didww_types::{ApiVersion, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::error::{failed, is_missing_reference, is_taken};
use super::row::uuid;
use super::token_keys;
use crate::StoreError;
use crate::account::{Account, ApiKey, Environment, KeyDigest};
use crate::directory::{Directory, DirectoryKey};

/// Reads all accounts and keys.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Directory> {
    let mut directory = Directory::default();
    let mut accounts = connection.prepare(&format!("SELECT {ACCOUNT_COLUMNS} FROM account"))?;
    for account in accounts.query_map([], account)? {
        let account = account?;
        directory.put(&Arc::new(account));
    }
    let mut keys = connection.prepare(&format!("SELECT {KEY_COLUMNS}, account FROM api_key"))?;
    for key in keys.query_map([], |row| Ok((api_key(row)?, row.get::<_, i64>(5)?)))? {
        let (key, account) = key?;
        directory.put_key(key.digest, DirectoryKey::of(account, &key));
    }
    directory.put_token_keys(&token_keys::load(connection)?);
    Ok(directory)
}

/// The columns that [`account`] reads.
const ACCOUNT_COLUMNS: &str = "number, id, name, version, features, rate_limit, created_at, record_quota";

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

/// Replaces an account that is as it was read before.
pub(super) fn save(connection: &Connection, before: &Account, after: Account) -> Result<Account, StoreError> {
    let select = format!("SELECT {ACCOUNT_COLUMNS} FROM account WHERE number = ?1 AND id = ?2");
    let stored = connection
        .prepare_cached(&select)
        .map_err(failed)?
        .query_row(params![before.number, before.id.as_bytes().as_slice()], account)
        .optional()
        .map_err(failed)?;
    if stored.as_ref() != Some(before) {
        return Err(StoreError::Conflict);
    }
    let saved = connection
        .prepare_cached(
            "UPDATE account SET name = ?1, version = ?2, features = ?3, rate_limit = ?4, record_quota = ?7 \
             WHERE number = ?5 AND id = ?6",
        )
        .map_err(failed)?
        .execute(params![
            after.name,
            after.version.as_str(),
            after.features.bits(),
            after.rate_limit,
            before.number,
            before.id.as_bytes().as_slice(),
            quota(&after),
        ]);
    match saved.map_err(name_taken)? {
        0 => Err(StoreError::Conflict),
        _ => Ok(after),
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
