//! Generates ids, keys and credentials. Only this file asks the system for randomness.

#![expect(clippy::disallowed_methods, reason = "this is where the randomness is injected")]

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use didww_types::{ApiVersion, Secret, Timestamp};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Generates every value that must be unguessable or unique. Clones share the sequence.
#[derive(Debug, Clone)]
pub struct Ids(Arc<Source>);

#[derive(Debug)]
enum Source {
    System {
        requests: RequestIds,
        pool: RandomPool,
    },
    /// The seed, and the number of blocks that were generated.
    Seeded(Mutex<(u64, u64)>),
}

/// Generates request ids, which are unique and unordered. They protect nothing, so each is a keyed hash of a
/// counter, and a request costs no system call for randomness.
#[derive(Debug, Default)]
struct RequestIds {
    key: RandomState,
    count: AtomicU64,
}

/// Random bytes that were read from the system in advance. A phone call needs ten small pieces, and each
/// system call costs as much as generating all of the call's headers.
#[derive(Default)]
struct RandomPool(Mutex<Vec<u8>>);

impl std::fmt::Debug for RandomPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RandomPool(hidden)")
    }
}

/// Bytes that are read from the system at a time.
const POOL_BYTES: usize = 4_096;

impl RandomPool {
    /// Fills `bytes` from the pool. No byte is used twice.
    fn take(&self, bytes: &mut [u8]) {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() < bytes.len() {
            pool.resize(POOL_BYTES.max(bytes.len()), 0);
            fill_from_system(&mut pool);
        }
        let left = pool.len() - bytes.len();
        if let Some(next) = pool.get_mut(left..) {
            bytes.copy_from_slice(next);
            next.fill(0);
        }
        pool.truncate(left);
    }
}

fn fill_from_system(bytes: &mut [u8]) {
    // Without randomness no key is secret, so there is no sensible way to continue.
    assert!(getrandom::fill(bytes).is_ok(), "the system returned no random numbers");
}

const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// The alphabet of base64 in URLs (RFC 4648, section 5).
const URL_SAFE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const LOWER_HEX: &[u8] = b"0123456789abcdef";
const LOWER_ALPHANUMERIC: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

impl Default for Ids {
    fn default() -> Self {
        Self::system()
    }
}

impl Ids {
    /// Creates a generator that uses the operating system's randomness.
    pub fn system() -> Self {
        Self(Arc::new(Source::System { requests: RequestIds::default(), pool: RandomPool::default() }))
    }

    /// Creates a generator whose sequence depends on the seed alone. For tests only: the seed reveals every
    /// key.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Source::Seeded(Mutex::new((seed, 0)))))
    }

    /// The id of a record: a UUID of version 7. It starts with the time, so an index by id grows at its end.
    pub fn record(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        uuid::Builder::from_unix_timestamp_millis(now.as_unix_millis().unsigned_abs(), &random).into_uuid()
    }

    /// The id of a request: a UUID of version 4. It is unique but not secret.
    pub fn request(&self) -> Uuid {
        let mut random = [0; 16];
        match &*self.0 {
            Source::System { requests: RequestIds { key, count }, .. } => {
                let count = count.fetch_add(1, Ordering::Relaxed);
                let (high, low) = (key.hash_one((count, 0)), key.hash_one((count, 1)));
                random = (u128::from(high) << 64 | u128::from(low)).to_be_bytes();
            }
            Source::Seeded(_) => self.fill(&mut random),
        }
        uuid::Builder::from_random_bytes(random).into_uuid()
    }

    /// An API key: 32 lower-case letters and digits.
    pub fn api_key(&self) -> Secret {
        Secret::new(self.text(32, LOWER_ALPHANUMERIC))
    }

    /// A trunk's SIP username and password, in the form of an API version: 16 letters and digits each from
    /// 2026-04-16 on, and 10 lower-case letters and digits before.
    pub fn credentials(&self, version: ApiVersion) -> (String, Secret) {
        let (length, alphabet) =
            if version >= ApiVersion::V2026_04_16 { (16, ALPHANUMERIC) } else { (10, LOWER_ALPHANUMERIC) };
        (self.text(length, alphabet), Secret::new(self.text(length, alphabet)))
    }

    /// A SIP username and password for a trunk at an upstream carrier: 32 letters and digits each, the
    /// username in lower case.
    pub fn carrier_credentials(&self) -> (String, Secret) {
        (self.text(32, LOWER_ALPHANUMERIC), Secret::new(self.text(32, ALPHANUMERIC)))
    }

    /// A random number of 64 bits.
    pub fn word(&self) -> u64 {
        let mut random = [0; 8];
        self.fill(&mut random);
        u64::from_be_bytes(random)
    }

    /// The local tag of a SIP dialog: 16 lower-case letters and digits.
    pub fn tag(&self) -> String {
        self.text(16, LOWER_ALPHANUMERIC)
    }

    /// A key that authenticates the nonces of SIP digest challenges: 32 bytes. A server uses one key until it
    /// stops.
    pub fn nonce_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        self.fill(&mut key);
        key
    }

    /// A key that signs access tokens: 32 bytes.
    pub fn token_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        self.fill(&mut key);
        key
    }

    /// The master key and salt of an SRTP stream: 30 bytes, as 40 characters of base64.
    pub fn media_key(&self) -> String {
        self.text(40, ALPHANUMERIC)
    }

    /// The salt for the hash of a password: 16 bytes.
    pub fn salt(&self) -> [u8; 16] {
        let mut salt = [0; 16];
        self.fill(&mut salt);
        salt
    }

    /// A secret token: 43 letters and digits.
    pub fn token(&self) -> Secret {
        Secret::new(self.text(43, ALPHANUMERIC))
    }

    /// A secret token: 32 characters of the URL-safe base64 alphabet, which are 192 bits.
    pub fn url_safe_token(&self) -> Secret {
        Secret::new(self.text(32, URL_SAFE))
    }

    /// The digits of an address that is hard to guess: 12 lower-case hexadecimal digits, which are 48 bits.
    pub fn address_digits(&self) -> String {
        self.text(12, LOWER_HEX)
    }

    fn text(&self, length: usize, alphabet: &[u8]) -> String {
        let mut text = String::with_capacity(length);
        // Bytes beyond the last whole multiple of the alphabet's length would favour its first letters.
        let fair = 256 - 256 % alphabet.len();
        let mut random = [0; 64];
        while text.len() < length {
            // A few more than are missing, because some bytes are discarded.
            let wanted = (length - text.len() + 8).min(random.len());
            let random = random.get_mut(..wanted).unwrap_or_default();
            self.fill(random);
            let letters = random.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair);
            text.extend(
                letters.filter_map(|byte| alphabet.get(byte % alphabet.len())).map(|b| char::from(*b)),
            );
        }
        text.truncate(length);
        text
    }

    fn fill(&self, bytes: &mut [u8]) {
        match &*self.0 {
            Source::System { pool, .. } if bytes.len() <= 64 => pool.take(bytes),
            Source::System { .. } => fill_from_system(bytes),
            Source::Seeded(state) => {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                for chunk in bytes.chunks_mut(32) {
                    let mut hash = Sha256::new();
                    hash.update(state.0.to_le_bytes());
                    hash.update(state.1.to_le_bytes());
                    state.1 += 1;
                    for (byte, random) in chunk.iter_mut().zip(hash.finalize()) {
                        *byte = random;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_yields_the_same_sequence() {
        let make = || {
            let ids = Ids::seeded(7);
            (ids.record(Timestamp::from_unix_millis(1)), ids.api_key().expose().to_owned())
        };
        assert_eq!(make(), make());
    }

    #[test]
    fn no_byte_of_the_pool_is_used_twice() {
        let ids = Ids::system();
        let words: std::collections::HashSet<u64> = (0..10_000).map(|_| ids.word()).collect();
        assert_eq!(words.len(), 10_000);
        let tags: std::collections::HashSet<String> = (0..1_000).map(|_| ids.tag()).collect();
        assert!(tags.len() == 1_000 && tags.iter().all(|tag| tag.len() == 16));
        assert!(!format!("{ids:?}").contains('['), "the pool is not printed");
    }

    #[test]
    fn no_two_requests_have_the_same_id() {
        let ids = Ids::system();
        let made: std::collections::HashSet<Uuid> = (0..10_000).map(|_| ids.request()).collect();
        assert_eq!(made.len(), 10_000);
        assert!(made.iter().all(|id| id.get_version_num() == 4));
        assert!(!made.contains(&Ids::system().request()), "another process has another sequence");
    }

    #[test]
    fn credentials_have_the_form_of_their_version() {
        let ids = Ids::system();
        assert_eq!(ids.credentials(ApiVersion::V2026_04_16).0.len(), 16);
        let (older, _) = ids.credentials(ApiVersion::V2021_12_15);
        let (username, password) = ids.carrier_credentials();
        for text in [username.as_str(), password.expose()] {
            assert!(text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
        assert!(older.len() == 10 && older.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    }
}
