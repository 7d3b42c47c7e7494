//! The HTTP method of callbacks, as it was written before 2026-04-16.

use super::checked_text;
use crate::{Kind, Violation};

checked_text! {
    /// The method of callbacks in capital letters; requests may have it in small ones.
    FormerCallbackMethod, "callback method", "`GET` or `POST`",
    Kind::Enumeration(&["GET", "POST"]),
    |text| {
        let is_known = ["GET", "POST"].contains(&text.to_uppercase().as_str());
        (!is_known).then_some(Violation::NotIncluded)
    }
}
