//! The name of a record.

use super::checked_text;
use crate::attribute::MAX_TEXT_CHARACTERS;
use crate::{Kind, Violation};

checked_text! {
    /// A name: at most 255 characters on one line, without control characters.
    ///
    /// No source states which characters a name may have. Control characters are refused here because they have no
    /// glyph, and because PostgreSQL cannot store all of them.
    ///
    /// ```
    /// # use didww_types as didww_client;
    /// use didww_client::values::Name;
    /// assert!(Name::new("Büro, 2. Stock").is_ok());
    /// assert!(Name::new("two\nlines").is_err());
    /// ```
    Name, "name", "at most 255 characters, none of them a control character",
    Kind::Text { max: Some(MAX_TEXT_CHARACTERS), pattern: Some(r"^[^\x00-\x1f\x7f-\x9f]*$") },
    |text| {
        if text.chars().count() > MAX_TEXT_CHARACTERS {
            return Some(Violation::TooLong(MAX_TEXT_CHARACTERS));
        }
        text.chars().any(char::is_control).then_some(Violation::Invalid)
    }
}
