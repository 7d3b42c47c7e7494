//! Accounts and their API keys.

use std::sync::Arc;

use didww_types::values::IpNetworks;
use uuid::Uuid;

use crate::account::{Account, ApiKey, KeyDigest, KnownKey};
use crate::answer::Answer;

/// Reads and writes accounts and keys.
pub trait Accounts: Send + Sync + std::fmt::Debug {
    /// Returns the account that owns a key.
    ///
    /// Every request looks up its key, so an engine answers from memory if possible: it keeps accounts that it has read
    /// until its [change feed](crate::ChangeFeed) names them. A removed key is refused within the time that the feed
    /// guarantees.
    fn account_by_key(&self, digest: KeyDigest) -> Answer<'_, Option<Arc<Account>>>;

    /// Returns a key with its owner and the limits of its use, from memory as [`account_by_key`](Self::account_by_key).
    fn key_by_digest(&self, digest: KeyDigest) -> Answer<'_, Option<KnownKey>>;

    /// Returns the key with this id, as [`key_by_digest`](Self::key_by_digest). Every request with a token looks up the
    /// key that the token was minted with.
    fn key_by_id(&self, id: Uuid) -> Answer<'_, Option<KnownKey>>;

    /// Returns every account, the oldest first.
    fn accounts(&self) -> Answer<'_, Vec<Arc<Account>>>;

    /// Returns the account with this id on the control interface.
    fn account(&self, id: Uuid) -> Answer<'_, Option<Arc<Account>>>;

    /// Returns the account with this number, which [`claimant`](crate::Records::claimant) names as an owner.
    fn account_numbered(&self, number: i64) -> Answer<'_, Option<Arc<Account>>>;

    /// Creates an account together with its first key. The store assigns the account's number.
    ///
    /// # Errors
    /// [`StoreError::Taken`](crate::StoreError::Taken) if another account has the name or the key;
    /// [`StoreError::Unstorable`](crate::StoreError::Unstorable) for a name that cannot be stored.
    fn create_account(&self, account: Account, key: ApiKey) -> Answer<'_, Arc<Account>>;

    /// Replaces an account that is as it was read `before`: of two nodes that change it at the same time, none undoes
    /// what the other one changed.
    ///
    /// # Errors
    /// [`StoreError::Taken`](crate::StoreError::Taken) if another account has the name;
    /// [`StoreError::Unstorable`](crate::StoreError::Unstorable) for a name that cannot be stored;
    /// [`StoreError::Conflict`](crate::StoreError::Conflict) if the account was changed meanwhile, or does not exist.
    fn save_account(&self, before: Arc<Account>, after: Account) -> Answer<'_, Arc<Account>>;

    /// Adds a key to an account.
    ///
    /// # Errors
    /// [`StoreError::Taken`](crate::StoreError::Taken) if an account has the key already;
    /// [`StoreError::Conflict`](crate::StoreError::Conflict) if the account does not exist.
    fn add_key(&self, account: i64, key: ApiKey) -> Answer<'_, ()>;

    /// Returns the keys of an account, the oldest first.
    fn keys(&self, account: i64) -> Answer<'_, Vec<ApiKey>>;

    /// Sets where a key may be used; `None` means anywhere. Returns true if the key exists.
    fn set_key_addresses(
        &self,
        account: i64,
        key: Uuid,
        addresses: Option<Arc<IpNetworks>>,
    ) -> Answer<'_, bool>;

    /// Removes a key. Returns true if it existed.
    fn remove_key(&self, account: i64, key: Uuid) -> Answer<'_, bool>;
}
