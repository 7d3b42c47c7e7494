//! Regions of countries: `regions`.

use super::Country;
use crate::{Extra, Id, Resource, ToOne};

/// A part of a country, such as a state.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(name = "regions", since = "2017-09-18", verbs(list, get), global, unpaged)]
#[filter(name = "country.id", linked = "country", list, blank(until = "2026-04-16"), value = Id<Country>)]
#[filter(name = "id", id, list, value = Id<Region>)]
#[non_exhaustive]
pub struct Region {
    /// The region's id, a UUID that the service chose.
    pub id: Id<Region>,
    /// The name in English.
    #[attr(sort, filter(list, blank(until = "2026-04-16"), ignores_case(since = "2022-05-10")))]
    pub name: String,
    /// The code of ISO 3166-2 in full, such as `US-CA`.
    #[attr(sort, filter(list))]
    pub iso: Option<String>,
    /// The country that the region is a part of.
    #[rel(one = "countries")]
    pub country: ToOne<Country>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}
