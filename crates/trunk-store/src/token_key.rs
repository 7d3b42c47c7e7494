//! The keys that sign access tokens.

use didww_types::Timestamp;
use uuid::Uuid;

/// Maximum number of stored keys. A rotation beyond it removes the oldest.
pub const MAX_TOKEN_KEYS: usize = 8;

/// A key that signs access tokens, which all nodes of the database share. `Debug` does not print the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKey {
    /// The id, which tokens name in their header.
    pub id: Uuid,
    /// The secret of the signature: 32 random bytes.
    pub secret: [u8; 32],
    /// When the key was created, on the server's clock.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenKey")
            .field("id", &self.id)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

/// A rotation: a new key, and which old ones are removed.
#[derive(Debug, Clone)]
pub struct TokenKeyRotation {
    /// The key that signs tokens from now on.
    pub new: TokenKey,
    /// If a key was created after this time, nothing changes: another node was faster. `None` rotates in any case.
    pub unless_since: Option<Timestamp>,
    /// Keys whose successor was created at this time or before are removed. `None` removes every old key, and so
    /// invalidates every token.
    pub remove_succeeded_until: Option<Timestamp>,
}
