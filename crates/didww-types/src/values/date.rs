//! Days without a time.

use super::checked_text;
use crate::{Kind, Timestamp, Violation};

checked_text! {
    /// A day, written `YYYY-MM-DD`. Days compare by time.
    ///
    /// ```
    /// # use didww_types as didww_client;
    /// use didww_client::values::Date;
    /// assert!(Date::new("2026-02-28").is_ok());
    /// assert!(Date::new("2026-02-30").is_err());
    /// ```
    Date, "date", "a day written YYYY-MM-DD",
    Kind::Date,
    |text| {
        let is_day = text.len() == "YYYY-MM-DD".len() && format!("{text}T00:00:00Z").parse::<Timestamp>().is_ok();
        (!is_day).then_some(Violation::Invalid)
    }
}
