//! Splits texts at ASCII characters, which are found by their byte.

use memchr::memchr;

/// Splits a text at each line feed, as [`str::split`] does.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let parts = split_once(text, b'\n');
        rest = parts.map(|(_, after)| after);
        Some(parts.map_or(text, |(line, _)| line))
    })
}

/// As [`str::split_once`], at an ASCII character: every call has some twenty lines and values to split, and a byte is
/// found quicker than a character.
pub(super) fn split_once(text: &str, ascii: u8) -> Option<(&str, &str)> {
    let at = memchr(ascii, text.as_bytes())?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_split_as_the_standard_library_splits_it(text in "[a:é\n ]{0,12}") {
            prop_assert_eq!(lines(&text).collect::<Vec<_>>(), text.split('\n').collect::<Vec<_>>());
            prop_assert_eq!(split_once(&text, b':'), text.split_once(':'));
        }
    }
}
