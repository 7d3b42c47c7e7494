//! Where reads and writes of accounts run. Look-ups go to the directory in memory, which a write changes after its commit
//! and before its answer.

use std::sync::Arc;

use uuid::Uuid;

use super::super::accounts;
use super::SqliteStore;
use crate::account::{Account, ApiKey, KeyDigest};
use crate::feed::Feed;
use crate::{Accounts, Answer, Committed};

/// Adds a change of an account to the feed.
fn publish(feed: &Feed, account: i64) {
    feed.append(Arc::new([Committed::Account { account }]));
}

impl Accounts for SqliteStore {
    fn account_by_key(&self, digest: KeyDigest) -> Answer<'_, Option<Arc<Account>>> {
        Answer::ready(Ok(self.directory.read().by_key(digest)))
    }

    fn accounts(&self) -> Answer<'_, Vec<Arc<Account>>> {
        Answer::ready(Ok(self.directory.read().accounts()))
    }

    fn account(&self, id: Uuid) -> Answer<'_, Option<Arc<Account>>> {
        Answer::ready(Ok(self.directory.read().by_id(id)))
    }

    fn create_account(&self, account: Account, key: ApiKey) -> Answer<'_, Arc<Account>> {
        let (directory, feed) = (self.directory.clone(), Arc::clone(&self.feed));
        let digest = key.digest;
        Answer::later(self.connections.write_then(
            move |connection| accounts::create(connection, account.clone(), &key).map(Arc::new),
            move |created| {
                {
                    let mut directory = directory.write();
                    directory.put(created);
                    directory.put_key(digest, created.number);
                }
                publish(&feed, created.number);
            },
        ))
    }

    fn save_account(&self, account: Account) -> Answer<'_, Arc<Account>> {
        let (directory, feed) = (self.directory.clone(), Arc::clone(&self.feed));
        Answer::later(self.connections.write_then(
            move |connection| accounts::save(connection, account.clone()).map(Arc::new),
            move |saved| {
                directory.write().put(saved);
                publish(&feed, saved.number);
            },
        ))
    }

    fn add_key(&self, account: i64, key: ApiKey) -> Answer<'_, ()> {
        let (directory, feed) = (self.directory.clone(), Arc::clone(&self.feed));
        let digest = key.digest;
        Answer::later(self.connections.write_then(
            move |connection| accounts::add_key(connection, account, &key),
            move |()| {
                directory.write().put_key(digest, account);
                publish(&feed, account);
            },
        ))
    }

    fn keys(&self, account: i64) -> Answer<'_, Vec<ApiKey>> {
        Answer::ready(self.connections.read(|connection| accounts::keys(connection, account)))
    }

    fn remove_key(&self, account: i64, key: Uuid) -> Answer<'_, bool> {
        let (directory, feed) = (self.directory.clone(), Arc::clone(&self.feed));
        let removed = self.connections.write_then(
            move |connection| accounts::remove_key(connection, account, key),
            move |digest| {
                if let Some(digest) = digest {
                    directory.write().remove_key(*digest);
                    publish(&feed, account);
                }
            },
        );
        Answer::later(async move { Ok(removed.await?.is_some()) })
    }
}
