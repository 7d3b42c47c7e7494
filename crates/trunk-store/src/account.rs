//! Whom everything belongs to.

use didww_types::Features;
use didww_types::{ApiVersion, Secret, Timestamp};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

/// The largest rate limit that an account or the server may have, in requests a second.
pub const MAX_RATE_LIMIT: u32 = 100_000;

/// A customer of the service. Records of one account do not exist for another.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// The store's own number of it.
    pub number: i64,
    /// Its id on the control interface.
    pub id: Uuid,
    /// A name for people; unique.
    pub name: String,
    /// The version that serves it when a request names no newer one.
    pub version: ApiVersion,
    /// What it has.
    pub features: Features,
    /// Requests per second of each of its keys; 0 is no limit, and none is the server's own.
    pub rate_limit: Option<u32>,
    /// Most records of a type; 0 is no limit, and none is the server's own.
    pub record_quota: Option<u64>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A key of an account. Kept recoverable, for callbacks are signed with it.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiKey {
    /// Its id on the control interface.
    pub id: Uuid,
    /// The key itself.
    pub secret: Secret,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a key is looked up by, so that a look-up tells nothing about the key's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest of a key.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// The digest's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether two digests are the same, decided in constant time.
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}
