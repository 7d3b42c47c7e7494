//! Pools of channels: `capacity_pools`.

use super::{Country, QtyBasedPricing, SharedCapacityGroup};
use crate::values::{Date, Money};
use crate::{Extra, Id, Resource, ToMany};

/// Channels that the account has bought, and that its DIDs use. They are bought with an order.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(name = "capacity_pools", since = "2017-09-18", verbs(list, get, update))]
#[filter(name = "country.id", linked = "countries", list, every(since = "2026-04-16"), value = Id<Country>)]
#[filter(
    name = "has_unassigned_channels",
    exceeds = "total_channels_count > assigned_channels_count",
    value = bool
)]
#[filter(name = "id", id, list, value = Id<CapacityPool>)]
#[non_exhaustive]
pub struct CapacityPool {
    /// The pool's id, a UUID that the service chose.
    pub id: Id<CapacityPool>,
    /// The name of the kind of pool, such as `Standard`.
    #[attr(sort, filter(list(until = "2026-04-16")))]
    pub name: String,
    /// The day on which the paid period ends.
    #[attr(sort)]
    pub renew_date: Option<Date>,
    /// The number of channels. An update can only lower it, and not below the number of assigned channels or
    /// `minimum_limit`.
    #[attr(update, sort, default = 0)]
    pub total_channels_count: i64,
    /// The number of channels in use: the dedicated channels of DIDs, and the channels of shared capacity groups.
    #[attr(
        sort,
        default = 0,
        sum(
            "dids.capacity_pool.dedicated_channels_count",
            "shared_capacity_groups.capacity_pool.shared_channels_count"
        )
    )]
    pub assigned_channels_count: i64,
    /// The smallest number of channels that the pool can have.
    #[attr(sort, default = 0)]
    pub minimum_limit: i64,
    /// The smallest number of channels that an order can add.
    #[attr(sort, default = 0)]
    pub minimum_qty_per_order: i64,
    /// The price of adding a channel, in US dollars.
    #[attr(sort, default = "0.0")]
    pub setup_price: Money,
    /// The price of a channel for a month, in US dollars.
    #[attr(sort, default = "0.0")]
    pub monthly_price: Money,
    /// The price of a minute on a metered channel, in US dollars.
    #[attr(sort, default = "0.0")]
    pub metered_rate: Money,
    /// The countries whose DIDs can use the pool.
    #[rel(many = "countries")]
    pub countries: ToMany<Country>,
    /// The groups of DIDs that share channels of the pool.
    #[rel(many = "shared_capacity_groups", inverse = "capacity_pool")]
    pub shared_capacity_groups: ToMany<SharedCapacityGroup>,
    /// The prices of larger quantities.
    #[rel(many = "qty_based_pricings")]
    pub qty_based_pricings: ToMany<QtyBasedPricing>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}
