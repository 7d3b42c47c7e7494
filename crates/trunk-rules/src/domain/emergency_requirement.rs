//! The rules of what emergency calling requires, which no request of an account's owner writes.

use didww_types::resources::EmergencyRequirement;

use super::Rules;

/// The `meta` of what has prices, before staff state them.
pub(super) const NO_PRICES: &str = "{\"setup_price\":null,\"monthly_price\":null}";

impl Rules for EmergencyRequirement {
    const INITIAL_META: Option<&'static str> = Some(NO_PRICES);
}
