//! Telephone digits in one machine word.
//!
//! Every call compares its numbers with sets of numbers and prefixes, and a word can be compared, sorted and
//! hashed without following a pointer. A value contains digits only; their meaning is decided elsewhere.

use std::fmt;

const MAX_DIGITS: usize = 15;
const BITS_PER_DIGIT: u32 = 4;

/// 1 to 15 digits, leading zeros included. Values are ordered like their texts.
// Four bits per digit, the first digit in the topmost bits. Each digit is stored plus one, so that zero means
// "no digit".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digits(u64);

impl Digits {
    /// Parses 1 to 15 ASCII digits; returns `None` for anything else.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > MAX_DIGITS {
            return None;
        }
        let mut shift = u64::BITS;
        let mut word = 0;
        for byte in text {
            if !byte.is_ascii_digit() {
                return None;
            }
            shift -= BITS_PER_DIGIT;
            word |= u64::from(byte - b'0' + 1) << shift;
        }
        Some(Self(word))
    }

    /// The number of digits, 1 to 15.
    #[expect(clippy::len_without_is_empty, reason = "there is always at least one digit")]
    pub const fn len(self) -> usize {
        (16 - self.0.trailing_zeros() / BITS_PER_DIGIT) as usize
    }

    /// Returns the first `count` digits: all of them if there are fewer, `None` if `count` is zero.
    #[must_use]
    pub const fn first(self, count: usize) -> Option<Self> {
        match count {
            0 => None,
            1..=MAX_DIGITS => {
                Some(Self(self.0 & (u64::MAX << (u64::BITS as usize - BITS_PER_DIGIT as usize * count))))
            }
            _ => Some(self),
        }
    }

    /// Whether these digits begin with those of `prefix`.
    pub fn starts_with(self, prefix: Self) -> bool {
        self.first(prefix.len()) == Some(prefix)
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'0'; MAX_DIGITS];
        let mut rest = self.0;
        for digit in text.iter_mut().take(self.len()) {
            let nibble = u8::try_from(rest >> (u64::BITS - BITS_PER_DIGIT)).unwrap_or_default();
            *digit = b'0' + nibble.saturating_sub(1);
            rest <<= BITS_PER_DIGIT;
        }
        // Written at once: every call writes its numbers, and a character at a time costs more than the decision.
        f.write_str(
            text.get(..self.len()).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default(),
        )
    }
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digits({self})")
    }
}

impl std::str::FromStr for Digits {
    type Err = super::NumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        super::number::digits(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn digits_keep_their_text_order_length_and_prefixes(a in "[0-9]{1,15}", b in "[0-9]{1,15}") {
            let (x, y) = (Digits::parse(a.as_bytes()).unwrap(), Digits::parse(b.as_bytes()).unwrap());
            prop_assert_eq!(x.to_string(), a.clone());
            prop_assert_eq!(x.len(), a.len());
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(x.starts_with(y), a.starts_with(&b));
            for count in 1..=15 {
                let first = x.first(count).unwrap().to_string();
                prop_assert_eq!(first.as_str(), a.get(..count).unwrap_or(&a));
            }
        }
    }

    #[test]
    fn what_is_no_run_of_one_to_fifteen_digits_is_refused() {
        for text in ["", "1234567890123456", "12a", "+1", "١٢"] {
            assert_eq!(Digits::parse(text.as_bytes()), None, "{text}");
        }
    }
}
