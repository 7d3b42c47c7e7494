//! Reads and writes of idempotency keys.

use didww_types::Timestamp;

use super::super::idempotency;
use super::SqliteStore;
use crate::{Answer, IdempotencyKey, IdempotencyKeys, KeptResponse, KeyUse, UsedKey};

impl IdempotencyKeys for SqliteStore {
    fn used_key(&self, key: IdempotencyKey) -> Answer<'_, Option<UsedKey>> {
        Answer::ready(self.connections.read(|connection| idempotency::find(connection, key)))
    }

    fn keep_response(&self, used: KeyUse, response: KeptResponse) -> Answer<'_, ()> {
        Answer::later(
            self.connections.write(move |connection| idempotency::keep(connection, &used, &response)),
        )
    }

    fn forget_keys(&self, until: Timestamp, most: u64) -> Answer<'_, u64> {
        Answer::later(self.connections.write(move |connection| idempotency::forget(connection, until, most)))
    }
}
