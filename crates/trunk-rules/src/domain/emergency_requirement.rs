//! The rules of the requirements of emergency calling, which no request of an account's owner writes.

use didww_types::resources::EmergencyRequirement;

use super::Rules;

/// The `meta` of a record with prices, before staff set them.
pub(super) const NO_PRICES: &str = "{\"setup_price\":null,\"monthly_price\":null}";

impl Rules for EmergencyRequirement {
    const INITIAL_META: Option<&'static str> = Some(NO_PRICES);
}
