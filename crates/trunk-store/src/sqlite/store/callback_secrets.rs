//! Reads and writes of callback secrets, of which none is kept in memory.

use didww_types::Secret;
use uuid::Uuid;

use super::super::callback_secrets;
use super::SqliteStore;
use crate::{Answer, CallbackSecret, CallbackSecrets};

impl CallbackSecrets for SqliteStore {
    fn add_callback_secret(&self, account: i64, secret: CallbackSecret) -> Answer<'_, ()> {
        Answer::later(
            self.connections.write(move |connection| callback_secrets::add(connection, account, &secret)),
        )
    }

    fn ensure_callback_secret(&self, account: i64, secret: CallbackSecret) -> Answer<'_, ()> {
        Answer::later(
            self.connections.write(move |connection| callback_secrets::ensure(connection, account, &secret)),
        )
    }

    fn callback_secrets(&self, account: i64) -> Answer<'_, Vec<CallbackSecret>> {
        Answer::ready(self.connections.read(|connection| callback_secrets::list(connection, account)))
    }

    fn enabled_callback_secret(&self, account: i64) -> Answer<'_, Option<Secret>> {
        Answer::ready(self.connections.read(|connection| callback_secrets::enabled(connection, account)))
    }

    fn enable_callback_secret(&self, account: i64, id: Uuid, is_enabled: bool) -> Answer<'_, bool> {
        Answer::later(
            self.connections
                .write(move |connection| callback_secrets::enable(connection, account, id, is_enabled)),
        )
    }

    fn replace_callback_secret(&self, account: i64, id: Uuid, secret: Secret) -> Answer<'_, bool> {
        Answer::later(
            self.connections
                .write(move |connection| callback_secrets::replace(connection, account, id, &secret)),
        )
    }

    fn remove_callback_secret(&self, account: i64, id: Uuid) -> Answer<'_, bool> {
        Answer::later(
            self.connections.write(move |connection| callback_secrets::remove(connection, account, id)),
        )
    }
}
