//! Cities: `cities`.

use super::{Area, Country, Region};
use crate::{Extra, Id, Resource, ToOne};

/// A city with groups of numbers.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "cities",
    since = "2017-09-18",
    verbs(list, get),
    global,
    page_size = 1000,
    max_page_size = 1000
)]
#[filter(name = "area.id", linked = "area", list(since = "2026-04-16"), since = "2022-05-10", value = Id<Area>)]
#[filter(name = "country.id", linked = "country", list, blank(until = "2026-04-16"), value = Id<Country>)]
#[filter(name = "id", id, list, value = Id<City>)]
#[filter(name = "is_available", related_meta = "city<did_groups.is_available", value = bool)]
#[filter(name = "region.id", linked = "region", list, blank(until = "2026-04-16"), value = Id<Region>)]
#[non_exhaustive]
pub struct City {
    /// The city's id, a UUID that the service chose.
    pub id: Id<City>,
    /// The name in English.
    #[attr(sort, filter(list, blank(until = "2026-04-16"), ignores_case(since = "2022-05-10")))]
    pub name: String,
    /// The country of the city.
    #[rel(one = "countries")]
    pub country: ToOne<Country>,
    /// The region of the city.
    #[rel(one = "regions")]
    pub region: ToOne<Region>,
    /// The regulatory area of the city.
    #[rel(one = "areas", since = "2022-05-10")]
    pub area: ToOne<Area>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}
