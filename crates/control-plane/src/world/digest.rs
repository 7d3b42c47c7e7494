//! The digest of a key in a file: 64 hexadecimal digits.

use std::fmt::Write as _;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use trunk_store::account::KeyDigest;

/// The digest of an API key, as a file has it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HexDigest(pub(super) KeyDigest);

impl std::fmt::Debug for HexDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HexDigest(hidden)")
    }
}

impl Serialize for HexDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(64);
        for byte in self.0.as_bytes() {
            // Writing to a text cannot fail.
            let _infallible = write!(text, "{byte:02x}");
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for HexDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = bytes(&text).ok_or_else(|| {
            <D::Error as de::Error>::custom("`sha256` is the SHA-256 digest of a key: 64 hexadecimal digits")
        })?;
        Ok(Self(KeyDigest::from_bytes(bytes)))
    }
}

fn bytes(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_as_it_is_read() {
        let digest = HexDigest(KeyDigest::of("test"));
        let text = serde_json::to_string(&digest).unwrap();
        assert_eq!(text, "\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"");
        assert_eq!(serde_json::from_str::<HexDigest>(&text).unwrap(), digest);
        for wrong in
            ["\"9f86\"", "\"\"", &format!("\"{}\"", "g".repeat(64)), &format!("\"{}\"", "é".repeat(32))]
        {
            assert!(serde_json::from_str::<HexDigest>(wrong).is_err(), "{wrong}");
        }
    }
}
