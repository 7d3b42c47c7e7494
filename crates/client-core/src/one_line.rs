//! Texts of a service in the errors of an SDK, which programs write to logs.

/// The text on one line, without control characters, and cut behind this number of characters. Services quote what
/// their clients send, which a program may have from its own users: a line of a log must not be theirs.
pub fn one_line(text: &str, most: usize) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_begin_a_line_and_is_not_longer_than_the_limit() {
        assert_eq!(one_line("a\r\n\u{1b}[0mb\u{85}c", 99), "a   [0mb c");
        assert_eq!(one_line("\u{e4}\u{f6}\u{fc}", 2), "\u{e4}\u{f6}");
    }
}
