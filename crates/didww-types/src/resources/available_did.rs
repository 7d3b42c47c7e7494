//! Phone numbers that can be ordered: `available_dids`.

use super::{City, Country, DidFeature, DidGroup, DidGroupType, NanpaPrefix, NumberType, Region};
use crate::values::DidNumber;
use crate::{Extra, Id, Resource, ToOne};

/// A phone number in stock that can be reserved, and ordered by itself. A list is a sample in random order; a number
/// that is reserved is not listed.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "available_dids",
    since = "2017-09-18",
    verbs(list, get),
    global,
    sample = 50,
    taken_by("available_did<did_reservations", "available_dids<orders", "available_dids<dids"),
    nested_includes("did_group.stock_keeping_units")
)]
#[filter(name = "city.id", linked = "did_group.city", list, value = Id<City>)]
#[filter(name = "country.id", linked = "did_group.country", list, value = Id<Country>)]
#[filter(
    name = "did_group.features",
    related = "did_group.features",
    list,
    every(since = "2026-04-16"),
    formerly(text = "sms_out", until = "2022-05-10"),
    value = DidFeature
)]
#[filter(name = "did_group.id", linked = "did_group", list, blank, value = Id<DidGroup>)]
#[filter(name = "did_group.needs_registration", related_meta = "did_group.needs_registration", value = bool)]
#[filter(
    name = "did_group.number_type",
    related = "did_group.number_type",
    list,
    since = "2026-11-19",
    value = NumberType
)]
#[filter(
    name = "did_group_type.id",
    related = "did_group.number_type",
    list,
    until = "2026-04-16",
    value = Id<DidGroupType>
)]
#[filter(name = "id", id, list, value = Id<AvailableDid>)]
#[filter(
    name = "nanpa_prefix.id",
    linked = "nanpa_prefix",
    list,
    since = "2022-05-10",
    value = Id<NanpaPrefix>
)]
#[filter(
    name = "number_contains",
    contains = "number",
    least = 3,
    unless("country.id", "region.id", "city.id", "did_group.id"),
    value = String
)]
#[filter(name = "region.id", linked = "did_group.region", list, value = Id<Region>)]
#[non_exhaustive]
pub struct AvailableDid {
    /// The id by which the number is reserved and ordered, a UUID.
    pub id: Id<AvailableDid>,
    /// The telephone number in E.164 form without the plus sign.
    #[attr(unique_everywhere, value = DidNumber)]
    pub number: String,
    /// The DID group that the number belongs to.
    #[rel(one = "did_groups")]
    pub did_group: ToOne<DidGroup>,
    /// The number's prefix of the North American numbering plan.
    #[rel(one = "nanpa_prefixes", since = "2022-05-10")]
    pub nanpa_prefix: ToOne<NanpaPrefix>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}
