//! The JSON of answers, as the handlers encode it and the document describes it. The JSON of calls, customers and their
//! records is declared in the crates that have them.

use didww_types::{Feature, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use trunk_store::account::{self, ApiKey, Environment};
use trunk_store::{Delivery, Owner};
use uuid::Uuid;

/// Why a request was refused.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes what `respond::refused` writes")]
pub(crate) struct Refused {
    /// The reason of the refusal, as a sentence.
    error: String,
}

/// An account with its settings, without its keys.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Account {
    /// The id of the account.
    id: Uuid,
    /// The name for display; unique.
    name: String,
    /// The API version of requests that name no newer one.
    version: &'static str,
    /// The features that are enabled.
    features: Vec<&'static str>,
    /// Maximum number of requests per second of each key. 0 is no limit; null is the server's default.
    rate_limit: Option<u32>,
    /// Maximum number of records of each type. 0 is no limit; null is the server's default.
    record_quota: Option<u64>,
    /// When the account was created.
    created_at: Timestamp,
}

impl From<&account::Account> for Account {
    fn from(account: &account::Account) -> Self {
        Self {
            id: account.id,
            name: account.name.clone(),
            version: account.version.as_str(),
            features: account.features.iter().map(Feature::as_str).collect(),
            rate_limit: account.rate_limit,
            record_quota: account.record_quota,
            created_at: account.created_at,
        }
    }
}

/// A list of accounts, oldest first.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Accounts {
    pub(crate) accounts: Vec<Account>,
}

/// A new account with its first API key, which is shown only here.
#[derive(Serialize, JsonSchema)]
pub(crate) struct NewAccount {
    #[serde(flatten)]
    pub(crate) account: Account,
    /// The first API key, in clear text.
    pub(crate) api_key: String,
}

/// An API key without the key itself.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Key {
    /// The id of the key.
    id: Uuid,
    /// When the key was added.
    created_at: Timestamp,
    /// The networks from which the key may be used; null is anywhere.
    allowed_addresses: Option<Vec<String>>,
    /// `production` or `sandbox`; null for a key from before environments were stored.
    environment: Option<&'static str>,
}

impl From<&ApiKey> for Key {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id,
            created_at: key.created_at,
            allowed_addresses: key.addresses.as_ref().map(|addresses| addresses.texts().to_vec()),
            environment: key.environment.map(Environment::as_str),
        }
    }
}

/// A key that signs access tokens, without its secret.
#[derive(Serialize, JsonSchema)]
pub(crate) struct TokenKey {
    /// The id of the key.
    id: Uuid,
    /// When the key was made.
    created_at: Timestamp,
}

impl From<&trunk_store::TokenKey> for TokenKey {
    fn from(key: &trunk_store::TokenKey) -> Self {
        Self { id: key.id, created_at: key.created_at }
    }
}

/// The keys that sign access tokens, oldest first.
#[derive(Serialize, JsonSchema)]
pub(crate) struct TokenKeys {
    pub(crate) token_keys: Vec<TokenKey>,
}

/// The API keys of an account, oldest first.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Keys {
    pub(crate) keys: Vec<Key>,
}

/// A new API key, which is shown only here.
#[derive(Serialize, JsonSchema)]
pub(crate) struct NewKey {
    /// The id of the key.
    pub(crate) id: Uuid,
    /// The API key, in clear text.
    pub(crate) api_key: String,
}

/// The id of the deleted object, as in the request.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Deleted {
    pub(crate) deleted: String,
}

/// The id of the updated object, as in the request.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Updated {
    pub(crate) updated: String,
}

/// The trunk that was updated.
#[derive(Serialize, JsonSchema)]
pub(crate) struct UpdatedTrunk {
    /// The id as in the request.
    pub(crate) updated: String,
    /// The warning that the trunk takes calls from any address. Absent if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) warning: Option<&'static str>,
}

/// A trunk that takes calls from any address.
#[derive(Serialize, JsonSchema)]
pub(crate) struct OpenTrunk {
    /// The id of its account.
    pub(crate) account: Uuid,
    /// The id of the trunk.
    pub(crate) trunk: Uuid,
    /// Whether a password protects it.
    pub(crate) warning: &'static str,
}

/// The trunks that take calls from any address, in the order of their creation.
#[derive(Serialize, JsonSchema)]
pub(crate) struct OpenTrunks {
    /// At most 1,000 of them.
    pub(crate) open_trunks: Vec<OpenTrunk>,
    /// The number of all of them.
    pub(crate) total: usize,
}

/// A DID that was added.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Did {
    /// The id of the DID.
    pub(crate) id: Uuid,
    /// The telephone number, as digits without a plus sign.
    pub(crate) number: String,
}

/// The DIDs that were added, in the order of the request.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Dids {
    pub(crate) dids: Vec<Did>,
}

/// A record that was stored.
#[derive(Serialize, JsonSchema)]
pub(crate) struct StoredRecord {
    /// The id of the record.
    pub(crate) id: Uuid,
    /// The type of the record.
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// An attempt to deliver events. One for an account has `account` and `trunk`, one for a customer `customer` and
/// `call`.
#[derive(Serialize, JsonSchema)]
pub(crate) struct DeliveryAttempt {
    /// The account; null if it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[allow(clippy::option_option, reason = "null and absent differ")]
    account: Option<Option<Uuid>>,
    /// The trunk whose events were sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    trunk: Option<Uuid>,
    /// The id of the customer whose event was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<Uuid>,
    /// The call whose event was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<Uuid>,
    /// The URL, without user and password.
    url: String,
    /// Number of events in the request.
    events: u32,
    /// The number of the attempt, from 1.
    attempt: u32,
    /// When the attempt was made.
    at: Timestamp,
    /// The HTTP status of the response; null if there was none.
    status: Option<u16>,
    /// Why the attempt failed; null if it did not.
    error: Option<String>,
}

impl DeliveryAttempt {
    /// Renders an attempt; `account` is the id of the account with the number of the attempt's owner.
    pub(crate) fn new(delivery: &Delivery, account: impl FnOnce(i64) -> Option<Uuid>) -> Self {
        let subject = Some(delivery.subject);
        let (account, trunk, customer, call) = match delivery.owner {
            Owner::Account(number) => (Some(account(number)), subject, None, None),
            Owner::Customer(customer) => (None, None, Some(customer), subject),
        };
        Self {
            account,
            trunk,
            customer,
            call,
            url: delivery.url.clone(),
            events: delivery.events,
            attempt: delivery.attempt,
            at: delivery.at,
            status: delivery.status,
            error: delivery.error.clone(),
        }
    }
}

/// Attempts to deliver events, newest first.
#[derive(Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the members of the answer have these names")]
pub(crate) struct Deliveries {
    pub(crate) deliveries: Vec<DeliveryAttempt>,
    /// Number of events that wait for delivery.
    pub(crate) waiting: u64,
    /// Number of events that were dropped without delivery.
    pub(crate) dropped: u64,
}

/// The account whose records were deleted, or `all`.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Reset {
    pub(crate) reset: String,
}

/// The state of the server's clock.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ClockState {
    /// The present time of the clock.
    pub(crate) now: Timestamp,
    /// Whether the clock is frozen.
    pub(crate) frozen: bool,
}
