//! Normalises dialled numbers to the form that the rules compare: E.164 digits without a plus.
//!
//! Only prefixes that DIDWW documents are removed: one leading `+` or `00`. `011`, a national `0` and separators are
//! documented nowhere, and are refused rather than guessed.

use super::Digits;
use super::uri::PHONE_CONTEXT;

/// Why a text is not a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// There is nothing to dial: the text is empty, or only a plus.
    #[error("there is no number; dial country code, area code and subscriber number")]
    Missing,
    /// The text contains a character that is not a digit.
    #[error("`{}` is not a digit; separators and letters are not converted", char::from(*.0).escape_default())]
    NotADigit(u8),
    /// The text has more than 15 digits; contains their count.
    #[error("the number has {0} digits; E.164 allows at most 15")]
    TooLong(usize),
    /// The number is a local one of a private numbering plan (RFC 3966 §5.1.5).
    #[error(
        "the number is valid only in its phone-context, which is not a country code; dial the whole number"
    )]
    Local,
    /// The number begins with zero.
    #[error("the number begins with 0; dial the country code, optionally preceded by + or 00")]
    LeadingZero,
}

/// Parses 1 to 15 digits.
pub(super) fn digits(text: &[u8]) -> Result<Digits, NumberError> {
    if let Some(other) = text.iter().find(|byte| !byte.is_ascii_digit()) {
        return Err(NumberError::NotADigit(*other));
    }
    if text.is_empty() {
        return Err(NumberError::Missing);
    }
    Digits::parse(text).ok_or(NumberError::TooLong(text.len()))
}

/// Removes one leading `+` or `00`. The rest must be 1 to 15 digits of which the first is not 0.
pub fn normalise(text: &[u8]) -> Result<Digits, NumberError> {
    if text.windows(PHONE_CONTEXT.len()).any(|window| window == PHONE_CONTEXT) {
        return Err(NumberError::Local);
    }
    let rest = text.strip_prefix(b"+").or_else(|| text.strip_prefix(b"00")).unwrap_or(text);
    let digits = digits(rest)?;
    if rest.starts_with(b"0") { Err(NumberError::LeadingZero) } else { Ok(digits) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(input: &str) -> Result<String, NumberError> {
        normalise(input.as_bytes()).map(|digits| digits.to_string())
    }

    #[test]
    fn a_leading_plus_or_00_is_removed() {
        for input in ["442012345678", "+442012345678", "00442012345678"] {
            assert_eq!(text(input).as_deref(), Ok("442012345678"), "{input}");
        }
    }

    #[test]
    fn exit_code_011_and_the_national_zero_are_not_converted() {
        assert_eq!(text("011442012345678"), Err(NumberError::LeadingZero));
        assert_eq!(text("02012345678"), Err(NumberError::LeadingZero));
        assert_eq!(text("+0044"), Err(NumberError::LeadingZero));
    }

    #[test]
    fn separators_and_letters_are_refused() {
        assert_eq!(text("44-20"), Err(NumberError::NotADigit(b'-')));
        assert_eq!(text("alice"), Err(NumberError::NotADigit(b'a')));
        assert_eq!(text("++44"), Err(NumberError::NotADigit(b'+')));
    }

    #[test]
    fn a_number_of_a_private_plan_is_refused() {
        assert_eq!(text("0018;phone-context=pbx.example.com"), Err(NumberError::Local));
    }

    #[test]
    fn a_number_has_one_to_fifteen_digits() {
        assert_eq!(text(""), Err(NumberError::Missing));
        assert_eq!(text("+"), Err(NumberError::Missing));
        assert_eq!(text("7").as_deref(), Ok("7"));
        assert_eq!(text("123456789012345").as_deref(), Ok("123456789012345"));
        assert_eq!(text("1234567890123456"), Err(NumberError::TooLong(16)));
    }

    proptest! {
        #[test]
        fn normalising_is_idempotent(input in "(\\+|00)?[0-9]{0,17}") {
            if let Ok(once) = text(&input) {
                prop_assert_eq!(text(&once).unwrap(), once);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(input in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = normalise(&input);
        }
    }
}
