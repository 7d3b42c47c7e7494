//! Codes of the North American numbering plan.

use super::checked_text;
use crate::{Kind, Violation};

/// Whether a text is three digits of which the first is 2 to 9.
fn is_code(text: &str) -> bool {
    text.len() == 3
        && text.starts_with(|first: char| matches!(first, '2'..='9'))
        && text.bytes().all(|byte| byte.is_ascii_digit())
}

checked_text! {
    /// An area code (NPA), such as `201`.
    AreaCode, "area code", "three digits of which the first is 2 to 9",
    Kind::Text { max: Some(3), pattern: Some("^[2-9]\\d\\d$") },
    |text| (!is_code(text)).then_some(Violation::Invalid)
}

checked_text! {
    /// An exchange code (NXX), such as `221`. It does not end with 11, as the numbers of services do.
    ExchangeCode, "exchange code", "three digits of which the first is 2 to 9 and the last two are not 11",
    Kind::Text { max: Some(3), pattern: Some("^(?!\\d11$)[2-9]\\d{2}$") },
    |text| (!is_code(text) || text.ends_with("11")).then_some(Violation::Invalid)
}
