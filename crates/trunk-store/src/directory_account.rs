//! Updates the directory with accounts that other nodes changed.

use std::collections::HashSet;
use std::sync::Arc;

use crate::account::{Account, ApiKey};
use crate::directory::{Directory, DirectoryKey};

impl Directory {
    /// Adds accounts with their keys.
    pub(crate) fn put_all(&mut self, found: Vec<(Arc<Account>, Vec<ApiKey>)>) {
        for (account, keys) in found {
            self.put(&account);
            for key in keys {
                self.put_key(key.digest, DirectoryKey::of(account.number, &key));
            }
        }
    }

    /// Replaces accounts and their keys. Accounts of `numbers` that are not in `found` are removed with their keys.
    pub(crate) fn replace(&mut self, numbers: &HashSet<i64>, found: Vec<(Arc<Account>, Vec<ApiKey>)>) {
        self.remove_all(|number| numbers.contains(&number));
        self.put_all(found);
    }
}
