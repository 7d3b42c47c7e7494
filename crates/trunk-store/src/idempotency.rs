//! Idempotency keys: a client sends one with a POST so that a repetition has no second effect.
//!
//! The use of a key is stored in the transaction of the request's first write, because every write of a task inside
//! [`with_key_use`] stores it: a handler cannot forget it, and a crash cannot separate them. The response follows in a
//! transaction of its own, before the client receives it. So a key is unused (nothing was written), used without a
//! response (the process ended in between, or the response is not kept), or used with one.
//!
//! A key is unique in its scope, on every node of the database: of two requests that write with the same key at the
//! same time, the second one fails with [`Conflict`](crate::StoreError::Conflict), and changes nothing.
//!
//! Bounds: [`MAX_KEYS_PER_SCOPE`] and [`MAX_BYTES_PER_SCOPE`]; the oldest keys with a response are forgotten first.

use std::fmt;

use didww_types::Timestamp;
use uuid::Uuid;

/// Maximum number of keys of one account, one customer, or the control API.
pub const MAX_KEYS_PER_SCOPE: u64 = 10_000;
/// Maximum size of the responses that are kept for one account, one customer, or the control API, in bytes.
pub const MAX_BYTES_PER_SCOPE: u64 = 64 << 20;

tokio::task_local! {
    /// The use of a key by the request that this task serves.
    static KEY_USE: Option<KeyUse>;
}

/// The owner of a key. The same text in two scopes is two keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdempotencyScope {
    /// An account, by its number.
    Account(i64),
    /// A customer of the communication platform.
    Customer(Uuid),
    /// The operator of the server, through the control API.
    Control,
}

/// The scope as it is stored.
impl fmt::Display for IdempotencyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(number) => write!(f, "account {number}"),
            Self::Customer(id) => write!(f, "customer {id}"),
            Self::Control => f.write_str("control"),
        }
    }
}

/// A key of a scope. Of the client's text only a digest is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// The client whose key it is: different clients can use the same text.
    pub scope: IdempotencyScope,
    /// The digest of the text.
    pub digest: [u8; 32],
}

/// The use of a key by one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUse {
    /// The key that the request came with.
    pub key: IdempotencyKey,
    /// The digest of the request: a repetition has the same one.
    pub fingerprint: [u8; 32],
    /// Distinguishes this request from its repetitions.
    pub request: Uuid,
    /// When the key was used.
    pub used_at: Timestamp,
    /// A use of the key at this time or before has expired, and is replaced.
    pub expired_at: Timestamp,
}

impl KeyUse {
    /// The use of a key that the writes of this task belong to.
    pub fn current() -> Option<Self> {
        KEY_USE.try_with(|used| *used).ok().flatten()
    }
}

/// Runs a future. The writes that begin in it belong to the use of a key: each stores the use, or fails with
/// [`Conflict`](crate::StoreError::Conflict) if another request has used the key. Tasks that the future spawns are not
/// included; [`KeyUse::current`] returns the use to pass on to a task that writes for the request.
pub async fn with_key_use<F: Future>(used: Option<KeyUse>, future: F) -> F::Output {
    KEY_USE.scope(used, future).await
}

/// A response that is kept for repetitions of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptResponse {
    /// The HTTP status of the response to the first request.
    pub status: u16,
    /// The media type; empty if the response has none.
    pub content_type: String,
    /// The body. The store does not read it: its owner may have encrypted it.
    pub body: Vec<u8>,
}

/// A key that was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedKey {
    /// The digest of the request.
    pub fingerprint: [u8; 32],
    /// The request that used it.
    pub request: Uuid,
    /// When the key was first used, on the server's clock.
    pub used_at: Timestamp,
    /// The response, if it was kept.
    pub response: Option<KeptResponse>,
}
