//! The number of a DID.

use super::checked_text;
use crate::{Kind, Violation};

/// E.164 has at most 15 digits. DIDWW's sandbox has DIDs of up to 20.
const MAX_DIGITS: usize = 20;

checked_text! {
    /// A telephone number in E.164 form without the plus sign. 1 to 20 digits: DIDWW's sandbox has
    /// longer numbers than E.164's 15.
    ///
    /// ```
    /// # use didww_types as didww_client;
    /// use didww_client::values::DidNumber;
    /// assert!(DidNumber::new("37061498222").is_ok());
    /// assert!(DidNumber::new("+37061498222").is_err());
    /// ```
    DidNumber, "number", "1 to 20 digits",
    Kind::Text { max: Some(MAX_DIGITS), pattern: Some("^[0-9]{1,20}$") },
    |text| {
        let is_number = (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        (!is_number).then_some(Violation::Invalid)
    }
}
