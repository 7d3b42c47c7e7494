//! The limits of texts that clients store. VoIPBIN documents none; the lengths are those of its database, which counts
//! the characters of a short text and the bytes of a long one. A NUL is refused, because PostgreSQL cannot store it.

use voipbin_types::Address;

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

impl Longest {
    /// States the limit that a text exceeds; none if it does not.
    fn excess_of(self, text: &str) -> Option<String> {
        let (length, most, unit) = match self {
            Self::Characters(most) => (text.chars().count(), most, "characters"),
            Self::Bytes(most) => (text.len(), most, "bytes"),
        };
        (length > most).then(|| format!("has more than {most} {unit}"))
    }
}

/// Checks texts: the name of each member, its text and its limit.
///
/// # Errors
/// The first member that is too long or contains a NUL.
pub(super) fn check_lengths(texts: &[(&str, &str, Longest)]) -> Result<(), ApiError> {
    let flaw = texts.iter().find_map(|(name, text, longest)| {
        let nul = || text.contains('\0').then(|| "contains a NUL character".to_owned());
        longest.excess_of(text).or_else(nul).map(|flaw| format!("{name} {flaw}"))
    });
    flaw.map_or(Ok(()), |flaw| Err(ApiError::invalid_data_because(flaw)))
}

/// Checks the texts of the addresses of a request. Without limits, a single request could fill the memory: each of its
/// calls has a copy of the source, and so has each of their events.
///
/// # Errors
/// The first member that is too long.
pub(super) fn check_addresses(source: Option<&Address>, destinations: &[Address]) -> Result<(), ApiError> {
    let source = source.map(|source| ("source", source));
    let destinations = destinations.iter().map(|destination| ("destinations", destination));
    let flaw = source.into_iter().chain(destinations).find_map(|(whose, address)| {
        let texts: [(&str, &str, Longest); 5] = [
            ("type", address.kind.as_str(), SHORT),
            ("target", &address.target, URL),
            ("target_name", &address.target_name, SHORT),
            ("name", &address.name, SHORT),
            ("detail", &address.detail, LONG),
        ];
        let excess = |(member, text, longest): (&str, &str, Longest)| {
            longest.excess_of(text).map(|excess| format!("{whose}.{member} {excess}"))
        };
        texts.into_iter().find_map(excess)
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
    fn the_first_text_of_an_address_that_is_too_long_is_named() {
        let short = || Address::tel("+12025550143");
        let long = Address { detail: "x".repeat(65_536), ..short() };
        assert_eq!(check_addresses(Some(&short()), &[short(), short()]), Ok(()));
        let message = |checked: Result<(), ApiError>| checked.unwrap_err().message;
        let of = |whose: &str| {
            format!("The request contains invalid data: {whose}.detail has more than 65535 bytes.")
        };
        assert_eq!(message(check_addresses(Some(&long), &[short()])), of("source"));
        assert_eq!(message(check_addresses(None, &[short(), long])), of("destinations"));
    }

    #[test]
    fn a_text_has_no_nul() {
        let message = check_lengths(&[("name", "a\0b", SHORT)]).unwrap_err().message;
        assert_eq!(message, "The request contains invalid data: name contains a NUL character.");
        assert_eq!(check_lengths(&[("detail", "two\nlines", LONG)]), Ok(()));
    }
}
