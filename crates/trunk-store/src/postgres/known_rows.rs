//! Loads the copy of accounts and keys that a node keeps in memory.

use std::collections::HashSet;
use std::sync::Arc;

use service_base::clock::Stopwatch;
use tokio_postgres::Client;

use super::failure::Done;
use super::known::DirectoryCopy;
use super::{Node, PostgresStore, accounts, token_keys};
use crate::directory::Directory;
use crate::{Answer, StoreError, TokenKey, TokenKeyRotation, TokenKeys};

impl DirectoryCopy {
    /// Loads all accounts, their keys, and the token keys.
    pub(super) async fn load(&self, client: &Client) -> Done<()> {
        let _updating = self.updating.lock().await;
        self.replace(client).await
    }

    /// Loads everything, unless another look-up did while this one waited.
    async fn load_if_old(&self, client: &Client) -> Done<()> {
        let _updating = self.updating.lock().await;
        if self.directory().is_some() { Ok(()) } else { self.replace(client).await }
    }

    async fn replace(&self, client: &Client) -> Done<()> {
        let since = Stopwatch::start();
        let mut directory = Directory::default();
        directory.put_all(accounts::load(client, None).await?);
        directory.put_token_keys(&token_keys::load(client).await?);
        *self.directory.write() = directory;
        self.confirm(since);
        Ok(())
    }

    /// Loads one account with its keys, or removes it if it no longer exists.
    pub(super) async fn load_account(&self, client: &Client, number: i64) -> Done<()> {
        self.load_accounts(client, &HashSet::from([number])).await
    }

    /// Loads accounts with their keys, and removes those that no longer exist.
    pub(super) async fn load_accounts(&self, client: &Client, numbers: &HashSet<i64>) -> Done<()> {
        let _updating = self.updating.lock().await;
        let wanted: Vec<i64> = numbers.iter().copied().collect();
        let found = accounts::load(client, Some(wanted.as_slice())).await?;
        self.directory.write().replace(numbers, found);
        Ok(())
    }
}

impl Node {
    /// Looks up an entry of the directory, after reading it again if it is too old.
    pub(super) async fn look_up<T>(&self, look: impl FnOnce(&Directory) -> T) -> Result<T, StoreError> {
        if let Some(directory) = self.known.directory() {
            return Ok(look(&directory.read()));
        }
        self.read(&self.known, |client, known| Box::pin(known.load_if_old(client))).await?;
        // Data that was just read is as new as the caller may expect, however long the read took.
        Ok(look(&self.known.directory.read()))
    }
}

impl TokenKeys for PostgresStore {
    fn token_keys(&self) -> Answer<'_, Arc<[TokenKey]>> {
        match self.node.known.directory() {
            Some(directory) => Answer::ready(Ok(directory.read().token_keys())),
            None => Answer::later(self.node.look_up(Directory::token_keys)),
        }
    }

    fn rotate_token_keys(&self, rotation: TokenKeyRotation) -> Answer<'_, Arc<[TokenKey]>> {
        self.node.write(rotation, |transaction, rotation| Box::pin(token_keys::rotate(transaction, rotation)))
    }
}
