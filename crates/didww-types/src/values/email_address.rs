//! The e-mail address of a person or a business.

use super::checked_text;
use crate::attribute::MAX_TEXT_CHARACTERS;
use crate::{Kind, Violation};

const PATTERN: &str = r"^([^\s@\x00-\x1f\x7f-\x9f]+@[^\s@\x00-\x1f\x7f-\x9f]+)?$";

checked_text! {
    /// An e-mail address: characters before and behind one `@`, none of which is white space. The empty text is none.
    ///
    /// The API's documents state that it is one, and not which are accepted.
    EmailAddress, "e-mail address", "at most 255 characters with one @ between others, none of them white space",
    Kind::Text { max: Some(MAX_TEXT_CHARACTERS), pattern: Some(PATTERN) },
    |text| {
        if text.chars().count() > MAX_TEXT_CHARACTERS {
            return Some(Violation::TooLong(MAX_TEXT_CHARACTERS));
        }
        let is_mark = |letter: char| letter.is_whitespace() || letter.is_control() || letter == '@';
        let is_part = |part: &str| !part.is_empty() && !part.chars().any(is_mark);
        let is_address = text.split_once('@').is_some_and(|(name, host)| is_part(name) && is_part(host));
        (!text.is_empty() && !is_address).then_some(Violation::Invalid)
    }
}
