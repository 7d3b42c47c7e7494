//! The limits of texts that clients store. VoIPBIN documents none; the lengths are those of its database. A NUL is
//! refused, because PostgreSQL cannot store it.

use crate::error::ApiError;

/// How long a text may be, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MaxBytes(usize);

/// The limit of words, in bytes.
pub(super) const WORD: MaxBytes = MaxBytes(16);
/// The limit of names and other texts of a line.
pub(super) const SHORT: MaxBytes = MaxBytes(255);
/// The limit of URLs, in bytes.
pub(super) const URL: MaxBytes = MaxBytes(2_048);
/// The limit of notes and other long texts, in bytes.
pub(super) const LONG: MaxBytes = MaxBytes(65_535);

/// Checks texts: the name of each member, its text and its limit.
///
/// # Errors
/// The first member that is too long or contains a NUL.
pub(super) fn check_lengths(texts: &[(&str, &str, MaxBytes)]) -> Result<(), ApiError> {
    let flaw = texts.iter().find_map(|(name, text, MaxBytes(most))| {
        if text.len() > *most {
            return Some(format!("{name} has more than {most} bytes"));
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
        assert_eq!(message, "The request contains invalid data: name has more than 255 bytes.");
    }

    #[test]
    fn a_text_has_no_nul() {
        let message = check_lengths(&[("name", "a\0b", SHORT)]).unwrap_err().message;
        assert_eq!(message, "The request contains invalid data: name contains a NUL character.");
        assert_eq!(check_lengths(&[("detail", "two\nlines", LONG)]), Ok(()));
    }
}
