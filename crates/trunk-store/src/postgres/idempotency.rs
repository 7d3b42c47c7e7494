//! Idempotency keys. A stub.

use didww_types::Timestamp;

use super::PostgresStore;
use super::failure::Done;
use super::transaction::Transaction;
use crate::{Answer, IdempotencyKey, IdempotencyKeys, KeptResponse, KeyUse, StoreError, UsedKey};

/// Stores the use of a key, if it is not stored yet. Every transaction of a request that uses one ends with it.
///
/// # Errors
/// [`StoreError::Conflict`] if another request has used the key.
pub(super) async fn claim(_transaction: &Transaction<'_>, _used: &KeyUse) -> Done<()> {
    Err(StoreError::Failed("this part is not written".to_owned()).into())
}

/// Deletes the keys of one account, or all but those of the control API.
pub(super) async fn reset(_transaction: &Transaction<'_>, _account: Option<i64>) -> Done<()> {
    Ok(())
}

fn unwritten<'a, T>() -> Answer<'a, T> {
    Answer::ready(Err(StoreError::Failed("this part is not written".to_owned())))
}

impl IdempotencyKeys for PostgresStore {
    fn used_key(&self, _key: IdempotencyKey) -> Answer<'_, Option<UsedKey>> {
        unwritten()
    }

    fn keep_response(&self, _used: KeyUse, _response: KeptResponse) -> Answer<'_, ()> {
        unwritten()
    }

    fn forget_keys(&self, _until: Timestamp, _most: u64) -> Answer<'_, u64> {
        unwritten()
    }
}
