//! Requests that another room of the server sends for an account.

use std::sync::Arc;

use didww_types::ApiVersion;
use token_service::Scope;
use trunk_store::account::{Account, KnownKey};
use uuid::Uuid;

use crate::authentication::Caller;

/// The account that a request is sent for, as an extension of the request: no client can set one. The request needs no
/// credentials, has the newest version, may do what the owner may, and is not counted.
#[derive(Debug, Clone)]
pub struct OnBehalf(
    /// The account.
    pub Arc<Account>,
);

impl OnBehalf {
    pub(crate) fn caller(&self) -> Caller {
        let account = Arc::clone(&self.0);
        Caller {
            key: KnownKey { id: Uuid::nil(), account, addresses: None, environment: None },
            scope: Scope::Full,
            version: ApiVersion::NEWEST,
            unheeded_version: None,
        }
    }
}
