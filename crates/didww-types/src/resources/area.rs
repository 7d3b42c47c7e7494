//! Regulatory areas: `areas`.

use super::Country;
use crate::{Extra, Id, Resource, ToOne};

/// An area in which an address must be, for numbers whose registration requires it.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "areas",
    since = "2022-05-10",
    verbs(list, get),
    global,
    page_size = 1000,
    max_page_size = 1000
)]
#[filter(name = "country.id", linked = "country", list, blank(until = "2026-04-16"), value = Id<Country>)]
#[filter(name = "id", id, list, value = Id<Area>)]
#[non_exhaustive]
pub struct Area {
    /// The area's id, a UUID that the service chose.
    pub id: Id<Area>,
    /// The name of the area.
    #[attr(sort, filter(list, blank(until = "2026-04-16"), ignores_case))]
    pub name: String,
    /// The country of the area.
    #[rel(one = "countries")]
    pub country: ToOne<Country>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}
