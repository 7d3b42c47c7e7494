//! Bytes as hexadecimal text.

/// Reads `N` bytes from as many pairs of lower-case digits; nothing of any other text.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pairs_of_lower_case_digits_are_read() {
        assert_eq!(from_hex("00ff7a"), Some([0, 0xff, 0x7a]));
        for wrong in ["", "00", "00ff7", "00ff7a00", "00FF7A", "00ff7g", "\u{e4}\u{e4}\u{e4}"] {
            assert_eq!(from_hex::<3>(wrong), None, "{wrong}");
        }
    }
}
