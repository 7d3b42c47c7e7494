//! The characters of a sentence that explains a verdict.
//!
//! The same sentence appears in the call record, the log, the ring of attempts, `explain` and the header `X-Refusal`.
//! Each of these escapes other characters, and a sentence may quote text of a peer. So a sentence consists of
//! characters that none of them escapes, and no peer can end a line or a header with it.

/// Maximum number of characters of a sentence.
const MAX_CHARS: usize = 300;

/// Replaces double quotes by single ones and all other characters that a log or a header would escape by question
/// marks, and cuts the text after 300 characters.
pub fn sentence(text: &str) -> String {
    // Nearly every sentence stays as it is, and is copied at once.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if text.len() <= MAX_CHARS && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    let plain = |character| match character {
        '"' => '\'',
        '\\' => '?',
        ' '..='~' => character,
        _ => '?',
    };
    text.chars().take(MAX_CHARS).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_plain_sentence_stays_as_it_is() {
        let plain = "the trunk was blocked by hand; set its status to active (it's `blocked`)";
        assert_eq!(sentence(plain), plain);
        assert_eq!(sentence("a \"b\" \\ c\r\nFAKE \u{1b}[2J\u{202e}"), "a 'b' ? c??FAKE ?[2J?");
    }

    proptest! {
        #[test]
        fn a_sentence_is_the_same_escaped_and_not(text in any::<String>()) {
            let sentence = sentence(&text);
            prop_assert_eq!(format!("{sentence:?}"), format!("\"{sentence}\""));
            prop_assert!(sentence.len() <= MAX_CHARS && sentence.is_ascii());
        }
    }
}
