//! The request id: the client's own, or a new one.

use http::HeaderMap;
use service_base::ids::Ids;

/// Most characters of a client's request id.
const MAX_LENGTH: usize = 64;

/// The value of `X-Request-Id`, if it consists of 1 to 64 letters, digits, hyphens and underscores; else a
/// new id.
pub(super) fn request_id(ids: &Ids, headers: &HeaderMap) -> String {
    let is_plain = |text: &&str| {
        (1..=MAX_LENGTH).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let sent = headers.get("x-request-id").and_then(|value| value.to_str().ok()).filter(is_plain);
    sent.map_or_else(|| format!("req_{}", base32(ids.request().as_bytes())), str::to_owned)
}

/// Base32 with the alphabet of RFC 4648, without padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut text, mut buffer, mut bits) = (String::new(), 0_u32, 0);
    let mut push = |five_bits: u32| {
        let letter = usize::try_from(five_bits & 31).ok().and_then(|at| ALPHABET.get(at));
        text.extend(letter.map(|letter| char::from(*letter)));
    };
    for byte in bytes {
        (buffer, bits) = (buffer << 8 | u32::from(*byte), bits + 8);
        while bits >= 5 {
            bits -= 5;
            push(buffer >> bits);
        }
    }
    if bits > 0 {
        push(buffer << (5 - bits));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base32;

    #[test]
    fn sixteen_bytes_are_twenty_six_letters() {
        assert_eq!(base32(&[0; 16]), "A".repeat(26));
        assert_eq!(base32(b"foobar"), "MZXW6YTBOI");
        assert_eq!(base32(&[255; 16]).len(), 26);
    }
}
