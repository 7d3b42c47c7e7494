//! Countries: `countries`.

use super::Region;
use crate::{Extra, Id, Resource, ToMany};

/// A country with groups of numbers.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(name = "countries", since = "2017-09-18", verbs(list, get), global, unpaged)]
#[filter(name = "id", id, list, value = Id<Country>)]
#[filter(name = "is_available", related_meta = "country<did_groups.is_available", value = bool)]
#[non_exhaustive]
pub struct Country {
    /// The country's id, a UUID that the service chose.
    pub id: Id<Country>,
    /// The name in English.
    #[attr(sort, filter(list, blank(until = "2026-04-16"), ignores_case(since = "2022-05-10")))]
    pub name: String,
    /// The country's code in telephone numbers, without a plus sign. None for countries without one of their own.
    #[attr(sort, filter(list, blank(until = "2026-04-16")))]
    pub prefix: Option<String>,
    /// The two letters of ISO 3166-1.
    #[attr(sort, filter(list, blank(until = "2026-04-16")))]
    pub iso: String,
    /// The country's regions.
    #[rel(many = "regions", inverse = "country")]
    pub regions: ToMany<Region>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}
