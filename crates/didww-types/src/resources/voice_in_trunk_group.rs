//! Groups of inbound trunks: `voice_in_trunk_groups`.

use serde::{Deserialize, Serialize};

use super::VoiceInTrunk;
use crate::values::{CapacityLimit, ExternalReference, Name, PositiveCapacity};
use crate::{Extra, Id, Resource, Timestamp, ToMany};

/// Inbound trunks that are tried one after the other, in the order of their priorities and by their weights.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "voice_in_trunk_groups",
    since = "2017-09-18",
    verbs(list, get, create, update, delete),
    formerly(name = "trunk_groups", until = "2021-04-19")
)]
#[filter(name = "id", id, list, value = Id<VoiceInTrunkGroup>)]
#[non_exhaustive]
pub struct VoiceInTrunkGroup {
    /// The group's id, a UUID that the service chose.
    pub id: Id<VoiceInTrunkGroup>,
    /// The time at which the group was created.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// The group's name, unique among the inbound trunks and their groups of the account.
    #[attr(create = required(1), update, unique_among = "voice_in", sort, value = Name)]
    pub name: String,
    /// The maximum number of simultaneous calls, 1 to 32767, and before 2026-04-16 from 0. None is no limit.
    #[attr(create, update, sort, revised(since = "2026-04-16", value = Option<PositiveCapacity>))]
    pub capacity_limit: Option<CapacityLimit>,
    /// The group's identifier in the customer's own system, at most 100 characters.
    #[attr(create, update, since = "2026-04-16", sort, filter(blank(until = "2026-04-16")))]
    pub external_reference_id: Option<ExternalReference>,
    /// The trunks of the group, at most 10. Each trunk is in one group: one that is named here leaves its former group.
    #[rel(
        many = "voice_in_trunks",
        create,
        update,
        inverse = "voice_in_trunk_group",
        formerly(name = "trunks", target = "trunks", until = "2021-04-19")
    )]
    pub voice_in_trunks: ToMany<VoiceInTrunk>,
    /// The number of trunks, which the service computes.
    #[meta]
    pub meta: VoiceInTrunkGroupMeta,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

/// The `meta` member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VoiceInTrunkGroupMeta {
    /// The number of trunks in the group.
    #[serde(default)]
    pub trunks_count: u64,
}
