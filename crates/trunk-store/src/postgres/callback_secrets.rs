//! The secrets that sign callbacks. A stub. The secrets of a deleted account are deleted with it: by a foreign key on
//! `account (number)`, as in the embedded engine.

use didww_types::Secret;
use uuid::Uuid;

use super::PostgresStore;
use crate::{Answer, CallbackSecret, CallbackSecrets, StoreError};

fn unwritten<'a, T>() -> Answer<'a, T> {
    Answer::ready(Err(StoreError::Failed("this part is not written".to_owned())))
}

impl CallbackSecrets for PostgresStore {
    fn add_callback_secret(&self, _account: i64, _secret: CallbackSecret) -> Answer<'_, ()> {
        unwritten()
    }

    fn callback_secrets(&self, _account: i64) -> Answer<'_, Vec<CallbackSecret>> {
        unwritten()
    }

    fn enabled_callback_secret(&self, _account: i64) -> Answer<'_, Option<Secret>> {
        unwritten()
    }

    fn enable_callback_secret(&self, _account: i64, _id: Uuid, _is_enabled: bool) -> Answer<'_, bool> {
        unwritten()
    }

    fn replace_callback_secret(&self, _account: i64, _id: Uuid, _secret: Secret) -> Answer<'_, bool> {
        unwritten()
    }

    fn remove_callback_secret(&self, _account: i64, _id: Uuid) -> Answer<'_, bool> {
        unwritten()
    }
}
