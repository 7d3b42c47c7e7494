//! Prefixes of the North American numbering plan: `nanpa_prefixes`.

use super::{Country, DidFeature, Region};
use crate::values::{AreaCode, ExchangeCode};
use crate::{Extra, Id, Resource, ToOne};

/// The first six digits of numbers of the North American numbering plan, such as 201 and 221.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(name = "nanpa_prefixes", since = "2022-05-10", verbs(list, get), global)]
#[filter(name = "country.id", linked = "country", list, blank(until = "2026-04-16"), value = Id<Country>)]
#[filter(
    name = "did_group.features",
    related = "nanpa_prefixes<did_groups.features",
    list,
    every(since = "2026-04-16"),
    formerly(text = "sms_out", until = "2022-05-10"),
    value = DidFeature
)]
#[filter(name = "did_group.is_available", related_meta = "nanpa_prefixes<did_groups.is_available", value = bool)]
#[filter(name = "id", id, list, value = Id<NanpaPrefix>)]
#[filter(name = "npanxx", contains = "npa+nxx", value = String)]
#[filter(name = "region.id", linked = "region", list, blank(until = "2026-04-16"), value = Id<Region>)]
#[non_exhaustive]
pub struct NanpaPrefix {
    /// The prefix's id, a UUID that the service chose.
    pub id: Id<NanpaPrefix>,
    /// The area code, three digits of which the first is 2 to 9.
    #[attr(sort, filter(list, blank(until = "2026-04-16")), value = AreaCode)]
    pub npa: String,
    /// The exchange code, three digits of which the first is 2 to 9.
    #[attr(sort, filter(list, blank(until = "2026-04-16")), value = ExchangeCode)]
    pub nxx: String,
    /// The country of the numbers.
    #[rel(one = "countries")]
    pub country: ToOne<Country>,
    /// The region of the numbers.
    #[rel(one = "regions")]
    pub region: ToOne<Region>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}
