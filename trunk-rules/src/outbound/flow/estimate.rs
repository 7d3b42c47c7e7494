//! How long sound takes that nobody makes here.
//!
//! No speech is synthesised and no stream is fetched, so these are estimates and said to be: good enough that
//! a call with a sentence on it is not over in no time, and the same for everybody.

use std::time::Duration;

/// A beep.
pub(super) const BEEP: Duration = Duration::from_millis(400);

/// A stream whose length is not known.
const STREAM: Duration = Duration::from_secs(5);

/// A letter of an alphabet: some 150 words a minute.
const LETTER: Duration = Duration::from_millis(70);

/// A sign that is a syllable or more: Chinese characters, kana, Hangul.
const SYLLABLE: Duration = Duration::from_millis(180);

/// Streams, one after the other.
pub(super) fn streams(count: usize) -> Duration {
    STREAM.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Speech, counted by the signs of a text; the marks of SSML are silent. The script tells more of the length
/// than the language does.
pub(super) fn speech(text: &str) -> Duration {
    let mut in_mark = false;
    let mut length = Duration::ZERO;
    for sign in text.trim().chars() {
        match sign {
            '<' => in_mark = true,
            '>' => in_mark = false,
            _ if in_mark => {}
            _ => length = length.saturating_add(if is_syllable(sign) { SYLLABLE } else { LETTER }),
        }
    }
    length
}

const fn is_syllable(sign: char) -> bool {
    matches!(sign, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_english_sentence_takes_as_long_as_saying_it() {
        let minute = "a sentence of eight short words, no more. ".repeat(19);
        assert!((50..70).contains(&speech(&minute).as_secs()), "{:?}", speech(&minute));
    }

    #[test]
    fn a_syllable_takes_longer_than_a_letter() {
        assert_eq!(speech("안녕하세요"), SYLLABLE * 5);
        assert_eq!(speech("hello"), LETTER * 5);
    }

    #[test]
    fn marks_and_surrounding_blanks_are_silent() {
        assert_eq!(speech(" <speak>hi<break time=\"1s\"/></speak> "), LETTER * 2);
        assert_eq!(speech(""), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn more_text_never_takes_less_time(text in "[a-z가-힣 ]{0,40}", more in "[a-z가-힣]{1,10}") {
            let both = format!("{text}{more}");
            prop_assert!(speech(&both) > speech(&text));
        }
    }
}
