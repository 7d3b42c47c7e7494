//! Accounts, keys and the keys of tokens in memory, which every request reads.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use didww_types::values::IpNetworks;
use foldhash::quality::RandomState;
use uuid::Uuid;

use crate::TokenKey;
use crate::account::{Account, ApiKey, Environment, KeyDigest, KnownKey};

/// All accounts and the owners of all keys, in memory.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    accounts: BTreeMap<i64, Arc<Account>>,
    /// Digests are hashed already, and each request looks one up.
    keys: HashMap<KeyDigest, DirectoryKey, RandomState>,
    /// The digest of the key with each id.
    ids: HashMap<Uuid, KeyDigest>,
    token_keys: Arc<[TokenKey]>,
}

/// A key without its secret.
#[derive(Debug, Clone)]
pub(crate) struct DirectoryKey {
    id: Uuid,
    account: i64,
    addresses: Option<Arc<IpNetworks>>,
    environment: Option<Environment>,
}

impl DirectoryKey {
    pub(crate) fn of(account: i64, key: &ApiKey) -> Self {
        let ApiKey { id, addresses, environment, .. } = key;
        Self { id: *id, account, addresses: addresses.clone(), environment: *environment }
    }
}

impl Directory {
    pub(crate) fn by_key(&self, digest: KeyDigest) -> Option<KnownKey> {
        let (stored, key) = self.keys.get_key_value(&digest)?;
        if stored.is(&digest) { self.known(key) } else { None }
    }

    pub(crate) fn key_by_id(&self, id: Uuid) -> Option<KnownKey> {
        self.known(self.keys.get(self.ids.get(&id)?)?)
    }

    fn known(&self, key: &DirectoryKey) -> Option<KnownKey> {
        let DirectoryKey { id, account, addresses, environment } = key;
        let account = Arc::clone(self.accounts.get(account)?);
        Some(KnownKey { id: *id, account, addresses: addresses.clone(), environment: *environment })
    }

    pub(crate) fn token_keys(&self) -> Arc<[TokenKey]> {
        Arc::clone(&self.token_keys)
    }

    pub(crate) fn put_token_keys(&mut self, keys: &Arc<[TokenKey]>) {
        self.token_keys = Arc::clone(keys);
    }

    /// Returns the maximum number of records of a type in an account, from its own quota or else the default one.
    /// `None` means no limit.
    pub(crate) fn quota(&self, account: i64, default: Option<u64>) -> Option<u64> {
        let own = self.accounts.get(&account).and_then(|account| account.record_quota);
        own.map_or(default, |own| Some(own).filter(|own| *own > 0))
    }

    pub(crate) fn accounts(&self) -> Vec<Arc<Account>> {
        self.accounts.values().cloned().collect()
    }

    pub(crate) fn by_id(&self, id: Uuid) -> Option<Arc<Account>> {
        self.accounts.values().find(|account| account.id == id).cloned()
    }

    pub(crate) fn by_number(&self, number: i64) -> Option<Arc<Account>> {
        self.accounts.get(&number).cloned()
    }

    pub(crate) fn put(&mut self, account: &Arc<Account>) {
        self.accounts.insert(account.number, Arc::clone(account));
    }

    pub(crate) fn put_key(&mut self, digest: KeyDigest, key: DirectoryKey) {
        self.ids.insert(key.id, digest);
        self.keys.insert(digest, key);
    }

    pub(crate) fn set_key_addresses(&mut self, id: Uuid, addresses: Option<Arc<IpNetworks>>) {
        if let Some(key) = self.ids.get(&id).and_then(|digest| self.keys.get_mut(digest)) {
            key.addresses = addresses;
        }
    }

    pub(crate) fn remove_key(&mut self, id: Uuid) {
        if let Some(digest) = self.ids.remove(&id) {
            self.keys.remove(&digest);
        }
    }

    /// Removes one account or all accounts, and their keys.
    pub(crate) fn remove(&mut self, account: Option<i64>) {
        self.remove_all(|number| account.is_none_or(|removed| removed == number));
    }

    /// Removes accounts, and their keys. It visits every key, however many accounts are removed.
    pub(crate) fn remove_all(&mut self, is_removed: impl Fn(i64) -> bool) {
        self.accounts.retain(|number, _| !is_removed(*number));
        self.keys.retain(|_, key| !is_removed(key.account));
        self.ids.retain(|_, digest| self.keys.contains_key(digest));
    }
}

/// The directory that the store and its writer share. It is updated after each durable change of an account or
/// key, in the order of the changes.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedDirectory(Arc<RwLock<Directory>>);

impl SharedDirectory {
    pub(crate) fn new(directory: Directory) -> Self {
        Self(Arc::new(RwLock::new(directory)))
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Directory> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Directory> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
