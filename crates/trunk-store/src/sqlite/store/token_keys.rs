//! Reads and rotations of the keys of tokens. Reads use the directory in memory, which a rotation changes after its
//! commit and before its answer.

use std::sync::Arc;

use super::super::token_keys;
use super::SqliteStore;
use crate::{Answer, TokenKey, TokenKeyRotation, TokenKeys};

impl TokenKeys for SqliteStore {
    fn token_keys(&self) -> Answer<'_, Arc<[TokenKey]>> {
        Answer::ready(Ok(self.directory.read().token_keys()))
    }

    fn rotate_token_keys(&self, rotation: TokenKeyRotation) -> Answer<'_, Arc<[TokenKey]>> {
        let directory = self.directory.clone();
        Answer::later(self.connections.write_then(
            move |connection| token_keys::rotate(connection, &rotation),
            move |keys| directory.write().put_token_keys(keys),
        ))
    }
}
