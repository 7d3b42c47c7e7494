//! The SID of a Twilio account.

use super::checked_text;
use crate::{Kind, Violation};

const LENGTH: usize = 34;

checked_text! {
    /// The SID of a Twilio account: 34 characters, `AC` and 32 hexadecimal digits in every documented
    /// example.
    ///
    /// Only the length and the alphabet (letters and digits) are validated, because DIDWW documents nothing
    /// more.
    TwilioAccountSid, "Twilio account SID", "34 letters and digits, such as AC22222222222222222222222222222222",
    Kind::Text { max: Some(LENGTH), pattern: Some("^[0-9A-Za-z]{34}$") },
    |text| {
        if text.is_empty() {
            Some(Violation::Blank)
        } else if text.len() != LENGTH || !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
            Some(Violation::Invalid)
        } else {
            None
        }
    }
}
