//! The limits of texts that clients store. VoIPBIN documents none; the lengths are those of its database, which counts
//! the characters of a short text and the bytes of a long one. A NUL is refused, because PostgreSQL cannot store it.

use crate::error::ApiError;

/// How long a text may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Longest {
    /// This many characters, however many bytes each of them has.
    Characters(usize),
    /// This many bytes.
    Bytes(usize),
}

/// The limit of words.
pub(super) const WORD: Longest = Longest::Characters(16);
/// The limit of names and other texts of a line.
pub(super) const SHORT: Longest = Longest::Characters(255);
/// The limit of URLs.
pub(super) const URL: Longest = Longest::Characters(2_048);
/// The limit of notes and other long texts.
pub(super) const LONG: Longest = Longest::Bytes(65_535);

/// Checks texts: the name of each member, its text and its limit.
///
/// # Errors
/// The first member that is too long or contains a NUL.
pub(super) fn check_lengths(texts: &[(&str, &str, Longest)]) -> Result<(), ApiError> {
    let flaw = texts.iter().find_map(|(name, text, longest)| {
        let (length, most, unit) = match *longest {
            Longest::Characters(most) => (text.chars().count(), most, "characters"),
            Longest::Bytes(most) => (text.len(), most, "bytes"),
        };
        if length > most {
            return Some(format!("{name} has more than {most} {unit}"));
        }
        text.contains('\0').then(|| format!("{name} contains a NUL character"))
    });
    flaw.map_or(Ok(()), |flaw| Err(ApiError::invalid_data_because(flaw)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_may_be_as_long_as_its_limit_and_no_longer() {
        let check = |length: usize| check_lengths(&[("name", &"x".repeat(length), SHORT)]);
        assert_eq!(check(255), Ok(()));
        let message = check(256).unwrap_err().message;
        assert_eq!(message, "The request contains invalid data: name has more than 255 characters.");
    }

    #[test]
    fn a_short_text_is_counted_in_characters_and_a_long_one_in_bytes() {
        let check = |length: usize, longest: Longest| {
            let text = "가".repeat(length);
            check_lengths(&[("text", &text, longest)])
        };
        for (longest, most) in [(WORD, 16), (SHORT, 255), (URL, 2_048), (LONG, 65_535 / 3)] {
            assert_eq!(check(most, longest), Ok(()), "{longest:?}");
            assert!(check(most + 1, longest).is_err(), "{longest:?}");
        }
    }

    #[test]
    fn a_text_has_no_nul() {
        let message = check_lengths(&[("name", "a\0b", SHORT)]).unwrap_err().message;
        assert_eq!(message, "The request contains invalid data: name contains a NUL character.");
        assert_eq!(check_lengths(&[("detail", "two\nlines", LONG)]), Ok(()));
    }
}
