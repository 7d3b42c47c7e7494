//! Channels that DIDs share: `shared_capacity_groups`.

use super::{CapacityPool, Did};
use crate::values::{ChannelCount, ExternalReference, Name};
use crate::{Extra, Id, Resource, Timestamp, ToMany, ToOne};

/// DIDs that share channels of a capacity pool.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(name = "shared_capacity_groups", since = "2017-09-18", verbs(list, get, create, update, delete))]
#[filter(name = "capacity_pool.id", linked = "capacity_pool", list, blank(until = "2026-04-16"), value = Id<CapacityPool>)]
#[filter(name = "id", id, list, value = Id<SharedCapacityGroup>)]
#[non_exhaustive]
pub struct SharedCapacityGroup {
    /// The group's id, a UUID that the service chose.
    pub id: Id<SharedCapacityGroup>,
    /// The group's name, unique within the account.
    #[attr(create = required(1), update, unique, sort, value = Name, filter(list, blank(until = "2026-04-16")))]
    pub name: String,
    /// The number of channels of the pool that the DIDs share.
    #[attr(create, update, default = 0, sort)]
    pub shared_channels_count: ChannelCount,
    /// The time at which the group was created.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// The number of channels that are charged by the minute when the others are in use. 0 is none, and before
    /// 2026-04-16 also null.
    #[attr(create, update, default = 0, sort, revised(since = "2026-04-16", value = ChannelCount))]
    pub metered_channels_count: Option<ChannelCount>,
    /// The group's identifier in the customer's own system, at most 100 characters.
    #[attr(create, update, since = "2026-04-16", sort, filter(blank(until = "2026-04-16")))]
    pub external_reference_id: Option<ExternalReference>,
    /// The pool from which the channels are.
    #[rel(one = "capacity_pools", create = required(2), update)]
    pub capacity_pool: ToOne<CapacityPool>,
    /// The DIDs that share the channels. One that is named here leaves its capacity pool or its former group.
    #[rel(many = "dids", create, update, inverse = "shared_capacity_group")]
    pub dids: ToMany<Did>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}
