//! The result of loading a world.

use didww_types::Secret;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

/// The result of loading a world.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LoadedWorld {
    /// The accounts, in the order of the file.
    pub accounts: Vec<LoadedAccount>,
    /// The number of records, and of providers, customers and routes, that were stored.
    pub records: usize,
}

/// An account that was filled.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadedAccount {
    /// The id of the account.
    pub id: Uuid,
    /// The name of the account, for display.
    pub name: String,
    /// False if the account existed.
    pub is_new: bool,
    /// The random key of a new account for which the file has none. Nothing shows it later.
    pub api_key: Option<Secret>,
}

impl LoadedAccount {
    pub(super) fn new(id: Uuid, name: String, is_new: bool, api_key: Option<Secret>) -> Self {
        Self { id, name, is_new, api_key }
    }
}

/// The result of loading a world, as the control API answers it.
#[derive(Serialize, JsonSchema)]
pub(super) struct LoadAnswer {
    /// The accounts, in the order of the file.
    accounts: Vec<AccountAnswer>,
    /// The number of records that were stored.
    records: usize,
}

#[derive(Serialize, JsonSchema)]
struct AccountAnswer {
    /// The id of the account.
    id: Uuid,
    /// The name of the account, for display.
    name: String,
    /// False if the account existed.
    created: bool,
    /// The random key of a new account for which the file has none, which is shown only here; else null.
    api_key: Option<String>,
}

impl From<LoadedWorld> for LoadAnswer {
    fn from(loaded: LoadedWorld) -> Self {
        let accounts = loaded.accounts.into_iter().map(|account| AccountAnswer {
            id: account.id,
            name: account.name,
            created: account.is_new,
            api_key: account.api_key.map(|key| key.expose().to_owned()),
        });
        Self { accounts: accounts.collect(), records: loaded.records }
    }
}
