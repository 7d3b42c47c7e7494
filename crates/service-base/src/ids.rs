//! The one place that makes ids, keys and credentials.

#![expect(clippy::disallowed_methods, reason = "this is where the randomness is injected")]

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use didww_types::{ApiVersion, Secret, Timestamp};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Makes everything that must be unguessable or unique. Clones share the sequence.
#[derive(Debug, Clone)]
pub struct Ids(Arc<Source>);

#[derive(Debug)]
enum Source {
    System { requests: Requests, drawn: Drawn },
    Seeded(Mutex<(u64, u64)>),
}

/// Names for requests, unlike each other and without order. They guard nothing, so a keyed hash of a count will
/// do, and no request has to ask the system for randomness.
#[derive(Debug, Default)]
struct Requests {
    key: RandomState,
    count: AtomicU64,
}

/// The system's randomness, drawn in advance: a call needs ten small pieces, and each question to the system costs as
/// much as all of the call's headers.
#[derive(Default)]
struct Drawn(Mutex<Vec<u8>>);

impl std::fmt::Debug for Drawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Drawn(hidden)")
    }
}

/// Bytes drawn at a time.
const AHEAD: usize = 4_096;

impl Drawn {
    /// Gives bytes that nobody else gets.
    fn take(&self, bytes: &mut [u8]) {
        let mut drawn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if drawn.len() < bytes.len() {
            drawn.resize(AHEAD.max(bytes.len()), 0);
            ask_system(&mut drawn);
        }
        let left = drawn.len() - bytes.len();
        if let Some(next) = drawn.get_mut(left..) {
            bytes.copy_from_slice(next);
            next.fill(0);
        }
        drawn.truncate(left);
    }
}

fn ask_system(bytes: &mut [u8]) {
    // Without randomness no key is secret: there is nothing sensible left to do.
    assert!(getrandom::fill(bytes).is_ok(), "the system gives no random numbers");
}

const MIXED: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

impl Default for Ids {
    fn default() -> Self {
        Self::system()
    }
}

impl Ids {
    /// The operating system's randomness.
    pub fn system() -> Self {
        Self(Arc::new(Source::System { requests: Requests::default(), drawn: Drawn::default() }))
    }

    /// A sequence that is the same for the same seed. For tests: whoever knows the seed knows the keys.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Source::Seeded(Mutex::new((seed, 0)))))
    }

    /// An id of a record. It begins with the time, so that an index grows at its end.
    pub fn record(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        uuid::Builder::from_unix_timestamp_millis(now.as_unix_millis().unsigned_abs(), &random).into_uuid()
    }

    /// An id without order, for a request.
    pub fn request(&self) -> Uuid {
        let mut random = [0; 16];
        match &*self.0 {
            Source::System { requests: Requests { key, count }, .. } => {
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
        Secret::new(self.text(32, LOWER))
    }

    /// SIP username and password in the form that a version has: 16 letters and digits each since 2026-04-16; before,
    /// 10 lower-case letters and digits.
    pub fn credentials(&self, version: ApiVersion) -> (String, Secret) {
        let (length, alphabet) = if version >= ApiVersion::V2026_04_16 { (16, MIXED) } else { (10, LOWER) };
        (self.text(length, alphabet), Secret::new(self.text(length, alphabet)))
    }

    /// SIP username and password to set at a carrier: 32 letters and digits each, the username in lower case.
    pub fn carrier_credentials(&self) -> (String, Secret) {
        (self.text(32, LOWER), Secret::new(self.text(32, MIXED)))
    }

    /// A random word.
    pub fn word(&self) -> u64 {
        let mut random = [0; 8];
        self.fill(&mut random);
        u64::from_be_bytes(random)
    }

    /// The local tag of a SIP dialog.
    pub fn tag(&self) -> String {
        self.text(16, LOWER)
    }

    /// The key that nonces are made with. It lives as long as the server.
    pub fn nonce_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        self.fill(&mut key);
        key
    }

    /// Key and salt of an SRTP stream: 30 bytes, which are 40 characters of base64.
    pub fn media_key(&self) -> String {
        self.text(40, MIXED)
    }

    /// Salt for the hash of a password.
    pub fn salt(&self) -> [u8; 16] {
        let mut salt = [0; 16];
        self.fill(&mut salt);
        salt
    }

    /// A secret token: 43 letters and digits.
    pub fn token(&self) -> Secret {
        Secret::new(self.text(43, MIXED))
    }

    fn text(&self, length: usize, alphabet: &[u8]) -> String {
        let mut text = String::with_capacity(length);
        // A byte beyond the last whole multiple of the alphabet would favour its beginning.
        let fair = 256 - 256 % alphabet.len();
        let mut random = [0; 64];
        while text.len() < length {
            // A few more than are left, for some bytes are not used.
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
            Source::System { drawn, .. } if bytes.len() <= 64 => drawn.take(bytes),
            Source::System { .. } => ask_system(bytes),
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
    fn the_same_seed_gives_the_same_sequence() {
        let make = || {
            let ids = Ids::seeded(7);
            (ids.record(Timestamp::from_unix_millis(1)), ids.api_key().expose().to_owned())
        };
        assert_eq!(make(), make());
    }

    #[test]
    fn what_is_drawn_in_advance_is_given_once() {
        let ids = Ids::system();
        let words: std::collections::HashSet<u64> = (0..10_000).map(|_| ids.word()).collect();
        assert_eq!(words.len(), 10_000);
        let tags: std::collections::HashSet<String> = (0..1_000).map(|_| ids.tag()).collect();
        assert!(tags.len() == 1_000 && tags.iter().all(|tag| tag.len() == 16));
        assert!(!format!("{ids:?}").contains('['), "what is drawn is not printed");
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
