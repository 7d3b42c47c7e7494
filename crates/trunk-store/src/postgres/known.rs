//! What a node keeps in memory of accounts, keys and the keys of tokens, because every request asks for it.
//!
//! It is answered from memory while the change feed is read often enough that nothing can be older than
//! [`CHANGE_DELAY`](crate::CHANGE_DELAY). Otherwise it is read anew, which fails if the database is away.

use std::sync::{Arc, Mutex, PoisonError};

use service_base::clock::Stopwatch;
use tokio::sync::Mutex as AsyncMutex;
use tokio_postgres::Client;

use super::failure::Done;
use super::{Node, PostgresStore, accounts, token_keys};
use crate::directory::{Directory, SharedDirectory};
use crate::{Answer, CHANGE_DELAY, StoreError, TokenKey, TokenKeyRotation, TokenKeys};

/// The directory of a node.
#[derive(Debug)]
pub(super) struct Known {
    directory: SharedDirectory,
    /// When the state that the directory reflects was read: by the last poll that succeeded.
    confirmed: Mutex<Option<Stopwatch>>,
    /// Held while data is read and put into the directory, so that an older state never replaces a newer one.
    updating: AsyncMutex<()>,
}

impl Known {
    /// An empty directory, which the first look-up loads.
    pub(super) fn new() -> Self {
        let directory = SharedDirectory::new(Directory::default());
        Self { directory, confirmed: Mutex::new(None), updating: AsyncMutex::default() }
    }

    /// The directory, if it is not too old.
    pub(super) fn directory(&self) -> Option<&SharedDirectory> {
        let confirmed = self.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        confirmed.is_some_and(|since| since.elapsed() < CHANGE_DELAY).then_some(&self.directory)
    }

    /// Notes that the directory has what was committed at this time.
    pub(super) fn confirm(&self, since: Stopwatch) {
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner) = Some(since);
    }

    /// Reads everything.
    pub(super) async fn load(&self, client: &Client) -> Done<()> {
        let _updating = self.updating.lock().await;
        self.replace(client).await
    }

    /// Reads everything, unless it was read while this waited: many look-ups may ask for it at once.
    async fn load_if_old(&self, client: &Client) -> Done<()> {
        let _updating = self.updating.lock().await;
        if self.directory().is_some() { Ok(()) } else { self.replace(client).await }
    }

    async fn replace(&self, client: &Client) -> Done<()> {
        let since = Stopwatch::start();
        let mut directory = Directory::default();
        for (account, keys) in accounts::load(client, None).await? {
            directory.replace(account.number, Some((account, keys)));
        }
        directory.put_token_keys(&token_keys::load(client).await?);
        *self.directory.write() = directory;
        self.confirm(since);
        Ok(())
    }

    /// Reads one account.
    pub(super) async fn load_account(&self, client: &Client, number: i64) -> Done<()> {
        let _updating = self.updating.lock().await;
        let found = accounts::load(client, Some(number)).await?.pop();
        self.directory.write().replace(number, found);
        Ok(())
    }

    /// The maximum number of records of a type in an account; `None` means no limit.
    pub(super) fn quota(&self, account: i64, default: Option<u64>) -> Option<u64> {
        self.directory.read().quota(account, default)
    }

    /// Makes the next look-up read everything.
    pub(super) fn doubt(&self) {
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Node {
    /// Looks something up in the directory, after reading it anew if it is too old.
    pub(super) async fn look_up<T>(&self, look: impl FnOnce(&Directory) -> T) -> Result<T, StoreError> {
        if let Some(directory) = self.known.directory() {
            return Ok(look(&directory.read()));
        }
        self.read(&self.known, |client, known| Box::pin(known.load_if_old(client))).await?;
        // What was just read is as new as the caller may expect, however long it took.
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
