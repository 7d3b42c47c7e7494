//! The customer's own identifier of a record.

use super::checked_text;
use crate::{Kind, Violation};

const MAX_CHARACTERS: usize = 100;

checked_text! {
    /// The record's identifier in the customer's own system: any text of at most 100 characters, without
    /// control characters.
    ExternalReference, "external reference", "at most 100 characters, none of them a control character",
    Kind::Text { max: Some(MAX_CHARACTERS), pattern: None },
    |text| {
        if text.chars().count() > MAX_CHARACTERS {
            return Some(Violation::TooLong(MAX_CHARACTERS));
        }
        text.chars().any(char::is_control).then_some(Violation::Invalid)
    }
}
