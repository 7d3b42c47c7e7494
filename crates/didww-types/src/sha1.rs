//! SHA-1 (FIPS 180-4), and HMAC (RFC 2104) with it: what callbacks are signed with, and what names a public key.
//!
//! The crates for it bring nine others, which every program that uses the SDK would compile. Tests compare both functions with
//! them. SHA-1 is broken as a hash of chosen texts; DIDWW's signatures need HMAC alone, of which that is not known.

/// Bytes of a digest.
pub(crate) const DIGEST_BYTES: usize = 20;
/// Bytes of a block.
const BLOCK_BYTES: usize = 64;
/// Rounds of a block with the same function and constant.
const ROUNDS: usize = 20;

/// The function of three words that a quarter of the rounds has, and its constant.
type Quarter = (fn(u32, u32, u32) -> u32, u32);

const QUARTERS: [Quarter; 4] =
    [(choice, 0x5a82_7999), (parity, 0x6ed9_eba1), (majority, 0x8f1b_bcdc), (parity, 0xca62_c1d6)];

const fn choice(x: u32, y: u32, z: u32) -> u32 {
    (x & y) ^ (!x & z)
}

const fn parity(x: u32, y: u32, z: u32) -> u32 {
    x ^ y ^ z
}

const fn majority(x: u32, y: u32, z: u32) -> u32 {
    (x & y) ^ (x & z) ^ (y & z)
}

/// The digest of the parts, one after the other.
pub(crate) fn sha1(parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    let mut state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let mut message = parts.concat();
    let bits = (message.len() as u64).wrapping_mul(8);
    message.push(0x80);
    // The length in bits ends the last block.
    while message.len() % BLOCK_BYTES != BLOCK_BYTES - 8 {
        message.push(0);
    }
    message.extend(bits.to_be_bytes());
    for block in message.as_chunks::<BLOCK_BYTES>().0 {
        state = compressed(state, block);
    }
    let mut digest = [0_u8; DIGEST_BYTES];
    for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}

/// The state after a block.
fn compressed(state: [u32; 5], block: &[u8; BLOCK_BYTES]) -> [u32; 5] {
    // The words of this round and of the next fifteen.
    let mut words = [0_u32; 16];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    let [mut a, mut b, mut c, mut d, mut oldest] = state;
    for (function, constant) in QUARTERS {
        for _ in 0..ROUNDS {
            let [word, ..] = words;
            let mixed = a.rotate_left(5).wrapping_add(function(b, c, d));
            let next = mixed.wrapping_add(oldest).wrapping_add(constant).wrapping_add(word);
            (a, b, c, d, oldest) = (next, a, b.rotate_left(30), c, d);
            let last = (words[13] ^ words[8] ^ words[2] ^ word).rotate_left(1);
            words.rotate_left(1);
            words[15] = last;
        }
    }
    let mut sum = [a, b, c, d, oldest];
    for (word, before) in sum.iter_mut().zip(state) {
        *word = word.wrapping_add(before);
    }
    sum
}

/// The HMAC of the parts, one after the other, with a key of any length.
pub(crate) fn hmac_sha1(key: &[u8], parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    let mut padded = [0_u8; BLOCK_BYTES];
    // A key that is longer than a block is replaced by its digest.
    let digest = (key.len() > BLOCK_BYTES).then(|| sha1(&[key]));
    let key: &[u8] = digest.as_ref().map_or(key, |digest| digest.as_slice());
    for (place, byte) in padded.iter_mut().zip(key) {
        *place = *byte;
    }
    let (inner, outer) = (padded.map(|byte| byte ^ 0x36), padded.map(|byte| byte ^ 0x5c));
    let mut inside: Vec<&[u8]> = vec![inner.as_slice()];
    inside.extend(parts);
    let inside = sha1(&inside);
    sha1(&[outer.as_slice(), inside.as_slice()])
}

#[cfg(test)]
mod tests {
    use ::hmac::{Hmac, KeyInit as _, Mac as _};
    use ::sha1::{Digest as _, Sha1};
    use proptest::prelude::*;
    use wire_core::to_hex;

    use super::*;

    #[test]
    fn digests_are_those_of_the_standard() {
        assert_eq!(to_hex(&sha1(&[b"abc"])), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(to_hex(&sha1(&[])), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        let two_blocks: &[u8] = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(to_hex(&sha1(&[two_blocks])), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    }

    #[test]
    fn signatures_are_those_of_rfc_2202() {
        let signed = |key: &[u8], text: &[u8]| to_hex(&hmac_sha1(key, &[text]));
        assert_eq!(signed(&[0x0b; 20], b"Hi There"), "b617318655057264e28bc0b6fb378c8ef146be00");
        assert_eq!(
            signed(b"Jefe", b"what do ya want for nothing?"),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
        let long_key: &[u8] = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(signed(&[0xaa; 80], long_key), "aa4ae5e15272d00e95705637ce8a3b55ed402112");
    }

    proptest! {
        #[test]
        fn both_functions_agree_with_the_crates_for_them(
            key in proptest::collection::vec(any::<u8>(), 0..200),
            one in proptest::collection::vec(any::<u8>(), 0..200),
            other in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let (mut digest, mut mac) = (Sha1::new(), Hmac::<Sha1>::new_from_slice(&key).unwrap());
            for part in [&one, &other] {
                digest.update(part);
                mac.update(part);
            }
            prop_assert_eq!(sha1(&[&one, &other]).to_vec(), digest.finalize().to_vec());
            prop_assert_eq!(hmac_sha1(&key, &[&one, &other]).to_vec(), mac.finalize().into_bytes().to_vec());
        }
    }
}
