//! One exception to a trunk's default destination action.

use super::checked_text;
use crate::{Kind, Violation};

checked_text! {
    /// The beginning of destination numbers in E.164 without the plus: 1 to 15 digits.
    DstPrefix, "destination prefix", "1 to 15 digits",
    Kind::Text { max: Some(15), pattern: Some("^[0-9]{1,15}$") },
    |text| {
        if text.is_empty() || text.len() > 15 || !text.bytes().all(|b| b.is_ascii_digit()) {
            Some(Violation::Invalid)
        } else {
            None
        }
    }
}
