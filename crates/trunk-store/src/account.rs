//! Accounts, the owners of all records, and their API keys.

use std::net::IpAddr;
use std::sync::Arc;

use didww_types::Features;
use didww_types::values::IpNetworks;
use didww_types::{ApiVersion, Timestamp};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};
use uuid::Uuid;

/// The largest rate limit that can be configured for an account or the server, in requests per second.
pub const MAX_RATE_LIMIT: u32 = 100_000;

/// A customer of the service. Requests of one account cannot see the records of another.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// The store's internal number, from 1. It is never reused.
    pub number: i64,
    /// The id on the control interface.
    pub id: Uuid,
    /// The display name, unique among accounts.
    pub name: String,
    /// The API version of requests that do not name a newer one.
    pub version: ApiVersion,
    /// The features that the service has enabled for the account.
    pub features: Features,
    /// Maximum requests per second of each key. 0 means no limit; `None` means the server's default.
    pub rate_limit: Option<u32>,
    /// Maximum number of records of each type. 0 means no limit; `None` means the server's default.
    pub record_quota: Option<u64>,
    /// When the account was created, on the server's clock.
    pub created_at: Timestamp,
}

/// An API key of an account. The key itself is not stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiKey {
    /// The id on the control interface.
    pub id: Uuid,
    /// The digest of the key.
    pub digest: KeyDigest,
    /// When the key was created, on the server's clock.
    pub created_at: Timestamp,
    /// The addresses and networks from which the key may be used; `None` means from anywhere. At least one entry.
    pub addresses: Option<Arc<IpNetworks>>,
    /// The environment that the key belongs to; `None` for keys from before environments were stored, which belong to
    /// every one.
    pub environment: Option<Environment>,
}

/// An API key as requests use it: its owner, and where it may be used.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownKey {
    /// The key's id on the control interface.
    pub id: Uuid,
    /// The account that the key belongs to.
    pub account: Arc<Account>,
    /// The networks of [`ApiKey::addresses`]; `None` means from anywhere.
    pub addresses: Option<Arc<IpNetworks>>,
    /// The environment of [`ApiKey::environment`]; `None` means every one.
    pub environment: Option<Environment>,
}

impl KnownKey {
    /// Whether the key may be used from an address.
    pub fn allows(&self, address: IpAddr) -> bool {
        self.addresses.as_ref().is_none_or(|networks| networks.contains(address.to_canonical()))
    }

    /// Whether the key belongs to an environment.
    pub fn is_of(&self, environment: Environment) -> bool {
        self.environment.is_none_or(|own| own == environment)
    }
}

/// The environment of a server: keys and tokens of one environment are refused in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// DIDWW's production service, which is the default.
    #[default]
    Production,
    /// DIDWW's sandbox, the service for trials.
    Sandbox,
}

impl Environment {
    /// The name in the configuration, in the database and in tokens, such as `sandbox`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Sandbox => "sandbox",
        }
    }

    /// The environment with this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Production, Self::Sandbox].into_iter().find(|environment| environment.as_str() == name)
    }
}

/// The SHA-256 digest of a key. Keys are stored as their digests, and looked up by them, so that neither the database
/// nor the timing of a look-up reveals a key. A generated key has 165 bits, so its digest needs no salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// Computes the digest of a key.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// A digest that was stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Compares two digests in constant time.
    // By words: each comparison ends with a barrier that the compiler cannot see through, which takes longer than
    // comparing a byte.
    pub fn is(&self, other: &Self) -> bool {
        let ((words, _), (others, _)) = (self.0.as_chunks::<8>(), other.0.as_chunks::<8>());
        let are_same = words.iter().zip(others).fold(Choice::from(1), |are_same, (one, other)| {
            are_same & u64::from_ne_bytes(*one).ct_eq(&u64::from_ne_bytes(*other))
        });
        are_same.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_the_same_only_if_each_byte_is() {
        let digest = KeyDigest::of("key");
        assert!(digest.is(&KeyDigest::of("key")));
        for place in 0..32 {
            let mut bytes = *digest.as_bytes();
            bytes[place] ^= 1;
            assert!(!digest.is(&KeyDigest::from_bytes(bytes)), "{place}");
        }
    }
}
