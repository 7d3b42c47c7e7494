//! The requests for inbound calls: placing a call, and listing calls.

use didww_types::Timestamp;
use uuid::Uuid;

/// A request to place a call to a DID.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewInboundCall {
    /// The caller's number as the network has it, such as `+442079460999` or `anonymous`: at most 64 characters.
    pub from: String,
    /// The called DID in E.164 form, with or without a plus sign.
    pub to: String,
    /// The account that the DID must belong to. None looks it up among those of all accounts.
    pub account: Option<Uuid>,
}

impl NewInboundCall {
    /// A call from a number to a DID of any account.
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self { from: from.into(), to: to.into(), account: None }
    }

    /// Sets the account that the DID must belong to.
    #[must_use]
    pub fn account(mut self, account: Uuid) -> Self {
        self.account = Some(account);
        self
    }
}

/// A query for calls, newest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InboundQuery {
    /// Only calls to DIDs of this account.
    pub account: Option<Uuid>,
    /// Only calls that have not ended.
    pub live: bool,
    /// Only calls that were placed before this time.
    pub before: Option<Timestamp>,
    /// Maximum number of calls to return.
    pub limit: u64,
}
