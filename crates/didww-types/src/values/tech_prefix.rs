//! The tech prefix that a caller dials before the number.

use super::checked_text;
use crate::{Kind, Violation};

const MAX_CHARACTERS: usize = 8;

checked_text! {
    /// A prefix that the caller dials before the number: one to eight of the characters `0` to `9` and `#`.
    /// The trunk removes it from the dialled number once.
    ///
    /// ```
    /// # use didww_types as didww_client;
    /// use didww_client::values::TechPrefix;
    /// assert!(TechPrefix::new("123#").is_ok());
    /// let refused = TechPrefix::new("+1").unwrap_err();
    /// assert_eq!(refused.to_string(), "tech prefix `+1` is invalid; 1 to 8 of the characters 0 to 9 and #");
    /// ```
    TechPrefix, "tech prefix", "1 to 8 of the characters 0 to 9 and #",
    Kind::Text { max: Some(MAX_CHARACTERS), pattern: Some("^[0-9#]+$") },
    |text| {
        if text.is_empty() || text.bytes().any(|b| !b.is_ascii_digit() && b != b'#') {
            Some(Violation::Invalid)
        } else if text.len() > MAX_CHARACTERS {
            Some(Violation::TooLong(MAX_CHARACTERS))
        } else {
            None
        }
    }
}
