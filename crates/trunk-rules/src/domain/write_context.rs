//! The inputs of a decision on a write.

use std::collections::BTreeMap;

use didww_types::{ApiVersion, Features, Secret, Timestamp};
use serde_json::{Map, Value};

/// One write, with everything that the decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct WriteContext<'a> {
    /// Whether a record is created or updated.
    pub kind: WriteKind<'a>,
    /// The API version of the request.
    pub version: ApiVersion,
    /// The features of the account.
    pub features: Features,
    /// The time of the write.
    pub now: Timestamp,
    /// The attributes as sent, in the names and forms of the API version.
    pub sent: &'a Map<String, Value>,
    /// The relationships that were sent, with the records they name.
    pub links: &'a BTreeMap<&'static str, Linked>,
    /// The credentials to store if the write creates new ones.
    pub fresh: &'a Credentials,
    /// The record's own `meta`, such as the amount a trunk spent; empty if it has none.
    pub meta: &'a Map<String, Value>,
    /// Whether manual blocking and unblocking also trigger the callback.
    pub callback_on_manual_block: bool,
}

/// Whether a record is created or updated.
#[derive(Debug, Clone, Copy)]
pub enum WriteKind<'a> {
    /// A record is created.
    Create,
    /// The record with these canonical attributes is updated.
    Update(&'a Map<String, Value>),
}

/// SIP credentials of a trunk.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The digest username.
    pub username: String,
    /// The digest password.
    pub password: Secret,
}

/// The records that a relationship in a request body names.
#[derive(Debug, Clone, Default)]
pub struct Linked {
    /// The records in the order in which they were named, each once.
    pub records: Vec<LinkedRecord>,
}

/// A record that a request body names.
#[derive(Debug, Clone)]
pub struct LinkedRecord {
    /// The id that was sent.
    pub id: String,
    /// The record's canonical attributes; `None` if the account has no such record.
    pub attributes: Option<Map<String, Value>>,
}
