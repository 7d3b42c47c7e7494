//! Encodes index values as bytes, which a database can sort and find without knowing their kinds.

use crate::index::IndexValue;

impl IndexValue {
    /// Bytes that compare byte by byte as the values do, and are equal only for equal values. For a text they are its
    /// own bytes and one more.
    pub(crate) fn key(&self) -> Vec<u8> {
        match self {
            // With the sign bit flipped, the two's complement compares as the number does.
            Self::Integer(number) => [&[1_u8][..], &(number ^ i64::MIN).to_be_bytes()].concat(),
            Self::Text(text) => [&[2_u8][..], text.as_bytes()].concat(),
            Self::Null => vec![3],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_values_compare_as_the_values_do() {
        let texts = ["", "a", "a\u{0}", "ab", "b", "É", "\u{ffff}", "\u{10000}"]
            .map(|text| IndexValue::Text(text.to_owned()));
        let numbers = [i64::MIN, -1, 0, 1, 255, 256, i64::MAX].map(IndexValue::Integer);
        let all: Vec<IndexValue> = numbers.into_iter().chain(texts).chain([IndexValue::Null]).collect();
        for (one, other) in all.iter().flat_map(|one| all.iter().map(move |other| (one, other))) {
            assert_eq!(one.key().cmp(&other.key()), one.cmp(other), "{one:?} {other:?}");
        }
    }
}
