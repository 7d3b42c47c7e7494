//! Reads and writes of accounts. Look-ups use the directory in memory, which a write changes after its commit and
//! before its answer.

use std::sync::Arc;

use didww_types::values::IpNetworks;
use uuid::Uuid;

use super::super::accounts;
use super::SqliteStore;
use crate::account::{Account, ApiKey, KeyDigest, KnownKey};
use crate::directory::DirectoryKey;
use crate::feed::Feed;
use crate::{Accounts, Answer, Committed, storable};

/// Adds a change of an account to the feed.
fn publish(feed: &Feed, account: i64) {
    feed.append(Arc::new([Committed::Account { account }]));
}

impl Accounts for SqliteStore {
    fn account_by_key(&self, digest: KeyDigest) -> Answer<'_, Option<Arc<Account>>> {
        Answer::ready(Ok(self.directory.read().by_key(digest).map(|key| key.account)))
    }

    fn key_by_digest(&self, digest: KeyDigest) -> Answer<'_, Option<KnownKey>> {
        Answer::ready(Ok(self.directory.read().by_key(digest)))
    }

    fn key_by_id(&self, id: Uuid) -> Answer<'_, Option<KnownKey>> {
        Answer::ready(Ok(self.directory.read().key_by_id(id)))
    }

    fn accounts(&self) -> Answer<'_, Vec<Arc<Account>>> {
        Answer::ready(Ok(self.directory.read().accounts()))
    }

    fn account(&self, id: Uuid) -> Answer<'_, Option<Arc<Account>>> {
        Answer::ready(Ok(self.directory.read().by_id(id)))
    }

    fn account_numbered(&self, number: i64) -> Answer<'_, Option<Arc<Account>>> {
        Answer::ready(Ok(self.directory.read().by_number(number)))
    }

    fn create_account(&self, account: Account, key: ApiKey) -> Answer<'_, Arc<Account>> {
        if let Err(error) = storable::check_account(&account) {
            return Answer::ready(Err(error));
        }
        let (directory, feed) = (self.directory.clone(), Arc::clone(&self.feed));
        let (digest, stored) = (key.digest, key.clone());
        Answer::later(self.connections.write_then(
            move |connection| accounts::create(connection, account.clone(), &key).map(Arc::new),
            move |created| {
                {
                    let mut directory = directory.write();
                    directory.put(created);
                    directory.put_key(digest, DirectoryKey::of(created.number, &stored));
                }
                publish(&feed, created.number);
            },
        ))
    }

    fn save_account(&self, before: Arc<Account>, after: Account) -> Answer<'_, Arc<Account>> {
        // An older release stored any name.
        if after.name != before.name
            && let Err(error) = storable::check_account(&after)
        {
            return Answer::ready(Err(error));
        }
        let (directory, feed) = (self.directory.clone(), Arc::clone(&self.feed));
        Answer::later(self.connections.write_then(
            move |connection| accounts::save(connection, &before, after.clone()).map(Arc::new),
            move |saved| {
                directory.write().put(saved);
                publish(&feed, saved.number);
            },
        ))
    }

    fn add_key(&self, account: i64, key: ApiKey) -> Answer<'_, ()> {
        let (directory, feed) = (self.directory.clone(), Arc::clone(&self.feed));
        let digest = key.digest;
        let stored = DirectoryKey::of(account, &key);
        Answer::later(self.connections.write_then(
            move |connection| accounts::add_key(connection, account, &key),
            move |()| {
                directory.write().put_key(digest, stored);
                publish(&feed, account);
            },
        ))
    }

    fn keys(&self, account: i64) -> Answer<'_, Vec<ApiKey>> {
        Answer::ready(self.connections.read(|connection| accounts::keys(connection, account)))
    }

    fn remove_key(&self, account: i64, key: Uuid) -> Answer<'_, bool> {
        let (directory, feed) = (self.directory.clone(), Arc::clone(&self.feed));
        Answer::later(self.connections.write_then(
            move |connection| accounts::remove_key(connection, account, key),
            move |is_removed| {
                if *is_removed {
                    directory.write().remove_key(key);
                    publish(&feed, account);
                }
            },
        ))
    }

    fn set_key_addresses(
        &self,
        account: i64,
        key: Uuid,
        addresses: Option<Arc<IpNetworks>>,
    ) -> Answer<'_, bool> {
        let (directory, feed) = (self.directory.clone(), Arc::clone(&self.feed));
        let stored = addresses.clone();
        Answer::later(self.connections.write_then(
            move |connection| accounts::set_key_addresses(connection, account, key, stored.as_deref()),
            move |is_set| {
                if *is_set {
                    directory.write().set_key_addresses(key, addresses);
                    publish(&feed, account);
                }
            },
        ))
    }
}
