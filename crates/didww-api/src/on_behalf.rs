//! Requests that another component of the server sends for an account.

use std::sync::Arc;

use didww_types::ApiVersion;
use token_service::Scope;
use trunk_store::account::{Account, KnownKey};
use uuid::Uuid;

use crate::authentication::Caller;

/// The account for which a request is sent, as an extension of the request, which no client can set. The request needs
/// no credentials, is served in the newest version with the owner's permissions, and is not counted.
#[derive(Debug, Clone)]
pub struct OnBehalf(
    /// The account for which the request is sent.
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
