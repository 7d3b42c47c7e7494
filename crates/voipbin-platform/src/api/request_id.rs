//! The ids of requests.

use http_listener::RequestIds;

/// An id of a client has up to 64 letters, digits, hyphens and underscores; a generated one is `req_` and 26
/// characters of Base32.
pub(super) const REQUEST_IDS: RequestIds = RequestIds {
    max_bytes: 64,
    punctuation: b"-_",
    generate: |ids| format!("req_{}", base32(ids.request().as_bytes())),
};

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
