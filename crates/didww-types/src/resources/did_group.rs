//! Groups of phone numbers: `did_groups`.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{AddressRequirement, City, Country, DidGroupType, NanpaPrefix, Region, StockKeepingUnit};
use crate::values::BoundedList;
use crate::{Adapter, ApiVersion, AttributeSpec, Extra, Id, Resource, ToMany, ToOne};

/// Phone numbers with the same area and type, and their features.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "did_groups",
    since = "2017-09-18",
    verbs(list, get),
    adapter = LOCAL_PREFIX,
    global,
    sorts("country.name", "did_group_type.name"(by = "number_type", until = "2026-04-16")),
    hidden("nanpa_prefixes")
)]
#[filter(name = "available_dids_enabled", meta = "available_dids_enabled", value = bool)]
#[filter(name = "city.id", linked = "city", list, blank(until = "2026-04-16"), value = Id<City>)]
#[filter(name = "country.id", linked = "country", list, blank(until = "2026-04-16"), value = Id<Country>)]
#[filter(
    name = "did_group_type.id",
    linked = "did_group_type",
    list,
    blank,
    until = "2026-04-16",
    value = Id<DidGroupType>
)]
#[filter(
    name = "features",
    equals = "features",
    list,
    every(since = "2026-04-16"),
    formerly(text = "sms_out", until = "2022-05-10"),
    value = DidFeature
)]
#[filter(name = "id", id, list, value = Id<DidGroup>)]
#[filter(name = "is_available", meta = "is_available", value = bool)]
#[filter(name = "meta.total_count_gteq", meta_at_least = "total_count", since = "2022-05-10", value = i64)]
#[filter(
    name = "nanpa_prefix.id",
    linked = "nanpa_prefixes",
    list(until = "2026-04-16"),
    blank(until = "2026-04-16"),
    since = "2022-05-10",
    value = Id<NanpaPrefix>
)]
#[filter(
    name = "nanpa_prefix.npanxx",
    related = "nanpa_prefixes.npa+nxx",
    list,
    blank,
    since = "2022-05-10",
    value = String
)]
#[filter(name = "needs_registration", meta = "needs_registration", value = bool)]
#[filter(name = "region.id", linked = "region", list, blank(until = "2026-04-16"), value = Id<Region>)]
#[non_exhaustive]
pub struct DidGroup {
    /// The group's id, a UUID that the service chose.
    pub id: Id<DidGroup>,
    /// The prefix of its numbers, without the country's.
    #[attr(sort, filter(list, blank(until = "2026-04-16")), default = "")]
    pub prefix: String,
    /// The features of its numbers.
    #[attr(default = [])]
    pub features: DidFeatures,
    /// Whether incoming calls are charged by the minute.
    #[attr(sort, filter, default = false)]
    pub is_metered: bool,
    /// The city, or a designation such as `National`.
    #[attr(sort, filter(list, blank(until = "2026-04-16"), ignores_case(since = "2022-05-10")))]
    pub area_name: String,
    /// Whether channels can be bought for its numbers.
    #[attr(sort, filter, default = false)]
    pub allow_additional_channels: bool,
    /// The restrictions on the use of its numbers, in words.
    #[attr(sort, since = "2026-04-16")]
    pub service_restrictions: Option<String>,
    /// The type of its numbers. None in a group that an older version served: up to 2026-04-16 the relationship
    /// `did_group_type` has it.
    #[attr(sort, filter(list), since = "2026-11-19", default = "local", value = NumberType)]
    pub number_type: Option<NumberType>,
    /// Whether it is a group for demonstrations. None in a group that an older version served.
    #[attr(sort, filter, since = "2026-11-19", default = false, value = bool)]
    pub is_demo: Option<bool>,
    /// The country of its numbers.
    #[rel(one = "countries")]
    pub country: ToOne<Country>,
    /// The city of its numbers.
    #[rel(one = "cities")]
    pub city: ToOne<City>,
    /// The type of its numbers. Since 2026-11-19 the attribute `number_type` has it.
    #[rel(one = "did_group_types", until = "2026-04-16", mirrors = "number_type")]
    pub did_group_type: ToOne<DidGroupType>,
    /// The region of its numbers.
    #[rel(one = "regions")]
    pub region: ToOne<Region>,
    /// The prices of its numbers, one for each number of included channels.
    #[rel(many = "stock_keeping_units")]
    pub stock_keeping_units: ToMany<StockKeepingUnit>,
    /// The requirement for the registration of its numbers.
    #[rel(
        one = "address_requirements",
        since = "2021-04-19",
        formerly(name = "requirement", target = "requirements", until = "2022-05-10")
    )]
    pub address_requirement: ToOne<AddressRequirement>,
    /// Facts about the group's stock that are not attributes, such as the number of its DIDs (`total_count`).
    #[meta]
    pub meta: DidGroupMeta,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

/// The features of a DID group. A service that has more features than this crate declares can return more.
pub type DidFeatures = BoundedList<DidFeature, 8>;

/// The `meta` member of a DID group: its stock of numbers that can be ordered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DidGroupMeta {
    /// Whether single numbers of the stock can be selected.
    #[serde(default)]
    pub available_dids_enabled: bool,
    /// Whether its numbers must be registered.
    #[serde(default)]
    pub needs_registration: bool,
    /// Whether numbers are in stock.
    #[serde(default)]
    pub is_available: bool,
    /// The number of phone numbers in stock.
    #[serde(default)]
    pub total_count: i64,
}

/// Up to 2021-12-15, a group has a further prefix, which is empty in every recorded response.
static LOCAL_PREFIX: Adapter = Adapter {
    until: ApiVersion::V2021_12_15,
    attributes: &[AttributeSpec::of::<String>(PREFIX, "A further prefix, which is empty.")
        .until(ApiVersion::V2021_12_15, "features")],
    from_canonical: |_version, attributes| {
        attributes.entry(PREFIX).or_insert_with(|| json!(""));
    },
    // A client keeps it among the attributes that are not declared.
    to_canonical: |_version, _attributes| {},
    not_representable: |_version, _attributes| None,
};

const PREFIX: &str = "local_prefix";

crate::enumeration::string_enum! {
    /// The features of a DID group.
    DidFeature {
        /// The numbers receive calls (`voice_in`).
        VoiceIn = "voice_in",
        /// The numbers can be the caller numbers of outbound calls (`voice_out`).
        VoiceOut = "voice_out",
        /// The numbers receive fax over IP (ITU-T T.38).
        T38 = "t38",
        /// The numbers receive text messages (`sms_in`).
        SmsIn = "sms_in",
        /// Text messages from person to person.
        P2p = "p2p",
        /// Text messages from application to person.
        A2p = "a2p",
        /// Emergency services can be called from the numbers.
        Emergency = "emergency",
        /// The caller's name (CNAM) on outgoing calls.
        CnamOut = "cnam_out",
    }
}

crate::enumeration::string_enum! {
    /// The type of a phone number.
    NumberType {
        /// Numbers of a city or another area.
        Local = "local",
        /// Numbers of a whole country, not of a city or an area.
        National = "national",
        /// Numbers of a mobile network, not of a place.
        Mobile = "mobile",
        /// Numbers that are free for the caller: the called party pays for the call.
        TollFree = "toll_free",
        /// Numbers for which the caller and the called party share the cost.
        SharedCost = "shared_cost",
        /// Numbers of no country, and so of no region or city.
        Global = "global",
    }
}
