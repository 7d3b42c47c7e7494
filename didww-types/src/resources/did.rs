//! Phone numbers: `dids`.

use crate::values::{BillingCycles, CapacityLimit};
use crate::{AnyResource, Extra, Id, Resource, Timestamp, ToOne};

/// A phone number that the account rents.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "dids",
    since = "2017-09-18",
    verbs(list, get, update),
    nested_includes(
        "did_group.country",
        "did_group.city",
        "did_group.region",
        "did_group.did_group_type",
        "did_group.stock_keeping_units",
        "voice_in_trunk.pop",
        "voice_in_trunk.voice_in_trunk_group"
    )
)]
#[filter(name = "address_verification.id", linked = "address_verification", list, value = String)]
#[filter(name = "capacity_pool.id", linked = "capacity_pool", list, blank, value = String)]
#[filter(name = "city.id", linked = "city", list, blank, value = String)]
#[filter(name = "country.id", linked = "country", list, blank, value = String)]
#[filter(name = "did_group.features", linked = "did_group.features", list, value = DidFeature)]
#[filter(name = "did_group.id", linked = "did_group", list, blank, value = String)]
#[filter(name = "emergency_calling_service.id", linked = "emergency_calling_service", list, since = "2026-04-16", value = String)]
#[filter(name = "id", id, list, value = Id<Did>)]
#[filter(name = "order.id", linked = "order", list, blank, value = String)]
#[filter(name = "order.reference", linked = "order.reference", list, value = String)]
#[filter(name = "pending_removal", equals = "terminated", value = bool, legacy)]
#[filter(name = "region.id", linked = "region", list, blank, value = String)]
#[filter(name = "shared_capacity_group.id", linked = "shared_capacity_group", list, blank, value = String)]
#[filter(name = "trunk.id", linked = "voice_in_trunk", list, blank, value = String, legacy)]
#[filter(name = "trunk_group.id", linked = "voice_in_trunk_group", list, blank, value = String, legacy)]
#[filter(name = "voice_in_trunk.id", linked = "voice_in_trunk", list, blank, since = "2021-12-15", value = String)]
#[filter(name = "voice_in_trunk_group.id", linked = "voice_in_trunk_group", list, blank, since = "2021-12-15", value = String)]
#[non_exhaustive]
pub struct Did {
    /// The DID's id.
    pub id: Id<Did>,
    /// Whether it cannot take traffic.
    #[attr(sort, filter, default = false)]
    pub blocked: bool,
    /// Most simultaneous calls, 0 to 32767. None is no limit.
    #[attr(update, sort)]
    pub capacity_limit: Option<CapacityLimit>,
    /// A note of the customer's.
    #[attr(update, sort, filter(list, blank))]
    pub description: Option<String>,
    /// Whether it ends with the paid period: true cancels, false restores.
    #[attr(update, sort, filter, default = false)]
    pub terminated: bool,
    /// Whether a regulatory step is pending.
    #[attr(sort, filter, default = false)]
    pub awaiting_registration: bool,
    /// When it was ordered.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// Renewals left, 0 to 999. None renews for ever.
    #[attr(update, since = "2021-04-19", sort, filter)]
    pub billing_cycles_count: Option<BillingCycles>,
    /// The number in E.164 without the plus.
    #[attr(unique_everywhere, sort, filter(list, blank))]
    pub number: String,
    /// When the paid period ends.
    #[attr(sort)]
    pub expires_at: Option<Timestamp>,
    /// Channels that come with it.
    #[attr(sort, default = 0)]
    pub channels_included_count: i64,
    /// Channels bought for it; they need a capacity pool.
    #[attr(update, sort, default = 0)]
    pub dedicated_channels_count: i64,
    /// Whether emergency calls can be made from it.
    #[attr(since = "2026-04-16", filter, default = false)]
    pub emergency_enabled: bool,
    /// The group of numbers that it belongs to.
    #[rel(one = "did_groups")]
    pub did_group: ToOne<AnyResource>,
    /// The order that it came with.
    #[rel(one = "orders")]
    pub order: ToOne<AnyResource>,
    /// The pool that its channels come from.
    #[rel(one = "capacity_pools", update)]
    pub capacity_pool: ToOne<AnyResource>,
    /// The group that it shares channels in.
    #[rel(one = "shared_capacity_groups", update)]
    pub shared_capacity_group: ToOne<AnyResource>,
    /// The verification of its address.
    #[rel(one = "address_verifications", update)]
    pub address_verification: ToOne<AnyResource>,
    /// The inbound trunk that its calls go to; excludes a group.
    #[rel(one = "voice_in_trunks", update, since = "2021-12-15")]
    pub voice_in_trunk: ToOne<AnyResource>,
    /// The group of inbound trunks that its calls go to; excludes a trunk.
    #[rel(one = "voice_in_trunk_groups", update, since = "2021-12-15")]
    pub voice_in_trunk_group: ToOne<AnyResource>,
    /// Its emergency calling.
    #[rel(one = "emergency_calling_services", update, since = "2026-04-16")]
    pub emergency_calling_service: ToOne<AnyResource>,
    /// The verification of its emergency calling.
    #[rel(one = "emergency_verifications", since = "2026-04-16")]
    pub emergency_verification: ToOne<AnyResource>,
    /// Whom it is registered to.
    #[rel(one = "identities", since = "2026-04-16")]
    pub identity: ToOne<AnyResource>,
    /// Attributes that this crate does not know.
    #[extra]
    pub extra: Extra,
}

crate::enumeration::string_enum! {
    /// What a group of numbers can do.
    DidFeature {
        /// Incoming calls.
        VoiceIn = "voice_in",
        /// Outgoing calls.
        VoiceOut = "voice_out",
        /// Fax over IP.
        T38 = "t38",
        /// Incoming text messages.
        SmsIn = "sms_in",
        /// Text messages between people.
        P2p = "p2p",
        /// Text messages from applications.
        A2p = "a2p",
        /// Emergency calls.
        Emergency = "emergency",
        /// The caller's name on outgoing calls.
        CnamOut = "cnam_out",
    }
}
