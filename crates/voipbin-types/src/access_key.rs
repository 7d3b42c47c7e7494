//! Access keys, which authenticate a customer without a login.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::lenient::or_default;
use super::{Secret, Timestamp};

/// An access key of a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccessKey {
    /// The id of the key, which is not the key itself.
    pub id: Uuid,
    /// The id of the customer.
    #[serde(default, deserialize_with = "or_default")]
    pub customer_id: Uuid,
    /// The key's name.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// A note about the key.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The key itself: `vb_` and 32 characters. Only the response that creates the key has it; it cannot be
    /// read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// The first 11 characters of the key, by which it can be recognised.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub token_prefix: String,
    /// The time at which the key expires; `None` for never.
    #[serde(default)]
    pub tm_expire: Option<Timestamp>,
    /// The time at which the key was created.
    #[serde(default)]
    pub tm_create: Option<Timestamp>,
    /// The time of the last change.
    #[serde(default)]
    pub tm_update: Option<Timestamp>,
    /// The time at which the key was deleted.
    #[serde(default)]
    pub tm_delete: Option<Timestamp>,
}

/// The body of a request that creates an access key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct AccessKeyCreate {
    /// The key's name, of at most 255 characters.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// A note about the key, of at most 65,535 bytes.
    #[serde(deserialize_with = "or_default")]
    pub detail: String,
    /// The number of seconds until the key expires, at least 86,400. The service refuses a body without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire: Option<i64>,
}

/// The body of a request that replaces the name and the note of an access key. A member that it leaves out
/// becomes empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct AccessKeyUpdate {
    /// The key's name, of at most 255 characters.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// A note about the key, of at most 65,535 bytes.
    #[serde(deserialize_with = "or_default")]
    pub detail: String,
}
