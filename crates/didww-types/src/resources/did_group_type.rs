//! Types of phone numbers: `did_group_types`, which ended with 2026-04-16.

use crate::{Extra, FixedRecord, Id, Resource};

/// A type of phone numbers. Since 2026-11-19 the attribute `number_type` of other types names it.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "did_group_types",
    since = "2017-09-18",
    until = "2026-04-16",
    verbs(list, get),
    global,
    fixed = TYPES
)]
#[filter(name = "id", id, list, value = Id<DidGroupType>)]
#[non_exhaustive]
pub struct DidGroupType {
    /// The type's id, a UUID that the service chose.
    pub id: Id<DidGroupType>,
    /// The name, such as `Toll-free`.
    #[attr(sort, filter(list))]
    pub name: String,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

/// The types with the texts that name them since 2026-11-19, and with their ids in the test data of DIDWW's Ruby SDK.
const TYPES: &[FixedRecord] = &[
    FixedRecord { key: "local", id: "5827aaef-b3e7-4282-ab9f-e9c17a3e9b93", name: "Local" },
    FixedRecord { key: "national", id: "842b298a-9243-4989-a455-4bceac0c7e0e", name: "National" },
    FixedRecord { key: "toll_free", id: "96462614-64cf-4898-a434-4e03f8d7f6ab", name: "Toll-free" },
    FixedRecord { key: "mobile", id: "bf31407e-d583-4a1b-b8ee-a5f0d77d865a", name: "Mobile" },
    FixedRecord { key: "shared_cost", id: "5ad07e30-11f3-4ff9-ba87-fd06575c8f06", name: "Shared Cost" },
    FixedRecord { key: "global", id: "e961316f-7f16-4d29-b619-2fd7c421c738", name: "Global" },
];
