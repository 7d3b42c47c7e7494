//! Points of presence: `pops`, which ended with 2026-04-16.

use crate::{Extra, FixedRecord, Id, Resource};

/// A place from which calls go to inbound trunks. Since 2026-11-19 an attribute of the trunk names it.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "pops",
    since = "2017-09-18",
    until = "2026-04-16",
    verbs(list),
    global,
    unpaged,
    fixed = POPS
)]
#[filter(name = "id", id, list, value = Id<Pop>)]
#[non_exhaustive]
pub struct Pop {
    /// The place's id, a UUID that the service chose.
    pub id: Id<Pop>,
    /// The name, such as `USA, NY`.
    #[attr]
    pub name: String,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

/// The places with the texts that name them since 2026-11-19. The first two are in the test data of DIDWW's Ruby SDK;
/// names and ids of the others are chosen by this project.
const POPS: &[FixedRecord] = &[
    FixedRecord { key: "NYC", id: "f5ffe21a-7b8f-4404-928f-88522d9bf153", name: "USA, NY" },
    FixedRecord { key: "FRA", id: "c4c214f5-5f70-4f8d-8ebe-2aa203bfdd0b", name: "DE, FRA" },
    FixedRecord { key: "LAC", id: "d1d6c0de-0000-8000-8001-000000000003", name: "USA, LA" },
    FixedRecord { key: "MIA", id: "d1d6c0de-0000-8000-8001-000000000004", name: "USA, MIA" },
    FixedRecord { key: "SG", id: "d1d6c0de-0000-8000-8001-000000000005", name: "SG" },
    FixedRecord { key: "HK", id: "d1d6c0de-0000-8000-8001-000000000006", name: "HK" },
    FixedRecord { key: "AMS", id: "d1d6c0de-0000-8000-8001-000000000007", name: "NL, AMS" },
];
