//! The length limits of texts that clients store. VoIPBIN documents none; these are those of its database.

use crate::error::ApiError;

/// How long a text may be, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MaxBytes(usize);

/// The limit of names and other texts of a line.
pub(super) const SHORT: MaxBytes = MaxBytes(255);
/// The limit of URLs.
pub(super) const URL: MaxBytes = MaxBytes(2_048);
/// The limit of notes.
pub(super) const LONG: MaxBytes = MaxBytes(65_535);

/// Checks texts: the name of each member, its text and its limit.
///
/// # Errors
/// The first member that is too long.
pub(super) fn check_lengths(texts: &[(&str, &str, MaxBytes)]) -> Result<(), ApiError> {
    let too_long = texts.iter().find(|(_, text, MaxBytes(most))| text.len() > *most);
    too_long.map_or(Ok(()), |(name, _, MaxBytes(most))| {
        Err(ApiError::invalid_data_because(format!("{name} has more than {most} bytes")))
    })
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
}
