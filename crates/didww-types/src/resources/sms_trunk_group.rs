//! Groups of text message trunks: `sms_trunk_groups`.

use serde::{Deserialize, Serialize};

use super::{Did, SmsTrunk};
use crate::values::{ExternalReference, Name};
use crate::{Extra, Id, Resource, Timestamp, ToMany};

/// Text message trunks that are offered a message one after the other, in the order of their priorities.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(name = "sms_trunk_groups", since = "2026-11-19", verbs(list, get, create, update, delete))]
#[filter(name = "id", id, list, value = Id<SmsTrunkGroup>)]
#[non_exhaustive]
pub struct SmsTrunkGroup {
    /// The group's id, a UUID that the service chose.
    pub id: Id<SmsTrunkGroup>,
    /// The group's name, unique among the text message trunks and their groups of the account.
    #[attr(create = required(1), update, unique_among = "sms", sort, value = Name, filter(list))]
    pub name: String,
    /// The group's identifier in the customer's own system, at most 100 characters.
    #[attr(create, update, sort, filter)]
    pub external_reference_id: Option<ExternalReference>,
    /// The time at which the group was created.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// The time at which the group was changed last.
    #[attr(sort)]
    pub updated_at: Timestamp,
    /// The trunks of the group, none of them of the type `http_out`. Each is in one group: one that is named here
    /// leaves its former group.
    #[rel(many = "sms_trunks", create, update, distinct, inverse = "sms_trunk_group")]
    pub sms_trunks: ToMany<SmsTrunk>,
    /// The DIDs whose messages are sent to the group. The relationship is set on the DIDs.
    #[rel(many = "dids", inverse = "sms_trunk_group")]
    pub incoming_dids: ToMany<Did>,
    /// The number of trunks, which the service computes.
    #[meta]
    pub meta: SmsTrunkGroupMeta,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

/// The `meta` member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SmsTrunkGroupMeta {
    /// The number of trunks in the group.
    #[serde(default)]
    pub sms_trunks_count: u64,
}
