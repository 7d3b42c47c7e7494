//! The SID of a Twilio account.

use super::checked_text;
use crate::{Kind, Violation};

const LENGTH: usize = 34;

checked_text! {
    /// The SID of a Twilio account: two letters and 32 hexadecimal digits.
    TwilioAccountSid, "Twilio account SID", "two letters and 32 hexadecimal digits, such as AC22222222222222222222222222222222",
    Kind::Text { max: Some(LENGTH), pattern: Some("^[a-zA-Z]{2}[0-9a-fA-F]{32}$") },
    |text| {
        if text.is_empty() {
            Some(Violation::Blank)
        } else {
            let is_valid = |(index, byte): (usize, u8)| {
                if index < 2 { byte.is_ascii_alphabetic() } else { byte.is_ascii_hexdigit() }
            };
            let valid = text.len() == LENGTH && text.bytes().enumerate().all(is_valid);
            (!valid).then_some(Violation::Invalid)
        }
    }
}
