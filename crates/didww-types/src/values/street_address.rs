//! The street and the number of an address.

use super::checked_text;
use crate::{Kind, Violation};

const MAX_CHARACTERS: usize = 200;

checked_text! {
    /// The street and the number of an address: at most 200 characters, of which none is a control character other than
    /// those of lines and tabs.
    StreetAddress, "address", "at most 200 characters, none of them a control character but for lines and tabs",
    Kind::Text { max: Some(MAX_CHARACTERS), pattern: None },
    |text| {
        if text.chars().count() > MAX_CHARACTERS {
            return Some(Violation::TooLong(MAX_CHARACTERS));
        }
        let is_unprintable = |letter: char| letter.is_control() && !matches!(letter, '\t' | '\n' | '\r');
        text.chars().any(is_unprintable).then_some(Violation::Invalid)
    }
}
