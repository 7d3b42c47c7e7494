//! A prefix of destination numbers, an exception to a trunk's default destination action.

use super::checked_text;
use crate::{Kind, Violation};

const MAX_DIGITS: usize = 15;

checked_text! {
    /// A prefix of destination numbers in E.164 form without the plus sign: 1 to 15 digits.
    DstPrefix, "destination prefix", "1 to 15 digits",
    Kind::Text { max: Some(MAX_DIGITS), pattern: Some("^[0-9]{1,15}$") },
    |text| {
        if text.is_empty() || text.len() > MAX_DIGITS || !text.bytes().all(|b| b.is_ascii_digit()) {
            Some(Violation::Invalid)
        } else {
            None
        }
    }
}
