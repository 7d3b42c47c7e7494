//! The replacement of one account in a directory, which other nodes changed.

use std::sync::Arc;

use crate::account::{Account, ApiKey};
use crate::directory::{Directory, DirectoryKey};

impl Directory {
    /// Replaces what is known of one account. `None` removes it and its keys.
    pub(crate) fn replace(&mut self, number: i64, found: Option<(Arc<Account>, Vec<ApiKey>)>) {
        self.remove(Some(number));
        if let Some((account, keys)) = found {
            self.put(&account);
            for key in keys {
                self.put_key(key.digest, DirectoryKey::of(number, &key));
            }
        }
    }
}
