//! The secrets that sign callbacks.

use didww_types::Secret;
use uuid::Uuid;

use crate::answer::Answer;
use crate::callback_secret::CallbackSecret;

/// Reads and writes the callback secrets of accounts.
///
/// A trunk's event is stored only if its account has an enabled secret in the same transaction; without one it is
/// counted as dropped ([`Backlog`](crate::Backlog)).
pub trait CallbackSecrets: Send + Sync + std::fmt::Debug {
    /// Adds a secret. If it is enabled, the account's other secrets are disabled.
    ///
    /// # Errors
    /// [`StoreError::Conflict`](crate::StoreError::Conflict) if the account does not exist, and
    /// [`StoreError::Quota`](crate::StoreError::Quota) if it has [`MAX_CALLBACK_SECRETS`](crate::MAX_CALLBACK_SECRETS).
    fn add_callback_secret(&self, account: i64, secret: CallbackSecret) -> Answer<'_, ()>;

    /// Enables the account's secret with the text of this one, or adds this one, enabled, if it has none. The account's
    /// other secrets are disabled. Nodes that ensure the same text at once store it once.
    ///
    /// # Errors
    /// As those of [`add_callback_secret`](Self::add_callback_secret).
    fn ensure_callback_secret(&self, account: i64, secret: CallbackSecret) -> Answer<'_, ()>;

    /// Returns the secrets of an account, the oldest first.
    fn callback_secrets(&self, account: i64) -> Answer<'_, Vec<CallbackSecret>>;

    /// Returns the enabled secret of an account.
    fn enabled_callback_secret(&self, account: i64) -> Answer<'_, Option<Secret>>;

    /// Enables or disables a secret. If it is enabled, the account's other secrets are disabled. Returns true if it
    /// exists.
    fn enable_callback_secret(&self, account: i64, id: Uuid, is_enabled: bool) -> Answer<'_, bool>;

    /// Replaces the text of a secret, which stays enabled or disabled. Returns true if it exists.
    fn replace_callback_secret(&self, account: i64, id: Uuid, secret: Secret) -> Answer<'_, bool>;

    /// Removes a secret. Returns true if it existed.
    fn remove_callback_secret(&self, account: i64, id: Uuid) -> Answer<'_, bool>;
}
