//! Estimated durations of audio that is not produced here.
//!
//! No speech is synthesised and no stream is fetched, so the durations are estimates and documented as such.
//! They are deterministic, and long enough that a call with a sentence does not end at once.

use std::time::Duration;

/// The duration of a beep.
pub(super) const BEEP_DURATION: Duration = Duration::from_millis(400);

/// The duration assumed for a stream of unknown length.
const STREAM_DURATION: Duration = Duration::from_secs(5);

/// The duration of a letter in an alphabetic script: about 150 words per minute.
const LETTER_DURATION: Duration = Duration::from_millis(70);

/// The duration of a character that represents a syllable or more: Chinese characters, kana, Hangul.
const SYLLABLE_DURATION: Duration = Duration::from_millis(180);

/// The duration of streams played one after the other.
pub(super) fn streams(count: usize) -> Duration {
    STREAM_DURATION.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
}

/// The duration of speech, by the characters of its text. SSML tags are silent. The script determines the
/// length more than the language does.
pub(super) fn speech(text: &str) -> Duration {
    let mut in_tag = false;
    let mut length = Duration::ZERO;
    for character in text.trim().chars() {
        match character {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ if in_tag => {}
            _ => {
                let duration = if is_syllable(character) { SYLLABLE_DURATION } else { LETTER_DURATION };
                length = length.saturating_add(duration);
            }
        }
    }
    length
}

const fn is_syllable(character: char) -> bool {
    matches!(character, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{20000}'..='\u{3ffff}')
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
        assert_eq!(speech("안녕하세요"), SYLLABLE_DURATION * 5);
        assert_eq!(speech("hello"), LETTER_DURATION * 5);
    }

    #[test]
    fn marks_and_surrounding_blanks_are_silent() {
        assert_eq!(speech(" <speak>hi<break time=\"1s\"/></speak> "), LETTER_DURATION * 2);
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
