//! Telephone numbers of persons and businesses.

use super::checked_text;
use crate::attribute::MAX_TEXT_CHARACTERS;
use crate::{Kind, Violation};

checked_text! {
    /// A telephone number of digits alone, without a plus sign. No source states how many there may be: at most 255
    /// here.
    PhoneDigits, "telephone number", "digits alone, at most 255",
    Kind::Text { max: Some(MAX_TEXT_CHARACTERS), pattern: Some(r"^\d*$") },
    |text| {
        if text.len() > MAX_TEXT_CHARACTERS {
            return Some(Violation::TooLong(MAX_TEXT_CHARACTERS));
        }
        (!text.bytes().all(|byte| byte.is_ascii_digit())).then_some(Violation::Invalid)
    }
}
