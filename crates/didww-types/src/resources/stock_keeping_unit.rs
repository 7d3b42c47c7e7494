//! Prices of numbers: `stock_keeping_units`, which are only included with their groups.

use crate::values::Money;
use crate::{Extra, Id, Resource};

/// The price of a number with a number of included channels. Its id is the `sku_id` of an order.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(name = "stock_keeping_units", since = "2017-09-18", global)]
#[non_exhaustive]
pub struct StockKeepingUnit {
    /// The unit's id, a UUID that the service chose.
    pub id: Id<StockKeepingUnit>,
    /// The price of a number once, in US dollars without tax.
    #[attr(default = "0.0")]
    pub setup_price: Money,
    /// The price of a number for a month, in US dollars without tax.
    #[attr(default = "0.0")]
    pub monthly_price: Money,
    /// The number of channels that the price includes.
    #[attr(default = 0)]
    pub channels_included_count: i64,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}
