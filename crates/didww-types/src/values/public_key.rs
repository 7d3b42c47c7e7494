//! Public keys in PEM.

use super::checked_text;
use crate::{Kind, Violation};

const MAX_CHARACTERS: usize = 8192;
const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

checked_text! {
    /// A public key: base64, with or without the lines of PEM around it, in at most 8192 characters. The encoded key is
    /// not checked.
    PublicKeyText, "public key", "base64, with or without the lines of PEM around it, in at most 8192 characters",
    Kind::Text { max: Some(MAX_CHARACTERS), pattern: None },
    |text| {
        if text.len() > MAX_CHARACTERS {
            return Some(Violation::TooLong(MAX_CHARACTERS));
        }
        PublicKeyText::der(text).is_none().then_some(Violation::Invalid)
    }
}

impl PublicKeyText {
    /// The bytes that a key encodes; `None` if it is not base64.
    pub(crate) fn der(text: &str) -> Option<Vec<u8>> {
        let text = text.trim();
        let text = match text.strip_prefix(BEGIN) {
            Some(rest) => rest.strip_suffix(END)?,
            None => text,
        };
        let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        decoded(&digits).filter(|der| !der.is_empty())
    }
}

/// Decodes base64 (RFC 4648 §4) with its padding.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let (mut bytes, mut groups) = (Vec::with_capacity(text.len() / 4 * 3), text.chunks(4).peekable());
    while let Some(group) = groups.next() {
        let padding = group.iter().rev().take_while(|digit| **digit == b'=').count();
        let is_last = groups.peek().is_none();
        if group.len() != 4 || padding > 2 || (padding > 0 && !is_last) {
            return None;
        }
        let mut bits = 0_u32;
        for (place, digit) in group.iter().enumerate() {
            bits = bits << 6 | if place < 4 - padding { value(*digit)? } else { 0 };
        }
        let [_, three @ ..] = bits.to_be_bytes();
        bytes.extend(three.iter().take(3 - padding));
    }
    Some(bytes)
}

fn value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_with_its_padding_and_nothing_else_is() {
        let text = |encoded: &str| decoded(encoded.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
        // The examples of RFC 4648 §10.
        for (encoded, plain) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(text(encoded).as_deref(), Some(plain), "{encoded}");
        }
        for wrong in ["Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm9*", "Zm=v"] {
            assert_eq!(decoded(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_key_is_base64_with_or_without_the_lines_of_pem() {
        for key in ["Zm9v", " Zm\n9v\r\n", "-----BEGIN PUBLIC KEY-----\nZm9v\n-----END PUBLIC KEY-----\n"] {
            assert_eq!(PublicKeyText::der(key).as_deref(), Some(&b"foo"[..]), "{key}");
            assert!(PublicKeyText::new(key).is_ok(), "{key}");
        }
        for wrong in ["", "-----BEGIN PUBLIC KEY-----\nZm9v", "-----BEGIN RSA PUBLIC KEY-----\nZm9v", "key!"]
        {
            assert!(PublicKeyText::new(wrong).is_err(), "{wrong}");
        }
        assert!(PublicKeyText::new("Zm9v".repeat(2049)).is_err());
    }
}
