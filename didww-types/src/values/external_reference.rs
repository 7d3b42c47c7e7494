//! The customer's own name for a record.

use super::checked_text;
use crate::{Kind, Violation};

const MOST: usize = 100;

checked_text! {
    /// The record's identifier in the customer's own system, at most 100 characters of free text.
    ExternalReference, "external reference", "at most 100 characters",
    Kind::Text { max: Some(MOST), pattern: None },
    |text| if text.chars().count() > MOST { Some(Violation::TooLong(MOST)) } else { None }
}
