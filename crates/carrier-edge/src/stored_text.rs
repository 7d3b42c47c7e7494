//! The texts of a peer that records contain: short, and without characters that a database refuses.

use std::borrow::Cow;

/// The longest text of a peer in a record, in characters. PostgreSQL refuses a row whose indexed text is longer than
/// some 2,700 bytes, and a record that is refused is never written.
const MAX_CHARS: usize = 256;

/// A text that a peer sent, as a record contains it: at most 256 characters, with question marks for control
/// characters, of which PostgreSQL refuses NUL.
pub(crate) fn stored_text(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_CHARS && !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let shown = |character: char| if character.is_control() { '?' } else { character };
    Cow::Owned(text.chars().take(MAX_CHARS).map(shown).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_text_is_stored_as_it_is_and_a_long_or_strange_one_is_not() {
        let usual = "1c5e-2@pbx.example.com ü";
        assert!(matches!(stored_text(usual), Cow::Borrowed(text) if text == usual));
        assert_eq!(stored_text("a\0b\tc\u{85}"), "a?b?c?");
        for (long, bytes) in [("x".repeat(60_000), 256), ("ü".repeat(300), 512), ("ü".repeat(200), 400)] {
            assert_eq!(stored_text(&long).len(), bytes);
        }
    }
}
