//! Computes digest responses, which the server verifies and the client sends (RFC 2617, RFC 7616, RFC 8760).

use didww_types::Secret;
use md5::Md5;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

/// A hash algorithm for digests. Its session variant (`-sess`) is accepted wherever the algorithm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// MD5, which every SIP client supports.
    Md5,
    /// SHA-256, which RFC 8760 adds to SIP.
    Sha256,
}

impl Algorithm {
    /// The name in a challenge.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    pub(super) const fn hex_length(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha256 => 64,
        }
    }

    pub(super) fn named(text: &[u8]) -> Option<(Self, bool)> {
        let (name, session) = match text.len().checked_sub(5).and_then(|at| text.split_at_checked(at)) {
            Some((name, end)) if end.eq_ignore_ascii_case(b"-sess") => (name, true),
            _ => (text, false),
        };
        let algorithm = [Self::Md5, Self::Sha256]
            .into_iter()
            .find(|algorithm| name.eq_ignore_ascii_case(algorithm.name().as_bytes()))?;
        Some((algorithm, session))
    }
}

/// The hash of username, realm and password, which is all that verification needs. Within its realm it is as
/// sensitive as the password, so `Debug` hides it.
#[derive(Clone)]
pub struct PasswordHash {
    md5: [u8; 16],
    /// Absent where SHA-256 is not offered, as for each of a million trunks.
    sha256: Option<Box<[u8; 32]>>,
}

impl PasswordHash {
    /// Hashes the password under every algorithm, so that no call has to.
    pub fn new(username: &str, realm: &str, password: &Secret) -> Self {
        Self::under(&[Algorithm::Md5, Algorithm::Sha256], username, realm, password)
    }

    /// Hashes the password under MD5, which explanations use in any case, and under SHA-256 if it is one of the
    /// algorithms. A digest with another algorithm is never accepted.
    pub fn under(algorithms: &[Algorithm], username: &str, realm: &str, password: &Secret) -> Self {
        let parts = [username.as_bytes(), b":", realm.as_bytes(), b":", password.expose().as_bytes()];
        let sha256: Option<Box<[u8; 32]>> =
            algorithms.contains(&Algorithm::Sha256).then(|| Box::new(hash::<Sha256>(&parts).into()));
        Self { md5: hash::<Md5>(&parts).into(), sha256 }
    }

    pub(super) fn of(&self, algorithm: Algorithm) -> Option<&[u8]> {
        match algorithm {
            Algorithm::Md5 => Some(&self.md5),
            Algorithm::Sha256 => self.sha256.as_deref().map(<[u8; 32]>::as_slice),
        }
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(hidden)")
    }
}

/// Computes the digest. `count_and_qop` is the nonce count and the qop, if there is one; `request_hash` is
/// the hash of what the digest covers (A2 in RFC 2617).
pub(super) fn response<D: sha2::Digest>(
    password: &[u8],
    nonce: &[u8],
    cnonce: &[u8],
    session: bool,
    count_and_qop: Option<(&[u8], &[u8])>,
    request_hash: &[u8],
) -> Hex {
    let mut secret = Hex::of(password);
    if session {
        secret = Hex::of(&hash::<D>(&[secret.text(), b":", nonce, b":", cnonce]));
    }
    let request = Hex::of(request_hash);
    let digest = match count_and_qop {
        Some((count, qop)) => hash::<D>(&[
            secret.text(),
            b":",
            nonce,
            b":",
            count,
            b":",
            cnonce,
            b":",
            qop,
            b":",
            request.text(),
        ]),
        None => hash::<D>(&[secret.text(), b":", nonce, b":", request.text()]),
    };
    Hex::of(&digest)
}

/// The longest text of usual parts of a digest.
const GATHERED_BYTES: usize = 256;

pub(super) fn hash<D: sha2::Digest>(parts: &[&[u8]]) -> sha2::digest::Output<D> {
    // Hashing one text takes less time than hashing its many parts.
    let mut gathered = [0_u8; GATHERED_BYTES];
    let mut length = 0;
    let mut hasher = D::new();
    for part in parts {
        let end = length + part.len();
        if let Some(room) = gathered.get_mut(length..end) {
            room.copy_from_slice(part);
            length = end;
        } else {
            hasher.update(gathered.get(..length).unwrap_or_default());
            hasher.update(part);
            length = 0;
        }
    }
    hasher.update(gathered.get(..length).unwrap_or_default());
    hasher.finalize()
}

/// Whether two texts are equal. The time depends on their lengths alone, and not on where they differ.
// By words: each comparison ends with a barrier that the compiler cannot see through, which takes longer than comparing
// a byte.
pub(super) fn is_same(one: &[u8], other: &[u8]) -> bool {
    let ((words, rest), (other_words, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let are_same = words.iter().zip(other_words).fold(Choice::from(1), |are_same, (one, other)| {
        are_same & u64::from_ne_bytes(*one).ct_eq(&u64::from_ne_bytes(*other))
    });
    one.len() == other.len() && bool::from(are_same & rest.ct_eq(other_rest))
}

/// A hash as hexadecimal text, without a heap allocation.
pub(super) struct Hex {
    bytes: [u8; 64],
    pub(super) length: usize,
}

impl Hex {
    pub(super) fn of(hash: &[u8]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
        let mut bytes = [0; 64];
        for (pair, byte) in bytes.chunks_exact_mut(2).zip(hash) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        Self { bytes, length: 2 * hash.len() }
    }

    pub(super) fn text(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_of_any_length_are_hashed_as_one_text(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..6)
        ) {
            let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(hash::<Md5>(&slices), <Md5 as sha2::Digest>::digest(parts.concat()));
        }

        #[test]
        fn texts_are_the_same_if_no_byte_of_them_differs(
            one in proptest::collection::vec(any::<u8>(), 0..70), place in 0usize..70, bits in any::<u8>()
        ) {
            let mut other = one.clone();
            if let Some(byte) = other.get_mut(place) {
                *byte ^= bits;
            }
            prop_assert_eq!(is_same(&one, &other), one == other);
            other.push(bits);
            prop_assert!(!is_same(&one, &other) && !is_same(&other, &one));
        }
    }
}
