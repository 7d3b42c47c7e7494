//! Bytes as hexadecimal text.

/// Decodes `N` bytes from exactly `2 * N` lower-case hexadecimal digits; `None` for any other text.
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(*pair.first()?)? << 4 | digit(*pair.last()?)?;
    }
    Some(bytes)
}

/// Encodes bytes as lower-case hexadecimal digits, two for each byte.
pub fn to_hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let mut text = String::with_capacity(bytes.len() * 2);
    text.extend(digits.filter_map(|digit| char::from_digit(digit.into(), 16)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pairs_of_lower_case_digits_are_written_and_read() {
        assert_eq!(from_hex("00ff7a"), Some([0, 0xff, 0x7a]));
        assert_eq!(to_hex(&[0, 0xff, 0x7a]), "00ff7a");
        for wrong in ["", "00", "00ff7", "00ff7a00", "00FF7A", "00ff7g", "\u{e4}\u{e4}\u{e4}"] {
            assert_eq!(from_hex::<3>(wrong), None, "{wrong}");
        }
    }
}
