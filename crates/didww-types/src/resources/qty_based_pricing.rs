//! Prices of quantities of channels: `qty_based_pricings`, which are only included with their pools.

use crate::values::Money;
use crate::{Extra, Id, Resource};

/// The price of a channel from a quantity on.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(name = "qty_based_pricings", since = "2017-09-18", global)]
#[non_exhaustive]
pub struct QtyBasedPricing {
    /// The price's id, a UUID that the service chose.
    pub id: Id<QtyBasedPricing>,
    /// The smallest quantity with the price.
    #[attr(default = 1)]
    pub qty: i64,
    /// The price of adding a channel, in US dollars.
    #[attr(default = "0.0")]
    pub setup_price: Money,
    /// The price of a channel for a month, in US dollars.
    #[attr(default = "0.0")]
    pub monthly_price: Money,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}
