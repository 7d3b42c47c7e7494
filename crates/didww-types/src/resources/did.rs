//! Phone numbers: `dids`.

use serde_json::{Value, json};

use super::{
    AddressVerification, CapacityPool, DidFeature, DidGroup, EmergencyCallingService, EmergencyVerification,
    Identity, Order, SharedCapacityGroup, SmsTrunk, SmsTrunkGroup, VoiceInTrunk, VoiceInTrunkGroup,
};
use crate::values::{BillingCycles, CapacityLimit, DidNumber, PositiveCapacity};
use crate::{Adapter, ApiVersion, AttributeSpec, Extra, Id, NotRepresentable, Resource, Timestamp, ToOne};

/// A phone number that the account rents.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "dids",
    since = "2017-09-18",
    verbs(list, get, update),
    adapter = PENDING_REMOVAL,
    order(by = "number", since = "2026-04-16"),
    hidden("available_dids", "addresses"),
    nested_includes(
        "did_group.country",
        "did_group.city",
        "did_group.region",
        "did_group.did_group_type"(until = "2026-04-16"),
        "did_group.stock_keeping_units",
        "did_group.address_requirement",
        "voice_in_trunk.pop"(until = "2026-04-16"),
        "voice_in_trunk.voice_in_trunk_group"
    )
)]
#[filter(name = "address_verification.id", linked = "address_verification", list, since = "2021-04-19", value = String)]
#[filter(name = "capacity_pool.id", linked = "capacity_pool", list, blank(until = "2026-04-16"), value = String)]
#[filter(name = "city.id", linked = "did_group.city", list, blank(until = "2026-04-16"), value = String)]
#[filter(name = "country.id", linked = "did_group.country", list, blank, value = String)]
#[filter(name = "did_group.features", related = "did_group.features", list, every(since = "2026-04-16"), formerly(text = "sms_out", until = "2022-05-10"), since = "2021-12-15", value = DidFeature)]
#[filter(name = "did_group.id", linked = "did_group", list, blank(until = "2026-04-16"), value = String)]
#[filter(name = "emergency_calling_service.id", linked = "emergency_calling_service", list, since = "2026-04-16", value = String)]
#[filter(name = "id", id, list, value = Id<Did>)]
#[filter(name = "order.id", linked = "order", list, blank(until = "2026-04-16"), value = String)]
#[filter(name = "order.reference", related = "order.reference", list, value = String)]
#[filter(name = "pending_removal", zero = "billing_cycles_count", until = "2026-04-16", value = bool, legacy)]
#[filter(name = "region.id", linked = "did_group.region", list, blank(until = "2026-04-16"), value = String)]
#[filter(name = "shared_capacity_group.id", linked = "shared_capacity_group", list, blank(until = "2026-04-16"), value = String)]
#[filter(name = "sms_trunk.id", linked = "sms_trunk", list, since = "2026-11-19", value = String)]
#[filter(name = "sms_trunk_group.id", linked = "sms_trunk_group", list, since = "2026-11-19", value = String)]
#[filter(name = "trunk.id", linked = "voice_in_trunk", list, blank(until = "2026-04-16"), value = String, legacy)]
#[filter(name = "trunk_group.id", linked = "voice_in_trunk_group", list, blank(until = "2026-04-16"), value = String, legacy)]
#[filter(name = "voice_in_trunk.id", linked = "voice_in_trunk", list, blank(until = "2026-04-16"), since = "2021-12-15", value = String)]
#[filter(name = "voice_in_trunk_group.id", linked = "voice_in_trunk_group", list, blank(until = "2026-04-16"), since = "2021-12-15", value = String)]
#[non_exhaustive]
pub struct Did {
    /// The DID's id, a UUID. The phone number itself is in `number`.
    pub id: Id<Did>,
    /// Whether the DID is blocked and carries no traffic, also because it waits for its registration.
    #[attr(sort, filter, default = false)]
    pub blocked: bool,
    /// The maximum number of simultaneous calls, 1 to 32767, and before 2026-04-16 from 0. None is no limit.
    #[attr(update, sort, revised(since = "2026-04-16", value = Option<PositiveCapacity>))]
    pub capacity_limit: Option<CapacityLimit>,
    /// The customer's note about the DID.
    #[attr(update, sort, filter(list(until = "2022-05-10"), blank, contains(since = "2026-04-16")))]
    pub description: Option<String>,
    /// Whether the DID is cancelled at the end of the paid period. Setting it to false restores the DID.
    #[attr(update, sort, filter, default = false)]
    pub terminated: bool,
    /// Whether the DID waits for the completion of a regulatory registration.
    #[attr(sort, filter, default = false)]
    pub awaiting_registration: bool,
    /// The time at which the DID was ordered.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// The number of remaining renewals, 0 to 999. None is unlimited.
    #[attr(
        update,
        since = "2021-04-19",
        sort,
        filter(list(since = "2026-04-16"), blank(since = "2026-04-16"))
    )]
    pub billing_cycles_count: Option<BillingCycles>,
    /// The telephone number in E.164 form without the plus sign.
    #[attr(unique_everywhere, sort, value = DidNumber, filter(list, blank(until = "2026-04-16")))]
    pub number: String,
    /// The end of the paid period.
    #[attr(sort)]
    pub expires_at: Option<Timestamp>,
    /// The number of channels included in the price of the DID.
    #[attr(sort, default = 0)]
    pub channels_included_count: i64,
    /// The number of channels bought for this DID. They need a capacity pool.
    #[attr(update, sort, default = 0)]
    pub dedicated_channels_count: i64,
    /// Whether emergency calls can be made from the DID.
    #[attr(since = "2026-04-16", filter, default = false, value = bool)]
    pub emergency_enabled: Option<bool>,
    /// The DID group that the DID belongs to.
    #[rel(one = "did_groups")]
    pub did_group: ToOne<DidGroup>,
    /// The order with which the DID was bought.
    #[rel(one = "orders")]
    pub order: ToOne<Order>,
    /// The capacity pool from which the DID takes its channels.
    #[rel(one = "capacity_pools", update)]
    pub capacity_pool: ToOne<CapacityPool>,
    /// The group of DIDs that share channels with this DID.
    #[rel(one = "shared_capacity_groups", update)]
    pub shared_capacity_group: ToOne<SharedCapacityGroup>,
    /// The verification of the address that the DID's registration requires.
    #[rel(one = "address_verifications", update, since = "2021-04-19")]
    pub address_verification: ToOne<AddressVerification>,
    /// The inbound trunk that receives calls to the DID. It excludes `voice_in_trunk_group`.
    #[rel(
        one = "voice_in_trunks",
        update,
        formerly(name = "trunk", target = "trunks", until = "2021-04-19")
    )]
    pub voice_in_trunk: ToOne<VoiceInTrunk>,
    /// The group of inbound trunks that receives calls to the DID. It excludes `voice_in_trunk`.
    #[rel(
        one = "voice_in_trunk_groups",
        update,
        formerly(name = "trunk_group", target = "trunk_groups", until = "2021-04-19")
    )]
    pub voice_in_trunk_group: ToOne<VoiceInTrunkGroup>,
    /// The emergency calling service of the DID.
    #[rel(one = "emergency_calling_services", update, since = "2026-04-16")]
    pub emergency_calling_service: ToOne<EmergencyCallingService>,
    /// The verification of the DID's emergency calling service.
    #[rel(one = "emergency_verifications", since = "2026-04-16")]
    pub emergency_verification: ToOne<EmergencyVerification>,
    /// The identity to which the DID is registered.
    #[rel(one = "identities", since = "2026-04-16")]
    pub identity: ToOne<Identity>,
    /// The text message trunk that receives messages to the DID. It excludes `sms_trunk_group`.
    #[rel(one = "sms_trunks", update, since = "2026-11-19")]
    pub sms_trunk: ToOne<SmsTrunk>,
    /// The group of text message trunks that receives messages to the DID. It excludes `sms_trunk`.
    #[rel(one = "sms_trunk_groups", update, since = "2026-11-19")]
    pub sms_trunk_group: ToOne<SmsTrunkGroup>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

/// The form of 2017-09-18: a DID that is not renewed has `pending_removal` instead of a count of renewals.
static PENDING_REMOVAL: Adapter = Adapter {
    until: ApiVersion::V2017_09_18,
    attributes: &[AttributeSpec::of::<bool>("pending_removal", "Whether the DID is not renewed.")
        .update()
        .until(ApiVersion::V2017_09_18, "dedicated_channels_count")],
    from_canonical: |_version, attributes| {
        if let Some(count) = attributes.remove(COUNT) {
            attributes.insert(PENDING.to_owned(), json!(count.as_i64() == Some(0)));
        }
    },
    to_canonical: |_version, attributes| {
        if let Some(pending) = attributes.remove(PENDING) {
            let count = if pending.as_bool() == Some(true) { json!(0) } else { Value::Null };
            attributes.insert(COUNT.to_owned(), count);
        }
    },
    not_representable: |_version, attributes| {
        let count = attributes.get(COUNT)?;
        let reason = "before 2021-04-19 a DID is renewed without end, or not at all";
        (!count.is_null() && count.as_i64() != Some(0))
            .then_some(NotRepresentable { attribute: COUNT, reason })
    },
};

const PENDING: &str = "pending_removal";

const COUNT: &str = "billing_cycles_count";
