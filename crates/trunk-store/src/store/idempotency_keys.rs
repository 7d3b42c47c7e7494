//! Idempotency keys, and the responses to the requests that used them.

use didww_types::Timestamp;

use crate::answer::Answer;
use crate::idempotency::{IdempotencyKey, KeptResponse, KeyUse, UsedKey};

/// Reads idempotency keys, and keeps responses. The use of a key is stored by the writes of its request, inside
/// [`with_key_use`](crate::with_key_use).
pub trait IdempotencyKeys: Send + Sync + std::fmt::Debug {
    /// Returns the last use of a key, even if it has expired.
    fn used_key(&self, key: IdempotencyKey) -> Answer<'_, Option<UsedKey>>;

    /// Keeps the response to the request that used a key, as of [`KeyUse::used_at`], and stores the use if the request
    /// wrote nothing. A response that is kept already stays.
    ///
    /// # Errors
    /// [`StoreError::Conflict`](crate::StoreError::Conflict) if another request has used the key, or a failure of the
    /// engine.
    fn keep_response(&self, used: KeyUse, response: KeptResponse) -> Answer<'_, ()>;

    /// Deletes at most `most` keys that were used at this time or before. Returns how many were deleted.
    fn forget_keys(&self, until: Timestamp, most: u64) -> Answer<'_, u64>;
}
