//! The keys that sign access tokens.

use std::sync::Arc;

use crate::answer::Answer;
use crate::token_key::{TokenKey, TokenKeyRotation};

/// Reads and rotates the keys that sign access tokens. All nodes of a database share them.
pub trait TokenKeys: Send + Sync + std::fmt::Debug {
    /// Returns the keys, the oldest first.
    ///
    /// Every request with a token needs them, so an engine answers from memory, as it does for
    /// [`account_by_key`](crate::Accounts::account_by_key), and learns of changes by another node within the same time.
    fn token_keys(&self) -> Answer<'_, Arc<[TokenKey]>>;

    /// Adds a key and removes old ones, in one transaction. Returns the keys afterwards, the oldest first; at most
    /// [`MAX_TOKEN_KEYS`](crate::MAX_TOKEN_KEYS) remain.
    fn rotate_token_keys(&self, rotation: TokenKeyRotation) -> Answer<'_, Arc<[TokenKey]>>;
}
