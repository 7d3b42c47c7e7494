//! Self-validating nonces: a timestamp and a salt with a MAC, so that the server keeps no state per
//! challenge.
//!
//! The clock and the salt are passed in.

use std::time::Duration;

use didww_types::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::digest_response::{Hex, is_same};

const TIMESTAMP_BYTES: usize = 8;
const SALT_BYTES: usize = 8;
const MAC_BYTES: usize = 16;
const NONCE_BYTES: usize = TIMESTAMP_BYTES + SALT_BYTES + MAC_BYTES;

/// The state of a nonce that a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NonceState {
    /// Issued with this key, and within its lifetime.
    Fresh,
    /// Issued with this key, but past its lifetime.
    Expired,
    /// Not issued with this key, or altered.
    Foreign,
}

/// Judges nonces: whether one is valid, and, where it keeps them, which counts were used with it.
pub trait Nonces {
    /// Returns the state of a nonce.
    fn state(&self, nonce: &[u8]) -> NonceState;

    /// The highest nonce count accepted with a nonce so far, for `strict_nc`. Zero if the nonce was used
    /// without a count, `None` if it was not used. The default implementation keeps no counts.
    fn last_count(&self, nonce: &[u8]) -> Option<u32> {
        let _ = nonce;
        None
    }
}

impl<F: Fn(&[u8]) -> NonceState> Nonces for F {
    fn state(&self, nonce: &[u8]) -> NonceState {
        self(nonce)
    }
}

/// The key that nonces are signed with. All nodes behind one address must share it. `Debug` hides it.
#[derive(Clone)]
pub struct NonceKey(Hmac<Sha256>);

impl NonceKey {
    /// Creates a key from 32 random bytes.
    pub fn new(key: &[u8; 32]) -> Self {
        let mut block = [0; 64];
        for (to, from) in block.iter_mut().zip(key) {
            *to = *from;
        }
        Self(Hmac::new(&block.into()))
    }

    /// Issues a nonce of 64 characters. The salt should be random, so that no two challenges are equal.
    pub fn issue(&self, now: Timestamp, salt: u64) -> String {
        let (timestamp, salt) = (now.as_unix_millis().to_be_bytes(), salt.to_be_bytes());
        let mac = self.mac(timestamp, salt);
        let mut bytes = [0; NONCE_BYTES];
        for (to, from) in bytes.iter_mut().zip(timestamp.iter().chain(&salt).chain(&mac)) {
            *to = *from;
        }
        String::from_utf8_lossy(Hex::of(&bytes).text()).into_owned()
    }

    /// Returns the state of a nonce at the given time. `ttl` is the lifetime of a nonce.
    pub fn verify(&self, nonce: &[u8], now: Timestamp, ttl: Duration) -> NonceState {
        let Some(bytes) = decoded(nonce) else { return NonceState::Foreign };
        let Some((timestamp, rest)) = bytes.split_first_chunk::<TIMESTAMP_BYTES>() else {
            return NonceState::Foreign;
        };
        let Some((salt, mac)) = rest.split_first_chunk::<SALT_BYTES>() else { return NonceState::Foreign };
        if !is_same(&self.mac(*timestamp, *salt), mac) {
            return NonceState::Foreign;
        }
        let age = now.as_unix_millis().abs_diff(i64::from_be_bytes(*timestamp));
        // A clock that is set back extends a nonce's lifetime by the amount it was set back, and no more.
        if u128::from(age) <= ttl.as_millis() { NonceState::Fresh } else { NonceState::Expired }
    }

    /// Derives a number from this key, for another purpose than nonces.
    pub fn derive(&self, purpose: &str) -> u64 {
        let mut mac = self.0.clone();
        // Longer than any authenticated part of a nonce, so this is not a nonce.
        mac.update(b"derived from the key of nonces: ");
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().first_chunk().copied().map_or(0, u64::from_be_bytes)
    }

    /// Returns the salt that a nonce was issued with. It is authentic if [`verify`](Self::verify) does not find the
    /// nonce [foreign](NonceState::Foreign).
    pub fn salt_of(nonce: &[u8]) -> Option<u64> {
        let bytes = decoded(nonce)?;
        let (_, rest) = bytes.split_first_chunk::<TIMESTAMP_BYTES>()?;
        rest.first_chunk::<SALT_BYTES>().copied().map(u64::from_be_bytes)
    }

    fn mac(&self, timestamp: [u8; TIMESTAMP_BYTES], salt: [u8; SALT_BYTES]) -> [u8; MAC_BYTES] {
        let mut mac = self.0.clone();
        mac.update(&timestamp);
        mac.update(&salt);
        mac.finalize().into_bytes().first_chunk().copied().unwrap_or_default()
    }
}

impl std::fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NonceKey(hidden)")
    }
}

/// Verifies nonces of one key at one time. Nonce counts are not kept.
#[derive(Debug, Clone, Copy)]
pub struct NoncesAt<'a> {
    /// The key of the nonces.
    pub key: &'a NonceKey,
    /// The time at which the age of nonces is measured.
    pub now: Timestamp,
    /// The lifetime of a nonce.
    pub ttl: Duration,
}

impl Nonces for NoncesAt<'_> {
    fn state(&self, nonce: &[u8]) -> NonceState {
        self.key.verify(nonce, self.now, self.ttl)
    }
}

fn decoded(nonce: &[u8]) -> Option<[u8; NONCE_BYTES]> {
    if nonce.len() != 2 * NONCE_BYTES {
        return None;
    }
    let mut bytes = [0; NONCE_BYTES];
    let mut flaws = 0;
    for (byte, pair) in bytes.iter_mut().zip(nonce.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        let (high, low) = (lower_hex_value(*high), lower_hex_value(*low));
        flaws |= high | low;
        *byte = (high << 4) | (low & 15);
    }
    (flaws & NOT_A_DIGIT == 0).then_some(bytes)
}

const NOT_A_DIGIT: u8 = 0x80;

/// The value of a hexadecimal digit, or [`NOT_A_DIGIT`]. Only one spelling of a nonce is accepted: otherwise upper case
/// would be a second text for it.
const fn lower_hex_value(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => NOT_A_DIGIT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TTL: Duration = Duration::from_mins(5);

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    #[test]
    fn a_nonce_is_fresh_for_its_time_and_then_expired() {
        let key = NonceKey::new(&[7; 32]);
        let nonce = key.issue(at(1_000), 42);
        assert_eq!(nonce.len(), 64);
        assert_eq!(key.verify(nonce.as_bytes(), at(301_000), TTL), NonceState::Fresh);
        assert_eq!(key.verify(nonce.as_bytes(), at(301_001), TTL), NonceState::Expired);
    }

    #[test]
    fn a_nonce_of_another_key_is_foreign() {
        let nonce = NonceKey::new(&[1; 32]).issue(at(0), 42);
        assert_eq!(NonceKey::new(&[2; 32]).verify(nonce.as_bytes(), at(0), TTL), NonceState::Foreign);
    }

    #[test]
    fn the_salt_of_a_nonce_is_the_one_that_it_was_issued_with() {
        let nonce = NonceKey::new(&[7; 32]).issue(at(5), 0x0123_4567_89ab_cdef);
        assert_eq!(NonceKey::salt_of(nonce.as_bytes()), Some(0x0123_4567_89ab_cdef));
        assert_eq!(NonceKey::salt_of(b"short"), None);
    }

    #[test]
    fn what_is_derived_depends_on_key_and_purpose() {
        let derive = |key: u8, purpose| NonceKey::new(&[key; 32]).derive(purpose);
        assert_eq!(derive(7, "a"), derive(7, "a"));
        assert!(derive(7, "a") != derive(7, "b") && derive(7, "a") != derive(8, "a"));
    }

    #[test]
    fn the_key_is_not_printed() {
        assert_eq!(format!("{:?}", NonceKey::new(&[7; 32])), "NonceKey(hidden)");
    }

    proptest! {
        #[test]
        fn a_nonce_changed_anywhere_is_foreign(salt in any::<u64>(), place in 0usize..64, to in any::<u8>()) {
            let key = NonceKey::new(&[7; 32]);
            let mut nonce = key.issue(at(5), salt).into_bytes();
            prop_assume!(nonce[place] != to);
            nonce[place] = to;
            prop_assert_eq!(key.verify(&nonce, at(5), TTL), NonceState::Foreign);
        }

        #[test]
        fn no_bytes_make_it_panic(nonce in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(NonceKey::new(&[7; 32]).verify(&nonce, at(5), TTL), NonceState::Foreign);
        }
    }
}
