//! Checks the authentication tags of SRTP packets (RFC 3711), to state why encrypted media cannot be used.
//!
//! Nothing is decrypted. The key is that of the caller's `a=crypto` line; a packet that was made with another
//! key, or is not encrypted at all, has another tag.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

use super::{MediaFacts, Protection};

const KEY_BYTES: usize = 16;
const SALT_BYTES: usize = 14;
const AUTHENTICATION_KEY_BYTES: usize = 20;
/// The label of the key derivation for the authentication key of RTP (RFC 3711 §4.3.1).
const AUTHENTICATION_LABEL: u8 = 1;
/// The length of the RTP header without its optional parts.
const HEADER_BYTES: usize = 12;

/// The check of one direction of an SRTP stream.
// No `Debug`: it contains a key.
pub struct SrtpAuthentication {
    key: Hmac<Sha1>,
    tag_bytes: usize,
    /// The source, its highest sequence number, and how often that wrapped around (the rollover counter).
    position: Option<(u32, u16, u32)>,
}

impl SrtpAuthentication {
    /// The check for the key of an accepted description; `None` if there is no such key, or the packets have
    /// further members, whose form is not known here.
    pub fn of(protection: &Protection) -> Option<Self> {
        let Protection::Sdes { suite, key, is_plain: true, .. } = protection else { return None };
        let bytes = BASE64_STANDARD.decode(key.expose()).ok()?;
        let (master_key, salt) = bytes.split_at_checked(KEY_BYTES)?;
        let salt: [u8; SALT_BYTES] = salt.try_into().ok()?;
        let key = authentication_key(master_key.try_into().ok()?, salt);
        let tag_bytes = if suite.ends_with("_32") { 4 } else { 10 };
        Some(Self { key: Hmac::new_from_slice(&key).ok()?, tag_bytes, position: None })
    }

    /// Checks a packet, and counts the outcome.
    pub fn count(&mut self, packet: &[u8], facts: &mut MediaFacts) {
        facts.checked = facts.checked.saturating_add(1);
        if !self.is_authentic(packet) {
            facts.unauthenticated = facts.unauthenticated.saturating_add(1);
        }
    }

    fn is_authentic(&mut self, packet: &[u8]) -> bool {
        let &[_, _, n1, n2, _, _, _, _, s1, s2, s3, s4, ..] = packet else { return false };
        let (sequence, ssrc) = (u16::from_be_bytes([n1, n2]), u32::from_be_bytes([s1, s2, s3, s4]));
        let split = packet.len().checked_sub(self.tag_bytes).filter(|length| *length >= HEADER_BYTES);
        let Some((message, tag)) = split.and_then(|length| packet.split_at_checked(length)) else {
            return false;
        };
        let (highest, rollovers) = match self.position {
            Some((known, highest, rollovers)) if known == ssrc => (highest, rollovers),
            _ => (sequence, 0),
        };
        let rollovers_of_packet = estimate(highest, rollovers, sequence);
        let mut mac = self.key.clone();
        mac.update(message);
        mac.update(&rollovers_of_packet.to_be_bytes());
        let computed = mac.finalize().into_bytes();
        let is_authentic =
            computed.get(..self.tag_bytes).is_some_and(|computed| bool::from(computed.ct_eq(tag)));
        if is_authentic {
            let is_newer =
                rollovers_of_packet > rollovers || (rollovers_of_packet == rollovers && sequence >= highest);
            let highest = if is_newer { sequence } else { highest };
            self.position = Some((ssrc, highest, rollovers.max(rollovers_of_packet)));
        }
        is_authentic
    }
}

/// The rollover counter of a packet (RFC 3711 §3.3.1 and appendix A).
fn estimate(highest: u16, rollovers: u32, sequence: u16) -> u32 {
    const HALF: u16 = 1 << 15;
    if highest < HALF {
        let is_before = sequence > highest && sequence - highest > HALF;
        if is_before { rollovers.saturating_sub(1) } else { rollovers }
    } else if highest - HALF > sequence {
        rollovers.saturating_add(1)
    } else {
        rollovers
    }
}

/// Derives the authentication key with AES in counter mode (RFC 3711 §4.3.3), with a key derivation rate of 0.
fn authentication_key(master_key: [u8; KEY_BYTES], salt: [u8; SALT_BYTES]) -> [u8; AUTHENTICATION_KEY_BYTES] {
    let cipher = Aes128::new(&master_key.into());
    let mut counter = [0; KEY_BYTES];
    for (to, from) in counter.iter_mut().zip(salt) {
        *to = from;
    }
    if let Some(label) = counter.get_mut(7) {
        *label ^= AUTHENTICATION_LABEL;
    }
    let mut key = [0; AUTHENTICATION_KEY_BYTES];
    for (number, part) in (0..).zip(key.chunks_mut(KEY_BYTES)) {
        if let Some(last) = counter.last_mut() {
            *last = number;
        }
        let mut block = counter.into();
        cipher.encrypt_block(&mut block);
        for (to, from) in part.iter_mut().zip(block) {
            *to = from;
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use didww_types::Secret;

    use super::*;

    const MASTER_KEY: [u8; 16] = *b"\xE1\xF9\x7A\x0D\x3E\x01\x8B\xE0\xD6\x4F\xA3\x2C\x06\xDE\x41\x39";
    const SALT: [u8; 14] = *b"\x0E\xC6\x75\xAD\x49\x8A\xFE\xEB\xB6\x96\x0B\x3A\xAB\xE6";

    fn check(suite: &'static str) -> SrtpAuthentication {
        let key = BASE64_STANDARD.encode([&MASTER_KEY[..], &SALT].concat());
        SrtpAuthentication::of(&Protection::Sdes {
            tag: 1,
            suite,
            key: Secret::new(key),
            is_plain: true,
            unencrypted_rtcp: false,
        })
        .unwrap()
    }

    /// A packet with the tag that its sender would append.
    fn packet(sequence: u16, rollovers: u32, tag_bytes: usize) -> Vec<u8> {
        let mut packet = vec![0x80, 8];
        packet.extend(sequence.to_be_bytes());
        packet.extend([0, 0, 0, 1, 0, 0, 0, 7]);
        packet.extend([0xab; 160]);
        let mut mac = Hmac::<Sha1>::new_from_slice(&authentication_key(MASTER_KEY, SALT)).unwrap();
        mac.update(&packet);
        mac.update(&rollovers.to_be_bytes());
        packet.extend(&mac.finalize().into_bytes()[..tag_bytes]);
        packet
    }

    #[test]
    fn the_authentication_key_is_that_of_the_standards_example() {
        let expected = *b"\xCE\xBE\x32\x1F\x6F\xF7\x71\x6B\x6F\xD4\xAB\x49\xAF\x25\x6A\x15\x6D\x38\xBA\xA4";
        assert_eq!(authentication_key(MASTER_KEY, SALT), expected);
    }

    #[test]
    fn packets_with_the_key_are_authentic_also_after_the_sequence_number_wrapped_around() {
        for (suite, tag_bytes) in [("AES_CM_128_HMAC_SHA1_80", 10), ("AES_CM_128_HMAC_SHA1_32", 4)] {
            let mut check = check(suite);
            for (sequence, rollovers) in
                [(65_534, 0), (65_535, 0), (0, 1), (65_533, 0), (1, 1), (30_000, 1), (60_000, 1), (3, 2)]
            {
                assert!(check.is_authentic(&packet(sequence, rollovers, tag_bytes)), "{suite} {sequence}");
            }
        }
    }

    #[test]
    fn packets_without_encryption_with_another_key_or_too_short_are_not_authentic() {
        let mut check = check("AES_CM_128_HMAC_SHA1_80");
        let mut facts = MediaFacts::default();
        let mut changed = packet(1, 0, 10);
        changed[20] ^= 1;
        for packet in [vec![0x80; 172], changed, vec![0x80; 12], vec![0x80; 21], Vec::new()] {
            check.count(&packet, &mut facts);
        }
        check.count(&packet(2, 0, 10), &mut facts);
        assert_eq!((facts.checked, facts.unauthenticated), (6, 5));
    }
}
