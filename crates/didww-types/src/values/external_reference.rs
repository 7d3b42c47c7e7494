//! The customer's own identifier of a record.

use super::checked_text;
use crate::{Kind, Violation};

const MAX_CHARACTERS: usize = 100;

checked_text! {
    /// The record's identifier in the customer's own system: any text of at most 100 characters.
    ExternalReference, "external reference", "at most 100 characters",
    Kind::Text { max: Some(MAX_CHARACTERS), pattern: None },
    |text| if text.chars().count() > MAX_CHARACTERS { Some(Violation::TooLong(MAX_CHARACTERS)) } else { None }
}
